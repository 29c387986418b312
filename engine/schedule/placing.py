"""What jobs ask of slots, and what speaks against these; slot_book.py says where a job fits. Pure: no process.

read_demand(...)     what a job asks of a device and of a machine
tell_wait(...)       why a job waits for a GPU that may never come by itself
shuts_out(...)       whether an ending says that no further job may go to its GPU
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

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
    return _read_demand(kind, json.dumps(details.get("resources") or {}, sort_keys=True), details.get("device", "auto"))


# Thousands of jobs ask for the same few things.
@lru_cache(4096)
def _read_demand(kind: str, resources: str, device: str) -> Demand:
    entry = KINDS.get(kind)  # None: another version of xp queued it, and its process will say so
    is_alone = entry is not None and entry.is_alone
    told = json.loads(resources)
    gpus = float(told.get("gpus", Resources.model_fields["gpus"].default))
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
    # The first of thousands of slots tells as a rule.
    if not on_gpu(demand, slots) or any(not is_cpu(slot) and slot not in doubts.shut for slot in slots):
        return ""
    has_gpu = not all(map(is_cpu, slots))
    return f"{WAITS_GPU}: all here are shut out" if has_gpu else f"{WAITS_GPU}: none is found here"


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


def node_of(slot: str) -> str:
    """Return the machine of a slot: `n1` of `cpu:0@n1/...`, "" for this one."""
    return slot.partition("@")[2].partition("/")[0]


def is_cpu(slot: str) -> bool:
    return slot.startswith("cpu:")
