"""The face of every place a job can run: orders in, handles and states out. One file per place.

    local       processes of this machine, forked from a server that has the heavy imports done
    gpus        the GPUs of this machine, as opaque ids
    forkserver  that server; `python -m engine.launch.forkserver`
    process     what the kernel knows of a process; its handle file
    preempt     the signals by which a machine says that it will be taken away

No callbacks: what a job has to say lies in its attempt folder.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol


@dataclass(frozen=True)
class Order:
    """One attempt to run: what the job's program gets (`as_dict`), where its folder goes and what its slot sets."""

    home: str
    cache: str
    job: str
    attempt: int
    folder: str
    details: dict[str, Any]
    slot: str
    grace: float
    ooms: int = 0
    env: dict[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """Return what `main(order)` takes; `ooms` counts earlier attempts that ran out of memory."""
        words = ("home", "cache", "job", "attempt", "details", "slot", "grace", "ooms")
        return {word: getattr(self, word) for word in words}


@dataclass(frozen=True)
class Handle:
    """A process that is an attempt. `start` (ticks since boot) tells it from a later process with the same pid."""

    job: str
    attempt: int
    folder: str
    pid: int = 0
    start: int = 0
    host: str = ""
    boot_id: str = ""


class State(StrEnum):
    QUEUED = "queued"
    RUNNING = "running"
    GONE = "gone"
    UNKNOWN = "unknown"  # cannot be seen from here, which does not mean that it ended


@dataclass(frozen=True)
class Status:
    """`exit`: the status, minus the signal's number, or None when nobody saw it. Only for GONE."""

    state: State
    exit: int | None = None
    has_started: bool = True


class Launcher(Protocol):
    """What the scheduler asks of a place; its own retries are off, only the scheduler makes attempts."""

    def submit(self, order: Order) -> Handle:
        """Start an attempt; the same (job, attempt) again starts nothing and returns the same handle."""
        ...

    def poll(self, handles: Sequence[Handle]) -> dict[Handle, Status]:
        """Return the state of each, at once."""
        ...

    def stop(self, handle: Handle, grace: float) -> None:
        """Ask the attempt to end, and kill all of it `grace` seconds later. Returns at once; poll tells the rest."""
        ...

    def find(self, job: str, attempt: int, folder: str) -> Handle | None:
        """Return the attempt that an earlier scheduler started, or None when there is none and never will be."""
        ...

    def capacity(self) -> list[str]:
        """Return the slots: opaque ids of GPUs, and `cpu:0`, `cpu:1`, ... for CPU slots."""
        ...

    def wait(self, seconds: float, also: Iterable[int] = ()) -> None:
        """Sleep until something may have changed, one of the descriptors `also` is readable, or time is up."""
        ...

    def dump_stacks(self, handle: Handle) -> None:
        """Ask the attempt to write its threads' stacks into its log, where that can be done."""
        ...

    def forget(self, handle: Handle) -> None:
        """Drop what is known of an attempt whose end has been written down."""
        ...

    def close(self) -> None:
        """Let go of everything; attempts go on."""
        ...
