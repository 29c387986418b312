"""The rules of the report about teachers: a cause is supported only by an arm that removes it."""

from __future__ import annotations

import pytest

from engine.analysis.statistics import Interval
from engine.report.verdicts import Remedy, is_near_one_hot, judge_capacity, judge_noise, judge_sureness

SHARP = {"fitted_temperature": 6.0, "signed_ece": 0.08, "sure_share": 0.9, "entropy": 0.02}
CALM = {"fitted_temperature": 1.02, "signed_ece": 0.001, "sure_share": 0.1, "entropy": 1.2}


def remedy(low: float, high: float) -> Remedy:
    return Remedy("soft", "hard", Interval((low + high) / 2, 0.01, low, high, 3))


HELPED, WORSE, UNCLEAR = remedy(0.01, 0.03), remedy(-0.03, -0.01), remedy(-0.01, 0.02)
ALONE = Remedy("soft", "hard", Interval(0.02, None, None, None, 1))


@pytest.mark.parametrize(
    ("fitted", "signed", "said"),
    [
        (6.0, 0.1, "over-confident"),
        (0.5, -0.1, "under-confident"),
        (1.05, 0.01, "calibrated"),
        (0.0, 0.0, "cannot be judged"),
        (1.5, -0.01, "undecided"),
        (0.8, 0.01, "undecided"),
    ],
)
def test_sureness_needs_temperature_and_signed_error_to_agree(fitted: float, signed: float, said: str) -> None:
    assert judge_sureness({"fitted_temperature": fitted, "signed_ece": signed}) == said


def test_near_one_hot_needs_sure_answers_and_little_entropy() -> None:
    assert is_near_one_hot(SHARP)
    assert not is_near_one_hot(CALM)
    assert not is_near_one_hot({**SHARP, "entropy": 0.3})
    assert not is_near_one_hot({**SHARP, "sure_share": 0.4})
    assert not is_near_one_hot({})


@pytest.mark.parametrize(
    ("remedies", "verdict"),
    [
        ([], "consistent with"),
        ([HELPED], "supported"),
        ([UNCLEAR, HELPED], "supported"),
        ([UNCLEAR], "undecided"),
        ([ALONE], "undecided"),
        ([WORSE], "not supported"),
        ([WORSE, UNCLEAR], "undecided"),
    ],
)
def test_an_over_confident_teacher_is_blamed_only_where_softening_helped(remedies: list[Remedy], verdict: str) -> None:
    said, reason = judge_noise(SHARP, SHARP, remedies)
    assert said == verdict
    assert "over-confident (fitted temperature 6.00, signed ECE +0.080)" in reason
    assert "near one-hot" in reason
    assert ("not tested" in reason) == (not remedies)


def test_a_calm_teacher_is_not_blamed_even_if_softening_helped() -> None:
    assert judge_noise(CALM, CALM, [])[0] == "not supported"
    assert judge_noise(CALM, CALM, [HELPED])[0] == "not supported"
    assert judge_noise(CALM, SHARP, [])[0] == "undecided"
    assert judge_noise({}, {}, [])[0] == "undecided"


@pytest.mark.parametrize(
    ("agreement", "remedies", "verdict"),
    [
        (0.7, [], "consistent with"),
        (0.7, [HELPED], "supported"),
        (0.7, [UNCLEAR], "undecided"),
        (0.7, [WORSE], "not supported"),
        (0.95, [], "not supported"),
        (0.95, [HELPED], "supported"),
        (None, [HELPED], "undecided"),
    ],
)
def test_a_capacity_gap_shows_on_the_training_images(
    agreement: float | None, remedies: list[Remedy], verdict: str
) -> None:
    assert judge_capacity(agreement, remedies)[0] == verdict


def test_a_reason_has_the_change_in_points_with_its_interval() -> None:
    assert "soft against hard: +2.0 points [+1.0, +3.0], recovered" in judge_noise(SHARP, SHARP, [HELPED])[1]
    assert "soft against hard: no interval of paired seeds, undecided" in judge_noise(SHARP, SHARP, [ALONE])[1]


@pytest.mark.parametrize(
    ("fitted", "signed", "said"),
    [
        (1.11, 0.01, "over-confident"), (1.1, 0.01, "calibrated"), (1.11, 0.0, "undecided"),
        (0.89, -0.01, "under-confident"), (0.9, -0.01, "calibrated"), (0.89, 0.0, "undecided"),
    ],
)  # fmt: skip
def test_sureness_turns_at_a_tenth_from_one(fitted: float, signed: float, said: str) -> None:
    assert judge_sureness({"fitted_temperature": fitted, "signed_ece": signed}) == said


@pytest.mark.parametrize(
    ("share", "entropy", "is_near"), [(0.51, 0.249, True), (0.5, 0.249, False), (0.51, 0.25, False)]
)
def test_near_one_hot_is_more_than_half_and_below_a_quarter_nat(share: float, entropy: float, is_near: bool) -> None:
    assert is_near_one_hot({"sure_share": share, "entropy": entropy}) == is_near


@pytest.mark.parametrize(("agreement", "said"), [(0.899, "they do not follow it"), (0.9, "they follow it")])
def test_students_follow_from_ninety_per_cent_on(agreement: float, said: str) -> None:
    verdict, reason = judge_capacity(agreement, [])
    assert said in reason
    assert verdict == ("consistent with" if agreement < 0.9 else "not supported")
    assert f"{100 * agreement:.1f} % of their training images" in reason


@pytest.mark.parametrize(("low", "high", "said"), [(0.0, 0.04, "undecided"), (-0.04, 0.0, "undecided"),
                                                  (0.001, 0.04, "recovered"), (-0.04, -0.001, "worse")])  # fmt: skip
def test_a_remedy_counts_where_its_whole_interval_does(low: float, high: float, said: str) -> None:
    assert judge_noise(SHARP, SHARP, [remedy(low, high)])[1].endswith(f", {said}")


def test_an_under_confident_teacher_is_not_blamed_unless_near_one_hot() -> None:
    shy = {"fitted_temperature": 0.5, "signed_ece": -0.1}
    assert judge_noise(shy, CALM, [])[0] == "not supported"
    assert judge_noise(shy, SHARP, [])[0] == "undecided"
    assert "no temperature has least NLL" in judge_noise({}, CALM, [])[1]
