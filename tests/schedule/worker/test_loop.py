"""The scheduler's turns on a clock of the test's own, and no process: what runs, and what a restart finds."""

from __future__ import annotations

import json
import logging

import pytest

from engine.home.paths import Home
from engine.launch import State, Status
from engine.launch.process import boot_id
from store.queue import Queue
from tests.helpers.queueing import Probe, submit_probes
from tests.schedule.worker.faking import BEGIN, RUNNING, UNKNOWN, adopt, staged, submit_one


def test_lease_is_renewed_at_half_its_length(home: Home) -> None:
    submit_one(home)
    with staged(home, lease=60.0) as stage:
        stage.turn()
        assert (stage.lease().expires, stage.lease().boot_id) == (BEGIN + 60.0, boot_id())
        stage.turn(30.0)
        assert stage.lease().expires == BEGIN + 60.0, "half of it is left"
        stage.turn(1.0)
        assert (stage.lease().expires, stage.lease().boot_id) == (BEGIN + 91.0, boot_id())
        stage.turn(1.0)
        assert stage.lease().expires == BEGIN + 91.0, "one write for half a lease"


def test_heartbeats_are_read_once_a_second(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[float] = []
    submit_one(home)
    with staged(home, beat=1.0) as stage:
        monkeypatch.setattr("engine.schedule.worker.loop.read_progress", lambda folder: read.append(stage.clock.now))
        for seconds in (0.0, 0.5, 0.4, 0.1, 0.5, 0.5):
            stage.turn(seconds)
    assert read == [BEGIN + 0.5, BEGIN + 1.5]


@pytest.mark.parametrize(("lease", "unseen", "end"), [(60.0, 600.0, 601.0), (1000.0, 10.0, 1000.0)])
def test_unseen_attempt_ends_after_its_lease_and_its_silence(
    home: Home, lease: float, unseen: float, end: float
) -> None:
    submit_one(home)
    with staged(home, lease=lease, unseen=unseen, grace=3.0) as stage:
        stage.turn()
        stage.launcher.statuses["train-1", 1] = UNKNOWN
        stage.turn(1.0)
        stage.turn(end - 2.0)
        assert stage.outcome() == [None]
        assert stage.lease().expires == BEGIN + lease, "what is not seen is not renewed"
        stage.turn(1.0)
        assert stage.outcome()[0] == "lost"
        assert stage.launcher.said("stop") == [("stop", "train-1", 1, 3.0)]


def test_a_heartbeat_or_a_sight_begins_the_silence_anew(home: Home) -> None:
    submit_one(home)
    with staged(home, lease=1.0, unseen=100.0) as stage:
        stage.turn()
        stage.launcher.statuses["train-1", 1] = UNKNOWN
        stage.turn(1.0)
        stage.beat("train-1", 1)
        stage.turn(99.0)
        stage.turn(99.0)
        assert stage.outcome() == [None]
        stage.launcher.statuses["train-1", 1] = RUNNING
        stage.turn(1.0)
        stage.launcher.statuses["train-1", 1] = UNKNOWN
        stage.turn(50.0)
        stage.turn(99.0)
        assert stage.outcome() == [None]
        stage.turn(1.0)
        assert stage.outcome()[0] == "lost"


def test_a_lease_of_another_boot_counts_from_now(home: Home) -> None:
    """Monotonic seconds of another boot mean nothing on this one's clock."""
    adopt(home, "another boot", 1e9)
    with staged(home, lease=60.0, unseen=5.0) as stage:
        stage.launcher.statuses["train-1", 1] = UNKNOWN
        stage.turn()
        stage.turn(59.0)
        assert stage.outcome() == [None]
        stage.turn(1.0)
        assert stage.outcome()[0] == "lost"


def test_a_lease_of_this_boot_is_kept_over_a_restart(home: Home) -> None:
    adopt(home, boot_id(), BEGIN + 500.0)
    with staged(home, lease=60.0, unseen=5.0) as stage:
        stage.launcher.statuses["train-1", 1] = UNKNOWN
        stage.turn()
        stage.turn(499.0)
        assert stage.outcome() == [None]
        stage.turn(1.0)
        assert stage.outcome()[0] == "lost"


def test_a_still_step_is_dumped_and_then_stopped_once(home: Home) -> None:
    submit_one(home)
    with staged(home, stuck=600.0, grace=7.0) as stage:
        stage.turn()
        stage.beat("train-1", 1)
        stage.turn(1.0)
        stage.turn(600.0)
        assert stage.launcher.calls == []
        stage.turn(1.0)
        stage.turn(1.0)
        assert stage.launcher.calls == [("dump", "train-1", 1), ("stop", "train-1", 1, 7.0)]
        stage.end("train-1", -9)
        assert stage.outcome() == ["stuck"]
        assert stage.row().reason.startswith("no progress for too long")


def test_news_of_a_heartbeat_is_published(home: Home) -> None:
    submit_one(home)
    with staged(home) as stage:
        stage.turn()
        stage.turn(1.0)
        stage.scheduler.publisher.is_due = False
        stage.turn(1.0)
        assert not stage.scheduler.publisher.is_due
        stage.beat("train-1", 1)
        stage.turn(1.0)
        assert stage.scheduler.publisher.is_due


def test_an_attempt_that_never_began_is_queued_again_and_spends_nothing(home: Home) -> None:
    adopt(home, boot_id(), BEGIN + 50.0)
    with staged(home) as stage:
        stage.turn()
        assert stage.outcome() == ["lost", None]
        told = json.loads(home.job("train-1").attempt(1).outcome.read_text())
        assert (told["reason"], told["spent"]) == ("never started", {})
        assert stage.lease().attempt == 2


def test_a_running_attempt_is_found_again_and_not_started_twice(home: Home) -> None:
    adopt(home, boot_id(), BEGIN + 50.0)
    with staged(home) as stage:
        stage.launcher.statuses["train-1", 1] = RUNNING
        stage.turn()
        track = stage.track()
        stage.scheduler.is_sure = False
        stage.turn()
        assert stage.track() is track, "what is followed already stays as it is"
        assert (stage.launcher.orders, stage.outcome()) == ([], [None])


def test_results_on_disk_count_after_a_start(home: Home) -> None:
    submit_probes(home, "one", [Probe("train-1"), Probe("train-2", ("train-1",)), Probe("train-3")])
    home.job("train-1").result.write_text("{}")
    with staged(home) as stage:
        stage.queue.request_pause(["train-3"])
        home.job("train-3").result.write_text("{}")
        stage.turn()
        assert [order.job for order in stage.launcher.orders] == ["train-2"]
        assert (stage.row("train-1").state, stage.row("train-3").state) == ("done", "done")


def test_requests_from_before_a_start_are_carried_out(home: Home) -> None:
    adopt(home, boot_id(), BEGIN + 50.0)
    with Queue(home.queue_db) as queue:
        queue.request_pause(["train-1"])
    with staged(home) as stage:
        stage.launcher.statuses["train-1", 1] = RUNNING
        stage.turn()
        assert len(stage.launcher.said("stop")) == 1


def test_new_work_is_seen_when_somebody_wrote_to_the_queue(home: Home) -> None:
    with staged(home, ["cpu:0", "cpu:1"]) as stage:
        stage.turn()
        stage.scheduler.publisher.is_due = False
        stage.turn()
        assert not stage.scheduler.publisher.is_due
        submit_one(home)
        stage.turn()
        assert len(stage.launcher.orders) == 1
        assert stage.scheduler.publisher.is_due


def test_a_trouble_is_said_once_and_what_is_known_is_looked_up_again(
    home: Home, caplog: pytest.LogCaptureFixture
) -> None:
    with staged(home, look=0.1) as stage, caplog.at_level(logging.ERROR):
        stage.turn()
        for text in ("full\nand more", "full\nand less", "locked"):
            stage.scheduler.back_off(OSError(text), [5])
        assert (stage.scheduler.is_sure, stage.launcher.said("wait")) == (False, [("wait", 1.0, [5])] * 3)
        stage.turn()
        assert (stage.scheduler.is_sure, stage.scheduler.trouble) == (True, "")
        stage.scheduler.back_off(OSError("locked"), [])
    assert [record.getMessage() for record in caplog.records] == [
        f"cannot go on for now: {text}" for text in ("full", "locked", "locked")
    ]


def test_a_scheduler_is_idle_when_nothing_runs_or_waits(home: Home) -> None:
    with staged(home) as stage:
        assert stage.scheduler.is_idle()
        submit_one(home)
        assert not stage.scheduler.is_idle(), "a job waits"
        stage.turn()
        stage.queue.finish_all([stage.scheduler.endings.judge(stage.track(), Status(State.GONE, 87))])
        assert not stage.queue.has_work()
        assert not stage.scheduler.is_idle(), "a job runs"


def test_a_machine_that_goes_away_gets_its_grace_and_no_more(home: Home) -> None:
    submit_probes(home, "one", [Probe("train-1"), Probe("train-2")])
    with staged(home, ["cpu:0", "cpu:1"], grace=10.0, look=0.5) as stage:
        stage.turn()
        stage.launcher.statuses["train-1", 1] = Status(State.GONE, 85)
        stage.scheduler.drain()
        assert stage.launcher.said("stop") == [("stop", "train-1", 1, 10.0), ("stop", "train-2", 1, 10.0)]
        assert stage.clock.now == BEGIN + 11.0
        assert (stage.outcome("train-1"), stage.outcome("train-2")) == (["preempted"], [None])
        assert stage.row("train-1").state == "queued"
        stage.launcher.statuses["train-2", 1] = Status(State.GONE, -9)
        stage.clock.now = BEGIN
        stage.scheduler.drain()
        assert stage.clock.now == BEGIN + 0.5, "when all have ended it leaves"


def test_a_whole_turn_leaves_no_trouble_behind(home: Home) -> None:
    calls: list[str] = []
    with staged(home) as stage:
        stage.scheduler.trouble = "the disk was full"
        stage.scheduler.publisher.turn = lambda: calls.append("publish")  # type: ignore[method-assign]
        stage.turn()
        assert (stage.scheduler.trouble, calls) == ("", ["publish"])
