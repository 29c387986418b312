"""The rules of the report about teachers: a cause needs an arm that removes it, and untaught twins."""

from __future__ import annotations

import pytest

from engine.analysis.agreement import Following
from engine.analysis.statistics import Interval
from engine.core.distill.answers import Likeness
from engine.report.verdicts import (
    Control,
    Look,
    Remedy,
    is_near_one_hot,
    judge_capacity,
    judge_following,
    judge_noise,
    judge_sureness,
)

SHARP = {"fitted_temperature": 6.0, "signed_ece": 0.08, "sure_share": 0.9, "entropy": 0.02}
CALM = {"fitted_temperature": 1.02, "signed_ece": 0.001, "sure_share": 0.1, "entropy": 1.2}
KNOWN, UNKNOWN = Control("they come closer", True), Control("no twin", False, "add a twin")


def remedy(low: float, high: float, is_sound: bool = True) -> Remedy:
    return Remedy("soft", "hard", Interval((low + high) / 2, 0.01, low, high, 3), is_sound)


HELPED, WORSE, UNCLEAR = remedy(0.01, 0.03), remedy(-0.03, -0.01), remedy(-0.01, 0.02)
ALONE = Remedy("soft", "hard", Interval(0.02, None, None, None, 1))
RULES = [
    ([], "open"), ([HELPED], "supported"), ([UNCLEAR, HELPED], "supported"), ([UNCLEAR], "open"), ([ALONE], "open"),
    ([WORSE], "not_supported"), ([WORSE, UNCLEAR], "open"), ([remedy(0.01, 0.03, False)], "open"),
    ([remedy(0.0, 0.04)], "open"), ([remedy(-0.04, 0.0)], "open"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("fitted", "signed", "said"),
    [
        (6.0, 0.1, "over-confident"), (0.5, -0.1, "under-confident"), (1.05, 0.01, "calibrated"),
        (0.0, 0.0, "cannot be judged"), (1.5, -0.01, "undecided"), (0.8, 0.01, "undecided"),
        (1.11, 0.01, "over-confident"), (1.1, 0.01, "calibrated"), (1.11, 0.0, "undecided"),
        (0.89, -0.01, "under-confident"), (0.9, -0.01, "calibrated"), (0.89, 0.0, "undecided"),
    ],
)  # fmt: skip
def test_sureness_needs_temperature_and_signed_error_to_agree(fitted: float, signed: float, said: str) -> None:
    assert judge_sureness({"fitted_temperature": fitted, "signed_ece": signed}) == said


@pytest.mark.parametrize(
    ("share", "entropy", "is_near"), [(0.51, 0.249, True), (0.5, 0.249, False), (0.51, 0.25, False)]
)
def test_near_one_hot_is_more_than_half_and_below_a_quarter_nat(share: float, entropy: float, is_near: bool) -> None:
    assert is_near_one_hot({"sure_share": share, "entropy": entropy}) == is_near
    assert not is_near_one_hot({})


@pytest.mark.parametrize(("remedies", "word"), RULES)
def test_each_cause_comes_out_each_way(remedies: list[Remedy], word: str) -> None:
    assert judge_noise(Look(SHARP, SHARP), KNOWN, remedies, "add").word == word
    assert judge_capacity(KNOWN, remedies, "add").word == word


@pytest.mark.parametrize(("remedies", "word"), RULES)
def test_without_untaught_twins_neither_can_be_told(remedies: list[Remedy], word: str) -> None:
    for found in (judge_noise(Look(SHARP, SHARP), UNKNOWN, remedies, "add"), judge_capacity(UNKNOWN, remedies, "add")):
        assert found.word == "open"
        assert found.advice[0] == "add a twin"


def test_what_would_tell_is_named() -> None:
    assert judge_capacity(KNOWN, [], "add").advice == ("add",)
    assert judge_capacity(KNOWN, [UNCLEAR], "add").advice == ("To tell, run more seeds of soft, hard.",)
    assert judge_capacity(KNOWN, [HELPED], "add").advice == ()
    assert judge_capacity(KNOWN, [HELPED], "add", is_direct=False).word == "open"


def test_a_calm_teacher_is_cleared_only_on_fresh_images() -> None:
    assert judge_noise(Look(CALM, CALM), UNKNOWN, [HELPED], "add").word == "not_supported"
    assert judge_noise(Look(CALM, SHARP), KNOWN, [], "add").word == "open"
    for look in (Look(CALM, CALM, is_unknown=True), Look(CALM, CALM, part="train"), Look(CALM, CALM, part="all")):
        assert judge_noise(look, KNOWN, [], "add").word == "open"
    assert judge_noise(Look({}, {}), KNOWN, [], "add").word == "open"


def following(taught: list[float], untaught: list[float], part: str = "test") -> Following:
    sides = [{at: Likeness(0.5, value) for at, value in enumerate(side)} for side in (taught, untaught)]
    return Following("t", "u", "default", part, 9, *sides)


@pytest.mark.parametrize(
    ("taught", "untaught", "said"),
    [
        ([0.10, 0.11], [0.50, 0.52], "come closer"), ([0.50, 0.52], [0.10, 0.11], "stay farther"),
        ([0.1, 0.9], [0.5, 0.5], "is open"), ([0.1], [0.5], "no interval of paired seeds"), ([], [], "not both kept"),
    ],
)  # fmt: skip
def test_following_is_judged_against_untaught_students(taught: list[float], untaught: list[float], said: str) -> None:
    control = judge_following([following(taught, untaught)], "t")
    assert said in control.text
    assert control.is_known == (len(taught) > 1)
    assert bool(control.advice) != control.is_known


def test_without_a_twin_on_test_images_one_is_asked_for() -> None:
    control = judge_following([following([0.1, 0.2], [0.5, 0.6], "train")], "t")
    assert not control.is_known
    assert "add an arm like t without a teacher" in control.advice
