"""A scheduler to test: beside the test in a thread, or as a process of its own; and what it left behind."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from engine.home.paths import Home
from engine.schedule.worker import Patience, run_worker
from store.queue import Queue
from tests.helpers.queueing import PROBE

ROOT = Path(__file__).parents[3]
# None of them ends what is alive and well, however slow the machine is: a job of a test may stand still for a minute.
QUICK = Patience(grace=0.5, lease=0.4, stuck=60.0, unseen=0.3, look=0.02, beat=0.05)


def work(home: Home, slots: int = 1, **words: Any) -> int:
    given = {"preload": PROBE, "collect": None, "patience": QUICK, **words}
    return run_worker(home, slots, until_idle=True, **given)


@contextmanager
def working(home: Home, slots: int = 1, **words: Any) -> Iterator[None]:
    """A scheduler beside the test, that ends when it is idle; leaving waits for that."""
    thread = threading.Thread(target=work, args=(home, slots), kwargs=words, daemon=True)
    thread.start()
    try:
        yield
    finally:
        thread.join(240)
        assert not thread.is_alive()


def start_worker(home: Home) -> subprocess.Popen[bytes]:
    words = [
        "-m",
        "engine.schedule.worker",
        "--home",
        str(home.root),
        "--until-idle",
        "--preload",
        PROBE,
        "--no-collect",
    ]
    return subprocess.Popen([sys.executable, *words], cwd=ROOT, stderr=subprocess.DEVNULL)


def outcomes(home: Home, job: str = "train-1") -> list[str | None]:
    with Queue.open_readonly(home.queue_db) as queue:
        return [row.outcome for row in queue.attempt_rows([job])]


def reason(home: Home, job: str = "train-1") -> str:
    with Queue.open_readonly(home.queue_db) as queue:
        return queue.job_rows([job])[0].reason


def order(home: Home, verb: str, *jobs: str) -> None:
    with Queue(home.queue_db) as queue:
        getattr(queue, f"request_{verb}")(jobs)
    for job in jobs:
        with open(home.job(job).control, "a") as handle:
            handle.write(json.dumps({"order": verb, "at": time.time()}) + "\n")
