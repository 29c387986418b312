"""A scheduler whose clock and launcher are the test's own: takes a home, gives turns that need no process and no time.

`Stage.turn(seconds)` moves the clock and takes a turn. What the launcher was asked stands in `calls`, in order; how its
attempts fare is what the test puts into `statuses`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from engine.home.files import write_json
from engine.home.paths import Home
from engine.launch import Handle, Order, State, Status, Want
from engine.schedule.worker.loop import Scheduler
from engine.schedule.worker.publish import Publisher
from engine.schedule.worker.tracks import Patience, Track
from store.queue import JobRow, Queue, RunningRow
from tests.helpers.queueing import Probe, submit_probes

BEGIN = 100.0
RUNNING = Status(State.RUNNING)
UNKNOWN = Status(State.UNKNOWN)


@dataclass
class FakeClock:
    now: float = BEGIN

    def __call__(self) -> float:
        return self.now


@dataclass
class FakeLauncher:
    """Keeps the contract of engine.launch without a process. `on_submit` may commit a result at once."""

    slots: list[str] = field(default_factory=lambda: ["cpu:0"])
    clock: FakeClock = field(default_factory=FakeClock)
    on_submit: Callable[[Order], Status] = lambda order: RUNNING
    on_wait: Callable[[], None] = lambda: None
    statuses: dict[tuple[str, int], Status] = field(default_factory=dict)
    calls: list[tuple[Any, ...]] = field(default_factory=list)
    orders: list[Order] = field(default_factory=list)

    def submit(self, order: Order) -> Handle:
        self.orders.append(order)
        self.statuses[order.job, order.attempt] = self.on_submit(order)
        return Handle(order.job, order.attempt, str(order.folder.root))

    def poll(self, handles: Sequence[Handle]) -> dict[Handle, Status]:
        return {handle: self.statuses[handle.job, handle.attempt] for handle in handles}

    def poll_changed(self, handles: Collection[Handle]) -> dict[Handle, Status]:
        return self.poll(list(handles))

    def stop(self, handle: Handle, grace: float) -> None:
        self.calls.append(("stop", handle.job, handle.attempt, grace))

    def find(self, job: str, attempt: int, folder: str) -> Handle | None:
        return Handle(job, attempt, folder) if (job, attempt) in self.statuses else None

    def capacity(self) -> list[str]:
        return self.slots

    most_wants: int = 0
    wants: list[list[Want]] = field(default_factory=list)

    @classmethod
    def make(cls, home: Home, preload: str, slots: int) -> FakeLauncher:
        return cls()

    def check(self) -> None:
        pass

    def has_news(self) -> bool:
        return False

    def fits(self, slot: str, want: Want) -> bool:
        return True

    def want(self, wants: Sequence[Want]) -> None:
        self.wants.append(list(wants))

    def wait(self, seconds: float, also: Iterable[int] = ()) -> None:
        self.calls.append(("wait", seconds, list(also)))
        self.clock.now += seconds
        self.on_wait()

    def dump_stacks(self, handle: Handle) -> None:
        self.calls.append(("dump", handle.job, handle.attempt))

    def forget(self, handle: Handle) -> None:
        self.calls.append(("forget", handle.job, handle.attempt))

    def close(self) -> None:
        self.calls.append(("close",))

    def said(self, verb: str) -> list[tuple[Any, ...]]:
        return [call for call in self.calls if call[0] == verb]


@dataclass
class Stage:
    """One scheduler, its queue and its fakes."""

    home: Home
    queue: Queue
    clock: FakeClock
    launcher: FakeLauncher
    scheduler: Scheduler

    def turn(self, seconds: float = 0.0) -> None:
        self.clock.now += seconds
        self.scheduler.turn()

    def end(self, job: str, exit_status: int | None = 1, attempt: int = 1, **words: Any) -> None:
        """Let an attempt's process end and take the turn that sees it."""
        self.launcher.statuses[job, attempt] = Status(State.GONE, exit_status, **words)
        self.turn()

    def beat(self, job: str, step: int, attempt: int = 1) -> None:
        folder = self.home.job(job).attempt(attempt)
        folder.root.mkdir(parents=True, exist_ok=True)
        write_json(folder.heartbeat, {"step": step, "epoch": 0, "phase": "train"})

    def lease(self, job: str = "train-1") -> RunningRow:
        (row,) = [row for row in self.queue.running() if row.job == job]
        return row

    def row(self, job: str = "train-1") -> JobRow:
        (row,) = self.queue.job_rows([job])
        return row

    def track(self, job: str = "train-1") -> Track:
        return self.scheduler.tracks[job]

    def outcome(self, job: str = "train-1") -> list[str | None]:
        return [row.outcome for row in self.queue.attempt_rows([job])]


@contextmanager
def staged(home: Home, slots: Sequence[str] = ("cpu:0",), **patience: float) -> Iterator[Stage]:
    """A scheduler on the home's queue, at `BEGIN` on its clock; no turn is taken yet."""
    clock = FakeClock()
    launcher = FakeLauncher(list(slots), clock)
    with Queue(home.queue_db) as queue:
        scheduler = Scheduler(home, queue, launcher, Publisher(home, None, None), Patience(**patience), clock)
        yield Stage(home, queue, clock, launcher, scheduler)


def commit_at_once(order: Order) -> Status:
    """Be a job that is done as soon as it is started."""
    job, attempt = order.home.job(order.job), order.folder
    attempt.root.mkdir(parents=True, exist_ok=True)
    write_json(attempt.result, {"job": order.job, "attempt": order.attempt})
    job.commit(attempt)
    return Status(State.GONE, 0)


def submit_one(home: Home, **does: Any) -> None:
    submit_probes(home, "one", [Probe("train-1", does=does)])


def adopt(home: Home, boot: str, expires: float, job: str = "train-1") -> None:
    """Leave an attempt in the queue as an earlier scheduler would have, its folder included."""
    submit_one(home)
    home.job(job).attempt(1).root.mkdir(parents=True)
    with Queue(home.queue_db) as queue:
        queue.lease(job, 1, "cpu:0", boot_id=boot, expires=expires, now=time.time())
