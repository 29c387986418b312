"""Where a job fits: takes what jobs ask for, the slots and what runs on them, gives a slot. Pure: no process, no clock.

read_demand(...)     what a job asks of a device and of a machine
choose_slot(...)     where a job fits beside what runs; a measure job has its device to itself
choose_next(...)     which of the ready jobs starts now, and where
shuts_out(...)       whether an ending says that no further job may go to its GPU
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from engine.launch import Want
from engine.launch.pilots.profile import read_size, read_time
from engine.spec import Resources
from engine.spec.job_kinds import KINDS

WAITS_GPU = "waits for a GPU"
NOTHING = Want(0.0, 1, 0, 0)


@dataclass(frozen=True)
class Demand:
    """What a job asks of a device: how much of one GPU (0: a CPU slot), and whether nothing may run beside it.

    `needs_gpu`: it waits for a GPU where there is none, and takes no CPU slot. `want`: what it asks of a machine.
    """

    gpu: float = 0.0
    is_alone: bool = False
    needs_gpu: bool = False
    want: Want = field(default=NOTHING, compare=False)

    @property
    def is_whole(self) -> bool:
        """Whether it waits until a whole device is free."""
        return self.is_alone or self.gpu >= 1.0


@dataclass(frozen=True)
class Held:
    """A slot that is taken, and by what."""

    slot: str
    demand: Demand


def read_demand(kind: str, details: Mapping[str, Any]) -> Demand:
    """Return what a job of this kind with these details asks for; no job gets more than one GPU: none could use it.

    `device: gpu` in the details is a GPU that somebody asked for, `cpu` the CPU, `auto` a GPU where there is one.
    """
    entry = KINDS.get(kind)  # None: another version of xp queued it, and its process will say so
    is_alone = entry is not None and entry.is_alone
    told = details.get("resources") or {}
    gpus = float(told.get("gpus", Resources.model_fields["gpus"].default))
    device = details.get("device", "auto")
    if device == "cpu" or gpus <= 0 or (entry is not None and not entry.needs_gpu):
        return Demand(0.0, is_alone, want=read_want(0.0, told))
    share = 1.0 if is_alone else min(1.0, gpus)
    return Demand(share, is_alone, device == "gpu", read_want(share, told))


def read_want(share: float, told: Mapping[str, Any]) -> Want:
    """Return what `resources` ask of a machine; what an older version wrote is taken as the default."""
    words = {name: told[name] for name in ("cpus", "memory", "time") if name in told}
    try:
        asked = Resources.model_validate(words)
    except ValueError:
        asked = Resources()
    return Want(share, asked.cpus, read_size(asked.memory), read_time(asked.time))


def on_gpu(demand: Demand, slots: Sequence[str]) -> bool:
    """Return whether a job goes to a GPU; where there is none it takes a CPU slot, unless a GPU was asked for."""
    return demand.gpu > 0 and (demand.needs_gpu or not all(is_cpu(slot) for slot in slots))


def tell_wait(demand: Demand, slots: Sequence[str], doubts: Doubts) -> str:
    """Return why a job waits for a GPU that may never come by itself, "" where it only waits for its turn."""
    gpus = [slot for slot in slots if not is_cpu(slot)]
    if not on_gpu(demand, slots) or any(gpu not in doubts.shut for gpu in gpus):
        return ""
    return f"{WAITS_GPU}: all here are shut out" if gpus else f"{WAITS_GPU}: none is found here"


def is_news(told: str, wait: str) -> bool:
    """Return whether a queued job's reason, `told`, has to be put right: what it waits for now, or no longer does."""
    return wait != told and (bool(wait) or told.startswith(WAITS_GPU))


@dataclass(frozen=True)
class Doubts:
    """What speaks against GPUs: those shut out, which get no job, and suspects, each with the job that failed there."""

    shut: frozenset[str] = frozenset()
    suspects: Mapping[str, str] = field(default_factory=dict)


NO_DOUBTS = Doubts()


def shuts_out(is_sure: bool, job: str, slot: str, slots: Sequence[str], doubts: Doubts) -> bool:
    """Return whether a fault of its GPU, met by `job`, shuts `slot` out.

    One that no job brings about does. Any other does when the attempt before it on this GPU, of another job, ended by
    one as well, and there is a GPU beyond doubt: where jobs fail on all of them, it is the jobs.
    """
    if is_sure:
        return True
    others = [other for other in slots if not is_cpu(other) and other != slot]
    is_second = doubts.suspects.get(slot, job) != job
    return is_second and any(other not in doubts.shut and other not in doubts.suspects for other in others)


Fits = Callable[[str, Want], bool]


def fits_always(_slot: str, _want: Want) -> bool:
    """One machine is what it is: a job gets a slot of it whatever it asks for."""
    return True


def choose_slot(
    demand: Demand,
    slots: Sequence[str],
    held: Iterable[Held],
    doubts: Doubts = NO_DOUBTS,
    fits: Fits = fits_always,
) -> str | None:
    """Return the slot for a job, or None while nothing fits. Slots `cpu:N` are CPU slots, all others are GPU ids.

    Where all GPUs are shut out a job for one waits: it would be another job on the CPU. `@` and a node stand behind
    slots of other machines.
    """
    taken = list(held)
    if on_gpu(demand, slots):
        gpus = [slot for slot in slots if not is_cpu(slot) and fits(slot, demand.want)]
        return _choose_gpu(demand.gpu, gpus, taken, doubts)
    on_cpu = [entry for entry in taken if is_cpu(entry.slot)]
    # A measurement would measure its neighbours too.
    loud = {node_of(entry.slot) for entry in on_cpu if demand.is_alone or entry.demand.is_alone}
    used = {entry.slot for entry in on_cpu}
    quiet = (slot for slot in slots if is_cpu(slot) and slot not in used and node_of(slot) not in loud)
    return next((slot for slot in quiet if fits(slot, demand.want)), None)


def node_of(slot: str) -> str:
    """Return the machine of a slot: `n1` of `cpu:0@n1/...`, "" for this one."""
    return slot.partition("@")[2].partition("/")[0]


def is_cpu(slot: str) -> bool:
    return slot.startswith("cpu:")


def _choose_gpu(share: float, gpus: Sequence[str], taken: Iterable[Held], doubts: Doubts) -> str | None:
    """Fill a GPU that is partly used before an empty one, so that whole ones stay free for who needs them.

    One under suspicion comes last: a job that failed there has its next attempt elsewhere where it can.
    """
    used = dict.fromkeys(gpus, 0.0)
    for entry in taken:
        if entry.slot in used:
            used[entry.slot] += entry.demand.gpu
    # Shares are floats: some that should sum to one come out a hair above it.
    fits = [gpu for gpu in gpus if used[gpu] + share <= 1.0 + 1e-9 and gpu not in doubts.shut]
    return max(fits, key=lambda gpu: (gpu not in doubts.suspects, used[gpu]), default=None)


C = TypeVar("C")


def choose_next(
    turns: Iterable[Iterable[tuple[C, Demand]]],
    slots: Sequence[str],
    held: Sequence[Held],
    doubts: Doubts = NO_DOUBTS,
    fits: Fits = fits_always,
) -> tuple[C, str] | None:
    """Return the first job that fits, and its slot. `turns`: each experiment's ready jobs, in the order of its turn.

    A job that waits for a whole device keeps the smaller ones behind it off that kind of device: else it would starve.
    """
    # Kinds of device that are kept free: True for GPUs, False for CPU slots.
    kept: set[bool] = set()
    for job, demand in (pair for jobs in turns for pair in jobs):
        device = on_gpu(demand, slots)
        slot = None if device in kept else choose_slot(demand, slots, held, doubts, fits)
        if slot is not None:
            return job, slot
        if demand.is_whole:
            kept.add(device)
    return None
