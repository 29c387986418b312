"""Latency in a plan: what this machine was timed for is told with its error, and of the rest nothing."""

from __future__ import annotations

from typing import Any

import pytest

from engine.errors import DataError
from engine.home.paths import Home
from engine.inputs.machine import cpu_model
from engine.plan import Plan, latency
from engine.plan.latency import Foretold, foretell, latency_lines
from engine.spec.job_settings import LatencyTarget, PruneSettings
from tests.plan.conftest import Planner

CUT = ("arms.distilled_pruned.prune.of=latency", "arms.distilled_pruned.prune.ratio=0.2")
LEFT = {"left": {"seconds": 0.004, "error": 0.05}, "params": 600, "params_before": 1000}


@pytest.fixture
def table(home: Home) -> None:
    path = home.latencies(cpu_model())
    path.parent.mkdir(parents=True)
    path.write_text("{}")


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """The questions; networks take 5 ms, and what is pruned 4 ms."""
    questions: list[dict[str, Any]] = []

    def answer(module: str, question: dict[str, Any], seconds: float = 0.0) -> Any:
        if module != latency.MODULE:
            return []
        questions.append(question)
        return LEFT if "ratio" in question else [{"ms": 5.0, "error": 0.05}]

    monkeypatch.setattr("engine.plan.child.run_child", answer)
    monkeypatch.setattr("engine.plan.latency.run_child", answer)
    return questions


def prune_job(made: Plan) -> PruneSettings:
    return next(job.settings for job in made.jobs if isinstance(job.settings, PruneSettings))


def test_without_a_table_nobody_is_asked(plan: Planner, home: Home, asked: list[Any]) -> None:
    made = plan(*CUT)
    assert foretell(made, home) == asked == []
    assert latency_lines(made, []) == [
        "distilled_pruned: a share of latency is pruned, and how wide its layers stay is measured when the job starts"
    ]
    assert latency_lines(plan(), []) == []


@pytest.mark.usefixtures("table")
def test_each_arm_is_told_with_the_error(plan: Planner, home: Home, asked: list[Any]) -> None:
    made = plan(*CUT)
    found = foretell(made, home)
    assert {one.arm: one.ms for one in found} == {
        "original": 5.0,
        "sparse": 5.0,
        "distilled": 5.0,
        "distilled_pruned": 4.0,
    }
    lines = latency_lines(made, found)
    assert lines[0] == (
        "original: about 5 ms an image on one thread of this CPU, foretold; such figures are off by 5% in the median"
    )
    assert lines[-1].endswith("; 60.0% of the parameters (600) stay")
    assert all(question["may_time"] is False for question in asked)
    before = len(asked)
    foretell(made, home)
    assert len(asked) == before, "its answers are kept"


@pytest.mark.usefixtures("table")
def test_an_answer_counts_for_the_table_it_was_read_from(plan: Planner, home: Home, asked: list[Any]) -> None:
    made = plan()
    foretell(made, home)
    before = len(asked)
    home.latencies(cpu_model()).write_text('{"more": {}}')
    foretell(made, home)
    assert len(asked) > before


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize("told", [None, [None], {"untimed": True}, []])
def test_of_what_the_table_does_not_know_nothing_is_said(
    told: Any, plan: Planner, home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.plan.child.run_child", lambda module, question: told)
    assert foretell(plan(*CUT), home) == []


def test_what_is_asked_for_is_timed(plan: Planner, home: Home, asked: list[dict[str, Any]]) -> None:
    said: list[str] = []
    assert len(foretell(plan(), home, said.append)) >= 3
    assert all(question["may_time"] for question in asked)
    assert said[0].startswith("timing what the networks' operators take here")


def test_an_arm_whose_layers_are_pruned_alike_is_told_by_its_words(plan: Planner, home: Home, asked: list[Any]) -> None:
    arms = {one.arm for one in foretell(plan(), home, lambda _: None)}
    assert {"distilled", "distilled_pruned"} <= arms
    pruned = [network["prune"] for question in asked for network in question["networks"] if "prune" in network]
    assert [(one["of"], one["ratio"] > 0) for one in pruned] == [("params", True)]


def test_of_widths_that_follow_from_weights_it_is_said_that_they_do(
    plan: Planner, home: Home, asked: list[Any]
) -> None:
    made = plan("arms.distilled_pruned.prune.scope=global")
    found = foretell(made, home, lambda _: None)
    assert "distilled_pruned" not in {one.arm for one in found}
    assert latency_lines(made, found)[-1].startswith("distilled_pruned: its widths follow from the trained weights")
    assert latency_lines(made, []) == [], "where nothing else is told either"


def test_a_job_of_latency_names_whose(plan: Planner) -> None:
    told = prune_job(plan(*CUT, "measure.threads=[2, 1]"))
    assert told.latency == LatencyTarget(batch_size=1, threads=2, device="cpu")
    assert prune_job(plan()).latency is None


def test_threads_of_the_latency_decide_the_job(plan: Planner) -> None:
    def ids(*words: str) -> set[str | None]:
        return {job.job for job in plan(*words).jobs if isinstance(job.settings, PruneSettings)}

    assert ids(*CUT) != ids(*CUT, "measure.threads=[2]")
    assert ids() == ids("measure.threads=[2]"), "of another share they decide nothing"


def test_a_gpu_is_refused(plan: Planner) -> None:
    with pytest.raises(DataError, match="solved for the CPU, and the jobs of this run are for a GPU") as caught:
        plan(*CUT, "resources.gpus=1")
    assert caught.value.where == "prune.of"


@pytest.mark.usefixtures("table")
def test_a_share_that_cannot_be_is_refused_before_training(plan: Planner, monkeypatch: pytest.MonkeyPatch) -> None:
    told = {"what": "prune.ratio 0.2: only 4% lies in units that can go", "fix": "ask for at most 0.04"}
    monkeypatch.setattr("engine.plan.child.run_child", lambda module, question: told)
    with pytest.raises(DataError, match=r"^prune.ratio: 0.2: only 4% lies in units") as caught:
        plan(*CUT)
    assert caught.value.fix == "ask for at most 0.04"


def test_json_has_params_only_where_they_are_known() -> None:
    told = Foretold("a", "", 1, 5.0, 0.05)
    assert told.as_json() == {"arm": "a", "cell": "", "threads": 1, "ms": 5.0, "error": 0.05}
    left = Foretold("a", "", 1, 5.0, 0.05, {"params": (6, 9), "macs": (3, 4)}).as_json()
    assert {word: left[word] for word in left.keys() - told.as_json().keys()} == {
        "params": 6, "params_before": 9, "macs": 3, "macs_before": 4,
    }  # fmt: skip


def test_cells_and_threads_are_named_where_there_are_several(plan: Planner) -> None:
    made = plan()
    line = latency_lines(made, [Foretold("a", "b", 2, 5.0, 0.05)])[0]
    assert line.startswith("a: about 5 ms an image on 2 threads of this CPU")
