"""Ratios of speeds, from rounds written by hand: against scipy's tests, and against simulated machines."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from scipy import stats

from engine.analysis.speeds import (
    NO_COMMON,
    NO_ROUNDS,
    ONE_NETWORK,
    SpeedRatio,
    compare_speeds,
    level_rates,
    rate_of,
    read_jobs,
)
from store.metrics import METRICS
from tests.analysis.answering import Answers

RATE, LATENCY = METRICS["infer_images_per_second"], METRICS["infer_latency"]
BASE, SLIDE, WIDE = ({"arch": name} for name in ("base", "slide", "wide"))
Rounds = Sequence[float]


def job_rows(job: str, network: Any, against: Any, own: Rounds, base: Rounds | None = None) -> list[dict[str, Any]]:
    """Rows of compare_rounds.sql."""
    about = {"job": job, "network": network and json.dumps(network), "against": against and json.dumps(against)}
    others = base if base is not None else [None] * len(own)
    return [
        {**about, "round": at, "own": one, "base": other}
        for at, (one, other) in enumerate(zip(own, others, strict=True))
    ]


def ratio_of(
    rows: Sequence[Mapping[str, Any]], first: Sequence[str], second: Sequence[str], metric: Any = RATE
) -> SpeedRatio | str:
    return compare_speeds(Answers(answer=lambda _, values: list(rows)), first, second, metric)


def found(*words: Any, **more: Any) -> SpeedRatio:
    ratio = ratio_of(*words, **more)
    assert isinstance(ratio, SpeedRatio), ratio
    return ratio


ALONE = job_rows("m-base", BASE, None, [500.0, 510.0, 490.0])
BESIDE = job_rows("m-slide", SLIDE, BASE, [300.0, 330.0, 290.0, 310.0], [400.0, 410.0, 395.0, 420.0])
OTHER = job_rows("m-wide", WIDE, BASE, [200.0, 215.0, 190.0], [400.0, 405.0, 399.0])
LOGS = [math.log(row["own"] / row["base"]) for row in BESIDE]
OTHERS = [math.log(row["own"] / row["base"]) for row in OTHER]


def test_against_the_baseline_it_is_the_paired_t_test_of_logs() -> None:
    """What the baseline did alone, at another time, says nothing."""
    ratio = found([*ALONE, *BESIDE], ["m-slide"], ["m-base"])
    reference = stats.ttest_1samp(LOGS, 0.0)
    low, high = reference.confidence_interval(0.95)
    assert ratio.ratio == pytest.approx(math.exp(np.mean(LOGS)))
    assert ratio.edges == pytest.approx((math.exp(low), math.exp(high)))
    assert ratio.p_at() == pytest.approx(reference.pvalue)
    assert ratio.p_at(0.7) == pytest.approx(stats.ttest_1samp(LOGS, math.log(0.7)).pvalue)
    assert (ratio.n, ratio.of) == (4, "rounds")


def test_the_other_way_round_is_the_inverse() -> None:
    one, other = (found([*ALONE, *BESIDE], *names) for names in ((["m-slide"], ["m-base"]), (["m-base"], ["m-slide"])))
    assert one.ratio * other.ratio == pytest.approx(1.0)
    assert one.edges[0] * other.edges[1] == pytest.approx(1.0)
    latency = found([*ALONE, *BESIDE], ["m-slide"], ["m-base"], LATENCY)
    assert latency.edges == pytest.approx(other.edges), "less time is more speed"


def test_two_networks_are_compared_through_their_common_baseline() -> None:
    ratio = found([*BESIDE, *OTHER], ["m-slide"], ["m-wide"])
    reference = stats.ttest_ind(LOGS, OTHERS, equal_var=False)
    low, high = reference.confidence_interval(0.95)
    assert ratio.p_at() == pytest.approx(reference.pvalue)
    assert ratio.edges == pytest.approx((math.exp(low), math.exp(high)))
    assert ratio.df == pytest.approx(reference.df)
    assert ratio.n == 3, "of the side that has fewer"


def pruned_rows(ratios: Sequence[float], wobble: float = 0.01) -> list[dict[str, Any]]:
    """Pruned networks, each measured beside the baseline: their shapes are results, so that they have no network."""
    swing = [1 + wobble, 1 - wobble, 1.0]
    return [row for at, ratio in enumerate(ratios)
            for row in job_rows(f"m-{at}", None, BASE, [ratio * 100 * one for one in swing], [100.0] * 3)]  # fmt: skip


def test_pruned_networks_count_by_seed_and_not_by_round() -> None:
    rows, jobs = pruned_rows([1.1, 1.3, 1.2]), ["m-0", "m-1", "m-2"]
    ratio = found([*ALONE, *rows], jobs, ["m-base"])
    means = [float(np.mean([math.log(row["own"] / 100) for row in rows if row["job"] == job])) for job in jobs]
    reference = stats.ttest_1samp(means, 0.0)
    assert ratio.p_at() == pytest.approx(reference.pvalue)
    assert (ratio.n, ratio.of, ratio.df) == (3, "networks", 2)


def test_one_shared_measurement_beside_pruned_networks_counts_once() -> None:
    rows = pruned_rows([1.1, 1.3, 1.2])
    ratio = found([*rows, *OTHER], ["m-0", "m-1", "m-2"], ["m-wide", "m-wide", "m-wide"])
    means = [float(np.mean([math.log(row["own"] / 100) for row in rows if row["job"] == f"m-{at}"])) for at in range(3)]
    assert ratio.error == pytest.approx(math.hypot(stats.sem(means), stats.sem(OTHERS)))
    assert ratio.n == 3


def test_one_job_for_both_arms_is_one_network() -> None:
    assert ratio_of(ALONE, ["m-base"], ["m-base", "m-base"]) == ONE_NETWORK


def test_jobs_without_rounds_say_nothing() -> None:
    assert ratio_of(BESIDE, ["m-slide"], ["m-old"]) == NO_ROUNDS
    assert ratio_of([], ["m-a"], ["m-b"]) == NO_ROUNDS


@pytest.mark.parametrize("rows", [
    [*BESIDE, *job_rows("m-base", WIDE, None, [1.0, 2.0])],  # beside the base, against another network
    [*BESIDE, *job_rows("m-base", WIDE, SLIDE, [1.0, 2.0], [1.0, 1.0])],  # each beside another one
    [*job_rows("m-slide", SLIDE, None, [1.0, 2.0]), *ALONE],  # each alone
    [*job_rows("m-slide", None, None, [1.0, 2.0]), *ALONE],  # pruned, under a pruned baseline
])  # fmt: skip
def test_networks_that_were_not_measured_beside_one_are_not_compared(rows: list[dict[str, Any]]) -> None:
    assert ratio_of(rows, ["m-slide"], ["m-base"]) == NO_COMMON


def test_rounds_that_agree_exactly_leave_no_doubt() -> None:
    ratio = found([*ALONE, *job_rows("m-slide", SLIDE, BASE, [2.0, 4.0], [1.0, 2.0])], ["m-slide"], ["m-base"])
    assert ratio.edges == pytest.approx((2.0, 2.0))
    assert (ratio.p_at(), ratio.p_at(ratio.ratio), ratio.p_at(-1.0)) == (0.0, 1.0, 0.0)


def simulate(draw: np.random.Generator, true: float, rounds: int = 6) -> SpeedRatio:
    """A machine whose speed drifts by tens of per cent, with a luck of 2 % in every process."""
    drift = np.exp(np.cumsum(draw.normal(0.0, 0.1, rounds)))
    own, base = (drift * np.exp(draw.normal(0.0, 0.02, rounds)) for _ in range(2))
    rows = [*ALONE, *job_rows("m-slide", SLIDE, BASE, list(true * own), list(base))]
    return found(rows, ["m-slide"], ["m-base"])


def test_the_interval_holds_the_truth_19_times_of_20() -> None:
    """Nominal 95 %: of 2,000, within four standard errors."""
    draw = np.random.default_rng(0)
    held = [low <= 1.0 <= high for low, high in (simulate(draw, 1.0).edges for _ in range(2000))]
    assert abs(np.mean(held) - 0.95) < 4 * math.sqrt(0.95 * 0.05 / 2000)


def test_ten_per_cent_are_found() -> None:
    draw = np.random.default_rng(1)
    assert sum(simulate(draw, 0.9).edges[1] < 1.0 for _ in range(200)) >= 195


def test_rates_are_levelled_by_the_network_beside_each() -> None:
    """A network that was measured while the machine was slow is not slow."""
    slow = job_rows("m-late", WIDE, BASE, [50.0, 52.0, 48.0], [100.0, 101.0, 99.0])
    jobs = read_jobs([*BESIDE, *slow])
    found = level_rates({"slide": [jobs["m-slide"]], "wide": [jobs["m-late"]]})
    late = [math.log(row["own"] / row["base"]) for row in slow]
    assert found["slide"].ratio / found["wide"].ratio == pytest.approx(math.exp(np.mean(LOGS) - np.mean(late)))
    pace = np.mean([np.mean(np.log([row["base"] for row in rows])) for rows in (BESIDE, slow)])
    assert found["slide"].log == pytest.approx(pace + np.mean(LOGS))
    assert found["slide"].error == pytest.approx(stats.sem(LOGS))


def test_rates_without_a_common_network_stay_as_they_are() -> None:
    jobs = read_jobs(job_rows("m-a", SLIDE, None, [100.0, 110.0]) + job_rows("m-b", WIDE, None, [50.0, 51.0]))
    found = level_rates({"a": [jobs["m-a"]], "b": [jobs["m-b"]]})
    assert found == {"a": rate_of([jobs["m-a"]]), "b": rate_of([jobs["m-b"]])}
    assert found["a"].ratio == pytest.approx(math.sqrt(100 * 110))


def test_a_rate_is_over_rounds_of_one_network_and_over_networks_of_several() -> None:
    jobs = list(read_jobs([*BESIDE, *OTHER]).values())
    assert (rate_of(jobs[:1]).of, rate_of(jobs[:1]).n) == ("rounds", 4)
    assert (rate_of(jobs).of, rate_of(jobs).n) == ("networks", 2)
    assert rate_of(jobs[:1]).error == pytest.approx(stats.sem(np.log([row["own"] for row in BESIDE])))
