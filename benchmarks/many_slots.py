"""What the scheduler costs where thousands of jobs run: it, its queue and folders are real, clock and jobs made up.

No process is started: each attempt takes a drawn number of seconds of a clock that jumps from event to event, and what
the scheduler itself takes (CPU seconds of its process) passes on that clock too, so that a slow one leaves slots idle.
Of the attempts, 2 in 100 are killed, 1 in 200 crashes, 1 in 500 fails for good; the others commit a result. Jobs want a
GPU, half of one, one to measure on with nothing beside it, or a CPU slot; a tenth waits for another job. The home lies
in memory (/dev/shm) where there is one: no disk is measured.

decision     own time / (starts + ends), and how many of them a second; peers: 1 ms, and for the large queue three times
             what the small one took
idle         GPU seconds without a job / all, while more jobs wait than there are slots; peer: 2 in 100
memory       the most that the process had, its part of submitting included
"""

from __future__ import annotations

import argparse
import heapq
import json
import logging
import os
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from shutil import rmtree
from unittest import mock

from benchmarks import Row
from engine.home.paths import Home, JobFolder, open_home
from engine.launch import Handle, Launcher, Order, State, Status
from engine.schedule.worker.loop import Scheduler
from engine.schedule.worker.publish import Publisher
from store.queue import Queue

MEAN = 30.0  # seconds that a job takes
EXPERIMENT = 25_000  # jobs of one, at most
BEGIN = 1_800_000_000.0  # unix seconds
LIMIT_MS, LIMIT_IDLE, LIMIT_GROWTH = 1.0, 0.02, 3.0
# What jobs ask for, and how many of a hundred.
MIX = (("train", 1.0, 70), ("train", 0.5, 20), ("measure", 1.0, 5), ("train", 0.0, 5))
KILLED, CRASHED, FAILED = Status(State.GONE, -9), Status(State.GONE, -11), Status(State.GONE, 1)
RUNNING = Status(State.RUNNING)


@dataclass(frozen=True)
class Folders(Home):
    """A home whose job folders are there from a job's start to its end: a million would fill the memory."""

    made: set[str] = field(default_factory=set)

    def job(self, job: str) -> JobFolder:
        folder = super().job(job)
        if job not in self.made:
            self.made.add(job)
            folder.root.mkdir(parents=True)
            folder.spec.write_text("{}")
        return folder

    def drop(self, job: str) -> None:
        self.made.discard(job)
        rmtree(super().job(job).root)


class Clock:
    """Seconds of the story: what was jumped, and what the scheduler took up to its last call of the launcher."""

    def __init__(self) -> None:
        self.jumped = self.own = 0.0
        self.since = time.process_time()

    def __call__(self) -> float:
        return self.jumped + self.own

    def wall(self) -> float:
        return BEGIN + self.jumped + self.own

    @contextmanager
    def aside(self) -> Iterator[None]:
        """Do what is no part of the scheduler."""
        self.own += time.process_time() - self.since
        try:
            yield
        finally:
            self.since = time.process_time()


class Story(Launcher):
    """Jobs that take their time on the clock, and the account of what stood idle."""

    def __init__(self, home: Folders, slots: list[str], clock: Clock, jobs: int, seed: int = 1) -> None:
        self.home, self.slots, self.clock, self.draw = home, slots, clock, random.Random(seed)
        self.endings: list[tuple[float, int, Handle, Status]] = []
        self.ended: dict[Handle, Status] = {}
        self.shares: dict[Handle, float] = {}
        self.starts = self.ends = self.waits = 0
        self.waiting = jobs
        self.gpus = sum(not slot.startswith("cpu:") for slot in slots)
        self.used = self.busy = self.counted = self.told = 0.0

    def submit(self, order: Order) -> Handle:
        with self.clock.aside():
            handle = Handle(order.job, order.attempt, f"{order.job}/{order.attempt}")
            self.account()
            self.starts += 1
            self.waiting -= 1
            share = 0.0 if order.slot.startswith("cpu:") else (0.5 if "half" in order.job else 1.0)
            self.shares[handle] = share
            self.used += share
            seconds = MEAN * self.draw.lognormvariate(-0.125, 0.5)
            heapq.heappush(self.endings, (self.clock() + seconds, self.starts, handle, self.draw_end()))
            return handle

    def draw_end(self) -> Status:
        chance = self.draw.random()
        return (
            KILLED
            if chance < 0.02
            else CRASHED
            if chance < 0.025
            else FAILED
            if chance < 0.027
            else Status(State.GONE, 0)
        )

    def poll(self, handles: Sequence[Handle]) -> dict[Handle, Status]:
        self.move()
        return {handle: self.ended.get(handle, RUNNING) for handle in handles}

    def poll_changed(self, handles: Collection[Handle]) -> dict[Handle, Status]:
        self.move()
        return dict(self.ended)

    def move(self) -> None:
        """Let what has ended by now be seen."""
        with self.clock.aside():
            now = self.clock()
            while self.endings and self.endings[0][0] <= now:
                _, _, handle, status = heapq.heappop(self.endings)
                self.ended[handle] = status
                if status.exit == 0:
                    self.commit(handle)

    def commit(self, handle: Handle) -> None:
        folder = self.home.job(handle.job)
        attempt = folder.attempt(handle.attempt)
        attempt.root.mkdir(parents=True)
        attempt.result.write_text("{}")
        os.link(attempt.result, folder.result)

    def forget(self, handle: Handle) -> None:
        with self.clock.aside():
            self.account()
            status = self.ended.pop(handle)
            self.used -= self.shares.pop(handle)
            self.ends += 1
            self.waiting += status in (KILLED, CRASHED)
            if status in (FAILED, Status(State.GONE, 0)):
                self.home.drop(handle.job)

    def account(self) -> None:
        """Add up how much of the GPUs was used since it was last asked, while enough waits for all of them."""
        now = self.clock()
        if self.waiting > len(self.slots):
            self.busy += self.used * (now - self.told)
            self.counted += self.gpus * (now - self.told)
        self.told = now

    def wait(self, seconds: float, also: Iterable[int] = ()) -> None:
        with self.clock.aside():
            self.waits += 1
            until = self.clock() + max(0.0, seconds)
            self.jump(min(until, self.endings[0][0]) if self.endings else until)

    def pause(self, seconds: float) -> None:
        with self.clock.aside():
            self.jump(self.clock() + seconds)

    def jump(self, to: float) -> None:
        self.clock.jumped += max(0.0, to - self.clock())

    def stop(self, handle: Handle, grace: float) -> None:
        raise AssertionError("nobody asked for it")

    def find(self, job: str, attempt: int, folder: str) -> Handle | None:
        return None

    def capacity(self) -> list[str]:
        return self.slots


@dataclass(frozen=True)
class Found:
    """What one story came to."""

    jobs: int
    slots: int
    decisions: int
    own_seconds: float
    story_seconds: float
    idle: float
    megabytes: float
    begun_seconds: float
    turns: int

    @property
    def milliseconds(self) -> float:
        return 1000 * self.own_seconds / self.decisions


def simulate(folder: Path, jobs: int, slots: int) -> Found:
    plain = open_home(folder, create=True)
    home = Folders(plain.root, plain.cache)
    clock = Clock()
    with Queue(home.queue_db) as queue, mock.patch("time.time", clock.wall):
        total = submit_all(queue, jobs)
        names = [f"GPU-{number}" for number in range(slots * 9 // 10)]
        names += [f"cpu:{number}" for number in range(slots - len(names))]
        story = Story(home, names, clock, total)
        begun = time.process_time()
        # Nothing runs and no folder is there: of this first look no part comes again.
        with mock.patch.object(Folders, "job", Home.job):
            scheduler = Scheduler(home, queue, story, Publisher(home, None, None), clock=clock, pause=story.pause)
            scheduler.recover()
        begun = time.process_time() - begun
        clock.own, clock.since, story.told = 0.0, time.process_time(), clock.jumped
        turns = turn_until_done(scheduler)
        assert not queue.has_work()
        counts = queue.count_states()
    assert counts["done"] + counts.get("failed", 0) + counts.get("blocked", 0) == total, counts
    megabytes = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return Found(total, slots, story.starts + story.ends, clock.own, clock(), 1 - story.busy / story.counted, megabytes,
                 begun, turns)  # fmt: skip


def turn_until_done(scheduler: Scheduler) -> int:
    turns = 0
    while True:
        scheduler.turn()
        turns += 1
        # To ask whether all is done takes a question of its own, so the scheduler asks only when nothing runs.
        if scheduler.is_idle():
            return turns
        scheduler.rest([])


def submit_all(queue: Queue, jobs: int) -> int:
    """Queue experiments of equal size with priorities 0 and 1, as their records would have it."""
    draw, total = random.Random(0), 0
    for number, start in enumerate(range(0, jobs, EXPERIMENT)):
        count = min(EXPERIMENT, jobs - start)
        queue.add_experiment(make_record(draw, f"many{number}", start, count, priority=number % 2))
        total += count
    return total


def make_record(draw: random.Random, name: str, start: int, count: int, priority: int) -> dict[str, object]:
    entries: list[dict[str, object]] = []
    for number in range(start, start + count):
        kind, share, _ = draw.choices(MIX, [weight for _, _, weight in MIX])[0]
        # Hashes, in no order, as ids are.
        job = f"{kind}-{'half' if share == 0.5 else 'full'}{draw.getrandbits(64):016x}{number}"
        needs = [entries[-9]["job"]] if number % 10 == 9 and len(entries) >= 9 else []
        details = {"resources": {"gpus": share}}
        entries.append({"job": job, "kind": kind, "needs": needs, "details": details, "cost": draw.uniform(10, 60)})
    runs = [
        {"run": f"run-{entry['job']}", "arm": "arm", "cell": "cell", "seed": seed, "jobs": {"student": entry["job"]}}
        for seed, entry in enumerate(entries)
    ]
    return {
        "version": 1, "name": name, "title": name, "submitted_at": BEGIN + start, "priority": priority, "runs": runs,
        "jobs": entries,
    }  # fmt: skip


def measure(jobs: int, slots: int) -> Found:
    """Tell a story in a process of its own, so that its memory is its own."""
    words = [sys.executable, __file__, "--one", str(jobs), str(slots)]
    answer = subprocess.run(words, check=True, stdout=subprocess.PIPE, text=True)
    return Found(**json.loads(answer.stdout))


def tell_rows(small: Found, large: Found | None) -> Iterator[Row]:
    for found in filter(None, (small, large)):
        case, n = f"{found.jobs:,} jobs on {found.slots:,} slots", found.decisions
        growth = found is large
        limit = LIMIT_GROWTH * small.milliseconds if growth else LIMIT_MS
        yield Row(case, "own time of a decision", found.milliseconds, limit, limit / found.milliseconds, "ms", n)
        rate = found.decisions / found.own_seconds
        yield Row(case, "decisions a second of own time", rate, None, None, "1/s", n)
        yield Row(case, "events a second of the story", n / found.story_seconds, None, None, "1/s", n)
        yield Row(case, "idle while work waits", found.idle, LIMIT_IDLE, LIMIT_IDLE / found.idle, "share", n)
        yield Row(case, "first look at a full queue", found.begun_seconds, None, None, "s", 1)
        yield Row(case, "memory", found.megabytes, None, None, "MB", 1)


def scratch() -> Path | None:
    memory = Path("/dev/shm")
    return memory if os.access(memory, os.W_OK) else None


def tell_one(jobs: int, slots: int) -> None:
    logging.getLogger("xp.scheduler").setLevel(logging.ERROR)
    with tempfile.TemporaryDirectory(dir=scratch()) as folder:
        json.dump(asdict(simulate(Path(folder), jobs, slots)), sys.stdout)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="the small queue alone")
    parser.add_argument("--json", action="store_true", help="print one JSON list and nothing else")
    parser.add_argument("--one", nargs=2, type=int, metavar=("JOBS", "SLOTS"), help="one story, as JSON")
    chosen = parser.parse_args()
    if chosen.one:
        tell_one(*chosen.one)
        return
    rows = list(tell_rows(measure(10_000, 1_000), None if chosen.quick else measure(1_000_000, 10_000)))
    if chosen.json:
        print(json.dumps([asdict(row) for row in rows]))
        return
    for row in rows:
        peer = "" if row.peer is None else f"{row.peer:10.3f} x{row.ratio:.1f}"
        print(f"{row.case:36} {row.figure:34} {row.ours:12.3f} {row.unit:6} {peer}  (n={row.n:,})")


if __name__ == "__main__":
    main()
