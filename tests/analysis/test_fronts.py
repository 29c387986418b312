"""Which arms are best at their speed: certain where arms are far apart, open where seeds or rounds cannot tell."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import stats

from engine.analysis.fronts import Quick, Right, _image_part, _seed_part, front_shares, on_front

FAST, SLOW = Quick(math.log(2.0), 0.001, 5.0), Quick(0.0, 0.001, 5.0)


def right(*values: float, first: int = 0) -> Right:
    return Right({first + at: value for at, value in enumerate(values)})


def test_nobody_better_is_ahead_of_the_front() -> None:
    held = on_front(np.array([[0.9, 0.8, 0.7, 0.8]]), np.array([[1.0, 2.0, 1.0, 2.0]]))
    assert held.tolist() == [[True, True, False, True]], "two that are equal in both hold one another up"


def test_the_front_is_that_of_every_pair() -> None:
    draw = np.random.default_rng(3)
    right, quick = draw.integers(0, 4, (200, 6)).astype(float), draw.integers(0, 4, (200, 6)).astype(float)
    pairs = [right[:, :, None], right[:, None, :], quick[:, :, None], quick[:, None, :]]
    worse = (pairs[1] >= pairs[0]) & (pairs[3] >= pairs[2]) & ((pairs[1] > pairs[0]) | (pairs[3] > pairs[2]))
    assert np.array_equal(on_front(right, quick), ~worse.any(axis=2))


def test_far_apart_arms_are_told_for_certain() -> None:
    good, bad = right(0.90, 0.91, 0.905), right(0.60, 0.61, 0.605)
    assert front_shares([good, bad], [FAST, SLOW]) == [1.0, 0.0]
    assert front_shares([good, bad], [SLOW, FAST]) == [1.0, 1.0]


def test_equal_speeds_leave_it_open_and_one_measurement_does_not() -> None:
    arms = [right(0.90, 0.91, 0.905), right(0.80, 0.81, 0.805)]
    loose = [Quick(0.0, 0.01, 5.0, ("a",)), Quick(0.0, 0.01, 5.0, ("b",))]
    assert front_shares(arms, loose)[1] == pytest.approx(0.5, abs=0.05)
    one = [Quick(0.0, 0.01, 5.0, ("a",))] * 2
    assert front_shares(arms, one) == [1.0, 0.0], "the same network is as fast as itself"


def test_differences_of_common_seeds_are_drawn_from_the_paired_t() -> None:
    one, other = (0.90, 0.80, 0.70), (0.89, 0.78, 0.69)
    drawn = _seed_part([right(*one), right(*other)], 20_000, np.random.default_rng(0))
    gains = np.subtract(one, other)
    share = float(np.mean(drawn[:, 0] - drawn[:, 1] + gains.mean() > 0))
    assert share == pytest.approx(1 - stats.ttest_1samp(gains, 0).pvalue / 2, abs=0.01)
    alone = float(np.mean(np.abs(drawn[:, 0]) < stats.t.ppf(0.975, 2) * stats.sem(one)))
    assert alone == pytest.approx(0.95, abs=0.01)


def test_seeds_that_are_not_common_move_arms_apart() -> None:
    drawn = _seed_part([right(0.9, 0.8), right(0.9, 0.8, first=2)], 4000, np.random.default_rng(0))
    assert abs(np.corrcoef(np.sign(drawn), rowvar=False)[0, 1]) < 0.1
    assert not _seed_part([right(0.9)], 10, np.random.default_rng(0)).any(), "one seed tells nothing of its luck"


def test_common_images_move_arms_as_they_answered_them() -> None:
    draw = np.random.default_rng(1)
    table = (draw.random(400) < 0.8).astype(float)
    other = (draw.random(400) < 0.8).astype(float)
    arms = [Right({0: one.mean()}, {0: one}) for one in (table, table, other)]
    drawn = _image_part(arms, 8000, np.random.default_rng(0))
    assert np.allclose(drawn[:, 0], drawn[:, 1], atol=1e-9), "arms that answer alike share their luck"
    assert drawn[:, 0].std() == pytest.approx(stats.sem(table), rel=0.05)
    spread = float((drawn[:, 0] - drawn[:, 2]).std())
    assert spread == pytest.approx(stats.sem(table - other), rel=0.05)
    assert not _image_part([arms[0], right(0.8)], 10, np.random.default_rng(0)).any()


def test_shares_are_the_same_each_time() -> None:
    arms = [right(0.9, 0.8), right(0.85, 0.86)]
    assert front_shares(arms, [SLOW, FAST]) == front_shares(arms, [SLOW, FAST])
