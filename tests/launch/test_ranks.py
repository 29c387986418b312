"""How an attempt of several processes ends: as the rank that ended badly did, and with nothing left behind."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from engine.launch.process import see_process
from engine.launch.ranks import PEER_LOST, Crew
from tests.flow.commands import ROOT


@contextmanager
def begin(*words: str) -> Iterator[subprocess.Popen[str]]:
    line = [sys.executable, "-m", "tests.launch.ranks_program", *words]
    with subprocess.Popen(line, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def hear(process: subprocess.Popen[str], count: int) -> dict[int, tuple[int, Path]]:
    """Return process and scratch folder of each rank, once all of them have begun."""
    assert process.stderr is not None
    found: dict[int, tuple[int, Path]] = {}
    while len(found) < count:
        told = re.fullmatch(r"rank (\d) of \d is (\d+) in (.*)\n", process.stderr.readline())
        assert told
        found[int(told[1])] = int(told[2]), Path(told[3])
    folder = found[0][1]
    until(lambda: len(list(folder.iterdir())) == count)
    return found


def until(holds: object) -> None:
    end = time.monotonic() + 20
    while not holds():  # type: ignore[operator]
        assert time.monotonic() < end
        time.sleep(0.01)


def is_gone(pid: int) -> bool:
    seen = see_process(pid)
    return seen is None or not seen.is_alive


def minds(pid: int, number: signal.Signals) -> bool:
    """Whether a process has a handler for a signal."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    caught = next(line.split()[1] for line in lines if line.startswith("SigCgt"))
    return bool(int(caught, 16) >> (number - 1) & 1)


def end(*words: str) -> tuple[int, str]:
    with begin(*words) as process:
        _, told = process.communicate(timeout=30)
        return process.returncode, told


@pytest.mark.parametrize(
    ("words", "status"),
    [
        (("0", "0"), 0),
        (("85", "85", "85"), 85),
        (("w", "86"), 86),
        ((str(PEER_LOST), "87"), 87),
        (("85", str(PEER_LOST)), 85),
        ((str(PEER_LOST), str(PEER_LOST)), 1),
    ],
)
def test_an_attempt_ends_as_the_rank_that_decided(words: tuple[str, ...], status: int) -> None:
    assert end(*words)[0] == status


def test_an_error_of_a_rank_is_in_the_log_and_ends_all() -> None:
    status, told = end("w", "x")
    assert (status, "ValueError: what is wrong here" in told) == (1, True)


def test_a_rank_that_is_killed_takes_the_attempt_along_by_the_same_signal() -> None:
    with begin("w", "w", "w") as process:
        ranks = hear(process, 3)
        os.kill(ranks[2][0], signal.SIGKILL)
        _, told = process.communicate(timeout=20)
    assert process.returncode == -signal.SIGKILL
    assert told.splitlines()[-1] == "rank 2 was killed by SIGKILL, and the attempt ends with it"
    assert all(is_gone(pid) for pid, _ in ranks.values())
    assert not ranks[0][1].exists()


def test_no_rank_outlives_an_attempt_that_is_killed() -> None:
    with begin("w", "w") as process:
        ranks = hear(process, 2)
        process.kill()
        process.wait()
        until(lambda: all(is_gone(pid) for pid, _ in ranks.values()))


def test_who_is_asked_to_end_is_the_first_rank() -> None:
    with begin("t", "w") as process:
        hear(process, 2)
        # The ranks may be there before the attempt itself minds signals.
        until(lambda: minds(process.pid, signal.SIGTERM))
        process.terminate()
        # The other one is told by the first, in the midst of their work; here it waits for ever.
        time.sleep(0.2)
        assert process.poll() is None


def test_the_first_bad_end_decides_and_orderly_ones_are_waited_for() -> None:
    assert kill_time(Crew(ended={1: 0}), 5.0) is None
    crew = Crew(ended={1: 0, 2: 86})
    assert kill_time(crew, 6.0) == 16.0
    crew.ended[0] = -9
    assert crew.verdict() == (2, 86)


def kill_time(crew: Crew, now: float) -> float | None:
    crew.look(now)
    return crew.kill_at
