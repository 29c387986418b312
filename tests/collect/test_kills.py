"""Collectors that are killed, and readers beside them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from engine.collect import collect, rebuild
from engine.home.paths import Home
from tests.collect.reading import export_rows, log_steps, read_rows, read_steps
from tests.helpers.synthetic import Arm, SyntheticHome


def _kill_collector(home: Home, after: float) -> None:
    code = (
        "import sys; from engine.home.paths import open_home; from engine.collect import collect\n"
        "home = open_home(sys.argv[1]); print(flush=True)\nwhile True: collect(home)"
    )
    child = subprocess.Popen([sys.executable, "-c", code, str(home.root)], stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    time.sleep(after)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()


@pytest.mark.parametrize("kills", [4, pytest.param(100, marks=pytest.mark.chaos)])
def test_killed_collectors_lose_and_repeat_nothing(made: SyntheticHome, kills: int) -> None:
    job = made.job("train-a", "train")
    attempt, journal = made.attempt(job, 1)
    made.experiment("paper", {"only": Arm()}, seeds=(0,))
    for number in range(kills):
        log_steps(journal, *range(number * 500, (number + 1) * 500))
        _kill_collector(made.home, 0.02 + 0.4 * (number * 0.37 % 1))
    collect(made.home)
    assert read_steps(made.home, job) == list(range(kills * 500))
    made.finish(job, attempt)
    collect(made.home)
    before = export_rows(made.home)
    rebuild(made.home)
    assert export_rows(made.home) == before
    journal.close()
    assert not list(made.home.root.rglob("*.tmp")) + list(made.home.root.rglob("*.tmp.wal"))


def test_readers_never_fail_while_snapshots_are_replaced(made: SyntheticHome) -> None:
    job = made.job("train-a", "train")
    _, journal = made.attempt(job, 1)
    collect(made.home)
    until, counts = time.monotonic() + 1.5, [0]

    def keep_collecting() -> None:
        while time.monotonic() < until:
            log_steps(journal, *range(20))
            collect(made.home)

    keeper = threading.Thread(target=keep_collecting)
    keeper.start()
    while time.monotonic() < until:
        counts.append(read_rows(made.home, "select count(*) from metrics")[0][0])
    keeper.join()
    journal.close()
    assert counts == sorted(counts)
    assert counts[-1] > 0
