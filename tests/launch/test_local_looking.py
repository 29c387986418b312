"""The local launcher without a process: what it sees, whom it signals, how long it waits, all on a made-up machine."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from engine.home.paths import Home
from engine.launch import Handle, Order, State, Status, local
from engine.launch.local import LocalLauncher, TrackedAttempt

PID, START = 700, 99
GONE = Status(State.GONE)
RUNNING = Status(State.RUNNING)
UNBORN = Status(State.GONE, None, has_started=False)


@dataclass
class Machine:
    """The processes that live on it, its clock, and what was sent to whom."""

    alive: set[tuple[int, int]] = field(default_factory=set)
    now: float = 1000.0
    sent: list[tuple[Any, ...]] = field(default_factory=list)
    on_look: Callable[[], None] = lambda: None

    def is_alive(self, pid: int, start: int) -> bool:
        self.on_look()
        return (pid, start) in self.alive

    def signal(self, pid: int, start: int, number: int) -> bool:
        self.sent.append((pid, start, number))
        return True

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine()
    monkeypatch.setattr(local, "is_alive", made.is_alive)
    monkeypatch.setattr(local, "signal_process", made.signal)
    monkeypatch.setattr(local, "kill_session", lambda pid, start, log=None: made.sent.append((pid, start, "session")))
    monkeypatch.setattr(local, "host_name", lambda: "here")
    monkeypatch.setattr(local, "boot_id", lambda: "boot")
    monkeypatch.setattr("engine.launch.local.time.monotonic", lambda: made.now)
    monkeypatch.setattr("engine.launch.local.time.sleep", made.sleep)
    return made


def leave_handle(folder: Path, **words: Any) -> Handle:
    folder.mkdir(parents=True, exist_ok=True)
    told = {"pid": PID, "start_time": START, "host": "here", "boot_id": "boot", **words}
    (folder / "handle.json").write_text(json.dumps(told))
    return Handle("train-1", 1, str(folder))


def look(launcher: LocalLauncher, handle: Handle) -> Status:
    return launcher.poll([handle])[handle]


def running(machine: Machine, folder: Path) -> tuple[LocalLauncher, Handle]:
    machine.alive = {(PID, START)}
    launcher, handle = LocalLauncher(), leave_handle(folder)
    assert look(launcher, handle) == RUNNING
    return launcher, handle


def test_stop_asks_the_leader_alone_and_once(machine: Machine, tmp_path: Path) -> None:
    launcher, handle = running(machine, tmp_path)
    launcher.stop(handle, 5.0)
    look(launcher, handle)
    assert machine.sent == [(PID, START, signal.SIGTERM)]
    launcher.close()


def test_the_session_is_killed_when_the_first_grace_is_over(machine: Machine, tmp_path: Path) -> None:
    launcher, handle = running(machine, tmp_path)
    launcher.stop(handle, 5.0)
    machine.now += 3.0
    launcher.stop(handle, 600.0)
    machine.now += 1.9
    look(launcher, handle)
    assert len(machine.sent) == 1
    machine.now += 0.1
    look(launcher, handle)
    assert machine.sent[1:] == [(PID, START, "session")]
    launcher.close()


def test_one_that_lives_no_more_is_not_pressed(machine: Machine, tmp_path: Path) -> None:
    launcher, handle = running(machine, tmp_path)
    launcher.stop(handle, 1.0)
    machine.alive, machine.now = set(), machine.now + 2.0
    launcher.stop(handle, 1.0)
    assert machine.sent == [(PID, START, signal.SIGTERM)]
    launcher.close()


@pytest.mark.parametrize(
    ("words", "lives", "status", "sent"),
    [
        ({}, True, RUNNING, []),
        ({"host": "elsewhere", "exit": 3}, False, Status(State.UNKNOWN), []),
        ({"boot_id": "before"}, True, GONE, []),
        ({"boot_id": "before", "exit": 3}, True, Status(State.GONE, 3), []),
        ({}, False, GONE, [(PID, START, "session")]),
        ({"exit": 86}, False, Status(State.GONE, 86), [(PID, START, "session")]),
        ({"exit": "86"}, False, GONE, [(PID, START, "session")]),
    ],
)
def test_a_handle_is_read_with_host_boot_and_life(
    machine: Machine, tmp_path: Path, words: dict[str, Any], lives: bool, status: Status, sent: list[Any]
) -> None:
    machine.alive = {(PID, START)} if lives else set()
    launcher = LocalLauncher()
    assert look(launcher, leave_handle(tmp_path, **words)) == status
    assert machine.sent == sent
    launcher.close()


def test_an_exit_that_is_written_while_we_look_is_seen(machine: Machine, tmp_path: Path) -> None:
    handle = leave_handle(tmp_path)
    machine.on_look = lambda: (leave_handle(tmp_path, exit=85), None)[1]
    assert look(LocalLauncher(), handle) == Status(State.GONE, 85)


def test_an_end_that_was_seen_stays_seen(machine: Machine, tmp_path: Path) -> None:
    launcher, handle = LocalLauncher(), leave_handle(tmp_path, exit=85)
    assert look(launcher, handle) == Status(State.GONE, 85)
    (tmp_path / "handle.json").unlink()
    assert look(launcher, handle) == Status(State.GONE, 85)


def test_no_folder_is_fenced_so_that_none_can_begin(machine: Machine, tmp_path: Path) -> None:
    handle = Handle("train-1", 1, str(tmp_path / "attempts" / "1"))
    assert look(LocalLauncher(), handle) == UNBORN
    assert Path(handle.folder).is_dir()


def test_a_folder_without_a_handle_gets_two_seconds(machine: Machine, tmp_path: Path) -> None:
    launcher, handle = LocalLauncher(), Handle("train-1", 1, str(tmp_path))
    assert look(launcher, handle) == Status(State.QUEUED)
    machine.now += 1.9
    assert look(launcher, handle) == Status(State.QUEUED)
    machine.now += 0.1
    assert look(launcher, handle) == GONE


def test_a_folder_that_cannot_be_made_is_no_start(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError("read-only")

    monkeypatch.setattr(Path, "mkdir", refuse)
    assert look(LocalLauncher(), Handle("train-1", 1, str(tmp_path / "absent"))) == UNBORN
    assert look(LocalLauncher(), Handle("train-1", 1, str(tmp_path))) == Status(State.QUEUED)


def test_a_forked_process_without_a_handle_runs(machine: Machine, tmp_path: Path) -> None:
    """Its fork server died after it told of the fork and before the child wrote down who it is."""
    launcher, handle = LocalLauncher(), Handle("train-1", 1, str(tmp_path), PID, START, "here", "boot")
    machine.alive = {(PID, START)}
    assert look(launcher, handle) == RUNNING
    other = Handle("train-2", 1, str(tmp_path / "2"), PID, START, "elsewhere", "boot")
    assert look(launcher, other) == UNBORN, "a pid of another host says nothing here"


def test_find_waits_for_a_handle_and_no_longer_than_needed(machine: Machine, tmp_path: Path) -> None:
    began = machine.now
    found = LocalLauncher().find("train-1", 1, str(tmp_path))
    assert found is not None, "it may have begun: only its folder is there"
    assert machine.now - began == pytest.approx(2.0, abs=0.1)
    assert LocalLauncher().find("train-1", 2, str(tmp_path / "2")) is None
    machine.alive = {(PID, START)}
    leave_handle(tmp_path)
    found = LocalLauncher().find("train-1", 1, str(tmp_path))
    assert found is not None
    assert (found.pid, found.start, found.host, found.boot_id) == (PID, START, "here", "boot")


def test_stopping_one_that_has_not_begun_fences_it(machine: Machine, tmp_path: Path) -> None:
    launcher, handle = LocalLauncher(), Handle("train-1", 1, str(tmp_path / "1"))
    launcher.stop(handle, 1.0)
    assert look(launcher, handle) == UNBORN
    assert (Path(handle.folder).is_dir(), machine.sent) == (True, [])


def test_stacks_are_asked_for_where_there_is_a_process(machine: Machine, tmp_path: Path) -> None:
    launcher, handle = running(machine, tmp_path)
    launcher.dump_stacks(handle)
    launcher.dump_stacks(Handle("train-2", 1, str(tmp_path / "2")))
    assert machine.sent == [(PID, START, signal.SIGQUIT)]
    launcher.close()


# The fork server's side -----------------------------------------------------------------------------------------------


class FakeServer:
    """Stands for a ForkServer: what was sent, and what it tells."""

    def __init__(self, preload: str = "") -> None:
        self.is_open, self.sent, self.told = True, list[dict[str, Any]](), list[dict[str, Any]]()
        self.link, self.closed = socket.socket(socket.AF_UNIX), False

    def send(self, message: dict[str, Any]) -> None:
        self.sent.append(message)

    def receive(self) -> list[dict[str, Any]]:
        told, self.told = self.told, []
        return told

    def close(self) -> None:
        self.is_open, self.closed = False, True
        self.link.close()


@pytest.fixture
def servers(monkeypatch: pytest.MonkeyPatch) -> list[FakeServer]:
    made: list[FakeServer] = []

    def make(preload: str) -> FakeServer:
        made.append(FakeServer(preload))
        return made[-1]

    monkeypatch.setattr(local, "ForkServer", make)
    return made


def order(folder: Path, attempt: int = 1) -> Order:
    return Order(Home(folder, folder / "c"), "train-1", attempt, "GPU-5a", 2)


def place(folder: Path, attempt: int = 1) -> str:
    return str(folder / "jobs" / "train-1" / "attempts" / str(attempt))


def test_an_order_is_sent_once_with_its_slot(machine: Machine, tmp_path: Path, servers: list[FakeServer]) -> None:
    launcher = LocalLauncher()
    handle = launcher.submit(order(tmp_path))
    assert launcher.submit(order(tmp_path)) is handle
    told = {"XP_CACHE": str(tmp_path / "c"), "XP_SLOT": "GPU-5a", "XP_OOMS": "2", "CUDA_VISIBLE_DEVICES": "GPU-5a"}
    assert servers[0].sent == [{"folder": place(tmp_path), "env": told}]
    launcher.close()
    assert servers[0].closed


@pytest.mark.parametrize(("code", "started"), [(0, True), (-9, True), (75, False)])
def test_what_the_server_tells_is_believed(
    machine: Machine, tmp_path: Path, servers: list[FakeServer], code: int, started: bool
) -> None:
    launcher = LocalLauncher()
    handle = launcher.submit(order(tmp_path))
    assert look(launcher, handle) == Status(State.QUEUED)
    who = {"folder": place(tmp_path), "start": START}
    servers[0].told = [{"ready": True}, {"forked": 5, **who, "folder": place(tmp_path, 2)}, {"forked": PID, **who}]
    assert look(launcher, handle) == RUNNING
    assert launcher._known(handle).handle == Handle("train-1", 1, place(tmp_path), PID, START, "here", "boot")
    servers[0].told = [{"exit": code, **who}]
    assert look(launcher, handle) == Status(State.GONE, code, started)
    launcher.close()


def test_a_new_server_takes_the_place_of_a_dead_one(
    machine: Machine, tmp_path: Path, servers: list[FakeServer]
) -> None:
    launcher = LocalLauncher()
    first = launcher.submit(order(tmp_path))
    servers[0].is_open = False
    assert look(launcher, first) == UNBORN, "its order died with the server"
    second = launcher.submit(order(tmp_path, 2))
    assert (len(servers), servers[0].closed, len(servers[1].sent)) == (2, True, 1)
    assert look(launcher, second) == Status(State.QUEUED)
    launcher.forget(first)
    again = Handle("train-1", 1, place(tmp_path))
    assert look(launcher, again) == Status(State.QUEUED), "forgotten: its folder is looked at anew"
    launcher.close()


def test_waits_are_as_long_as_nothing_has_to_be_looked_at(
    machine: Machine, tmp_path: Path, servers: list[FakeServer], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[float] = []
    heard: list[int] = []

    class FakePoll:
        def register(self, descriptor: int, events: int) -> None:
            heard.append(descriptor)

        def poll(self, milliseconds: float) -> list[Any]:
            asked.append(milliseconds)
            return []

    monkeypatch.setattr(select, "poll", FakePoll)
    launcher = LocalLauncher()
    handle = launcher.submit(order(tmp_path))
    launcher.wait(7.0, [55])
    launcher.wait(-1.0)
    assert heard == [55, servers[0].link.fileno(), servers[0].link.fileno()]
    who = {"folder": place(tmp_path), "start": START}
    servers[0].told, machine.alive = [{"forked": PID, **who}], {(PID, START)}
    look(launcher, handle)
    launcher.stop(handle, 2.0)
    launcher.wait(7.0)
    machine.now += 1.995
    launcher.wait(7.0)
    machine.now += 1.0
    launcher.wait(7.0)
    servers[0].told = [{"exit": 0, **who}]
    look(launcher, handle)
    launcher.wait(7.0)
    outside = Handle("train-2", 1, str(tmp_path))
    look(launcher, outside)
    launcher.wait(7.0)
    assert asked == pytest.approx([7000.0, 0.0, 2000.0, 10.0, 50.0, 7000.0, 50.0])
    launcher.close()


def test_a_watched_process_wakes_and_its_descriptor_is_closed_once(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bell, bell_in = os.pipe()
    opened: list[int] = []

    def open_watch(pid: int) -> int:
        opened.append(pid)
        return bell

    monkeypatch.setattr(os, "pidfd_open", open_watch)
    launcher, handle = running(machine, tmp_path)
    look(launcher, handle)
    assert opened == [PID]
    assert launcher._descriptors() == [bell]
    assert launcher._next_look() == 3600.0
    launcher.forget(handle)
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(bell)
    os.close(bell_in)


def test_an_end_closes_what_watched_it(machine: Machine, tmp_path: Path) -> None:
    bell, bell_in = os.pipe()
    launcher = LocalLauncher()
    handle = leave_handle(tmp_path, exit=0)
    launcher.attempts["train-1", 1] = TrackedAttempt(handle, watch=bell)
    assert look(launcher, handle) == Status(State.GONE, 0)
    assert launcher._descriptors() == []
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(bell)
    os.close(bell_in)
