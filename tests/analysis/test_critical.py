"""How far intervals reach: at both ends Student's and the normal's, between them never more misses than promised."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats as scipy_stats

from engine.analysis.critical import (
    ALPHAS,
    EXCESS,
    alpha_of,
    critical_value,
    critical_values,
    exponent,
    miss_rates,
    spread_quantiles,
)
from engine.analysis.statistics import Interval, p_of


def test_critical_values_go_from_students_to_the_normals() -> None:
    shares = np.asarray([0.0, 0.25, 0.5, 0.75, 1.0])
    reach = [critical_value(2, share) for share in shares]
    assert reach == sorted(reach, reverse=True)
    assert (reach[0], reach[-1]) == pytest.approx((scipy_stats.t.ppf(0.975, 2), scipy_stats.norm.ppf(0.975)))
    assert critical_values(2, shares) == pytest.approx(np.asarray(reach))


@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 1.0])
def test_p_is_the_level_of_its_critical_value(share: float) -> None:
    for alpha in (0.5, 0.05, 0.0125, 1e-4):
        edge = critical_value(4, share, 1 - alpha)
        assert p_of(Interval(edge, 1, 0, 1, 5, 1.0, 4.0, "seeds and images", share)) == pytest.approx(alpha)
    far, near = (alpha_of(at, 4.0, share) for at in (1e6, 1e-9))
    assert 0 < far < 1e-20
    assert near == pytest.approx(1)


@pytest.mark.parametrize("df", [1, 2, 4, 9, 99])
def test_a_longer_interval_is_of_a_smaller_alpha(df: int) -> None:
    """So that there is one p for each distance, at whatever level the exponent was solved for."""
    alphas = np.geomspace(1e-8, 0.99, 400)
    for share in (0.05, 0.4, 0.8):
        assert (np.diff([critical_value(df, share, 1 - alpha) for alpha in alphas]) < 0).all()


@pytest.mark.parametrize("seeds", [3, 4, 5, 10, 30])
def test_no_level_is_missed_more_often_than_promised_whatever_share_seeds_make(seeds: int) -> None:
    """Between the levels that were solved for too, on a denser grid of shares."""
    shares = np.linspace(0.01, 0.99, 50)
    for alpha in np.geomspace(5e-5, 0.4, 25):
        worst = miss_rates(seeds - 1, alpha, exponent(seeds - 1, alpha), shares).max()
        assert worst <= alpha * (EXCESS + 0.01)


@pytest.mark.parametrize(("seeds", "most"), [(3, 0.968), (5, 0.956), (10, 0.952)])
def test_95_per_cent_are_covered_and_little_more(seeds: int, most: float) -> None:
    covered = 1 - miss_rates(seeds - 1, 0.05, exponent(seeds - 1, 0.05), np.linspace(0, 1, 41))
    assert covered.min() >= 0.949
    assert covered.max() <= most


def test_a_larger_exponent_would_break_the_promise() -> None:
    for alpha in ALPHAS[:-2]:
        assert miss_rates(2, alpha, exponent(2, alpha) + 0.01).max() > EXCESS * alpha


@pytest.mark.parametrize("seeds", [3, 5])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_misses_are_those_of_simulated_means(seeds: int, share: float) -> None:
    """Seeds' mean square is chi-square, what images leave is known: drawn, not integrated."""
    draw, rounds, df = np.random.default_rng(3), 200_000, seeds - 1
    of_seeds = share * draw.chisquare(df, rounds) / df
    variance = of_seeds + 1 - share
    for alpha in (0.05, 0.0125):
        reach = critical_values(df, (1 - share) / variance, 1 - alpha) * np.sqrt(variance)
        missed = float((np.abs(draw.standard_normal(rounds)) > reach).mean())
        (told,) = miss_rates(df, alpha, exponent(df, alpha), np.asarray([share]))
        assert missed == pytest.approx(told, abs=4 * (alpha / rounds) ** 0.5)


@pytest.mark.parametrize("df", [1, 2, 9, 500])
def test_spreads_are_chi_square(df: int) -> None:
    spreads, weights = spread_quantiles(df)
    assert weights.sum() == pytest.approx(1)
    assert spreads @ weights == pytest.approx(1, rel=2e-3)
    for edge in (0.1, 0.5, 1.0, 3.0):
        # smooth in the spread: its Laplace transform is known
        assert np.exp(-edge * spreads) @ weights == pytest.approx((1 + 2 * edge / df) ** (-df / 2), rel=1e-5)
