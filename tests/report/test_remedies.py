"""A remedy changes one thing: which pairs of settings are one, and which arm would tell."""

from __future__ import annotations

from typing import Any

import pytest

from engine.report.remedies import Taught, find_assisted, find_softened, is_softer, softer_advice
from engine.report.sheet import Sheet
from engine.spec.dotted import flatten_settings
from tests.report.rows import make_rows, run_row


def tree(**distill: Any) -> dict[str, Any]:
    teacher = {"arch": "timm/vit", "logit_scale": 1.0, "calibrate": False, "assistants": []}
    teacher |= distill.pop("teacher", {})
    return {"teacher": teacher, "distill": {"loss": "hinton", "temperature": 2.0, **distill}}


EVEN = {"weight": 0.9, "label_weight": 0.1}


@pytest.mark.parametrize(
    ("changed", "is_remedy"),
    [
        ({"loss": "lskd"}, False), ({"loss": "lskd", **EVEN}, True), ({"loss": "soft_ce", **EVEN}, False),
        ({"loss": "lskd", **EVEN, "temperature": 4.0}, False), ({"loss": "dist", "temperature": 1.0, **EVEN}, False),
        ({"loss": "dist", **EVEN, "options": {"beta": 2.0}}, True), ({"loss": "lskd", **EVEN, "until": 0.5}, False),
        ({"temperature": 4.0}, True), ({"temperature": 1.0}, False), ({"temperature": {"from": 4, "to": 8}}, False),
        ({"temperature": 4.0, "weight": 0.5}, False), ({"weight": 0.5}, False),
        ({"teacher": {"calibrate": True}}, True), ({"teacher": {"logit_scale": 0.5}}, True),
        ({"teacher": {"logit_scale": 2.0}}, False), ({"temperature": 4.0, "teacher": {"calibrate": True}}, False),
    ],
)  # fmt: skip
def test_softer_is_one_change_alone(changed: dict[str, Any], is_remedy: bool) -> None:
    assert is_softer(flatten_settings(tree(**changed)), flatten_settings(tree())) == is_remedy


def sheet(**arms: dict[str, Any]) -> Sheet:
    """`plain` has 0.5 on both seeds, the others 0.8 and 0.82."""
    runs = [run_row("plain", seed, settings=tree(), test_top1=0.5) for seed in (0, 1)]
    runs += [run_row(arm, seed, settings=settings, test_top1=0.8 + 0.02 * seed)
             for arm, settings in arms.items() for seed in (0, 1)]  # fmt: skip
    return Sheet(make_rows(runs))


TAUGHT = Taught({"plain"}, "60/20/20", 0.9, {"helped": [0.7]})


def test_intervals_of_several_remedies_hold_together() -> None:
    """t of one degree of freedom: 12.7062 at 95 %, 25.4517 at 97.5 %; std / sqrt(2) is 0.01."""
    (one,) = find_softened(TAUGHT, sheet(soft=tree(temperature=4.0)))
    both = find_softened(TAUGHT, sheet(soft=tree(temperature=4.0), calm=tree(teacher={"calibrate": True})))
    assert [len(both), one.arm, one.against] == [2, "soft", "plain"]
    halves = [one.interval.half if one.interval else None for one in (one, *both)]
    assert halves == pytest.approx([0.127062, 0.254517, 0.254517], rel=1e-4)


@pytest.mark.parametrize(
    ("between", "teacher", "is_sound"),
    [([0.7], 0.9, True), ([0.4], 0.9, False), ([0.95], 0.9, False), ([0.6, 0.7], 0.9, True), ([], 0.9, False),
     ([None], 0.9, False), ([0.7], None, False), ([0.5], 0.9, False)],
)  # fmt: skip
def test_an_assistant_counts_where_it_lies_between(between: Any, teacher: float | None, is_sound: bool) -> None:
    taught = Taught({"plain"}, "60/20/20", teacher, {"helped": between})
    (found,) = find_assisted(taught, sheet(helped=tree(teacher={"assistants": ["a"]})))
    assert found.is_sound == is_sound
    assert found.condition


def test_an_assistant_with_another_temperature_is_no_remedy() -> None:
    assert find_assisted(TAUGHT, sheet(helped=tree(temperature=4.0, teacher={"assistants": ["a"]}))) == []


def test_advice_names_an_arm_and_one_change() -> None:
    assert "distill.temperature 4 and all else as in plain" in softer_advice({"plain"}, sheet())
    moving = sheet(other=tree(temperature={"from": 1.0, "to": 2.0}))
    assert "teacher.calibrate: true and all else as in other" in softer_advice({"other"}, moving)
    assert "loss hinton" in softer_advice({"other"}, sheet(other=tree(loss="lskd")))
