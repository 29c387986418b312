"""Disks that are full or read-only, for real: small file systems mounted for the test where that is allowed."""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from engine.errors import HomeError
from engine.home import Home, open_home
from engine.worker import run_worker
from store.queue import Queue, QueueFault
from tests.queueing import PROBE, Probe, faults, states, submit_probes
from tests.test_worker import QUICK, until


@contextmanager
def mounted(folder: Path, *words: str) -> Iterator[None]:
    """Mount something on `folder` for a while; skip the test where we may not."""
    answer = subprocess.run(["mount", *words, str(folder)], capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        pytest.skip(f"mounts are not allowed here: {answer.stderr.strip()}")
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def work(home: Home) -> int:
    return run_worker(home, 1, until_idle=True, preload=PROBE, collect=None, patience=QUICK)


def fill(folder: Path) -> Path:
    """Leave not one block free."""
    filler = folder / "filler"
    with suppress(OSError), open(filler, "wb", buffering=0) as handle:
        while True:
            handle.write(bytes(4096))
    return filler


def test_a_full_disk_pauses_the_work_and_room_lets_it_go_on(tmp_path: Path) -> None:
    with mounted(tmp_path, "-t", "tmpfs", "-o", "size=4m", "tmpfs"):
        home = open_home(tmp_path / "home", create=True)
        steps = {"do": "steps", "steps": 40, "seconds": 0.02}
        submit_probes(home, "one", [Probe("train-1", does=steps, cost=9.0), Probe("train-2")])
        thread = threading.Thread(target=work, args=(home,), daemon=True)
        thread.start()
        until((home.job("train-1").attempt(1).root / "journal.jsonl").exists)
        filler = fill(tmp_path)
        time.sleep(1.5)
        assert thread.is_alive(), "the scheduler stays"
        assert "done" not in states(home).values()
        filler.unlink()
        thread.join(40)
        assert states(home) == {"train-1": "done", "train-2": "done"}
        assert faults(home) == []


def test_a_read_only_home_is_refused_by_the_scheduler_and_still_read(tmp_path: Path) -> None:
    home = open_home(tmp_path / "home", create=True)
    submit_probes(home, "one", [Probe("train-1")])
    with mounted(home.root, "--bind", "-o", "ro", str(home.root)):
        with pytest.raises(HomeError, match="Read-only file system"):
            work(home)
        assert states(home) == {"train-1": "queued"}
        with pytest.raises(QueueFault):
            Queue(home.queue_db).request_pause(["train-1"])
    assert work(home) == 0
    assert states(home) == {"train-1": "done"}
