"""Jobs that write and a browser that watches, for benchmarks/serve.py: takes journals and a port, gives what happened.

A writer logs as fast as its processor lets it. The browser is one without a screen: it listens to the stream, asks for
the points of one job with its cursor whenever that has new lines, and notes when they have arrived and are read.
"""

from __future__ import annotations

import http.client
import json
import multiprocessing
import os
import random
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from store.journal import JournalWriter

NAMES = ("train_loss", "val_loss", "val_top1", "lr")
WIDTH = 800
SLOW = 180.0  # seconds that an answer may take before the benchmark gives up


@dataclass
class Seen:
    """What a browser saw: from each answer the age of its oldest and of its newest point when it was read, seconds."""

    process: int
    oldest: list[float] = field(default_factory=list)
    newest: list[float] = field(default_factory=list)
    points: int = 0


def write_on(path: Path, stop: Event, count: Synchronized[int], rate: float) -> None:
    """Log until `stop`, at `rate` lines a second (0: as fast as it goes), and tell how many lines there are."""
    draw = random.Random(str(path)).random
    begun = time.monotonic()
    with JournalWriter(path) as journal:
        for step in range(1 << 62):
            if stop.is_set():
                return
            # The loop of a training does more than this: what it leaves of a processor is the most it could.
            for name in NAMES:
                journal.metric(name, draw(), step=step, epoch=step // 1000)
            count.value = journal.seq
            if rate:
                time.sleep(max(0.0, begun + (step + 1) * len(NAMES) / rate - time.monotonic()))


@contextmanager
def writers(journals: Sequence[Path], rate: float = 0.0) -> Iterator[list[Synchronized[int]]]:
    """Have each journal written by a process of its own; gives how many lines each has."""
    stop = multiprocessing.Event()
    counts = [multiprocessing.Value("q", 0, lock=False) for _ in journals]
    jobs = [
        multiprocessing.Process(target=write_on, args=(path, stop, count, rate))
        for path, count in zip(journals, counts, strict=True)
    ]
    for job in jobs:
        job.start()
    try:
        yield counts
    finally:
        stop.set()
        for job in jobs:
            job.join()


def measure_rate(counts: Sequence[Synchronized[int]], seconds: float) -> float:
    """Return the lines a second of all writers."""
    before, started = sum(count.value for count in counts), time.monotonic()
    time.sleep(seconds)
    return (sum(count.value for count in counts) - before) / (time.monotonic() - started)


def measure_beside(
    counts: Sequence[Synchronized[int]], seconds: float, pairs: int, *, server: int, seen: Seen
) -> list[tuple[float, float]]:
    """Return pairs of the rate beside a server that is watched and with both stopped, which is first by turns.

    Both are of the same writers and neighbours in time, since what a machine does by itself changes by a fifth within
    seconds. What was logged meanwhile is read when they go on, so that it is counted on their side.
    """
    found = []
    for pair in range(pairs):
        rates = {}
        for is_watched in (False, True) if pair % 2 else (True, False):
            order = signal.SIGCONT if is_watched else signal.SIGSTOP
            os.killpg(server, order)
            os.kill(seen.process, order)
            rates[is_watched] = measure_rate(counts, seconds)
        found.append((rates[True], rates[False]))
    os.killpg(server, signal.SIGCONT)
    os.kill(seen.process, signal.SIGCONT)
    return found


@contextmanager
def browser(port: int, job: str) -> Iterator[Seen]:
    """Watch a job in a process of its own until the end; what it saw is there afterwards."""
    begun, stop = multiprocessing.Event(), multiprocessing.Event()
    mine, other = multiprocessing.Pipe(duplex=False)
    process = multiprocessing.Process(target=_watch, args=(port, job, begun, stop, other))
    process.start()
    seen = Seen(process.pid or 0)
    assert begun.wait(SLOW), "the browser got no curves"
    try:
        yield seen
    finally:
        stop.set()
        if mine.poll(SLOW):
            seen.oldest, seen.newest, seen.points = mine.recv()
        process.join()


def _watch(port: int, job: str, begun: Event, stop: Event, told: Any) -> None:
    # A browser keeps the connection that it asks by.
    asking = http.client.HTTPConnection("127.0.0.1", port, timeout=SLOW)
    seen, cursor = Seen(0), _ask(asking, job, "")["cursor"]
    stream = http.client.HTTPConnection("127.0.0.1", port, timeout=SLOW)
    stream.request("GET", "/live")
    lines = stream.getresponse()
    lines.readline()
    begun.set()
    since = time.time()
    while not stop.is_set():
        line = lines.readline().decode()
        if line.startswith("data:") and job in line.split():
            cursor = _ask_new(asking, job, cursor, since, seen)
    asking.close()
    stream.close()
    told.send((seen.oldest, seen.newest, seen.points))


def _ask_new(asking: http.client.HTTPConnection, job: str, cursor: str, since: float, seen: Seen) -> str:
    """Ask for what is new; of points that were logged before the page was open, how old they are says nothing."""
    answer = _ask(asking, job, cursor)
    now = time.time()
    # Nor of those of a curve that comes anew.
    times = [at for one in answer["series"] if not one["new"] for at in one["x"] if at > since]
    seen.points += sum(len(one["x"]) for one in answer["series"])
    if times:
        seen.oldest.append(now - min(times))
        seen.newest.append(now - max(times))
    return str(answer["cursor"])


def _ask(asking: http.client.HTTPConnection, job: str, cursor: str) -> Any:
    words = [("job", job), ("axis", "at"), ("width", WIDTH), ("cursor", cursor), *(("name", name) for name in NAMES)]
    return json.loads(_read(asking, f"/points?{urlencode(words)}"))


def fetch(port: int, address: str, body: bytes | None = None, kind: str = "") -> bytes:
    """Return what a server on this machine answers. Raises SystemExit where that is no page."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=SLOW)) as connection:
        return _read(connection, address, body, kind)


def _read(connection: http.client.HTTPConnection, address: str, body: bytes | None = None, kind: str = "") -> bytes:
    headers = {"Content-Type": kind} if kind else {}
    connection.request("POST" if body is not None else "GET", address, body, headers)
    answer = connection.getresponse()
    text = answer.read()
    if answer.status != http.client.OK:
        raise SystemExit(f"{address}: {answer.status} {text[:300]!r}")
    return text
