"""The rows of the queue as frozen dataclasses, and the one rule that makes a run's state of its jobs' states."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

# The first of these that any job of a run has is the run's state; `done` comes last, so it needs every job.
RUN_ORDER = ("failed", "cancelled", "running", "queued", "paused", "blocked", "done")


def combine_states(states: Iterable[str]) -> str:
    """Return the state of a run from the states of its jobs; a run without jobs is done."""
    return min(states, key=RUN_ORDER.index, default="done")


@dataclass(frozen=True)
class Claim:
    """A job that may start now, or one that was just leased: what the scheduler needs to launch it."""

    job: str
    kind: str
    experiment: str
    details: dict[str, Any]
    cost: float  # estimated seconds
    attempts: int = 0
    ooms: int = 0
    reason: str = ""
    experiments: tuple[str, ...] = ()  # all that want it


@dataclass(frozen=True)
class Start:
    """An attempt that is about to be leased: number `attempt` of a job, on a slot."""

    job: str
    attempt: int
    slot: str


@dataclass(frozen=True)
class RunningRow:
    """An attempt that was leased and has no outcome yet. `expires` counts in monotonic seconds of `boot_id`."""

    job: str
    kind: str
    attempt: int
    slot: str
    details: dict[str, Any]
    request: str
    started_at: float  # unix seconds
    boot_id: str
    expires: float
    crashed: int
    lost: int
    ooms: int


@dataclass(frozen=True)
class Verdict:
    """What the end of an attempt means: the attempt's outcome, the job's next state and what it spent."""

    outcome: str
    state: str
    reason: str = ""
    exit: int | None = None
    wait: float = 0.0  # seconds before the next attempt
    spent: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class End:
    """How an attempt ended. `started_at` takes the place of when it was leased: a clock may have been set since."""

    job: str
    attempt: int
    verdict: Verdict
    now: float  # unix seconds
    started_at: float | None = None


@dataclass(frozen=True)
class JobRow:
    job: str
    kind: str
    state: str
    reason: str
    attempts: int
    started_at: float | None  # unix seconds, as all times here
    ended_at: float | None
    seconds: float  # estimated
    request: str = ""
    details: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class RunRow:
    experiment: str
    run: str
    arm: str
    cell: str
    seed: int
    state: str
    jobs: dict[str, str]  # role -> job


@dataclass(frozen=True)
class ExperimentRow:
    experiment: str
    title: str
    submitted_at: float  # unix seconds
    priority: int
    runs: dict[str, int]  # state -> how many
    jobs: dict[str, int]
    seconds: dict[str, float]  # state -> what its jobs were estimated to take
    waiting: dict[str, float]  # kind -> what its queued and blocked jobs were estimated to take
    measured: dict[str, tuple[float, float]]  # kind -> what those that are done took, and were estimated to take


@dataclass(frozen=True)
class Owners:
    """For whom an experiment has a job. `arms`, `cells` and `seeds` count them; the words beside are the first ones."""

    experiment: str
    job: str
    role: str
    arms: int
    arm: str
    other_arm: str
    cells: int
    cell: str
    seeds: int
    seed: int


@dataclass(frozen=True)
class AttemptRow:
    job: str
    attempt: int
    slot: str
    started_at: float
    ended_at: float | None
    outcome: str | None
    exit: int | None
    reason: str
