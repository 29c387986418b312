"""Statistics equal scipy's on random cases, and keep their promises on data without any difference."""

from __future__ import annotations

from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats as scipy_stats
from statsmodels.stats.contingency_tables import mcnemar
from statsmodels.stats.multitest import multipletests

from engine.analysis import statistics as stats

NUMBERS = st.floats(-1e3, 1e3, allow_nan=False)


@given(st.lists(NUMBERS, min_size=2, max_size=12))
@settings(max_examples=60, deadline=None)
def test_t_interval_equals_scipy(values: list[float]) -> None:
    found = stats.t_interval(values)
    spread = scipy_stats.sem(values)
    assert found.std == pytest.approx(np.std(values, ddof=1), abs=1e-12)
    if spread > 1e-9:
        low, high = scipy_stats.t.interval(0.95, len(values) - 1, loc=np.mean(values), scale=spread)
        assert found.low == pytest.approx(low)
        assert found.high == pytest.approx(high)


def test_one_value_has_no_interval_and_none_is_an_error() -> None:
    assert stats.t_interval([0.5]) == stats.Interval(0.5, None, None, None, 1)
    with pytest.raises(ValueError, match="at least one"):
        stats.t_interval([])


def test_paired_p_equals_scipy_on_common_seeds() -> None:
    draw = np.random.default_rng(0)
    for _ in range(50):
        one, two = dict(enumerate(draw.normal(size=6))), dict(enumerate(draw.normal(size=5)))
        common = range(5)
        expected = scipy_stats.ttest_rel([one[at] for at in common], [two[at] for at in common]).pvalue
        assert stats.paired_p(one, two) == pytest.approx(expected)


def test_pairs_without_a_common_seed_say_nothing() -> None:
    assert stats.paired_interval({0: 1.0}, {1: 1.0}) is None
    assert stats.paired_p({0: 1.0}, {0: 2.0}) is None


@given(st.integers(0, 300), st.integers(0, 300))
@settings(max_examples=100, deadline=None)
def test_mcnemar_equals_the_binomial_test(first: int, second: int) -> None:
    expected = scipy_stats.binomtest(first, first + second).pvalue if first + second else 1.0
    assert stats.mcnemar_p(first, second) == pytest.approx(expected)


def test_bootstrap_interval_is_close_to_scipy() -> None:
    draw = np.random.default_rng(1)
    first, second = draw.random(800) < 0.7, draw.random(800) < 0.65
    found = stats.compare_images(list(first), list(second), rounds=4000)
    gain = first.astype(float) - second
    expected = scipy_stats.bootstrap((gain,), np.mean, n_resamples=4000, method="percentile", rng=2).confidence_interval
    assert found.low == pytest.approx(expected.low, abs=0.004)
    assert found.high == pytest.approx(expected.high, abs=0.004)
    assert found.difference == pytest.approx(gain.mean())
    assert found.p == pytest.approx(stats.mcnemar_p(found.only_first, found.only_second))


def test_bootstrap_is_the_same_every_time() -> None:
    first, second = [True, False] * 50, [False, True, True, True] * 25
    assert stats.compare_images(first, second, rounds=500) == stats.compare_images(first, second, rounds=500)


def test_uneven_images_are_refused() -> None:
    with pytest.raises(ValueError, match="not 1 and 2"):
        stats.compare_images([True], [True, False])


def test_holm_equals_its_definition_and_keeps_the_order() -> None:
    assert stats.holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert stats.holm([0.5, 0.9]) == [1.0, 1.0]
    assert stats.holm([]) == []


@given(st.lists(st.floats(0, 1), min_size=1, max_size=12))
@settings(max_examples=60, deadline=None)
def test_holm_equals_statsmodels(ps: list[float]) -> None:
    with mock.patch("gc.collect"):  # by which it looks through all objects of this process, each time
        expected = list(multipletests(ps, method="holm")[1])
    assert stats.holm(ps) == pytest.approx(expected)


@given(st.integers(0, 200), st.integers(0, 200))
@settings(max_examples=60, deadline=None)
def test_mcnemar_equals_statsmodels(first: int, second: int) -> None:
    expected = mcnemar([[5, first], [second, 5]], exact=True).pvalue
    assert stats.mcnemar_p(first, second) == pytest.approx(expected)


def test_accuracies_that_all_differ_alike_have_no_interval() -> None:
    same = stats.paired_shares({0: 0.90, 1: 0.80}, {0: 0.89, 1: 0.79})
    assert same is not None
    assert (same.low, same.high, same.n) == (None, None, 2)
    assert same.mean == pytest.approx(0.01)
    one, two = {0: 0.90, 1: 0.80}, {0: 0.89, 1: 0.78}
    assert stats.paired_shares(one, two) == stats.paired_interval(one, two)
    assert stats.paired_shares({0: 1.0}, {1: 1.0}) is None


def test_intervals_hold_at_the_level_that_is_asked() -> None:
    values = [0.1, 0.4, 0.35, 0.8]
    for level in (0.8, 0.95, 0.99):
        low, high = scipy_stats.t.interval(level, 3, loc=np.mean(values), scale=scipy_stats.sem(values))
        one = stats.t_interval(values, level)
        pairs = dict(enumerate(values)), dict.fromkeys(range(4), 0.0)
        for found in (one, stats.paired_interval(*pairs, level), stats.paired_shares(*pairs, level)):
            assert found is not None
            assert [found.low, found.high] == pytest.approx([low, high])
    assert stats.t_interval(values).half == pytest.approx(scipy_stats.t.ppf(0.975, 3) * scipy_stats.sem(values))
    assert stats.t_interval(values[:1]).half is None


def test_pairs_are_first_minus_second_over_common_seeds() -> None:
    found = stats.paired_interval({1: 5.0, 2: 7.0, 3: 9.0}, {0: 1.0, 1: 4.0, 2: 5.0})
    assert found is not None
    assert [found.mean, found.n, found.std] == pytest.approx([1.5, 2, 0.5**0.5])


def test_a_spread_of_zero_is_certain_except_without_a_difference() -> None:
    assert stats.paired_p({0: 2.0, 1: 3.0}, {0: 1.0, 1: 2.0}) == 0.0
    assert stats.paired_p({0: 2.0, 1: 3.0}, {0: 2.0, 1: 3.0}) == 1.0


@pytest.mark.parametrize(("spread", "has_edges"), [(4e-9, True), (1e-10, False)])
def test_a_spread_below_one_image_is_rounding(spread: float, has_edges: bool) -> None:
    found = stats.paired_shares({0: 0.5, 1: 0.5 + spread}, {0: 0.4, 1: 0.4})
    assert found is not None
    assert (found.low is not None) == has_edges
    assert found.std == (pytest.approx(spread / 2**0.5, rel=1e-3) if has_edges else 0.0)


def test_images_that_only_one_got_right_are_told_apart() -> None:
    found = stats.compare_images([True, True, True, False], [False, True, False, True], rounds=500)
    assert (found.only_first, found.only_second, found.n, found.difference) == (2, 1, 4, 0.25)
    assert stats.compare_images([True] * 9, [False] * 9, rounds=10).p == pytest.approx(2 * 0.5**9)
    with pytest.raises(ValueError, match="not 0 and 0"):
        stats.compare_images([], [])


def test_a_bootstrap_in_pieces_has_all_its_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stats, "BLOCK", 7)
    values = np.asarray([0.0, 0.0, 1.0, 3.0])
    means = stats.bootstrap_means(values, rounds=1001)
    assert means.shape == (1001,)
    assert means.mean() == pytest.approx(1.0, abs=0.15)
    assert means.std() == pytest.approx(values.std() / 2, abs=0.08)
    assert set(np.unique(means * 4)) <= set(range(13))


def test_p_and_interval_are_of_one_error() -> None:
    found = stats.t_interval([0.1, 0.4, 0.35, 0.8])
    assert found.low is not None
    assert stats.p_of(found, found.low) == pytest.approx(0.05)
    assert stats.p_of(found, 0.2) == pytest.approx(scipy_stats.ttest_1samp([0.1, 0.4, 0.35, 0.8], 0.2).pvalue)
    assert stats.p_of(stats.Interval(0.1, None, 0.0, 0.2, 1, error=0.05, df=99, over="images")) is None
    assert stats.p_of(None) is None
