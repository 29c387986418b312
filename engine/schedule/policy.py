"""Which job goes next and what an ending means: takes what is known, gives decisions. Pure: no process, no clock.

decide(ending, ...)         how an attempt ended -> its outcome, the job's next state, the budget it spent
rank_experiments(...)       whose turn it is: priority, then fewest jobs running now, then who asked first
chain_seconds(...)          which job of an experiment goes first: the one with the longest chain behind it
"""

from __future__ import annotations

import signal
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import Protocol, TypeVar

from engine.launch.exits import Exit
from store.queue.rows import Verdict

# How many attempts of each ending a job may have that left no newer checkpoint. Preemption is somebody's decision
# about the machine and counts as lost. Running out of memory is counted always: each time the job takes half as many
# images at once, or says itself (Exit.NO_MEMORY) that it cannot.
BUDGETS: Mapping[str, int] = {"crashed": 3, "lost": 20, "ooms": 16}
# What a process brings upon itself. Any other signal came from outside and is no fault of the job.
CRASH_SIGNALS = frozenset(
    {signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT, signal.SIGTRAP, signal.SIGSYS}
)
# What a bare name does not tell.
TOLD_SIGNALS: Mapping[int, str] = {
    signal.SIGBUS: "a file that was mapped was cut short, or its disk failed",
    signal.SIGXCPU: "its processor time is limited: see ulimit -t",
    signal.SIGXFSZ: "the size of its files is limited: see ulimit -f",
}
EXITS: Mapping[int, str] = {
    Exit.STOPPED: "preempted",
    Exit.OUT_OF_MEMORY: "oom",
    Exit.NOT_FINITE: "nan",
    Exit.NO_MEMORY: "oom",
}
# Seconds before the next attempt: a broken job does not spin, and a passing fault costs little.
KILLED_FOR_MEMORY = "out of memory: the system killed it (SIGKILL)"
FIRST_WAIT = 1.0
MOST_WAIT = 60.0
LACK_WAIT = 5.0  # where the machine ran out of something


@dataclass(frozen=True)
class Ending:
    """How an attempt's process ended, as far as anybody saw.

    `exit` is a status, minus a signal number, or None when nobody saw it; `is_stuck` when we stopped it because its
    step did not move; `has_started` is False when no process ever came to be; `is_oom` when the system killed it for
    want of memory; `lack` is what else the machine had run out of; `broken` is what its GPU failed by, where that GPU
    is shut out for it.
    """

    exit: int | None
    is_committed: bool = False
    is_stuck: bool = False
    has_started: bool = True
    made_progress: bool = False
    last_words: str = ""
    is_oom: bool = False
    lack: str = ""
    broken: str = ""


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
    if ending.is_oom:
        return "oom"
    if ending.exit is None or ending.exit == Exit.TAKEN:
        return "lost"
    if ending.exit < 0:
        return "crashed" if -ending.exit in CRASH_SIGNALS else "lost"
    # A clean exit without a result is a fault of the job's program, and so is any number we do not know.
    return EXITS.get(ending.exit, "crashed")


def decide(ending: Ending, spent: Spent) -> Verdict:
    """Return what follows from an ending for a job that has used up `spent` so far."""
    outcome = name_outcome(ending)
    reason = _tell_reason(ending, outcome)
    if outcome == "done":
        return Verdict(outcome, "done", exit=ending.exit)
    if outcome == "nan" or ending.exit in (Exit.FAILED, Exit.NO_MEMORY):
        return Verdict(outcome, "failed", reason, ending.exit)
    # No fault of the job: it spends nothing and waits, for as long as it takes.
    if outcome == "crashed" and ending.lack:
        return Verdict(outcome, "queued", f"{ending.lack}; goes on when there is room", ending.exit, wait=LACK_WAIT)
    # Nor is a card that is broken; it waits for nothing, as no job goes to that card again.
    if outcome == "crashed" and ending.broken:
        return Verdict(outcome, "queued", f"{ending.broken}; goes on elsewhere", ending.exit)
    budget = {"crashed": "crashed", "stuck": "crashed", "oom": "ooms"}.get(outcome, "lost")
    # Progress pays for the attempt: a long training survives any number of kills.
    if not ending.has_started or (ending.made_progress and outcome != "oom"):
        return Verdict(outcome, "queued", reason, ending.exit)
    # This ending counts too: the third crash of three is the last.
    used = getattr(spent, budget) + 1
    if used >= BUDGETS[budget]:
        told = f"{reason} ({used} attempts ended so without a newer checkpoint)"
        return Verdict(outcome, "failed", told, ending.exit, spent={budget: 1})
    return Verdict(outcome, "queued", reason, ending.exit, wait=_wait_before(ending, outcome, used), spent={budget: 1})


def _wait_before(ending: Ending, outcome: str, used: int) -> float:
    """Wait 1 s, 4 s, 16 s, ... after a fault of the job; none when the machine took it away.

    1 s for memory that the job knows how to do without; one that was killed may have others to thank for it.
    """
    if outcome in ("lost", "preempted"):
        return 0.0
    if outcome == "oom" and not ending.is_oom:
        return FIRST_WAIT
    return float(min(FIRST_WAIT * 4 ** (used - 1), MOST_WAIT))


def _tell_reason(ending: Ending, outcome: str) -> str:
    how = {
        "done": "",
        "stuck": "no progress for too long",
        "oom": "out of memory" if not ending.is_oom else KILLED_FOR_MEMORY,
        "nan": "the loss is not a number",
        "preempted": "asked to stop",
    }.get(outcome) or _tell_exit(ending)
    if not ending.last_words or ending.is_oom or outcome in ("done", "preempted"):
        return how
    # A log whose last line says the same thing is not told twice.
    return ending.last_words if ending.last_words.startswith(how) else f"{how}: {ending.last_words}"


def _tell_exit(ending: Ending) -> str:
    if not ending.has_started:
        return "never started"
    if ending.exit is None:
        return "its process is gone"
    if ending.exit < 0:
        told = TOLD_SIGNALS.get(-ending.exit, "")
        return f"killed by {_name_signal(-ending.exit)}" + (f" ({told})" if told else "")
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
    # The name comes last and makes the order total: the same state always gives the same choice.
    return sorted(waiting, key=lambda row: (-row.priority, row.running, row.submitted_at, row.experiment))


def chain_seconds(seconds: Mapping[str, float], needs: Mapping[str, Iterable[str]]) -> dict[str, float]:
    """Return for each job its own seconds and those of the longest chain of jobs that wait for it.

    Started in this order, longest first, few slots stand empty at the end: neither a long job nor the head of a long
    chain is left for last. `needs` are a job's own; a job that it names and `seconds` does not know is left out.
    """
    users: dict[str, list[str]] = {job: [] for job in seconds}
    for job, others in needs.items():
        for other in others:
            users.get(other, []).append(job)
    order = TopologicalSorter(users).static_order()  # users first
    chains: dict[str, float] = {}
    for job in order:
        chains[job] = seconds[job] + max((chains[user] for user in users[job]), default=0.0)
    return chains


@dataclass
class StallDetector:
    """Watches one attempt's heartbeat: `beat` takes its newest content, `is_stuck` says when too long without progress.

    Times are monotonic seconds of the one who watches, so a wall clock that jumps changes nothing.
    """

    since: float
    # Ten minutes, as a first step may load and compile for minutes; ten usual gaps, as an evaluation is no step.
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
        """A job that has not written a heartbeat yet (an import that hangs) gets six times as long."""
        allowed = max(self.limit, self.factor * self.typical)
        return now - self.since > (allowed if self.last is not None else 6 * self.limit)
