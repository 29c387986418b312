"""What a side of benchmarks/training.py does between its epochs: wait for a line, then tell what an epoch took."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable

import psutil

# Where answers go: what a library prints must not come between them.
ANSWERS = os.fdopen(os.dup(1), "w")


def hide_prints() -> None:
    """Let all that is printed from here on go to standard error, whoever prints it."""
    os.dup2(2, 1)


def gated(epoch: Callable[[], int]) -> Callable[[], int]:
    """Return `epoch` (it gives its images) so that it waits for a line, and tells what it took."""

    def run() -> int:
        if not sys.stdin.readline():
            os._exit(0)
        wall, cpu = time.perf_counter(), cpu_seconds()
        images = epoch()
        told = {"images": images, "wall": time.perf_counter() - wall, "cpu": cpu_seconds() - cpu}
        print(json.dumps(told), file=ANSWERS, flush=True)
        return images

    return run


def cpu_seconds() -> float:
    """Return the CPU time of this process, of its children and of those that have ended."""
    own = psutil.Process()
    every = [own.cpu_times(), *(child.cpu_times() for child in own.children(recursive=True))]
    alive = float(sum(one.user + one.system for one in every))
    return alive + float(every[0].children_user + every[0].children_system)
