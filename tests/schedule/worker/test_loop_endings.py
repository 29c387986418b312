"""What the scheduler writes down when an attempt ends, and what it spends; no process is started."""

from __future__ import annotations

import json
import logging
import os
import time
from typing import Any

import pytest

from engine.home.control_files import HandleFile
from engine.home.files import write_json
from engine.home.paths import Home
from engine.home.seals import holds
from engine.launch import State, Status
from engine.launch.process import boot_id, host_name, seconds_since_start, see_process
from store.queue import Ended, Queue
from tests.helpers.queueing import Probe, submit_probes
from tests.schedule.worker.faking import BEGIN, RUNNING, adopt, commit_at_once, staged, submit_one


def test_outcome_is_in_the_folder_before_the_queue_knows(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []
    finish = Queue.finish_all

    def look_and_finish(queue: Queue, *words: Any) -> Ended:
        seen.append(home.job("train-1").attempt(1).outcome.exists())
        return finish(queue, *words)

    monkeypatch.setattr(Queue, "finish_all", look_and_finish)
    submit_one(home)
    with staged(home) as stage:
        stage.turn()
        home.job("train-1").attempt(1).root.mkdir(parents=True)
        stage.end("train-1", 1)
    assert seen == [True]


def test_outcome_holds_what_a_rebuild_needs(home: Home) -> None:
    submit_one(home)
    with staged(home, ["cpu:7"]) as stage:
        stage.turn()
        started = stage.lease().started_at
        home.job("train-1").attempt(1).root.mkdir(parents=True)
        home.job("train-1").attempt(1).log.write_text("it burst\n")
        stage.end("train-1", 3)
        told = json.loads(home.job("train-1").attempt(1).outcome.read_text())
        (row,) = stage.queue.attempt_rows()
        assert holds(told)
        del told["self"]
        assert started <= told.pop("ended_at") <= (row.ended_at or 0.0)
    assert told == {
        "outcome": "crashed",
        "exit": 3,
        "state": "queued",
        "spent": {"crashed": 1},
        "started_at": started,
        "reason": "exit 3: it burst",
        "slot": "cpu:7",
    }


def test_an_attempt_took_as_long_as_its_process_lived_whatever_the_clock_says(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    shift, honest = [0.0], time.time
    monkeypatch.setattr(time, "time", lambda: honest() + shift[0])
    own = see_process(os.getpid())
    assert own is not None
    words = {"pid": own.pid, "start_time": own.start, "host": host_name(), "boot_id": boot_id()}
    submit_one(home)
    with staged(home) as stage:
        stage.turn()
        attempt = home.job("train-1").attempt(1)
        attempt.root.mkdir(parents=True)
        write_json(attempt.handle, words)
        shift[0] = 259_200.0
        stage.end("train-1", 3)
        told, (row,) = json.loads(attempt.outcome.read_text()), stage.queue.attempt_rows()
    assert (told["started_at"], told["ended_at"]) == (row.started_at, row.ended_at)
    assert told["ended_at"] - told["started_at"] == pytest.approx(
        seconds_since_start(HandleFile.model_validate(words)), abs=30.0
    )


def test_an_ended_attempt_is_forgotten_and_makes_room(home: Home) -> None:
    submit_probes(home, "one", [Probe("train-1", cost=2.0), Probe("train-2", cost=1.0)])
    with staged(home) as stage:
        stage.turn()
        assert [order.job for order in stage.launcher.orders] == ["train-1"]
        stage.scheduler.publisher.is_due = False
        stage.end("train-1", 87)
        assert stage.launcher.calls == [("forget", "train-1", 1)]
        assert [order.job for order in stage.launcher.orders] == ["train-1", "train-2"]
        assert list(stage.scheduler.tracks) == ["train-2"]
        assert stage.scheduler.publisher.is_due


@pytest.mark.parametrize(("verb", "state", "outcome"), [("pause", "paused", "crashed"), ("cancel", "cancelled", None)])
def test_an_end_that_was_asked_for_spends_nothing(home: Home, verb: str, state: str, outcome: str | None) -> None:
    """However it came about: here the job crashes while it is asked to end."""
    submit_one(home)
    with staged(home, grace=4.0) as stage:
        stage.turn()
        with Queue(home.queue_db) as other:
            getattr(other, f"request_{verb}")(["train-1"])
            stage.turn()
            other.set_priority("one", 3)
            stage.turn()
        assert stage.launcher.said("stop") == [("stop", "train-1", 1, 4.0)], "asked once"
        home.job("train-1").attempt(1).root.mkdir(parents=True)
        stage.end("train-1", 1)
        told = json.loads(home.job("train-1").attempt(1).outcome.read_text())
        assert (told["spent"], told["exit"], told["reason"]) == ({}, 1, state)
        assert told["state"] == ("queued" if verb == "pause" else "cancelled")
        assert (stage.row().state, stage.row().reason) == (state, state)
        assert stage.outcome() == [outcome or "cancelled"]
        with Queue(home.queue_db) as other:
            getattr(other, "request_resume" if verb == "pause" else "request_retry")(["train-1"])
        stage.turn()
        row = stage.lease()
        assert (row.attempt, row.crashed, row.lost, row.ooms) == (2, 0, 0, 0)


def test_a_cancel_after_a_pause_is_asked_too(home: Home) -> None:
    submit_one(home)
    with staged(home) as stage, Queue(home.queue_db) as other:
        stage.turn()
        other.request_pause(["train-1"])
        stage.turn()
        other.request_cancel(["train-1"])
        stage.turn()
        assert len(stage.launcher.said("stop")) == 2
        stage.end("train-1", 85)
        assert stage.row().state == "cancelled"


def test_a_cancel_that_was_taken_back_queues_the_job_again(home: Home) -> None:
    submit_one(home)
    with staged(home) as stage:
        stage.turn()
        with Queue(home.queue_db) as other:
            other.request_cancel(["train-1"])
        stage.turn()
        submit_one(home)
        stage.end("train-1", 85)
        assert [order.attempt for order in stage.launcher.orders] == [1, 2]
        assert (stage.lease().lost, stage.outcome()) == (0, ["preempted", None])


def test_a_result_counts_though_its_end_was_asked_for(home: Home) -> None:
    submit_one(home)
    with staged(home) as stage:
        stage.turn()
        with Queue(home.queue_db) as other:
            other.request_cancel(["train-1"])
        stage.turn()
        stage.launcher.statuses["train-1", 1] = commit_at_once(stage.launcher.orders[0])
        stage.turn()
        assert (stage.row().state, stage.outcome()) == ("done", ["done"])


@pytest.mark.parametrize(("words", "room"), [("No space left on device", True), ("it burst", False)])
def test_a_crash_on_a_full_disk_spends_nothing(
    home: Home, words: str, room: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    submit_one(home)
    with staged(home) as stage:
        stage.turn()
        folder = home.job("train-1").attempt(1)
        folder.root.mkdir(parents=True)
        folder.log.write_text(words + "\n")
        monkeypatch.setattr(
            "engine.schedule.worker.attempts.home_trouble", lambda _: "" if room else "the disk is full"
        )
        stage.launcher.statuses["train-1", 1] = Status(State.GONE, 9)
        stage.scheduler.watch_attempts()
        told = json.loads(folder.outcome.read_text())
        assert (told["outcome"], told["state"], told["spent"], told["exit"]) == ("crashed", "queued", {}, 9)
        assert "the disk is full" in told["reason"]
        wait = stage.queue.next_wake((stage.queue.attempt_rows()[0].ended_at or 0.0) + 1.0)
        assert wait == pytest.approx(4.0)


def test_another_end_on_a_full_disk_is_what_it_is(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    submit_one(home)
    with staged(home) as stage:
        stage.turn()
        monkeypatch.setattr("engine.schedule.worker.attempts.home_trouble", lambda _: "the disk is full")
        stage.launcher.statuses["train-1", 1] = Status(State.GONE, 87)
        stage.scheduler.watch_attempts()
        assert (stage.row().state, stage.outcome()) == ("failed", ["nan"])


def test_a_step_further_spends_nothing(home: Home) -> None:
    submit_one(home)
    with staged(home) as stage:
        stage.turn()
        folder = home.job("train-1").attempt(1)
        folder.checkpoints.mkdir(parents=True)
        write_json(folder.checkpoints / "pointer.json", {"step": 4})
        stage.end("train-1", 1)
        assert (stage.lease().attempt, stage.lease().crashed) == (2, 0)


def test_budgets_that_were_spent_before_count(home: Home) -> None:
    adopt(home, boot_id(), BEGIN)
    with Queue(home.queue_db) as queue:
        queue.restore_job("train-1", crashed=2)
    with staged(home) as stage:
        stage.launcher.statuses["train-1", 1] = RUNNING
        stage.turn()
        stage.end("train-1", 1)
        assert stage.row().state == "failed"


def test_an_outcome_that_cannot_be_written_is_said_once(home: Home, caplog: pytest.LogCaptureFixture) -> None:
    """The queue's verdict counts all the same; while the disk is full every turn comes by here."""
    submit_one(home)
    with staged(home) as stage, caplog.at_level(logging.WARNING):
        stage.turn()
        endings, track = stage.scheduler.endings, stage.track()
        end = endings.judge(track, Status(State.GONE, 1))
        endings.write_outcome(track, end)
        endings.write_outcome(track, end, is_told=True)
    assert [record.getMessage()[:41] for record in caplog.records] == ["train-1 attempt 1: outcome not written: ["]
