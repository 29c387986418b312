"""What follows from an end beside its exit status; the loop's own tests hold the rest."""

from __future__ import annotations

import pytest

from engine.home.control_files import read_outcome
from engine.home.paths import Home
from engine.launch import State, Status
from tests.schedule.worker.faking import commit_at_once, staged, submit_one

GONE = Status(State.GONE, 1)


def test_a_result_counts_whatever_the_process_exited_with(home: Home) -> None:
    submit_one(home)
    with staged(home) as stage:
        stage.turn()
        commit_at_once(stage.launcher.orders[0])
        assert stage.scheduler.endings.judge(stage.track(), GONE).verdict.state == "done"


def test_of_a_job_that_is_done_no_log_is_read(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    submit_one(home)
    with staged(home) as stage:
        stage.turn()
        commit_at_once(stage.launcher.orders[0])
        for name in ("last_words", "made_progress", "find_lack", "find_gpu_fault"):
            monkeypatch.setattr(f"engine.schedule.worker.endings.{name}", None)
        stage.end("train-1", 0)
        assert stage.row().state == "done"


def test_a_verdict_is_written_as_it_was_judged(home: Home) -> None:
    submit_one(home)
    with staged(home, ["cpu:2"]) as stage:
        stage.turn()
        home.job("train-1").attempt(1).root.mkdir(parents=True)
        end = stage.scheduler.endings.judge(stage.track(), GONE)
        stage.scheduler.endings.write_outcome(stage.track(), end)
        told = read_outcome(home.job("train-1").attempt(1))
    assert told is not None
    assert (told.outcome, told.state, told.slot) == (end.verdict.outcome, end.verdict.state, "cpu:2")
    assert (told.ended_at, told.started_at) == (end.now, end.started_at)
