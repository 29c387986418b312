"""Which numbers came out again: bit-equal, or within what; speeds are told as ratios alone."""

from __future__ import annotations

import math

import pytest

from engine.archive.repeated import Sides, figure_lines, relative_gap, same_value, tell_repeated
from engine.collect import collect
from tests.helpers.synthetic import Arm, SyntheticHome

NAN = float("nan")


@pytest.mark.parametrize(
    ("one", "two", "same"), [(0.1, 0.1, True), (NAN, NAN, True), (0.1, 0.1 + 1e-16, False), (1.0, None, False)]
)
def test_values_are_the_same_by_the_bit(one: float | None, two: float | None, same: bool) -> None:
    assert same_value(one, two) is same


@pytest.mark.parametrize(
    ("one", "two", "gap"), [(2.0, 1.0, 0.5), (-1.0, 1.0, 2.0), (NAN, NAN, 0.0), (NAN, 1.0, math.inf), (0.0, 0.0, 0.0)]
)
def test_a_gap_is_relative_to_the_larger(one: float, two: float, gap: float) -> None:
    assert relative_gap(one, two) == gap


def test_what_only_one_side_has_differs() -> None:
    sides = Sides({("a",): 1.0, ("b",): 2.0}, {("b",): 2.0, ("c",): 3.0})
    assert sorted(sides.apart) == [("a",), ("c",)]


def test_a_share_that_differs_is_told_in_points_and_a_speed_as_a_ratio() -> None:
    there = {"test_top1": 0.5, "params": 100, "train_loss": 1.0, "infer_images_per_second": 200.0, "macs": None}
    here = {"test_top1": 0.51, "params": 100, "train_loss": 1.25, "infer_images_per_second": 100.0, "macs": None}
    assert list(figure_lines(there, here)) == [
        "bit-equal: params",
        "test_top1: 0.5 there, 0.51 here (+1.00 points)",
        "train_loss: 1 there, 1.25 here (+0.25)",
        "of this machine, times as much as there: infer_images_per_second 0.50",
    ]


@pytest.fixture(scope="module")
def homes(tmp_path_factory: pytest.TempPathFactory) -> list[SyntheticHome]:
    """The same run twice, and once with other answers."""
    made = []
    for number, accuracy in enumerate((0.6, 0.6, 0.7)):
        home = SyntheticHome(tmp_path_factory.mktemp(f"home{number}"))
        home.experiment("paper", {"a": Arm(accuracy, images=40)}, (0,))
        collect(home.home)
        made.append(home)
    return made


def lines(homes: list[SyntheticHome], one: int, two: int) -> str:
    from engine.home.files import read_json

    run = read_json(homes[0].home.records("paper")[-1])["runs"][0]
    return "\n".join(tell_repeated(homes[one].home, homes[two].home, run))


def test_a_run_that_repeats_is_told_so(homes: list[SyntheticHome]) -> None:
    told = lines(homes, 0, 1)
    assert "logged values: all 13 bit-equal" in told
    assert "answers to single images: all 40 bit-equal" in told
    assert "there, " not in told


def test_a_run_that_does_not_is_told_by_how_much(homes: list[SyntheticHome]) -> None:
    told = lines(homes, 0, 2)
    assert "logged values: 4 of 13 differ, by 0." in told
    assert " of 40 differ" in told
    assert "test_top1: " in told
    assert " points)" in told
