"""A comparison in words: every line of it, from a comparison written by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest

from engine.analysis.compare import ONE_SEED, Comparison, Images
from engine.analysis.speeds import SpeedRatio
from engine.analysis.statistics import Interval
from engine.analysis.text import comparison_lines
from engine.analysis.things import Mismatch

ACROSS = Interval(0.02, 0.01, 0.005, 0.035, 4, 0.005, 9.0, "seeds and images", 0.4)


def found(**more: Any) -> Comparison:
    about: dict[str, Any] = {
        "metric": "test_top1", "cell": "default", "arms": ("b", "a"), "means": (0.62, 0.6), "runs": ((), ()),
        "difference": ACROSS, "p": 0.02, "adjusted_p": 0.04,
        "images": Images(200, None), "smallest": 0.0123, "factors": (), "unfair": (), "tests": 3,
    }  # fmt: skip
    return Comparison(**{**about, **more})


def lines(**more: Any) -> list[str]:
    return list(comparison_lines(found(**more)))


def test_an_accuracy_is_told_in_per_cent_and_points() -> None:
    assert lines(cell="split") == [
        "test_top1 at split: b 62.00 %, a 60.00 %",
        "  difference +2.00 points [+0.50, +3.50], n=4 (95 % interval over 4 common seeds and 200 test images)",
        "  relative +3.33 %",
        "  p 0.02; p 0.04 after Holm over this table",
        "  could detect 1.23 points (power 80 %, at p < 0.05 after Holm over 3); "
        "40 % of the error is of the test images, which no seed takes away",
    ]


def test_another_metric_is_told_in_its_own_unit() -> None:
    over_seeds = Interval(0.02, 0.01, 0.005, 0.035, 4)
    told = lines(metric="infer_latency", images=None, means=(62.0, 60.0), difference=over_seeds, tests=1)
    assert told == [
        "infer_latency: b 62, a 60",
        "  difference +0.020 ms [+0.005, +0.035], n=4 (95 % interval over common seeds)",
        "  relative +0.03 %",
        "  p 0.02; p 0.04 after Holm over this table",
        "  could detect 0.0123 (power 80 %, at p < 0.05)",
    ]


def test_a_speed_is_told_as_a_ratio_from_rounds_side_by_side() -> None:
    speed = SpeedRatio(math.log(0.8), 0.02, 5.0, 6, "rounds")
    low, high = speed.edges
    assert lines(metric="infer_latency", images=None, smallest=None, means=(62.0, 60.0), speed=speed) == [
        "infer_latency: b 62, a 60",
        "  difference +0.020 ms [+0.005, +0.035], n=4 (95 % interval over rounds side by side)",
        "  relative +0.03 %",
        "  p 0.02 over rounds; p 0.04 after Holm over this table",
        f"  side by side 0.8 times as much [{low:.4g}, {high:.4g}]",
    ]


def test_a_size_is_the_same_for_every_seed() -> None:
    exact = Interval(-20.0, 0.0, -20.0, -20.0, 3)
    assert lines(metric="params", means=(80.0, 100.0), difference=exact, images=None) == [
        "params: b 80, a 100",
        "  difference -20, n=3 (the same for every seed)",
        "  relative -20.00 %",
    ]


def test_one_seed_says_why_it_is_not_tested() -> None:
    one = Interval(0.02, None, 0.003, 0.037, 1, 0.0085, 199.0, "images")
    images = Images(200, 0.011)
    told = lines(difference=one, p=None, adjusted_p=None, untested=ONE_SEED, smallest=None, images=images)
    assert told[1:] == [
        "  difference +2.00 points [+0.30, +3.70] of images alone, n=1 "
        "(95 % interval over 200 test images alone, for these two networks)",
        "  relative +3.33 %",
        f"  {ONE_SEED}",
        "  exact McNemar p 0.011",
    ]


@pytest.mark.parametrize(
    ("low", "high", "is_undecided"),
    [(-0.01, 0.05, True), (0.0, 0.05, True), (-0.05, 0.0, True), (0.01, 0.05, False), (-0.05, -0.01, False)],
)
def test_an_interval_that_spans_zero_is_undecided(low: float, high: float, is_undecided: bool) -> None:
    told = lines(difference=Interval(0.0, 0.01, low, high, 4))
    assert ("  undecided: the interval spans 0" in told) == is_undecided


def test_what_was_left_out_or_not_equal_comes_last() -> None:
    unfair = (Mismatch("train.lr", 1, 2), Mismatch("data.split", "a", "b"))
    told = lines(left_out=("b seed 1", "a seed 2"), unfair=unfair)
    assert told[-4:] == [
        "  left out, because it is no number: test_top1 of b seed 1, a seed 2",
        "  note: these were not held equal",
        "    data.split  a  b",
        "    train.lr    1  2",
    ]
    assert "relative" not in "".join(comparison_lines(replace(found(), means=(0.02, 0.0))))


def test_of_other_test_images_nothing_is_tested() -> None:
    told = lines(unfair=(Mismatch("data.split_seed", 1, 2, other_images=True),))
    assert told == [
        "test_top1: b 62.00 %, a 60.00 %",
        "  difference +2.00 points [+0.50, +3.50], n=4 (95 % interval over 4 common seeds and 200 test images)",
        "  relative +3.33 %",
        "  not comparable: not the same test images: data.split_seed is 1 against 2",
        "  note: these were not held equal",
        "    data.split_seed  1  2",
    ]


def test_arms_of_unknown_training_are_footnotes() -> None:
    said = "  footnote: b begins with or learns from weights of unknown training"
    assert lines(unknown=("b",))[-1].startswith(said)
