"""A person's orders over an experiment of 100,000 jobs, and how long they keep another process from writing.

orders  pause, resume, cancel, retry as commands, from the shell. Peer: the time we promise
waits   the longest that one small write of another process took meanwhile. Peer: the wait we promise
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock

from benchmarks import Row
from benchmarks.scheduler import hash_ids, make_record
from engine.home.paths import Home, open_home
from store.queue import Queue

ORDER_LIMIT, WAIT_LIMIT = 5.0, 0.5  # seconds
SIZE = 100_000
ORDERS = ("pause", "resume", "cancel", "retry")
# Writes twenty times a second, as a busy scheduler does, until its input ends; then prints the longest write's seconds.
WRITER = """
import sys, threading, time
from pathlib import Path
from store.queue import Queue
ended = threading.Event()
threading.Thread(target=lambda: (sys.stdin.read(), ended.set()), daemon=True).start()
longest, count = 0.0, 0
with Queue(Path(sys.argv[1])) as queue:
    queue.set_priority("other", 0)
    print("ready", flush=True)
    while not ended.wait(0.05):
        begun = time.perf_counter()
        queue.set_priority("other", count % 7)
        longest, count = max(longest, time.perf_counter() - begun), count + 1
print(longest, count)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="each order once instead of three times")
    parser.add_argument("--json", action="store_true", help="print one JSON list and nothing else")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = list(compare_orders(Path(folder), 1 if chosen.quick else 3))
    if chosen.json:
        print(json.dumps([row.__dict__ for row in rows]))
        return
    for row in rows:
        print(f"{row.case:58} {row.ours:10.2f} {row.peer:10.2f} {row.unit:8} x{row.ratio:.1f}  (n={row.n})")


def compare_orders(folder: Path, repeats: int) -> Iterator[Row]:
    """Give the slowest of the repeats, as a promise holds for each of them."""
    home = fill_home(folder)
    found: dict[str, list[tuple[float, float]]] = {}
    # Held here, so that no order starts a scheduler that would set about the jobs.
    with FileLock(home.scheduler_lock):
        for _ in range(repeats):
            for verb in ORDERS:
                found.setdefault(verb, []).append(time_order(home, [verb, "long"]))
    for verb, pairs in found.items():
        took, waited = (max(numbers) for numbers in zip(*pairs, strict=True))
        case = f"{verb} of {SIZE:,} jobs / limit"
        yield Row(case, "longest time", took, ORDER_LIMIT, ORDER_LIMIT / took, "s", repeats)
        yield Row(case, "longest wait of a writer", waited, WAIT_LIMIT, WAIT_LIMIT / waited, "s", repeats)


def fill_home(folder: Path) -> Home:
    """Make a home with one experiment of SIZE jobs and a small one beside it, which nothing works at."""
    home = open_home(folder / "home", create=True)
    with Queue(home.queue_db) as queue:
        queue.add_experiment(make_record("long", hash_ids(SIZE)))
        queue.add_experiment(make_record("other", ["train-0000000000000000"]))
    return home


def time_order(home: Home, words: list[str]) -> tuple[float, float]:
    """Return the seconds of a command, and of the longest write of another process beside it."""
    line = [sys.executable, "-c", WRITER, str(home.queue_db)]
    with subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        writer.stdout.readline()
        begun = time.perf_counter()
        subprocess.run(
            [sys.executable, "-m", "engine.cli", *words, "--home", str(home.root)], check=True, capture_output=True
        )
        took = time.perf_counter() - begun
        told, _ = writer.communicate()
    return took, float(told.split()[0])


if __name__ == "__main__":
    main()
