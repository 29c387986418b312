"""The face of every place a job can run: orders in, handles and states out. One file per place.

    places           the places by name, and which one a home has chosen
    slurm            pilots on the nodes of a Slurm cluster
    ray              the same on a Ray cluster
    pilots           what pilots are: jobs on other machines, through files alone
    local            processes of this machine, forked from a server that has the heavy imports done
    fork_link        our end of that server; how modules of ours are started
    forkserver       that server; `python -m engine.launch.forkserver`
    attempt_process  the one door into an attempt, whoever starts its process
    exits            what such a process exits with
    process          what the kernel knows of a process; its handle file
    environment      what a job finds in its environment, and no secret
    memory           how much of it there is here, and whether want of it killed a process
    faults           what a GPU fails by
    shortages        what a machine runs out of: disk, inodes, quota, open files
    preempt          the signals by which a machine says that it will be taken away
    death            how a process ends: with another one, or as a fork
    ranks            one attempt in several processes

No callbacks: what a job has to say lies in its attempt folder.
"""

from __future__ import annotations

import select
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from engine.home.paths import AttemptFolder, Home
from engine.inputs.gpus import slot_env

CPU_SLOT = "cpu:0"


@dataclass(frozen=True)
class Order:
    """One attempt to run, and the slot that it has. `ooms` counts earlier attempts that ran out of memory.

    It travels as the attempt's folder and an environment: engine/launch/attempt_process.py reads it from the two.
    """

    home: Home
    job: str
    attempt: int
    slot: str = CPU_SLOT
    ooms: int = 0

    @property
    def folder(self) -> AttemptFolder:
        return self.home.job(self.job).attempt(self.attempt)

    @property
    def environment(self) -> dict[str, str]:
        """What the attempt's process has to find in its environment."""
        told = {"XP_CACHE": str(self.home.cache), "XP_SLOT": self.slot, "XP_OOMS": str(self.ooms)}
        return {**slot_env(self.slot), **told}


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
    """`exit`: the status, minus the signal's number, or None when nobody saw it; `is_oom`: the system killed it for
    want of memory, and there is evidence of that. Only for GONE.
    """

    state: State
    exit: int | None = None
    has_started: bool = True
    is_oom: bool = False


@dataclass(frozen=True)
class Want:
    """What a job that waits asks of a machine: how much of a GPU, cores, bytes of memory, seconds."""

    gpu: float
    cpus: int
    memory: int
    seconds: int


class Launcher(Protocol):
    """What the scheduler asks of a place; its own retries are off, only the scheduler makes attempts.

    A place is five calls: submit, poll, stop, find, capacity. The others have an answer that is right everywhere,
    for who inherits from this class; a place that can do better says so.
    """

    @classmethod
    def make(cls, home: Home, preload: str, slots: int) -> Launcher:
        """Return the place for the jobs of a home. Raises XpError where this machine lacks what it takes."""
        return cls(preload, slots)  # type: ignore[call-arg]  # as the place's own class has it

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

    # How many jobs that wait `want` is told of; none where more machines cannot be had.
    most_wants: int = 0

    # What need not be written anew for each place ----------------------------------------------------------------

    def poll_changed(self, handles: Collection[Handle]) -> Mapping[Handle, Status]:
        """Return the states of those that may have another one than when this was last asked; GONE until forgotten.

        A place that hears of changes need not look at thousands of attempts to tell of one.
        """
        return self.poll(list(handles))

    def check(self) -> None:
        """Raise OSError while nothing can be started here, before an attempt is made of it."""
        return

    def has_news(self) -> bool:
        """Return whether `capacity` has changed since it was asked: machines come and go."""
        return False

    def fits(self, slot: str, want: Want) -> bool:
        """Return whether a job that asks for so much fits into a slot that is free."""
        return True

    def want(self, wants: Sequence[Want]) -> None:
        """Hear what waits for a slot; empty when nothing does. Raises OSError where more cannot be had."""
        return

    def wait(self, seconds: float, also: Iterable[int] = ()) -> None:
        """Sleep until something may have changed, one of the descriptors `also` is readable, or time is up."""
        select.select(list(also), (), (), max(0.0, seconds))

    def dump_stacks(self, handle: Handle) -> None:
        """Ask the attempt to write its threads' stacks into its log, where that can be done."""
        return

    def forget(self, handle: Handle) -> None:
        """Drop what is known of an attempt whose end has been written down."""
        return

    def close(self) -> None:
        """Let go of everything; attempts go on."""
        return
