"""How things stand: takes a home, gives views of its experiments. Reads queue and heartbeats, takes no write lock.

The counts come from one query each; only jobs that run, ended badly or wait for a reason are looked at one by one, so
that a queue of a hundred thousand jobs is shown as fast as one of ten.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from engine.home.control_files import read_beat, read_handle
from engine.home.paths import Home
from engine.inspect.foreign import tell_foreign
from engine.launch.process import host_name, seconds_since_start
from engine.launch.shortages import home_trouble
from engine.schedule.searched import ArmProgress, read_problem
from engine.schedule.searched import read_progress as read_searched
from engine.schedule.slot_marks import SlotMarks
from engine.schedule.worker import scheduler_alive
from engine.schedule.worker.attempts import STANDSTILL, last_line
from engine.schedule.worker.lock import is_starting
from engine.schedule.worker.publish import NOT_COLLECTED
from engine.spec.job_kinds import shared_roles
from store.queue import ExperimentRow, JobRow, Owners, Queue

FAILING = ("failed", "cancelled")
MOVING = ("queued", "running")
BEGUN = ("paused", "queued")
MOST = 1000  # jobs of a kind that are told one by one
MOST_OPEN = 0.99  # of the work of a search that is open


@dataclass(frozen=True)
class Beat:
    """The last sign of life of a running job, as it wrote it into its heartbeat."""

    phase: str = ""
    step: int = 0
    steps: int = 0
    epoch: int = 0
    epochs: int = 0
    rate: float | None = None  # images/s
    loss: float | None = None

    @property
    def share(self) -> float:
        """How far the whole job is by the steps of the phase that it is in; 0 where it counts none."""
        # 0.95: the tests and the commit come after the counted steps.
        begin, end = PLACES.get(self.phase, (0.0, 0.95))
        return begin + (end - begin) * min(1.0, self.step / self.steps) if self.steps else 0.0


# Where a phase lies in its job, about: counts start again in each, and a bar must not go back.
PLACES = {
    "list": (0.0, 0.05), "pack": (0.05, 0.95),
    "calibrate": (0.05, 0.8), "prune": (0.0, 0.2), "recover": (0.2, 0.95), "evaluate": (0.95, 1.0),
}  # fmt: skip


@dataclass(frozen=True)
class JobView:
    """A job as a person sees it: whose it is, how far it is, why it stopped or waits."""

    job: str
    kind: str
    state: str
    title: str
    reason: str
    attempts: int
    seconds: float  # estimated
    running_for: float  # so far, in this attempt
    beat: Beat
    before: float = 0.0
    """How far the attempt before this one came, from which this one goes on."""
    slot: str = ""
    """Where it runs, as its launcher names the place; "" where it does not."""

    @property
    def share(self) -> float:
        """How far it is: by its steps, else by the clock and the estimate, which never says that it is done."""
        if self.beat.steps:
            return self.beat.share
        _, end = PLACES.get(self.beat.phase, (0.0, 0.95))
        return max(self.before, min(end, self.running_for / self.seconds) if self.seconds > 0 else 0.0)

    @property
    def seconds_left(self) -> float:
        """The estimate, corrected by the pace so far; at least a moment while it runs."""
        # With less behind it the pace so far says little.
        if self.is_paced:
            return max(0.1, self.running_for * (1 - self.beat.share) / self.gained)
        return max(0.1, self.seconds * (1 - self.start) - self.running_for)

    @property
    def start(self) -> float:
        """Where this attempt began; one that lost what the attempt before had done began earlier than that ended."""
        return min(self.before, self.beat.share) if self.beat.steps else self.before

    @property
    def gained(self) -> float:
        return self.beat.share - self.start

    @property
    def is_paced(self) -> bool:
        """Whether this attempt has enough behind it to tell how fast it is."""
        return self.gained > 0.05


@dataclass(frozen=True)
class ExperimentView:
    """An experiment: runs, jobs and estimated seconds by state, and the jobs worth a line of their own."""

    experiment: str
    runs: dict[str, int]
    jobs: dict[str, int]
    seconds: dict[str, float]
    listed: tuple[JobView, ...]
    waiting_seconds: Mapping[str, float] = field(default_factory=dict)  # kind -> estimated, of queued and blocked jobs
    # kind -> seconds that its done jobs took, and were estimated to take
    measured: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    title: str = ""
    submitted_at: float = 0.0  # unix seconds
    priority: int = 0
    is_searching: bool = False
    searched: tuple[ArmProgress, ...] = ()
    search_problem: str = ""  # why the last look at an open search ended in an error

    @property
    def is_moving(self) -> bool:
        """Whether anything can still happen without a person: dependants of a failed job cannot."""
        if any(self.jobs.get(state) for state in MOVING):
            return True
        return self.is_searching and not self.jobs.get("paused")

    @property
    def seconds_left(self) -> float:
        """Seconds until all is done if as many jobs run at once as now; no less than the longest of those needs."""
        running = [job.seconds_left for job in self.running]
        waiting = sum(self.pace(kind) * seconds for kind, seconds in self.waiting_seconds.items())
        waiting -= sum(self.pace(job.kind) * job.seconds * job.share for job in self.begun if job.state == "queued")
        return max([(sum(running) + waiting) / max(1, len(running)), *running])

    def pace(self, kind: str) -> float:
        """How much longer jobs of a kind take than was estimated, by its own that are done or well under way.

        Of another kind's estimates they say nothing: a teacher may be asked 65 times slower than was guessed on a
        machine that trains as fast as was guessed.
        """
        taken, estimated = self.measured.get(kind, (0.0, 0.0))
        for job in self.running:
            if job.kind == kind and job.is_paced:
                taken += job.running_for + job.seconds_left
                estimated += job.seconds * (1 - job.start)
        return taken / estimated if taken > 0 and estimated > 0 else 1.0

    @property
    def share(self) -> float:
        """How much of the work is done; what was begun and waits or is paused counts as far as it came.

        While a search is open, this is of as much as it has asked for: its jobs are not all of its work.
        """
        at_work = (*self.running, *self.begun)
        done = self.seconds.get("done", 0.0) + sum(job.seconds * job.share for job in at_work)
        known = min(1.0, done / (sum(self.seconds.values()) or 1.0))
        return known * self._asked_share if self.is_searching else known

    @property
    def _asked_share(self) -> float:
        """How many of its trials a search has asked for: never all, as long as it is open."""
        asked = sum(arm.asked for arm in self.searched)
        so_far = sum(arm.done + arm.open + arm.failed for arm in self.searched)
        return min(MOST_OPEN, so_far / asked) if asked else 0.0

    @property
    def running(self) -> list[JobView]:
        return [job for job in self.listed if job.state == "running"]

    @property
    def failures(self) -> list[JobView]:
        return [job for job in self.listed if job.state in FAILING]

    @property
    def waiting(self) -> list[JobView]:
        """Queued jobs that are there again after something went wrong."""
        return [job for job in self.listed if job.state == "queued" and job.reason]

    @property
    def begun(self) -> list[JobView]:
        """Jobs that were begun and do not run now: paused ones, and those that are queued again."""
        return [job for job in self.listed if job.state in BEGUN and job.attempts]

    @property
    def exit_code(self) -> int:
        """0 all done, 1 something failed or was cancelled, 3 not finished."""
        if any(self.jobs.get(state) for state in FAILING):
            return 1
        return 0 if set(self.jobs) <= {"done"} else 3

    def as_json(self) -> dict[str, Any]:
        return {
            "experiment": self.experiment,
            "runs": self.runs,
            "jobs": self.jobs,
            "share": round(self.share, 4),
            "is_searching": self.is_searching,
            "seconds_left": round(self.seconds_left, 1) if self.is_moving else 0.0,
            "running": [_job_json(job) for job in self.running],
            "waiting": [_job_json(job) for job in self.waiting],
            "failures": [_job_json(job) for job in self.failures],
        }


def _job_json(job: JobView) -> dict[str, Any]:
    beat = {name: getattr(job.beat, name) for name in ("phase", "step", "steps", "epoch", "epochs", "rate", "loss")}
    told = {"job": job.job, "kind": job.kind, "title": job.title, "state": job.state, "reason": job.reason, **beat}
    return {**told, "slot": job.slot, "node": split_slot(job.slot)[1] or host_name() if job.slot else ""}


def read_status(home: Home, experiment: str | None = None) -> list[ExperimentView]:
    """Return a view of each experiment (or of the one named), newest submission first."""
    with Queue.open_readonly(home.queue_db) as queue:
        rows = queue.experiments(experiment)
        jobs, owners = queue.notable(experiment, MOST)
        slots = running_slots(queue, jobs)
    by_job = {row.job: row for row in jobs}
    mine: dict[str, list[JobView]] = {}
    for owner in owners:
        mine.setdefault(owner.experiment, []).append(
            _view_job(home, by_job[owner.job], title_of(owner), slots.get(owner.job, ""))
        )
    rows.sort(key=lambda row: row.submitted_at, reverse=True)
    return [_view_experiment(home, row, mine.get(row.experiment, [])) for row in rows]


def find_trouble(home: Home, views: Sequence[ExperimentView]) -> str:
    """Return in a line why nothing, or less than could, goes on here although there is work; "" when all is well."""
    return tell_trouble(home) if any(view.is_moving for view in views) else ""


def tell_trouble(home: Home) -> str:
    """Return in a line why nothing, or less than could, goes on in a home that has work; "" when all is well."""
    try:
        if os.statvfs(home.root).f_flag & os.ST_RDONLY:
            return "the home folder is on a read-only file system: nothing is started until it can be written"
        if trouble := home_trouble(home):
            return f"{trouble}: nothing is started until there is room"
        if not scheduler_alive(home) and not is_starting(home):
            return "no scheduler works here: submit again, or start one with `xp worker`"
        said = last_line(home.scheduler_log)
        _, is_told, why = said.partition(STANDSTILL)
        if is_told:
            return f"the scheduler {STANDSTILL}{why}"
        _, is_told, why = said.partition(NOT_COLLECTED)
        if is_told:
            return f"the scheduler takes no results in: {why}: xp doctor looks at the files"
        return "\n".join(filter(None, (tell_shut(home), *tell_foreign(home))))
    except OSError as error:
        return f"the home folder cannot be looked at: {error.strerror}"


def tell_shut(home: Home) -> str:
    """Return a line for each GPU here that no job goes to, and what it failed by; "" where there is none."""
    return "\n".join(map(str, SlotMarks(home).list_shut()))


def _view_experiment(home: Home, row: ExperimentRow, listed: list[JobView]) -> ExperimentView:
    ordered = tuple(sorted(listed, key=lambda job: (-job.seconds, job.job)))
    return ExperimentView(
        row.experiment, row.runs, row.jobs, row.seconds, ordered, row.waiting, row.measured, row.title,
        row.submitted_at, row.priority, home.search_mark(row.experiment).exists(), read_searched(home, row.experiment),
        read_problem(home, row.experiment),
    )  # fmt: skip


def view_jobs(
    home: Home, rows: Sequence[JobRow], owners: Sequence[Owners], slots: Mapping[str, str] = {}
) -> list[JobView]:
    """Return jobs as a person sees them, each named by the first experiment that has it; `slots` as running_slots."""
    titles = {owner.job: title_of(owner) for owner in reversed(owners)}
    return [_view_job(home, row, titles.get(row.job, row.kind), slots.get(row.job, "")) for row in rows]


def running_slots(queue: Queue, rows: Sequence[JobRow]) -> dict[str, str]:
    """Return where those of these jobs run that do."""
    running = [row.job for row in rows if row.state == "running"]
    return {row.job: row.slot for row in queue.attempt_rows(running) if row.outcome is None} if running else {}


def split_slot(slot: str) -> tuple[str, str, str]:
    """Return a slot's name on its node, the node and the pilot that has it; both are "" for a slot of this machine."""
    name, _, place = slot.partition("@")
    node, _, pilot = place.partition("/")
    return name, node, pilot


def place_of(slot: str) -> str:
    """Return where a job runs as a person says it: `GPU 0 on n1`; "" for a CPU slot of this machine.

    A machine's only place for jobs is no news to who works there.
    """
    name, node, _ = split_slot(slot)
    if not slot or name.startswith("cpu:"):
        return node
    return f"GPU {name}" + (f" on {node}" if node else "")


def title_of(owner: Owners) -> str:
    """Name a job by what it does for whom: `student sparse seed 1`; shared ones by their role alone."""
    if owner.role in shared_roles():
        return owner.role
    arm = {1: owner.arm, 2: f"{owner.arm} and {owner.other_arm}"}.get(owner.arms, "")
    cell = owner.cell if owner.cells == 1 and owner.cell != "default" else ""
    seed = f"seed {owner.seed}" if owner.seeds == 1 else ""
    return " ".join(part for part in (owner.role, arm, cell, seed) if part)


def _view_job(home: Home, row: JobRow, title: str, slot: str) -> JobView:
    beat, running_for, before = Beat(), 0.0, 0.0
    if row.state == "running" or (row.state in BEGUN and row.attempts):
        beat = _read_beat(home, row.job, row.attempts)
    if row.state == "running":
        running_for = _running_for(home, row)
        before = _read_beat(home, row.job, row.attempts - 1).share if row.attempts > 1 else 0.0
    return JobView(
        row.job, row.kind, row.state, title, row.reason, row.attempts, row.seconds, running_for, beat, before, slot
    )


def _running_for(home: Home, row: JobRow) -> float:
    """By the clock since the boot where its process is of this machine, else by the wall clocks of two machines."""
    seconds = seconds_since_start(read_handle(home.job(row.job).attempt(row.attempts)))
    if seconds is None:
        seconds = time.time() - row.started_at if row.started_at else 0.0
    return max(0.0, seconds)


def _read_beat(home: Home, job: str, attempt: int) -> Beat:
    held = read_beat(home.job(job).attempt(attempt))
    return Beat(**held.model_dump()) if held else Beat()
