"""What /proc tells of a process, in a folder of the test's own; who is killed and who is not; handles whole or none."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

from engine.home.control_files import HandleFile
from engine.home.files import read_object
from engine.launch import process
from engine.launch.process import (
    Seen,
    is_alive,
    kill_session,
    seconds_since_start,
    see_process,
    session_members,
    signal_process,
    thread_count,
    write_handle,
)


@pytest.fixture
def proc(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(process, "PROC", tmp_path)
    return tmp_path


@pytest.fixture
def killed(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    calls: list[tuple[int, int]] = []
    monkeypatch.setattr(os, "kill", lambda pid, number: calls.append((pid, number)))
    return calls


def put_process(proc: Path, pid: int, *, session: int, start: int, state: str = "S", name: str = "python") -> None:
    """Write the line that the kernel would: field 1 the pid, 2 the name, 3 the state, 6 the session, 22 the start."""
    fields = [str(number) for number in range(1, 53)]
    fields[0], fields[1], fields[2], fields[5], fields[21] = str(pid), f"({name})", state, str(session), str(start)
    (proc / str(pid)).mkdir()
    (proc / str(pid) / "stat").write_text(" ".join(fields) + "\n")


def test_a_name_with_brackets_and_blanks_is_read_over(proc: Path) -> None:
    put_process(proc, 7, session=5, start=99, name="a) S 1 (b")
    assert see_process(7) == Seen(7, "S", 5, 99, 4)
    assert see_process(8) is None


def test_our_own_process_is_seen_as_the_kernel_tells_it() -> None:
    seen = see_process(os.getpid())
    assert seen is not None
    assert (seen.pid, seen.session) == (os.getpid(), os.getsid(0))
    assert is_alive(seen.pid, seen.start)
    assert thread_count() == len(os.listdir("/proc/self/task"))


@pytest.mark.parametrize(
    ("state", "start", "alive"), [("S", 9, True), ("S", 8, False), ("Z", 9, False), ("X", 9, False)]
)
def test_a_pid_counts_with_its_start_and_while_not_dead(proc: Path, state: str, start: int, alive: bool) -> None:
    put_process(proc, 7, session=7, start=9, state=state)
    assert is_alive(7, start) is alive


def test_the_age_of_a_process_is_by_the_clock_since_the_boot(monkeypatch: pytest.MonkeyPatch) -> None:
    """Field 22 counts in ticks of that clock; of a process elsewhere, or before this boot, it says nothing."""
    ticks = os.sysconf("SC_CLK_TCK")
    monkeypatch.setattr(time, "clock_gettime", {time.CLOCK_BOOTTIME: 1000.0}.__getitem__)
    told = HandleFile(start_time=940 * ticks, host=process.host_name(), boot_id=process.boot_id())
    assert seconds_since_start(told) == pytest.approx(60.0)
    assert seconds_since_start(told.model_copy(update={"start_time": 2000 * ticks})) == 0.0
    for words in ({"host": "elsewhere"}, {"boot_id": "before"}, {"start_time": 0}):
        assert seconds_since_start(told.model_copy(update=words)) is None
    assert seconds_since_start(None) is None


def test_members_of_a_session_are_its_live_processes(proc: Path) -> None:
    put_process(proc, 7, session=7, start=1)
    put_process(proc, 8, session=7, start=2)
    put_process(proc, 9, session=7, start=3, state="Z")
    put_process(proc, 10, session=3, start=4)
    (proc / "self").mkdir()
    assert sorted(seen.pid for seen in session_members(7)) == [7, 8]


def test_a_session_is_killed_whole_and_nobody_else(proc: Path, killed: list[tuple[int, int]]) -> None:
    put_process(proc, 7, session=7, start=1)
    put_process(proc, 8, session=7, start=2)
    put_process(proc, 10, session=3, start=4)
    kill_session(7, 1)
    assert sorted(killed) == [(7, signal.SIGKILL), (8, signal.SIGKILL)]


@pytest.mark.parametrize("stream", ["1", "2"])
def test_members_without_their_leader_are_killed_where_they_write_into_the_log(
    proc: Path, killed: list[tuple[int, int]], stream: str
) -> None:
    """Its number may have been given away, and be that of a stranger's session whose leader ended too."""
    log, other = proc / "log.txt", proc / "other.txt"
    for pid, path in ((8, log), (9, other), (10, None)):
        put_process(proc, pid, session=7, start=2)
        (proc / str(pid) / "fd").mkdir()
        if path is not None:
            path.touch()
            (proc / str(pid) / "fd" / stream).symlink_to(path)
    kill_session(7, 1)
    assert killed == []
    kill_session(7, 1, proc / "absent.txt")
    assert killed == []
    kill_session(7, 1, log)
    assert killed == [(8, signal.SIGKILL)]


@pytest.mark.parametrize("leader", [0, 1])
def test_a_leader_that_is_none_kills_nobody(proc: Path, killed: list[tuple[int, int]], leader: int) -> None:
    put_process(proc, 5, session=leader, start=2)
    kill_session(leader, 1)
    assert killed == []


def test_a_pid_that_is_somebody_elses_by_now_is_let_be(proc: Path, killed: list[tuple[int, int]]) -> None:
    put_process(proc, 7, session=7, start=50)
    kill_session(7, 1)
    assert killed == []
    assert not signal_process(7, 1, signal.SIGTERM)
    assert killed == []


def test_a_signal_goes_to_one_process_and_says_whether_it_went(
    proc: Path, killed: list[tuple[int, int]], monkeypatch: pytest.MonkeyPatch
) -> None:
    put_process(proc, 7, session=7, start=1)
    put_process(proc, 8, session=7, start=2)
    assert signal_process(7, 1, signal.SIGTERM)
    assert killed == [(7, signal.SIGTERM)]

    def gone(pid: int, number: int) -> None:
        raise ProcessLookupError

    monkeypatch.setattr(os, "kill", gone)
    assert not signal_process(7, 1, signal.SIGTERM)
    kill_session(7, 1)  # one that ends in the meantime is no fault


def test_a_handle_is_the_old_or_the_new_one_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reads at the moment before the rename still finds the old one; nothing is left beside it after."""
    path, seen = tmp_path / "handle.json", list[object]()
    write_handle(path, {"pid": 1})
    replace = os.replace

    def look_and_replace(source: Path, target: Path) -> None:
        seen.extend([read_object(path), json.loads(Path(source).read_text()), Path(source).parent, Path(target)])
        replace(source, target)

    monkeypatch.setattr(os, "replace", look_and_replace)
    write_handle(path, {"pid": 2, "exit": 0})
    assert seen == [{"pid": 1}, {"pid": 2, "exit": 0}, tmp_path, path]
    assert read_object(path) == {"pid": 2, "exit": 0}
    assert list(tmp_path.iterdir()) == [path]


@pytest.mark.parametrize("text", [None, "", '{"pid": 1', "[1]", "7"])
def test_a_torn_or_absent_handle_is_none(tmp_path: Path, text: str | None) -> None:
    if text is not None:
        (tmp_path / "handle.json").write_text(text)
    assert read_object(tmp_path / "handle.json") is None


def test_boot_and_host_are_the_kernels() -> None:
    assert process.boot_id() == Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    assert process.host_name() == os.uname().nodename


def test_a_kernel_that_tells_no_boot_has_an_empty_one(proc: Path) -> None:
    assert process.boot_id.__wrapped__() == ""
