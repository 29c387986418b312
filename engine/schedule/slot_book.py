"""class SlotBook: takes slots and what runs on them, gives the slot where a job fits. Pure: no process, no clock.

It is kept up to date by what starts and ends, so that a decision costs the same with ten slots and with ten thousand.
`choose` says where one job fits beside what runs; a measure job has its device to itself. `choose_next` says which of
the ready jobs starts now, and where.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import TypeVar

from engine.schedule.placing import NO_DOUBTS, Demand, Doubts, Fits, Held, fits_always, is_cpu, node_of

C = TypeVar("C")
# Shares are floats: some that should sum to one come out a hair above it.
HAIR = 1e-9


class SlotBook:
    """What is free and what is taken. Slots `cpu:N` are CPU slots, all others are GPU ids; `@` and a node stand behind
    slots of other machines."""

    def __init__(self, slots: Sequence[str], held: Iterable[Held] = ()) -> None:
        self.slots = tuple(slots)
        self.places = {slot: at for at, slot in enumerate(slots)}
        self.nodes = [node_of(slot) for slot in slots]
        # Places, in their order.
        self.free_cpus = [at for at, slot in enumerate(slots) if is_cpu(slot)]
        # How much of a GPU is used -> the places of those of which so much is.
        self.levels = {0.0: [at for at, slot in enumerate(slots) if not is_cpu(slot)]}
        self.has_gpu = bool(self.levels[0.0])
        self.shares: dict[str, list[float]] = {}
        self.on_cpus = Counter[str]()
        # Of each machine, how many of its CPU slots are taken, and by how many that want no neighbour.
        self.busy, self.alone = Counter[str](), Counter[str]()
        for entry in held:
            self.take(entry)

    def take(self, entry: Held) -> None:
        """Write down that a job has a slot. One that is not here now takes nothing away from those that are."""
        slot, at = entry.slot, self.places.get(entry.slot)
        if is_cpu(slot):
            self.on_cpus[slot] += 1
            self.busy[node_of(slot)] += 1
            self.alone[node_of(slot)] += entry.demand.is_alone
            if self.on_cpus[slot] == 1 and at is not None:
                del self.free_cpus[bisect_left(self.free_cpus, at)]
        elif at is not None:
            self._change_shares(slot, at, [*self.shares.get(slot, ()), entry.demand.gpu])

    def give(self, entry: Held) -> None:
        """Write down that a job has its slot no more."""
        slot, at = entry.slot, self.places.get(entry.slot)
        if is_cpu(slot):
            self.on_cpus[slot] -= 1
            self.busy[node_of(slot)] -= 1
            self.alone[node_of(slot)] -= entry.demand.is_alone
            if self.on_cpus[slot] == 0 and at is not None:
                insort(self.free_cpus, at)
        elif at is not None:
            left = list(self.shares[slot])
            left.remove(entry.demand.gpu)
            self._change_shares(slot, at, left)

    def _change_shares(self, slot: str, at: int, shares: list[float]) -> None:
        before, now = sum(self.shares.get(slot, ())), sum(shares)
        places = self.levels[before]
        del places[bisect_left(places, at)]
        if not places:
            del self.levels[before]
        insort(self.levels.setdefault(now, []), at)
        self.shares[slot] = shares

    @property
    def room(self) -> int:
        """How many slots have any room: 0 where no job whatever would fit."""
        return len(self.free_cpus) + sum(len(places) for used, places in self.levels.items() if used + HAIR < 1.0)

    def on_gpu(self, demand: Demand) -> bool:
        """Return whether a job goes to a GPU; where there is none it takes a CPU slot, unless a GPU was asked for."""
        return demand.gpu > 0 and (demand.needs_gpu or self.has_gpu)

    def choose(self, demand: Demand, doubts: Doubts = NO_DOUBTS, fits: Fits = fits_always) -> str | None:
        """Return the slot for a job, or None while nothing fits.

        Where all GPUs are shut out a job for one waits: it would be another job on the CPU.
        """
        if self.on_gpu(demand):
            # One under suspicion comes last: a job that failed there has its next attempt elsewhere where it can.
            turns = (False, True) if doubts.suspects else (False,)
            found = (self._choose_gpu(demand, doubts, fits, is_suspect=is_suspect) for is_suspect in turns)
            return next(filter(None, found), None)
        return next((slot for slot in self._quiet_cpus(demand) if fits(slot, demand.want)), None)

    def _quiet_cpus(self, demand: Demand) -> Iterable[str]:
        """Yield free CPU slots where nobody is disturbed: a measurement measures its neighbours too."""
        loud = self.busy if demand.is_alone else self.alone
        return (self.slots[at] for at in self.free_cpus if not loud[self.nodes[at]])

    def _choose_gpu(self, demand: Demand, doubts: Doubts, fits: Fits, *, is_suspect: bool) -> str | None:
        """Fill a GPU that is partly used before an empty one, so that whole ones stay free for who needs them."""
        for used in sorted(self.levels, reverse=True):
            if used + demand.gpu > 1.0 + HAIR:
                continue
            for at in self.levels[used]:
                gpu = self.slots[at]
                is_open = gpu not in doubts.shut and (gpu in doubts.suspects) == is_suspect
                if is_open and fits(gpu, demand.want):
                    return gpu
        return None


def choose_next(
    turns: Iterable[Iterable[tuple[C, Demand]]], book: SlotBook, doubts: Doubts = NO_DOUBTS, fits: Fits = fits_always
) -> tuple[C, Held] | None:
    """Return the first job that fits, and its slot. `turns`: each experiment's ready jobs, in the order of its turn.

    A job that waits for a whole device keeps the smaller ones behind it off that kind of device: else it would starve.
    """
    # Kinds of device that are kept free: True for GPUs, False for CPU slots.
    kept: set[bool] = set()
    for job, demand in (pair for jobs in turns for pair in jobs):
        device = book.on_gpu(demand)
        slot = None if device in kept else book.choose(demand, doubts, fits)
        if slot is not None:
            return job, Held(slot, demand)
        if demand.is_whole:
            kept.add(device)
    return None
