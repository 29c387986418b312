"""Which job goes next and what an ending means: takes what is known, gives decisions. Pure: no process, no clock.

decide(ending, ...)         how an attempt ended -> its outcome, the job's next state, the budget it spent
rank_experiments(...)       whose turn it is: priority, then fewest jobs running now, then who asked first
choose_slot(...)            where a job fits beside what runs; a measure job has its device to itself
run_state(...)              a run's state from its jobs' states
"""

from __future__ import annotations

import math
import signal
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, TypeVar

from store.queue.rows import Verdict, combine_states

EXIT_DONE = 0
EXIT_TAKEN = 75  # the attempt's folder was there already: another process is that attempt
EXIT_PREEMPTED = 85
EXIT_OOM = 86
EXIT_NAN = 87
EXIT_FAILED = 88

# How many attempts of each ending a job may have that left no newer checkpoint. Preemption is somebody's decision
# about the machine and counts as lost; running out of memory twice at the same place will not change by itself.
BUDGETS: Mapping[str, int] = {"crashed": 3, "lost": 20, "ooms": 2}
CRASH_SIGNALS = frozenset(
    {signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT, signal.SIGTRAP, signal.SIGSYS}
)
FIRST_WAIT = 1.0
MOST_WAIT = 60.0

run_state = combine_states


@dataclass(frozen=True)
class Ending:
    """How an attempt's process ended, as far as anybody saw.

    `exit` is a status, minus a signal number, or None when nobody saw it; `is_stuck` when we stopped it because its
    step stood still; `has_started` is False when no process ever came to be.
    """

    exit: int | None
    is_committed: bool = False
    is_stuck: bool = False
    has_started: bool = True
    made_progress: bool = False
    last_words: str = ""


@dataclass(frozen=True)
class Spent:
    """What a job has used up of its budgets."""

    crashed: int = 0
    lost: int = 0
    ooms: int = 0


def name_outcome(ending: Ending) -> str:
    """Return the attempt's outcome: done, crashed, oom, nan, preempted, lost, stuck."""
    if ending.is_committed:
        return "done"
    if ending.is_stuck:
        return "stuck"
    if ending.exit is None or ending.exit == EXIT_TAKEN:
        return "lost"
    if ending.exit < 0:
        return "crashed" if -ending.exit in CRASH_SIGNALS else "lost"
    # A clean exit without a result is a fault of the job's program, and so is any number we do not know.
    return {EXIT_PREEMPTED: "preempted", EXIT_OOM: "oom", EXIT_NAN: "nan"}.get(ending.exit, "crashed")


def decide(ending: Ending, spent: Spent) -> Verdict:
    """Return what follows from an ending for a job that has used up `spent` so far."""
    outcome = name_outcome(ending)
    reason = _tell_reason(ending, outcome)
    if outcome == "done":
        return Verdict(outcome, "done", exit=ending.exit)
    if outcome == "nan" or ending.exit == EXIT_FAILED:
        return Verdict(outcome, "failed", reason, ending.exit)
    budget = {"crashed": "crashed", "stuck": "crashed", "oom": "ooms"}.get(outcome, "lost")
    if ending.made_progress or not ending.has_started:
        return Verdict(outcome, "queued", reason, ending.exit)
    used = getattr(spent, budget) + 1
    if used >= BUDGETS[budget]:
        told = f"{reason} ({used} attempts ended so without a newer checkpoint)"
        return Verdict(outcome, "failed", told, ending.exit, spent={budget: 1})
    return Verdict(outcome, "queued", reason, ending.exit, wait=_wait_before(outcome, used), spent={budget: 1})


def _wait_before(outcome: str, used: int) -> float:
    """Wait 1 s, 4 s, 16 s, ... after a fault of the job; none when the machine took it away."""
    if outcome in ("lost", "preempted"):
        return 0.0
    return float(min(FIRST_WAIT * 4 ** (used - 1), MOST_WAIT))


def _tell_reason(ending: Ending, outcome: str) -> str:
    how = {
        "done": "",
        "stuck": "its step stood still for too long",
        "oom": "out of memory",
        "nan": "the loss is not a number",
        "preempted": "asked to stop",
    }.get(outcome) or _tell_exit(ending)
    return f"{how}: {ending.last_words}" if ending.last_words and outcome not in ("done", "preempted") else how


def _tell_exit(ending: Ending) -> str:
    if not ending.has_started:
        return "never started"
    if ending.exit is None:
        return "its process is gone"
    if ending.exit < 0:
        return f"killed by {_name_signal(-ending.exit)}"
    return "ended without a result" if ending.exit == 0 else f"exit {ending.exit}"


def _name_signal(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


class Waiting(Protocol):
    """What decides whose turn it is; the queue's rows have these."""

    @property
    def experiment(self) -> str: ...
    @property
    def priority(self) -> int: ...
    @property
    def submitted_at(self) -> float: ...
    @property
    def running(self) -> int: ...


W = TypeVar("W", bound=Waiting)


def rank_experiments(waiting: Iterable[W]) -> list[W]:
    """Return experiments in the order of their turn: higher priority, fewer jobs running, earlier submission."""
    return sorted(waiting, key=lambda row: (-row.priority, row.running, row.submitted_at, row.experiment))


@dataclass(frozen=True)
class Demand:
    """What a job asks of a device. `share` is the part of one GPU below 1; `gpus` counts whole ones."""

    gpus: int = 0
    share: float = 1.0
    is_alone: bool = False


@dataclass(frozen=True)
class Held:
    """A slot that is taken: its name (device ids joined by commas) and by what."""

    slot: str
    demand: Demand


def read_demand(kind: str, details: Mapping[str, Any]) -> Demand:
    """Return what a job of this kind with these details asks for; a measure job shares with nobody."""
    gpus = float((details.get("resources") or {}).get("gpus", 1))
    is_alone = kind == "measure"
    if gpus <= 0:
        return Demand(0, 1.0, is_alone)
    share = gpus if gpus < 1 and not is_alone else 1.0
    return Demand(max(1, math.ceil(gpus)), share, is_alone)


def choose_slot(demand: Demand, slots: Sequence[str], held: Iterable[Held]) -> str | None:
    """Return the slot for a job, or None while nothing fits. Slots `cpu:N` are CPU slots, all others are GPU ids."""
    taken = list(held)
    gpus = [slot for slot in slots if not is_cpu(slot)]
    if demand.gpus and gpus:
        return _choose_gpus(demand, gpus, taken)
    cpus = [slot for slot in slots if is_cpu(slot)]
    on_cpu = [entry for entry in taken if is_cpu(entry.slot)]
    if on_cpu and (demand.is_alone or any(entry.demand.is_alone for entry in on_cpu)):
        return None
    used = {entry.slot for entry in on_cpu}
    return next((slot for slot in cpus if slot not in used), None)


def is_cpu(slot: str) -> bool:
    return slot.startswith("cpu:")


def _choose_gpus(demand: Demand, gpus: Sequence[str], taken: Sequence[Held]) -> str | None:
    """Fill a GPU that is partly used before an empty one; jobs of several GPUs take whole ones."""
    used = dict.fromkeys(gpus, 0.0)
    for entry in taken:
        for gpu in entry.slot.split(","):
            if gpu in used:
                used[gpu] += 1.0 if entry.demand.is_alone or entry.demand.gpus > 1 else entry.demand.share
    if demand.share < 1:
        fits = [gpu for gpu in gpus if used[gpu] + demand.share <= 1.0 + 1e-9]
        return max(fits, key=lambda gpu: used[gpu], default=None)
    free = [gpu for gpu in gpus if used[gpu] == 0.0]
    wanted = min(demand.gpus, len(gpus))
    return ",".join(free[:wanted]) if len(free) >= wanted else None


@dataclass
class Pulse:
    """Watches one attempt's heartbeat: `beat` takes what it says now, `is_stuck` says when it stood still too long.

    Times are monotonic seconds of the one who watches, so a wall clock that jumps changes nothing.
    """

    since: float
    limit: float = 600.0
    factor: float = 10.0
    last: object = None
    typical: float = 0.0

    def beat(self, now: float, seen: object) -> bool:
        """Return whether `seen` (step, epoch, phase) is news."""
        if seen is None or seen == self.last:
            return False
        if self.last is not None:
            # A running mean of the time between changes: cheap, and near enough to a median for a factor of ten.
            gap = now - self.since
            self.typical = gap if self.typical == 0.0 else 0.8 * self.typical + 0.2 * gap
        self.last, self.since = seen, now
        return True

    def is_stuck(self, now: float) -> bool:
        """A job that has never beaten (a pack, an import that hangs) gets six times as long."""
        allowed = max(self.limit, self.factor * self.typical)
        return now - self.since > (allowed if self.last is not None else 6 * self.limit)
