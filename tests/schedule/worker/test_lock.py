"""One scheduler for each home: its lock, who looks at it, and starting one that stays."""

from __future__ import annotations

import fcntl
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from engine.errors import HomeError, XpError
from engine.home.paths import Home
from engine.launch.process import boot_id, host_name, see_process
from engine.schedule.worker import lock, scheduler_alive, start_detached
from engine.schedule.worker.lock import is_starting, sign_in, sign_out, take_lock
from tests.helpers.queueing import PROBE, Probe, make_home, states, submit_probes, until
from tests.schedule.worker.working import ROOT


@pytest.fixture
def empty(tmp_path: Path) -> Home:
    return make_home(tmp_path)


class FakeProcess:
    """What was started, instead of starting it; it ends when told."""

    made: list[FakeProcess] = []  # noqa: RUF012 (emptied for each test)

    def __init__(self, words: list[str], **named: Any) -> None:
        self.words, self.named, self.status = words, named, None
        FakeProcess.made.append(self)

    def poll(self) -> int | None:
        return self.status


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[FakeProcess]:
    FakeProcess.made.clear()
    monkeypatch.setattr(lock, "Outliving", FakeProcess)
    monkeypatch.setattr(lock, "_started", {})
    return FakeProcess.made


def test_the_lock_is_held_by_one_and_free_afterwards(empty: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "TAKE_SECONDS", 0.02)
    assert not scheduler_alive(empty), "nobody has ever been here"
    held = take_lock(empty)
    assert held is not None
    assert take_lock(empty) is None
    assert scheduler_alive(empty)
    held.release()
    assert not scheduler_alive(empty)
    again = take_lock(empty)
    assert again is not None
    again.release()


def test_looking_takes_nothing_and_leaves_nothing_open(empty: Home) -> None:
    empty.scheduler_lock.touch()
    other = os.open(empty.scheduler_lock, os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_SH)
    opened = len(os.listdir("/proc/self/fd"))
    assert not scheduler_alive(empty), "two may look at once"
    fcntl.flock(other, fcntl.LOCK_EX)
    assert scheduler_alive(empty)
    assert len(os.listdir("/proc/self/fd")) == opened
    os.close(other)
    assert not scheduler_alive(empty)


def test_who_takes_the_lock_outlasts_those_who_only_look(empty: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """A look holds the lock, shared, for a moment: here until the first time that the taker waits."""
    empty.scheduler_lock.touch()
    other = os.open(empty.scheduler_lock, os.O_RDONLY)
    fcntl.flock(other, fcntl.LOCK_SH)
    monkeypatch.setattr(time, "sleep", lambda seconds: fcntl.flock(other, fcntl.LOCK_UN))
    held = take_lock(empty)
    assert held is not None
    held.release()
    os.close(other)


def test_a_home_that_cannot_be_written_is_said(empty: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(FileLock, "acquire", refuse)
    with pytest.raises(HomeError, match="cannot be written: Read-only file system") as caught:
        take_lock(empty)
    assert (caught.value.where, "XP_HOME" in caught.value.fix) == (str(empty.root), True)


def test_a_scheduler_is_started_apart_from_us(empty: Home, started: list[FakeProcess]) -> None:
    start_detached(empty, preload="some.module", collects=False)
    start_detached(empty, collects=True)
    first, second = started
    words = [
        sys.executable,
        "-P",
        "-m",
        "engine.schedule.worker",
        "--home",
        str(empty.root),
        "--until-idle",
        "--preload",
    ]
    assert (first.words, second.words) == ([*words, "some.module", "--no-collect"], [*words, "engine.run"])
    assert first.named["start_new_session"] is True
    assert first.named["stdin"] == subprocess.DEVNULL
    assert first.named["stdout"].name == first.named["stderr"].name == str(empty.scheduler_log)
    assert first.named["stdout"].mode == "ab"
    assert first.named["env"]["XP_CACHE"] == str(empty.cache)
    assert first.named["env"]["PYTHONPATH"].startswith(str(ROOT))


def test_none_is_started_where_one_works(empty: Home, started: list[FakeProcess]) -> None:
    held = take_lock(empty)
    assert held is not None
    start_detached(empty)
    held.release()
    assert started == []


def test_a_mistake_in_the_environment_is_told_who_submits(
    empty: Home, started: list[FakeProcess], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XP_PREEMPT_SIGNAL", "KILL")
    with pytest.raises(XpError, match="cannot announce"):
        start_detached(empty)
    assert started == []


def test_one_on_its_way_is_known_until_it_ends(tmp_path: Path, started: list[FakeProcess]) -> None:
    here, there = make_home(tmp_path / "a"), make_home(tmp_path / "b")
    start_detached(here)
    assert (is_starting(here), is_starting(there)) == (True, False)
    started[0].status = 0  # type: ignore[assignment]
    assert not is_starting(here)
    assert lock._started == {}


def test_who_schedules_signs_in_and_out(empty: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.schedule.worker.lock.time.time", lambda: 77.0)
    sign_out(empty)
    sign_in(empty)
    me = see_process(os.getpid())
    assert me is not None
    assert json.loads(empty.scheduler_file.read_text()) == {
        "pid": os.getpid(),
        "host": host_name(),
        "boot_id": boot_id(),
        "start_time": me.start,
        "executor": "local",
        "since": 77.0,
    }
    sign_out(empty)
    assert not empty.scheduler_file.exists()


@pytest.mark.parametrize(
    ("told", "is_alive", "other"),
    [("moon", True, "moon"), ("local", True, None), ("moon", False, None), (None, True, None)],
)
def test_another_executor_is_told_while_it_works(
    empty: Home, monkeypatch: pytest.MonkeyPatch, told: str | None, is_alive: bool, other: str | None
) -> None:
    monkeypatch.setattr(lock, "scheduler_alive", lambda home: is_alive)
    empty.scheduler_file.write_text(json.dumps({"executor": told} if told else {}))
    assert lock.other_executor(empty) == other


def test_a_detached_scheduler_does_the_work_and_leaves(home: Home) -> None:
    go = home.root / "go"
    submit_probes(home, "one", [Probe("train-1"), Probe("train-2", does={"do": "sleep", "go": str(go)})])
    start_detached(home, preload=PROBE, collects=False)
    until(lambda: scheduler_alive(home))
    start_detached(home, preload=PROBE, collects=False)
    go.touch()
    until(lambda: set(states(home).values()) == {"done"})
    until(lambda: not scheduler_alive(home))
    assert home.scheduler_log.read_text().count("started on") == 2


def test_who_starts_a_scheduler_and_ends_is_not_blamed_for_it(home: Home) -> None:
    """Python warns of child processes that nobody waited for; this one is meant to outlive its starter."""
    code = (
        "import sys; from engine.home.paths import open_home; from engine.schedule.worker import start_detached;"
        f" start_detached(open_home(sys.argv[1]), preload={PROBE!r}, collects=False)"
    )
    words = [sys.executable, "-W", "always::ResourceWarning", "-c", code, str(home.root)]
    answer = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stderr == ""
    until(lambda: home.scheduler_log.exists() and "slots:" in home.scheduler_log.read_text())
    until(lambda: not scheduler_alive(home))
