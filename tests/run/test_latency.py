"""Asking a process of its own: it answers, it fails and says so, or it ends with whoever asked."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from engine.core.train.loop import Stopped
from engine.errors import JobError
from engine.run import latency
from engine.run.latency import ask, solve_here
from engine.spec.job_settings import PruneSettings
from tests.run.bench import TRAIN_JOB

PRUNE = {"ratio": 0.2, "of": "latency"}
TOLD = PruneSettings.model_validate({**TRAIN_JOB, "prune": PRUNE, "latency": {"threads": 3, "device": "cpu"}})


class Asker:
    """What `ask` needs of an attempt: someone to look up, a home, settings and a journal."""

    def __init__(self, root: Path, looks: int = 10**6) -> None:
        self.home, self.journal, self.facts, self.looks = self, self, dict[str, Any](), looks
        self.root = root

    def watch(self, phase: str, done: int, total: int) -> None:
        self.looks -= 1
        if self.looks < 0:
            raise Stopped

    def latencies(self, device: str) -> Path:
        return self.root / "table.json"

    def settings(self, model: type[PruneSettings]) -> PruneSettings:
        return TOLD

    def fact(self, name: str, value: Any) -> None:
        self.facts[name] = value


@pytest.fixture
def asker(tmp_path: Path) -> Any:
    return Asker(tmp_path)


def test_the_answer_of_a_child_is_its_json(asker: Any) -> None:
    """json.tool prints the question that it reads."""
    assert ask(asker, "json.tool", {"a": [1, None]}) == {"a": [1, None], "parent": os.getpid()}


def test_a_child_without_an_answer_fails_the_job(asker: Any) -> None:
    with pytest.raises(JobError, match=r"ended without an answer \(exit 1\)"):
        ask(asker, "no.such.module", {})


def test_who_is_asked_to_stop_leaves_no_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sleeper.py").write_text("import pathlib, time\npathlib.Path('here').touch()\ntime.sleep(60)\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "executable", str(_script(tmp_path)))
    began = time.monotonic()
    with pytest.raises(Stopped):
        ask(Asker(tmp_path, looks=2), "sleeper", {})  # type: ignore[arg-type]
    assert time.monotonic() - began < 30


def _script(root: Path) -> Path:
    """Return what runs a module of this folder instead."""
    script = root / "python"
    script.write_text(f"#!/bin/sh\nexec {sys.executable} {root}/sleeper.py\n")
    script.chmod(0o755)
    return script


def test_a_job_asks_for_its_threads_and_its_share(asker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def answer(attempt: Any, module: str, question: Any) -> Any:
        asked.append((module, question))
        return {"widths": {"units": {}}, "share": 0.19}

    monkeypatch.setattr(latency, "ask", answer)
    assert solve_here(asker, 24)["share"] == 0.19
    ((module, question),) = asked
    assert module == "engine.core.latency.child"
    assert (question["threads"], question["ratio"], question["may_time"]) == (3, 0.2, True)
    assert question["network"]["weights"] == "none"
    assert asker.facts == {"latency": {"share": 0.19}}


def test_what_cannot_be_is_the_jobs_error(asker: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(latency, "ask", lambda *_: {"what": "prune.ratio 0.9: no", "fix": "ask for 0.5"})
    with pytest.raises(JobError, match=r"prune.ratio 0.9: no") as caught:
        solve_here(asker, 24)
    assert caught.value.fix == "ask for 0.5"
