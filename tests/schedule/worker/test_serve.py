"""run_worker with a launcher that starts nothing: how it comes, is asked to end, leaves, and what it opens."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable
from typing import Any

import pytest

from engine.errors import HomeError
from engine.home.files import write_json
from engine.home.paths import Home
from engine.schedule.worker import run_worker, scheduler_alive, serve
from engine.schedule.worker.__main__ import main
from engine.schedule.worker.lock import sign_in, take_lock
from engine.schedule.worker.loop import Scheduler
from engine.schedule.worker.serve import StopFlag, _open_queue, _stop_signals
from engine.schedule.worker.tracks import Patience
from store.queue import Queue, QueueFault
from tests.helpers.queueing import Probe, make_record, states, submit_probes
from tests.schedule.worker.faking import FakeLauncher, commit_at_once

FAULT: Exception = QueueFault("", None, ValueError("locked"), False)
STILL = Patience(grace=0.0, look=0.0)


@pytest.fixture(autouse=True)
def _no_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.schedule.worker.lock.TAKE_SECONDS", 0.02)


def work(home: Home, launcher: FakeLauncher, **words: Any) -> int:
    named = {"until_idle": True, "collect": None, "patience": STILL, **words}
    return run_worker(home, launcher=lambda: launcher, **named)


def test_it_signs_in_works_closes_collects_and_signs_out(home: Home) -> None:
    seen: list[bool] = []
    launcher, collected = FakeLauncher(on_submit=commit_at_once), list[Home]()
    launcher.on_wait = lambda: seen.append(home.scheduler_file.exists() and scheduler_alive(home))
    submit_probes(home, "one", [Probe("train-1"), Probe("train-2", ("train-1",))])
    assert work(home, launcher, collect=collected.append) == 0
    assert states(home) == {"train-1": "done", "train-2": "done"}
    assert all(seen)
    assert launcher.calls[-1] == ("close",)
    assert collected[-1] is home
    assert (home.scheduler_file.exists(), scheduler_alive(home)) == (False, False)


@pytest.mark.parametrize(("number", "stops"), [(signal.SIGTERM, 0), (signal.SIGINT, 0), (signal.SIGUSR1, 1)])
def test_a_signal_ends_it_without_its_jobs_unless_the_machine_goes(
    home: Home, number: signal.Signals, stops: int
) -> None:
    """In a hurry the last collecting is left out; jobs are stopped only where they would be lost."""
    collected: list[Home] = []
    launcher = FakeLauncher(on_wait=lambda: signal.raise_signal(number))
    before = signal.getsignal(number)
    submit_probes(home, "one", [Probe("train-1")])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(serve, "Publisher", lambda home, last, between: FakePublisher(collected))
        assert work(home, launcher, until_idle=False, collect=collected.append) == 130
    assert collected == []
    assert len(launcher.said("stop")) == stops
    assert states(home) == {"train-1": "running"}
    assert signal.getsignal(number) == before
    assert launcher.calls[-1] == ("close",)


class FakePublisher:
    def __init__(self, collected: list[Home]) -> None:
        self.collected = collected

    def note(self) -> None: ...

    def turn(self) -> None: ...

    def finish(self, *, is_last: bool) -> None:
        assert not is_last


def test_a_second_scheduler_says_so_and_leaves_or_is_refused(home: Home, caplog: pytest.LogCaptureFixture) -> None:
    held = take_lock(home)
    assert held is not None
    assert work(home, FakeLauncher()) == 0
    assert "a scheduler works here already: it does what is queued, and this one ends" in caplog.text
    sign_in(home)
    work(home, FakeLauncher())
    assert f"(process {os.getpid()} on " in caplog.text
    with pytest.raises(HomeError, match="already works here"):
        work(home, FakeLauncher(), until_idle=False)
    held.release()


@pytest.mark.parametrize("fault", [OSError("full"), FAULT])
def test_a_fault_of_the_disk_is_waited_out(home: Home, monkeypatch: pytest.MonkeyPatch, fault: Exception) -> None:
    faults, turn = [fault, fault], Scheduler.turn

    def sometimes(scheduler: Scheduler) -> None:
        if faults:
            raise faults.pop()
        turn(scheduler)

    monkeypatch.setattr(Scheduler, "turn", sometimes)
    submit_probes(home, "one", [Probe("train-1")])
    launcher = FakeLauncher(on_submit=commit_at_once)
    assert work(home, launcher, patience=Patience(grace=0.0, look=0.5)) == 0
    assert states(home) == {"train-1": "done"}
    pauses = [call[1] for call in launcher.calls if call[0] == "wait"]
    assert pauses[:2] == [5.0, 5.0], "ten times as long as between two looks"


def test_a_bug_ends_it_and_frees_the_lock(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Scheduler, "turn", lambda scheduler: 1 / 0)
    launcher = FakeLauncher()
    with pytest.raises(ZeroDivisionError):
        work(home, launcher)
    assert launcher.calls == [("close",)]
    assert (home.scheduler_file.exists(), scheduler_alive(home)) == (False, False)


def test_a_home_that_cannot_be_written_is_said(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(home: Home) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(serve, "sign_in", refuse)
    with pytest.raises(HomeError, match="cannot be written: No space"):
        work(home, FakeLauncher())


def test_who_submits_while_it_leaves_is_served(home: Home) -> None:
    rounds: list[int] = []

    def late(_: Home) -> None:
        rounds.append(1)
        if len(rounds) == 1:
            submit_probes(home, "two", [Probe("train-2")])

    submit_probes(home, "one", [Probe("train-1")])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("engine.schedule.worker.publish.Publisher.turn", lambda publisher: None)
        assert work(home, FakeLauncher(on_submit=commit_at_once), collect=late) == 0
    assert states(home) == {"train-1": "done", "train-2": "done"}
    assert len(rounds) == 2


def test_a_submission_without_its_rows_is_healed_at_the_start(home: Home) -> None:
    home.experiment("one").mkdir(parents=True)
    home.job("train-1").root.mkdir(parents=True)
    write_json(home.job("train-1").spec, {"kind": "train"})
    write_json(home.experiment("one") / "1.json", make_record("one", [Probe("train-1")]))
    with Queue(home.queue_db):
        pass
    assert work(home, FakeLauncher(on_submit=commit_at_once)) == 0
    assert states(home) == {"train-1": "done"}


def test_a_queue_of_a_newer_program_is_refused(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    with Queue(home.queue_db):
        pass
    made: list[Home] = []
    monkeypatch.setattr(serve, "make_queue", made.append)
    monkeypatch.setattr(serve, "Queue", raising(RuntimeError("the queue has schema 9")))
    with pytest.raises(HomeError, match="schema 9") as caught:
        _open_queue(home, StopFlag())
    assert ("rebuild --queue" in caught.value.fix, made) == (True, [])


def raising(error: Exception) -> Callable[..., None]:
    def call(*_: Any, **__: Any) -> None:
        raise error

    return call


def test_jobs_are_collected_lazily_between_and_wholly_at_the_end(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []

    def keep(home: Home, last: Any, between: Any) -> FakePublisher:
        made.append((last, between))
        raise ZeroDivisionError

    monkeypatch.setattr(serve, "Publisher", keep)
    own: Callable[[Home], object] = lambda home: None  # noqa: E731
    for collect in (serve.run_collect, own):
        with pytest.raises(ZeroDivisionError):
            work(home, FakeLauncher(), collect=collect)
    assert made == [(serve.run_collect, serve.collect_lazily), (own, own)]


def test_how_the_collector_is_asked(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr("engine.collect.collect", lambda home, **words: asked.append(words))
    serve.run_collect(home)
    serve.collect_lazily(home)
    assert asked == [{"wait": 60.0}, {"lazy": True}]


def test_a_flag_rings_its_bell_and_never_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XP_PREEMPT_SIGNAL", "USR2")
    flag = StopFlag()
    assert not flag.is_set
    with pytest.raises(BlockingIOError):
        os.read(flag.bell, 1)
    for number in (signal.SIGUSR2, signal.SIGTERM):
        flag.ring(number)
        assert (flag.is_set, flag.is_preempted) == (True, True)
    assert os.read(flag.bell, 9) == b"xx"
    for _ in range(1 << 17):
        flag.ring(signal.SIGTERM)
    flag.close()
    other = StopFlag()
    other.ring(signal.SIGTERM)
    assert not other.is_preempted
    other.close()


def test_signals_are_left_alone_outside_of_the_main_thread() -> None:
    before, seen = signal.getsignal(signal.SIGTERM), list[object]()

    def look() -> None:
        with _stop_signals():
            seen.append(signal.getsignal(signal.SIGTERM))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [before]


# python -m engine.schedule.worker -------------------------------------------------------------------------------------


def test_the_program_passes_its_words_on(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []

    def keep(*words: Any, **named: Any) -> int:
        calls.append((words, named))
        return 130

    monkeypatch.setattr("engine.schedule.worker.__main__.run_worker", keep)
    assert main(["--home", str(home.root)]) == 130
    assert main(["--home", str(home.root), "--slots", "3", "--until-idle", "--preload", "x", "--no-collect"]) == 130
    first = ((home, None, False), {"preload": "engine.run", "collect": serve.run_collect})
    assert calls == [first, ((home, 3, True), {"preload": "x", "collect": None})]


def test_the_program_tells_an_error_by_its_status(home: Home, caplog: pytest.LogCaptureFixture) -> None:
    assert main(["--home", str(home.root / "absent")]) == 2
    assert "there is no home folder here yet" in caplog.text
