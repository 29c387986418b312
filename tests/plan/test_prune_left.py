"""A ratio of pruning before anything is trained: what it leaves is told, what no units give is refused."""

from __future__ import annotations

from typing import Any

import pytest

from engine.core import prune_left
from engine.errors import DataError
from tests.plan.conftest import Planner

RATIO = "arms.distilled_pruned.prune.ratio"


@pytest.fixture(autouse=True)
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The questions, answered in this process."""
    questions: list[dict[str, Any]] = []

    def answer(module: str, question: dict[str, Any]) -> dict[str, Any]:
        assert module == prune_left.__name__
        questions.append(question)
        return prune_left.answer(question)

    monkeypatch.setattr("engine.plan.child.run_child", answer)
    return questions


def test_more_than_lies_in_units_is_refused_before_training(plan: Planner) -> None:
    with pytest.raises(DataError, match=r"^prune.ratio: 0.99: only \d+% lies in units that can go") as caught:
        plan(f"{RATIO}=0.99")
    assert caught.value.where == "prune.ratio"
    most = float(str(caught.value.fix).removeprefix("ask for at most "))
    assert plan(f"{RATIO}={most}").runs, "what the fix says can be planned"


def test_a_single_unit_of_a_layer_is_told(plan: Planner, asked: list[dict[str, Any]]) -> None:
    (line,) = plan(f"{RATIO}=0.73").warnings
    assert line.startswith("prune.ratio: 0.73 leaves 2")
    assert "% of the parameters (" in line
    assert "and one unit in " in line
    plan(f"{RATIO}=0.73")
    assert len(asked) == 1, "its answer is kept"


def test_up_to_half_nothing_is_asked(plan: Planner, asked: list[dict[str, Any]]) -> None:
    plan(f"{RATIO}=0.5")
    assert asked == []


@pytest.mark.parametrize("told", [None, {}])
def test_where_nobody_can_tell_the_job_will(told: object, plan: Planner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.plan.child.run_child", lambda module, question: told)
    assert plan(f"{RATIO}=0.9").warnings == ()


def test_few_parameters_are_told_without_a_single_unit(plan: Planner, monkeypatch: pytest.MonkeyPatch) -> None:
    told = {"share": 0.04, "params": 1200, "single": 0, "layers": 9}
    monkeypatch.setattr("engine.plan.child.run_child", lambda module, question: told)
    assert plan(f"{RATIO}=0.96").warnings == (
        "prune.ratio: 0.96 leaves 4.0% of the parameters (1,200)\nfix: take less away",
    )
