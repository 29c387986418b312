"""Which jobs the scheduler starts, with which order, and when it does not; no process is started."""

from __future__ import annotations

import pytest

from engine.home.paths import Home
from engine.launch import Order, Status
from store.queue import Queue
from tests.helpers.queueing import Probe, submit_probes
from tests.schedule.worker.faking import RUNNING, staged, submit_one


@pytest.mark.parametrize(("folders", "known", "number"), [((9,), 0, 10), ((9, 10), 0, 11), ((), 3, 4), ((2,), 5, 6)])
def test_attempt_number_is_above_queue_and_folders(
    home: Home, folders: tuple[int, ...], known: int, number: int
) -> None:
    submit_one(home)
    for folder in folders:
        home.job("train-1").attempt(folder).root.mkdir(parents=True)
    with staged(home) as stage:
        stage.queue.restore_job("train-1", attempts=known)
        stage.turn()
        assert [order.attempt for order in stage.launcher.orders] == [number]
        assert stage.lease().attempt == number
        assert stage.launcher.orders[0].folder == home.job("train-1").attempt(number)


def test_an_order_tells_all_that_a_job_needs(home: Home) -> None:
    submit_one(home)
    with staged(home, ["cpu:3"]) as stage:
        stage.queue.restore_job("train-1", ooms=2)
        stage.turn()
        assert stage.launcher.orders == [Order(home, "train-1", 1, "cpu:3", 2)]
        assert stage.lease().slot == "cpu:3"


def test_every_slot_is_filled_in_one_turn_and_none_twice(home: Home) -> None:
    submit_probes(home, "one", [Probe(f"train-{number}", cost=9.0 - number) for number in range(4)])
    with staged(home, ["cpu:0", "cpu:1"]) as stage:
        stage.turn()
        assert [(order.job, order.slot) for order in stage.launcher.orders] == [
            ("train-0", "cpu:0"),
            ("train-1", "cpu:1"),
        ]
        assert {job: track.row.slot for job, track in stage.scheduler.tracks.items()} == {
            "train-0": "cpu:0",
            "train-1": "cpu:1",
        }
        assert not stage.scheduler.start_some()


def test_full_processor_slots_are_not_asked_again(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    submit_probes(home, "one", [Probe("train-1"), Probe("train-2")])
    with staged(home) as stage:
        stage.turn()
        monkeypatch.setattr(Queue, "waiting", None)
        assert not stage.scheduler.start_some()


def test_a_shared_gpu_holds_more_jobs_than_there_are_slots(home: Home) -> None:
    half = {"resources": {"gpus": 0.5}}
    submit_probes(home, "one", [Probe(f"train-{number}", does=half) for number in range(3)])
    with staged(home, ["GPU-5a"]) as stage:
        stage.turn()
        assert [order.job for order in stage.launcher.orders] == ["train-0", "train-1"]


def test_a_job_that_has_its_result_is_not_started(home: Home) -> None:
    submit_one(home)
    with staged(home) as stage:
        stage.scheduler.is_sure = True
        home.job("train-1").result.write_text("{}")
        stage.turn()
        assert (stage.launcher.orders, stage.row().state) == ([], "done")


def test_a_job_without_its_folder_is_refused(home: Home) -> None:
    submit_one(home)
    home.job("train-1").spec.unlink()
    with staged(home) as stage:
        stage.turn()
        assert (stage.launcher.orders, stage.scheduler.tracks) == ([], {})
        assert (stage.row().state, stage.outcome()) == ("failed", ["lost"])
        assert stage.row().reason == "its folder is gone: submit the experiment again"


def test_a_job_that_somebody_else_took_is_let_be(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    submit_one(home)
    with staged(home) as stage:
        lease_all = Queue.lease_all
        monkeypatch.setattr(Queue, "lease_all", lambda *words, **named: [])
        stage.turn()
        assert (stage.launcher.orders, stage.scheduler.tracks) == ([], {})
        monkeypatch.setattr(Queue, "lease_all", lease_all)
        stage.turn()
        assert [order.job for order in stage.launcher.orders] == ["train-1"], "its slot is free again"


def test_what_was_leased_beside_a_start_that_failed_is_queued_again(home: Home) -> None:
    submit_probes(home, "one", [Probe(f"train-{number}", cost=9.0 - number) for number in range(3)])

    def fail(order: Order) -> Status:
        if order.job == "train-1" and order.attempt == 1:
            raise OSError("no room")
        return RUNNING

    with staged(home, ["cpu:0", "cpu:1", "cpu:2"]) as stage:
        stage.launcher.on_submit = fail
        with pytest.raises(OSError, match="no room"):
            stage.turn()
        stage.scheduler.back_off(OSError("no room"), [])
        states = {row.job: (row.state, row.attempts) for row in stage.queue.job_rows()}
        assert states == {"train-0": ("running", 1), "train-1": ("running", 1), "train-2": ("queued", 0)}
        stage.turn()
        attempts = {row.job: (row.state, row.attempts) for row in stage.queue.job_rows()}
        assert attempts == {"train-0": ("running", 1), "train-1": ("running", 2), "train-2": ("running", 1)}
        assert {track.row.slot for track in stage.scheduler.tracks.values()} == {"cpu:0", "cpu:1", "cpu:2"}


def test_nothing_starts_on_a_full_disk_and_room_starts_it(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    room = [False]
    monkeypatch.setattr("engine.schedule.worker.loop.home_trouble", lambda _: "" if room[0] else "the disk is full")
    submit_one(home)
    with staged(home) as stage:
        for _ in range(2):
            with pytest.raises(OSError, match="the disk is full: nothing is started"):
                stage.turn()
        assert (stage.launcher.orders, stage.row().state) == ([], "queued")
        room[0] = True
        stage.turn()
        assert len(stage.launcher.orders) == 1


def test_a_back_off_that_ends_starts_its_job(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    wall = [5000.0]
    monkeypatch.setattr("engine.schedule.worker.loop.time.time", lambda: wall[0])
    submit_one(home)
    with staged(home, look=0.1) as stage:
        stage.turn()
        stage.end("train-1", 1)
        wall[0] += 0.95
        stage.turn()
        assert len(stage.launcher.orders) == 1
        stage.scheduler.rest([3])
        wall[0] += 0.05
        stage.turn()
        assert [order.attempt for order in stage.launcher.orders] == [1, 2]
        stage.scheduler.rest([4])
        waits = [(seconds, also) for _, seconds, also in stage.launcher.said("wait")]
        assert waits == [(pytest.approx(0.05), [3]), (0.1, [4])]


def test_an_ended_back_off_without_a_slot_waits_as_usual(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    submit_one(home)
    with staged(home, look=0.1) as stage:
        for wake in (0.0, 30.0, None):
            monkeypatch.setattr(Queue, "next_wake", lambda queue, now, wake=wake: wake)
            stage.scheduler.rest([])
        assert [call[1] for call in stage.launcher.said("wait")] == [0.1] * 3
