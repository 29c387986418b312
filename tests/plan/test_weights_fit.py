"""A weights file is compared with its network when it is planned, by a child process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import timm
from safetensors.torch import save_file

from engine.core.network import fit
from engine.core.network.build import build_network
from engine.errors import DataError
from engine.spec import Student
from tests.plan.conftest import Planner

NAME = "resnet18"
TINY: dict[str, Any] = {
    "arch": "tiny_vit", "dims": [8, 16, 32, 32], "depths": [1, 1, 1, 1], "heads": [1, 2, 2, 2], "windows": [4, 4, 2, 1]
}  # fmt: skip


def weights_of(*dropped: str, **options: Any) -> dict[str, Any]:
    state = timm.create_model(NAME, num_classes=10, **options).state_dict()
    return {name: value for name, value in state.items() if not name.endswith(dropped)}


def test_counters_of_a_file_may_be_absent() -> None:
    shapes = {name: tuple(value.shape) for name, value in weights_of(".num_batches_tracked").items()}
    assert fit.fit_problem(Student(arch=f"timm/{NAME}"), 10, 64, shapes) == []


@pytest.mark.parametrize("attention", [{"kind": "window"}, {"kind": "longformer"}])
def test_a_tiny_vit_is_compared_too(attention: dict[str, Any]) -> None:
    """Built without memory, as any other."""
    network = Student.model_validate({**TINY, "attention": attention})
    state = build_network(network, 10, 32).state_dict()
    shapes = {name: tuple(value.shape) for name, value in state.items()}
    assert fit.fit_problem(network, 10, 32, shapes) == []
    name = next(name for name in shapes if name.endswith("mlp.fc1.weight"))
    what, _ = fit.fit_problem(network, 10, 32, {**shapes, name: (3, 3)})
    assert what == f"the weights do not fit: {name} have another size"


def test_another_missing_tensor_is_told_by_name() -> None:
    shapes = {name: tuple(value.shape) for name, value in weights_of("layer1.0.bn1.weight").items()}
    what, fix = fit.fit_problem(Student(arch=f"timm/{NAME}"), 10, 64, shapes)
    assert "layer1.0.bn1.weight are missing" in what
    assert "same arch" in fix


def test_a_plan_refuses_what_the_child_refuses(plan: Planner, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []

    def answer(module: str, question: dict[str, Any]) -> list[str]:
        assert module == fit.__name__
        asked.append(question)
        return fit.answer(question)

    monkeypatch.setattr("engine.plan.child.run_child", answer)
    file = tmp_path / "weights.safetensors"
    save_file(weights_of(), file)
    words = ("teacher.train=null", "teacher.options=null", f"teacher.weights={file}")
    plan(*words, f"teacher.arch=timm/{NAME}")
    plan(*words, f"teacher.arch=timm/{NAME}")
    assert len(asked) == 1  # its answer is kept
    with pytest.raises(DataError, match="do not fit") as caught:
        plan(*words, "teacher.arch=timm/resnet34")
    assert caught.value.where == "teacher.weights"
