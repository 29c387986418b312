"""What is drawn and decides no job is found; what another axis makes heeded, or is impossible by itself, is not."""

from __future__ import annotations

from typing import Any

import pytest

from engine.load.idle_axes import idle_axes
from engine.spec import Settings
from engine.spec.cells import CellBuilder
from engine.spec.search import Axis

BASE: dict[str, Any] = {"data": {"source": "digits"}, "student": {"arch": "tiny_vit_5m"}}
TEACHER = {"arch": "timm/resnet10t", "train": {"epochs": 1}}
TEMPERATURE = {"log": [1.0, 8.0]}


def idle(space: dict[str, Any], tree: dict[str, Any] = BASE) -> list[str]:
    axes = {path: Axis.model_validate(axis) for path, axis in space.items()}
    return list(idle_axes(CellBuilder(tree, Settings.model_validate(tree)), tree, axes))


@pytest.mark.parametrize(
    ("space", "paths"),
    [
        ({"train.lr": {"log": [1e-4, 1e-2]}}, []),
        ({"train.save_minutes": {"choice": [1, 2]}, "train.lr": {"log": [1e-4, 1e-2]}}, ["train.save_minutes"]),
        ({"distill.temperature": TEMPERATURE}, ["distill.temperature"]),
        ({"distill.temperature": TEMPERATURE, "teacher": {"choice": [None, TEACHER]}}, []),
        (
            {
                "student.attention.kind": {"choice": ["window", "longformer"]},
                "student.attention.radius": {"int": [1, 3], "when": {"student.attention.kind": "longformer"}},
            },
            [],
        ),
    ],
)
def test_what_decides_no_job_is_idle(space: dict[str, Any], paths: list[str]) -> None:
    assert idle(space) == paths


def test_an_arm_with_a_teacher_heeds_how_it_is_taught() -> None:
    assert idle({"distill.temperature": TEMPERATURE}, {**BASE, "teacher": TEACHER}) == []
