"""Distances between trials, worked out by hand."""

from __future__ import annotations

from typing import Any

import pytest

from engine.analysis.neighbours import distance, nearest, place_on
from engine.spec.search import Axis
from tests.report.searching import gathered, trial_row

SPACE = {
    "lr": Axis(log=[1e-4, 1e-2]), "decay": Axis.model_validate({"float": [0.0, 0.5]}),
    "kind": Axis(choice=["a", "b", "c"]), "radius": Axis.model_validate({"int": [1, 3], "when": {"kind": "b"}}),
}  # fmt: skip


def draw(lr: float = 1e-3, decay: float = 0.0, kind: str = "a", **more: Any) -> dict[str, Any]:
    return {"lr": lr, "decay": decay, "kind": kind, **more}


def test_places_are_from_end_to_end() -> None:
    assert [place_on(SPACE["lr"], value) for value in (1e-4, 1e-3, 1e-2)] == pytest.approx([0.0, 0.5, 1.0])
    assert place_on(SPACE["decay"], 0.25) == 0.5
    assert [place_on(SPACE["kind"], value) for value in "abc"] == [0.0, 0.5, 1.0]
    assert place_on(Axis(choice=["a"]), "a") == 0.0


@pytest.mark.parametrize(
    ("one", "other", "apart"),
    [
        (draw(), draw(), 0.0),
        (draw(1e-4), draw(1e-2), 1 / 4),
        (draw(decay=0.5), draw(), 1 / 4),
        (draw(kind="c"), draw(), 1 / 4),
        (draw(kind="b", radius=1), draw(), 2 / 4),
        (draw(kind="b", radius=1), draw(kind="b", radius=2), 0.5 / 4),
    ],
)
def test_distance_is_the_mean_over_axes(one: dict[str, Any], other: dict[str, Any], apart: float) -> None:
    assert distance(SPACE, one, other) == pytest.approx(apart)
    assert distance(SPACE, other, one) == pytest.approx(apart)


def test_nearest_come_first_and_without_the_trial_itself() -> None:
    rows = [trial_row("a", at, 0.5, drawn={"train.lr": lr}) for at, lr in enumerate([1e-3, 1e-4, 2e-3, 1e-2, 5e-4])]
    (arm,) = gathered(rows).arms
    assert [one.trial for _, one in nearest(arm, arm.compared[0], 3)] == [2, 4, 1]
    assert [away for away, _ in nearest(arm, arm.compared[0], 1)] == pytest.approx([0.301 / 2 / 3], rel=1e-2)
