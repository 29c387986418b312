"""What the scheduler knows of one attempt that runs, and how long it waits for what."""

from __future__ import annotations

from dataclasses import dataclass, field

from engine.home.paths import AttemptFolder, JobFolder
from engine.launch import Handle, State, Status
from engine.schedule.placing import Demand, Held
from engine.schedule.policy import StallDetector
from store.queue import RunningRow


@dataclass(frozen=True)
class Patience:
    """How long the scheduler waits for what, in seconds."""

    grace: float = 10.0  # between asking a job to end and killing it
    # SQLite was seen to keep a writer waiting for 1 to 4 s under load: a lease is long beside that.
    lease: float = 60.0
    stuck: float = 600.0  # without a step; ten times the usual time between steps if that is more
    unseen: float = 600.0  # without a sign of an attempt that cannot be seen from here
    away: float = 600.0  # for a home that cannot be reached to come back
    # A look is one PRAGMA (Queue.data_version), so it may be frequent: an order is seen within this time.
    look: float = 0.1  # between looks for new orders
    # A look is one small file for each attempt.
    beat: float = 1.0  # between looks at heartbeats
    # Where thousands run, what ends within this time is dealt with together.
    gather: float = 0.05


@dataclass
class Track:
    """One attempt that runs, as the scheduler follows it."""

    row: RunningRow
    handle: Handle
    demand: Demand
    job: JobFolder
    folder: AttemptFolder
    stall: StallDetector
    lease_until: float  # monotonic seconds
    stopping: str = ""  # why we asked it to end: cancel, pause, stuck
    unseen_since: float | None = None  # monotonic seconds
    status: Status = field(default_factory=lambda: Status(State.QUEUED))

    @property
    def held(self) -> Held:
        return Held(self.row.slot, self.demand)
