"""Words that are not built are refused by name, and only where they are asked for."""

from __future__ import annotations

from typing import Any

import pytest

from engine.load.unsupported import PLANNED, planned_problems
from engine.spec import Settings

PRUNED = {"ratio": 0.2}


def settings(**words: Any) -> Settings:
    base = {"data": {"source": "digits"}, "student": {"arch": "tiny_vit_5m"}}
    return Settings.model_validate({**base, **words})


def sparse(backend: str, **words: str) -> dict[str, Any]:
    return {"arch": "tiny_vit_5m", "attention": {"kind": "longformer", "backend": backend, **words}}


TWO = {"gpus": 0, "ranks": 2}
FOLLOWING: dict[str, Any] = {
    "teacher": {"arch": "timm/resnet18", "train": {"epochs": 2}},
    "distill": {"features": [{"student": "stages.3", "teacher": "layer4"}]},
}
ASKED: dict[str, dict[str, Any]] = {
    "student.attention.backend": {"student": sparse("triton", select="pooled")},
    "student.weights": {
        "student": {"arch": "tiny_vit_5m", "weights": "pretrained", "attention": {"kind": "./mine.py:Band"}}
    },
    "teacher.weights": {"teacher": {"arch": "./nets.py:Net", "weights": "t.safetensors"}},
    "train.memory": {"train": {"memory": "lean"}, "resources": TWO},
    "train.compile": {"train": {"compile": "auto"}, "resources": TWO},
    "train.batch_size": {"train": {"batch_size": 3}, "resources": TWO},
    "distill.features": {**FOLLOWING, "resources": TWO},
}
ALONE: list[tuple[str, dict[str, Any]]] = [
    ("train.compile", {**FOLLOWING, "train": {"compile": "auto"}}),
    ("train.memory", {**FOLLOWING, "train": {"memory": "lean"}}),
]
BUILT: list[dict[str, Any]] = [
    {},
    *({"student": sparse(backend)} for backend in ("auto", "reference", "sdpa", "triton", "bands")),
    {"student": sparse("sdpa", select="pooled", combine="sum")},
    {"student": {"arch": "tiny_vit_5m", "attention": {"kind": "window", "backend": "triton"}}},
    *({"resources": {"gpus": gpus}} for gpus in (0, 0.5, 1, 2)),
    *({"train": {word: value}} for word, value in (("memory", "lean"), ("compile", "max"), ("batch_size", 3))),
    {"train": {"batch_size": 4}, "resources": TWO},
    FOLLOWING,
    {**FOLLOWING, "teacher": None, "resources": TWO, "train": {"memory": "standard"}},
    {"prune": PRUNED},
    *({"prune": {**PRUNED, "of": of}} for of in ("macs", "units")),
    {"prune": {**PRUNED, "method": "unstructured"}},
    {"prune": {"method": "2:4"}},
    {"prune": PRUNED, "student": {"arch": "timm/resnet18"}},
    {"prune": {"ratio": 0.0, "method": "unstructured", "of": "units"}},
    {"student": {"arch": "timm/resnet18"}},
    {"student": {"arch": "timm/resnet18"}, "prune": {"ratio": 0.0}},
]


@pytest.mark.parametrize("path", ASKED)
def test_what_is_not_built_is_refused_with_what_to_write(path: str) -> None:
    ((found, what, fix),) = planned_problems(settings(**ASKED[path]))
    assert (found, what) == (path, "xp cannot do this yet")
    assert fix == next(planned.fix for planned in PLANNED if planned.path == path)


@pytest.mark.parametrize(("path", "words"), ALONE)
def test_layers_are_followed_by_the_plain_forward_pass_alone(path: str, words: dict[str, Any]) -> None:
    ((found, _, fix),) = planned_problems(settings(**words))
    assert found == path
    assert "distill.features" in fix


@pytest.mark.parametrize("words", BUILT, ids=str)
def test_what_is_built_or_not_asked_for_is_let_through(words: dict[str, Any]) -> None:
    assert list(planned_problems(settings(**words))) == []


def test_what_a_teachers_training_is_told_counts_too() -> None:
    teacher = {"arch": "timm/resnet18", "train": {"memory": "lean"}}
    ((path, _, _),) = planned_problems(settings(teacher=teacher, resources=TWO))
    assert path == "train.memory"


@pytest.mark.parametrize("combine", ["sum", "mean"])
def test_the_kernels_are_refused_where_they_do_not_compute_what_is_asked(combine: str) -> None:
    ((path, _, fix),) = planned_problems(settings(student=sparse("triton", combine=combine)))
    assert path == "student.attention.backend"
    assert "combine: joint" in fix


def test_own_networks_are_not_recomputed() -> None:
    own = {"arch": "./nets.py:Net"}
    ((path, _, _),) = planned_problems(settings(student=own, train={"memory": "lean"}))
    assert path == "train.memory"
    assert list(planned_problems(settings(student=own))) == []


def test_every_entry_is_tried_here() -> None:
    assert [planned.path for planned in PLANNED] == [*ASKED, *(path for path, _ in ALONE)]


def test_all_that_is_asked_for_is_told_at_once() -> None:
    asked = settings(resources={"gpus": 2}, train={"compile": "max"}, student=sparse("triton", select="pooled"))
    assert [path for path, _, _ in planned_problems(asked)] == ["student.attention.backend", "train.compile"]
