"""What the machine has and does: takes a home, gives its slots with the jobs on them, its GPUs, disks and scheduler."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

from engine.home.files import read_object
from engine.home.paths import Home
from engine.inputs.gpus import list_gpus, split_slots
from engine.inspect.status import ExperimentView, JobView
from engine.launch.places import read_executor
from engine.schedule.slot_marks import SlotMarks
from engine.schedule.worker import scheduler_alive
from store.queue import Queue

GPUS_HOLD = 60.0  # seconds until the driver is asked again: its tool may take one
MOST = 64  # slots that are told one by one


@dataclass(frozen=True)
class Slot:
    """A slot, and the job on it with its experiment; nothing of both where it is idle, `trouble` where it is shut."""

    name: str
    experiment: str = ""
    job: str = ""
    title: str = ""
    share: float | None = None
    seconds_left: float | None = None
    trouble: str = ""


@dataclass(frozen=True)
class Disk:
    """A file system: what of the home lies on it, and its bytes."""

    of: str
    path: str
    free: int
    total: int

    @property
    def used_share(self) -> float:
        return 1 - self.free / self.total if self.total else 0.0

    @property
    def told(self) -> str:
        return f"{_size_text(self.free)} free of {_size_text(self.total)}"


@dataclass(frozen=True)
class Machine:
    """What the first page says of the machine. `scheduler` says who starts jobs here, empty where nobody does."""

    slots: Sequence[Slot]
    running: int
    gpus: Sequence[str]
    disks: Sequence[Disk]
    scheduler: str
    executor: str


def look_at_machine(home: Home, views: Iterable[ExperimentView]) -> Machine:
    """Return how the machine stands; `views` are the experiments, which know how far their jobs are."""
    with Queue.open_readonly(home.queue_db) as queue:
        rows = queue.running()
    jobs = {job.job: (view.experiment, job) for view in views for job in view.running}
    gpus = _known_gpus(int(time.monotonic() // GPUS_HOLD))
    shut = {mark.slot: mark.reason for mark in SlotMarks(home).list_shut()}
    busy = [_busy(row.slot, row.job, *jobs.get(row.job, ("", None))) for row in rows]
    taken = {name for slot in busy for name in split_slots(slot.name)}
    idle = [Slot(gpu, trouble=shut.get(gpu, "")) for gpu in gpus if gpu not in taken]
    slots = sorted([*busy, *idle], key=lambda slot: (slot.name, slot.job))
    return Machine(slots[:MOST], len(busy), gpus, _disks(home), _scheduler(home), read_executor(home))


@lru_cache(maxsize=1)
def _known_gpus(moment: int) -> tuple[str, ...]:
    return tuple(list_gpus())


def _busy(slot: str, job: str, name: str, view: JobView | None) -> Slot:
    if view is None:
        return Slot(slot, name, job, job)
    return Slot(slot, name, job, view.title, view.share, view.seconds_left)


def _disks(home: Home) -> list[Disk]:
    """Return the home's disk and the cache's; one line where they are the same."""
    found = [one for one in (_disk("home", home.root), _disk("cache", home.cache)) if one is not None]
    if len(found) == 2 and os.stat(home.root).st_dev == os.stat(home.cache).st_dev:
        return [Disk("home and cache", found[0].path, found[0].free, found[0].total)]
    return found


def _disk(of: str, path: Path) -> Disk | None:
    try:
        seen = os.statvfs(path)
    except OSError:  # a cache that was not made yet
        return None
    return Disk(of, str(path), seen.f_bavail * seen.f_frsize, seen.f_blocks * seen.f_frsize)


def _scheduler(home: Home) -> str:
    """Say which process starts jobs here; its file is advice, the lock is the truth."""
    try:
        if not scheduler_alive(home):
            return ""
    except OSError:
        return ""
    told = read_object(home.scheduler_file) or {}
    return f"process {told['pid']} on {told['host']}" if {"pid", "host"} <= told.keys() else "a process"


def _size_text(count: float) -> str:
    """Return bytes as `3.4 GB` (powers of ten, as disks are sold)."""
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:,.3g} TB"
