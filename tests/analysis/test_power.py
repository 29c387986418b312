"""What a design can detect: against statsmodels, against what simulated trainings find, and at Holm's level."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from statsmodels.stats.power import TTestPower

from benchmarks.simulate import World, power_found
from engine.analysis.critical import critical_value
from engine.analysis.crossed import crossed_interval, least_share
from engine.analysis.power import ASSUMED_SEED_SD, Design, assumed_design, design_of
from engine.analysis.statistics import Interval, p_of, t_interval


@pytest.mark.parametrize("tests", [1, 8])
@pytest.mark.parametrize("n", [2, 3, 5, 20, 1000])
def test_detectable_differences_equal_statsmodels(n: int, tests: int) -> None:
    exact = TTestPower().solve_power(effect_size=None, nobs=n, alpha=0.05 / tests, power=0.8)
    assert Design(n, 1.0, 0.0, tests).detectable() == pytest.approx(exact, rel=2e-3)


def test_three_seeds_and_eight_claims_need_nine_deviations() -> None:
    assert [round(Design(3, 1.0, 0.0, m).detectable(), 2) for m in (1, 8, 18)] == [3.26, 9.26, 13.89]
    assert Design(3, 0.5, 0.0, 8).power_of(2.0) == pytest.approx(0.26, abs=0.005)
    assert Design(3, 0.5, 0.0, 8).seeds_needed(0.5) == 17


def test_power_and_detectable_difference_are_one_curve() -> None:
    for power in (0.3, 0.8, 0.95):
        design = Design(5, 0.01, 0.002, 4)
        assert design.power_of(design.detectable(power)) == pytest.approx(power, abs=1e-4)
    assert Design(4, 1.0).power_of(-2.0) == Design(4, 1.0).power_of(2.0)


def test_power_is_found_in_simulated_seeds() -> None:
    draw, design = np.random.default_rng(4), Design(6, 1.0, 0.0, 3)
    truth = design.detectable(0.7)
    found = [p_of(t_interval(draw.normal(truth, 1.0, 6).tolist())) for _ in range(2000)]
    assert np.mean([p is not None and p < 0.05 / 3 for p in found]) == pytest.approx(0.7, abs=0.03)


def test_images_leave_what_no_seed_takes_away() -> None:
    design = Design(3, 0.01, 0.004)
    assert design.error == pytest.approx((0.01**2 / 3 + 0.004**2) ** 0.5)
    assert design.image_share == pytest.approx(0.004**2 / design.error**2)
    assert replace(design, seeds=1000).detectable() == pytest.approx(2.8 * 0.004, rel=0.01)
    assert design.seeds_needed(0.01) is None
    needed = design.seeds_needed(0.015)
    assert needed is not None
    assert replace(design, seeds=needed).detectable() <= 0.015 < replace(design, seeds=needed - 1).detectable()


def test_a_measured_difference_gives_its_design() -> None:
    draw = np.random.default_rng(5)
    interval = crossed_interval(np.sign(draw.normal(0, 1, (1, 300)) + draw.normal(0, 1, (4, 300))))
    design = design_of(interval, 5)
    assert design is not None
    assert design.error == pytest.approx(interval.error)
    assert design.image_share == pytest.approx(interval.image_share)
    assert (design.seeds, design.tests) == (4, 5)
    of_seeds = design_of(t_interval([0.1, 0.3, 0.2]))
    assert of_seeds is not None
    assert [of_seeds.seed_sd, of_seeds.image_error, of_seeds.seeds] == pytest.approx([0.1, 0.0, 3])


@pytest.mark.parametrize(
    "interval",
    [Interval(0.1, None, None, None, 1), Interval(0.1, 0.1, 0.0, 0.2, 2, error=0.05, df=99.0, over="images")],
)
def test_without_a_spread_over_seeds_there_is_no_design(interval: Interval) -> None:
    assert design_of(interval) is None


def test_an_assumed_design_counts_the_luck_of_its_test_images() -> None:
    small, large = assumed_design(3, 357, 8), assumed_design(3, 13_000, 8)
    assert small.seed_sd > large.seed_sd > ASSUMED_SEED_SD
    assert small.detectable() > large.detectable()
    assert assumed_design(3, None, 8) == Design(3, ASSUMED_SEED_SD, 0.0, 8)
    assert assumed_design(1, 357, 8).power_of(1.0) == 0.0


@pytest.mark.parametrize("seeds", [3, 5])
@pytest.mark.parametrize("rest_share", [0.0, 1.0])
def test_power_is_found_where_images_make_half_the_error(seeds: int, rest_share: float) -> None:
    draw, design, rounds = np.random.default_rng(6), Design(seeds, seeds**0.5, 1.0, 4, rest_share), 8000
    truth = design.detectable(0.8)
    of_seeds = np.maximum(draw.chisquare(seeds - 1, rounds) / (seeds - 1), least_share(seeds - 1) * rest_share)
    reach = [critical_value(seeds - 1, 1 / (one + 1), 1 - 0.05 / 4) * (one + 1) ** 0.5 for one in of_seeds]
    found = np.mean(np.abs(draw.normal(truth, 2**0.5, rounds)) > reach)
    assert found == pytest.approx(0.8, abs=0.03)


def test_the_rest_of_an_image_and_a_training_costs_power() -> None:
    free = Design(3, 0.01, 0.0, 8)
    assert replace(free, rest_share=1.0).power_of(0.05) < free.power_of(0.05)


@pytest.mark.parametrize(("seeds", "tests"), [(3, 1), (5, 2)])
def test_power_is_found_in_simulated_trainings(seeds: int, tests: int) -> None:
    """Trainings whose luck makes about half of the error, in a table of several tests, judged after Holm."""
    row = power_found(np.random.default_rng(7), World(seeds, 357, 0.005), 2000, tests)
    assert row.ours == pytest.approx(row.peer, abs=0.03)


def test_fewest_seeds_are_found_where_a_design_needs_many() -> None:
    for design, gap in ((Design(3, 0.01, 0.0, 8), 0.002), (Design(3, 0.01, 0.003), 0.0085)):
        needed = design.seeds_needed(gap)
        assert needed is not None
        assert replace(design, seeds=needed - 1).power_of(gap) < 0.8 <= replace(design, seeds=needed).power_of(gap)


def test_one_seed_detects_nothing() -> None:
    assert Design(1, 0.01).detectable() == float("inf")
