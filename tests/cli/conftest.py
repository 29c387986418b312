"""What tests of commands stand on: the rooms behind them stood in for, and no scheduler started."""

from __future__ import annotations

from contextlib import nullcontext
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from engine.collect import CollectReport
from engine.home.paths import Home
from engine.schedule import orders
from tests.helpers.answering import answer_here


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """What the rooms were asked for, in order."""
    made: list[tuple[Any, ...]] = []
    # Before anything is stood in for: what is imported meanwhile would keep the stand-in.
    for name in ("claims", "compare", "freeze", "lacking", "submitted", "trace"):
        import_module(f"engine.analysis.{name}")

    def stand_in(name: str, answer: Any) -> None:
        def call(*words: Any, **more: Any) -> Any:
            made.append((name.rpartition(".")[2], *words[1:], *more.items()))
            return answer

        monkeypatch.setattr(name, call)

    stand_in("engine.collect.collect", CollectReport())
    stand_in("engine.collect.rebuild", CollectReport(3, 50))
    stand_in("engine.schedule.worker.rebuild_queue", 7)
    stand_in("engine.report.make_report", [Path("a.md"), Path("b.html")])
    stand_in("engine.report.list_missing", ["a hole", "another"])
    stand_in("engine.analysis.lacking.recorded_lacking", "paper: a cost")
    stand_in("engine.analysis.freeze.list_changes", [])
    stand_in("engine.analysis.freeze.freeze_numbers", Path("paper.frozen.json"))
    stand_in("engine.analysis.query.answer_query", ("rows", "a note"))
    stand_in("engine.analysis.compare.compare_arms", ["one", "two"])
    monkeypatch.setattr("engine.analysis.snapshot.one_snapshot", nullcontext)
    monkeypatch.setattr("engine.analysis.text.comparison_lines", lambda found: [f"{found} line"])
    return made


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[Home]:
    """Note whom a scheduler would be started for, and start none."""
    begun: list[Home] = []
    monkeypatch.setattr(orders, "start_detached", begun.append)
    monkeypatch.setattr("engine.schedule.worker.start_detached", begun.append)
    return begun


@pytest.fixture(autouse=True)
def _no_children(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands that run here ask this process what only torch can answer."""
    monkeypatch.setattr("engine.plan.child.run_child", answer_here)
