"""What is known of one run: takes what was asked, gives the run, its jobs with their attempts now, and their times.

States come from the queue, so that they are those of this moment; settings, devices and figures from the snapshot.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.analysis.snapshot import Row, Snapshot
from engine.home.control_files import read_beat, read_details
from engine.home.paths import Home
from engine.home.records import read_record
from engine.inspect.status import Beat
from engine.schedule.lookup import find_run
from engine.serve.trial_runs import TrialNames, is_of_trials, is_unseen, submitted_as
from engine.spec.job_kinds import kind_in_id
from store.queue import AttemptRow, JobRow, Queue, combine_states

CHAIN = ("student", "prune", "quantize")  # roles of the jobs that make a run's network, in their order


@dataclass(frozen=True)
class RunAbout:
    """A run of an experiment, its jobs by role, and its settings; `others` are the experiments that have it too.

    Of a trial `experiment` is the one that searches.
    """

    run: str
    experiment: str
    arm: str
    cell: str
    seed: int
    split: str
    jobs: Mapping[str, str]
    settings: Mapping[str, Any]
    others: tuple[str, ...] = ()
    parts: tuple[Mapping[str, Any], ...] = ()
    is_trial: bool = False

    @property
    def name(self) -> str:
        cell = "" if self.cell == "default" else f"/{self.cell}"
        return f"{self.experiment}/{self.arm}{cell}@{self.seed}"

    @property
    def chain(self) -> tuple[str, ...]:
        return tuple(self.jobs[role] for role in CHAIN if role in self.jobs)


@dataclass(frozen=True)
class Attempt:
    """One execution of a job, with where it ran; `begin` and `width` place it on the run's time line, 0 to 1000."""

    number: int
    outcome: str
    reason: str
    slot: str
    host: str
    device: str
    started_at: float
    seconds: float
    begin: float = 0.0
    width: float = 0.0


@dataclass(frozen=True)
class JobPart:
    """A job of a run: what it is for, how it stands, what it says of itself while it runs, and its attempts."""

    job: str
    role: str
    kind: str
    state: str
    reason: str
    beat: Beat | None
    attempts: tuple[Attempt, ...]

    @property
    def progress(self) -> str:
        """How far a running job is, in words."""
        beat = self.beat
        if beat is None:
            return ""
        steps = f"step {beat.step:,} of {beat.steps:,}" if beat.steps else ""
        epochs = f"epoch {beat.epoch} of {beat.epochs}" if beat.epochs else ""
        rate = f"{beat.rate:,.0f} images/s" if beat.rate else ""
        return ", ".join(filter(None, (beat.phase, epochs, steps, rate)))


def read_run(home: Home, snapshot: Snapshot | None, text: str) -> RunAbout:
    """Return the run that an id, or its beginning, means. Raises XpError where there is none or it is several."""
    rows = snapshot.ask("serve_run", run=text) if snapshot else []
    if not rows or snapshot is None:
        return _unpublished(home, text)
    one = rows[0]
    jobs = {row["role"]: row["job"] for row in snapshot.ask("serve_run_jobs", run=text)}
    named, *others = dict.fromkeys(submitted_as(row["experiment"]) for row in rows)
    parts = (part for part in one["parts"] or () if not is_unseen(one["experiment"], part["part"]))
    return RunAbout(
        text, named, one["arm"], one["cell"], one["seed"], one["split"], jobs,
        json.loads(one["settings"] or "{}"), tuple(others), tuple(parts), is_of_trials(one["experiment"]),
    )  # fmt: skip


def _unpublished(home: Home, text: str) -> RunAbout:
    """Return a run that was submitted a moment ago, or whose id was cut short."""
    found = find_run(home, text)
    record = read_record(home.records(found.experiment)[-1])
    told: dict[str, Any] = next((run for run in record["runs"] if run["run"] == found.run), {})
    split, settings = told.get("split", ""), told.get("settings", {})
    is_trial = is_of_trials(TrialNames(home).place(found.experiment, found.arm))
    about = (found.run, found.experiment, found.arm, found.cell, found.seed, split, found.jobs, settings)
    return RunAbout(*about, is_trial=is_trial)


def read_jobs(home: Home, about: RunAbout, snapshot: Snapshot | None) -> list[JobPart]:
    """Return the jobs in the order they are needed, with their attempts on one time line."""
    roles = {job: role for role, job in sorted(about.jobs.items(), key=_role_place)}
    with Queue.open_readonly(home.queue_db) as queue:
        rows = {row.job: row for row in queue.job_rows(roles)}
        queued = queue.attempt_rows(roles)
    published = snapshot.ask("serve_attempts", jobs=list(roles)) if snapshot else []
    places = {(row["job"], row["attempt"]): row for row in published}
    attempts = _merged(queued, published)
    scale = _Scale(attempts)
    made = [(one.job, _attempt(one, places, scale)) for one in attempts]
    return [
        _job_part(home, job, role, rows.get(job), [attempt for of, attempt in made if of == job])
        for job, role in roles.items()
    ]  # fmt: skip


def _role_place(item: tuple[str, str]) -> tuple[int, str]:
    """Where a role comes: what makes the run's network in its order, what that needs before, what looks at it after."""
    role = item[0]
    places = {"pack": 0, **{name: 2 + at for at, name in enumerate(CHAIN)}, "measure": 8, "explain": 9}
    return places.get(role, 1), role


def _merged(queued: Sequence[AttemptRow], published: Sequence[Row]) -> list[AttemptRow]:
    """Return the attempts that the queue knows, and those that it was made anew without."""
    known = {(row.job, row.attempt) for row in queued}
    others = [
        AttemptRow(row["job"], row["attempt"], row["slot"], row["started_at"], row["ended_at"], row["outcome"], None,
                   row["reason"])
        for row in published if (row["job"], row["attempt"]) not in known and row["started_at"] is not None
    ]  # fmt: skip
    return sorted([*queued, *others], key=lambda one: (one.job, one.attempt))


def _job_part(home: Home, job: str, role: str, row: JobRow | None, attempts: Iterable[Attempt]) -> JobPart:
    if row is None:
        state = "done" if home.job(job).result.exists() else "unknown"
        return JobPart(job, role, job.partition("-")[0], state, "", None, tuple(attempts))
    held = read_beat(home.job(job).attempt(row.attempts)) if row.state == "running" else None
    beat = Beat(**held.model_dump()) if held else None
    return JobPart(job, role, row.kind, row.state, row.reason, beat, tuple(attempts))


class _Scale:
    """Where moments lie between the first start and the last end of what is shown, 0 to 1000."""

    def __init__(self, attempts: Sequence[AttemptRow]) -> None:
        self.now = time.time()
        self.low = min((one.started_at for one in attempts), default=self.now)
        self.span = max(max((one.ended_at or self.now for one in attempts), default=self.now) - self.low, 1e-3)

    def place(self, moment: float) -> float:
        return round(1000 * min(1.0, max(0.0, (moment - self.low) / self.span)), 1)


def _attempt(row: AttemptRow, places: Mapping[tuple[str, int], Row], scale: _Scale) -> Attempt:
    end = row.ended_at or scale.now
    ran: Row = places.get((row.job, row.attempt), {})
    begin = scale.place(row.started_at)
    return Attempt(
        row.attempt, row.outcome or "running", row.reason, row.slot, ran.get("host") or "", ran.get("device") or "",
        row.started_at, max(0.0, end - row.started_at), begin, max(3.0, scale.place(end) - begin),
    )  # fmt: skip


def state_of(jobs: Sequence[JobPart]) -> str:
    """Return the state of a run from those of its jobs; what only the files know counts as done or not begun."""
    known = ["blocked" if part.state == "unknown" else part.state for part in jobs]
    return combine_states(known)


def gpus_of(home: Home, job: str, device: str | None) -> float:
    """Return on how many GPUs a job ran (0.5: it shared one); 0 on a CPU, and where that is not known.

    Raises HomeError for damaged details.
    """
    if device in (None, "", "cpu"):
        return 0.0
    resources = read_details(home.job(job)).get("resources", {})
    gpus, kind = float(resources.get("gpus") or 1.0), kind_in_id(job)
    return gpus if kind is not None and kind.trains else min(1.0, gpus)
