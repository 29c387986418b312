"""What is in a home: takes a home, gives its experiments with what was written about them, or one's runs or jobs.

States are the queue's; figures are those that were published last, none where there are no results yet.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from engine.analysis.snapshot import one_snapshot
from engine.errors import QueryError, XpError, closest_hint
from engine.home.files import read_object
from engine.home.notes import Notes, read_notes
from engine.home.paths import Home
from engine.schedule.lookup import list_runs, name_jobs
from store.metrics import METRICS
from store.queue import ExperimentRow, JobRow, Queue, RunRow

UNKNOWN = "unknown"  # a state that no queue tells
USUAL = ("test_top1",)
MOST_LOGGED = 4  # metrics of imported runs that a line has


@dataclass(frozen=True)
class ExperimentLine:
    """An experiment: submissions, when the newest was made (unix seconds), runs and jobs by state, notes.

    `trial_of` is the experiment that it was submitted beside (`xp submit --as`), `imported`
    the tool whose runs it holds (`xp import`).
    """

    name: str
    title: str
    submissions: int
    submitted_at: float | None
    runs: dict[str, int]
    jobs: dict[str, int]
    notes: Notes
    trial_of: str | None = None
    imported: str | None = None

    def as_json(self) -> dict[str, Any]:
        about = {"experiment": self.name, "title": self.title, "submissions": self.submissions}
        when = {"submitted_at": self.submitted_at, "trial_of": self.trial_of, "imported": self.imported}
        return {**about, **when, "runs": self.runs, "jobs": self.jobs, **self.notes.model_dump(mode="json")}


@dataclass(frozen=True)
class RunLine:
    """A run: its place in the experiment, state and figures; None for a figure that is not there."""

    run: str
    arm: str
    cell: str
    seed: int
    state: str
    figures: dict[str, float | None]

    def as_json(self) -> dict[str, Any]:
        place = {"run": self.run, "arm": self.arm, "cell": self.cell, "seed": self.seed}
        return {**place, "state": self.state, "metrics": self.figures}


@dataclass(frozen=True)
class JobLine:
    """A job: its kind, what it is to whom, state, attempts and the seconds that it took or is estimated to take."""

    job: str
    kind: str
    title: str
    state: str
    attempts: int
    seconds: float

    def as_json(self) -> dict[str, Any]:
        about = {"job": self.job, "kind": self.kind, "title": self.title, "state": self.state}
        return {**about, "attempts": self.attempts, "seconds": self.seconds}


def list_experiments(home: Home, tag: str | None = None) -> list[ExperimentLine]:
    """Return all experiments, or those with a tag, the newest submission first."""
    with Queue.open_readonly(home.queue_db) as queue:
        rows = {row.experiment: row for row in queue.experiments()}
    lines = [_line(home, path.name, rows.get(path.name)) for path in home.experiments() if home.records(path.name)]
    if tag is not None:
        known = sorted({one for line in lines for one in line.notes.tags})
        if tag not in known:
            fix = closest_hint(tag, known) if known else "xp tag EXPERIMENT TAG gives one"
            raise XpError(f"no experiment here has the tag {tag!r}", where="xp ls --tag", fix=fix)
        lines = [line for line in lines if tag in line.notes.tags]
    return sorted(lines, key=lambda line: (-(line.submitted_at or 0.0), line.name))


def _line(home: Home, name: str, row: ExperimentRow | None) -> ExperimentLine:
    records = home.records(name)
    record = read_object(records[-1]) or {}
    at, trial = record.get("submitted_at"), record.get("trial_of")
    counts = (row.runs, row.jobs) if row else ({}, {})
    title = str(record.get("title") or name)
    when = float(at) if isinstance(at, int | float) else None
    imported = (record.get("imported") or {}).get("tool")
    return ExperimentLine(
        name, title, len(records), when, *counts, read_notes(home, name), str(trial) if trial else None, imported
    )


def list_run_lines(home: Home, experiment: str, metrics: Sequence[str] | None = None) -> list[RunLine]:
    """Return the runs of an experiment's newest submission, in its order. Raises XpError for an unknown metric.

    A metric is a column of `results`, or what its runs logged step by step, of which the last value counts. By default
    it is the test accuracy, of imported runs the first that they logged.
    """
    runs = list_runs(home, experiment)
    logged = _logged(home, experiment)
    metrics = metrics or _usual(home, experiment, logged)
    for metric in metrics:
        if metric not in METRICS and metric not in logged:
            known = {*METRICS, *logged}
            raise XpError(f"there is no metric {metric!r}", where="--metric", fix=closest_hint(metric, known))
    with Queue.open_readonly(home.queue_db) as queue:
        states = {row.run: row for row in queue.experiment_rows(experiment)}
    figures = _figures(home, experiment, metrics, logged)
    return [
        RunLine(run.run, run.arm, run.cell, run.seed, _state(states.get(run.run)),
                figures.get(run.run, dict.fromkeys(metrics)))
        for run in runs
    ]  # fmt: skip


def _state(row: RunRow | None) -> str:
    return row.state if row else UNKNOWN


def _figures(
    home: Home, experiment: str, metrics: Sequence[str], logged: Mapping[str, Mapping[str, float | None]]
) -> dict[str, dict[str, float | None]]:
    with suppress(QueryError), one_snapshot(home) as snapshot:
        rows = snapshot.ask("ls_runs", name=experiment)
        return {
            row["run"]: {one: row[one] if one in METRICS else logged[one].get(row["run"]) for one in metrics}
            for row in rows
        }
    return {}


def _logged(home: Home, experiment: str) -> dict[str, dict[str, float | None]]:
    """Return metric -> run -> the last value that its network's job logged."""
    found: dict[str, dict[str, float | None]] = {}
    with suppress(QueryError), one_snapshot(home) as snapshot:
        for row in snapshot.ask("ls_logged", name=experiment):
            found.setdefault(row["name"], {})[row["run"]] = row["last"]
    return found


def _usual(home: Home, experiment: str, logged: Mapping[str, object]) -> Sequence[str]:
    record = read_object(home.records(experiment)[-1]) or {}
    return tuple(logged)[:MOST_LOGGED] if "imported" in record and logged else USUAL


def list_job_lines(home: Home, experiment: str) -> list[JobLine]:
    """Return the jobs of an experiment, run by run in the order in which they are needed."""
    list_runs(home, experiment)  # what is not there is said with what there is
    with Queue.open_readonly(home.queue_db) as queue:
        jobs = queue.jobs_of(experiment)
        rows = {row.job: row for row in queue.job_rows(jobs)}
    titles = name_jobs(home, jobs, experiment)
    return [_job_line(rows[job], titles[job]) for job in jobs if job in rows]


def _job_line(row: JobRow, title: str) -> JobLine:
    is_timed = row.state == "done" and row.started_at is not None and row.ended_at is not None
    seconds = (row.ended_at or 0.0) - (row.started_at or 0.0) if is_timed else row.seconds
    return JobLine(row.job, row.kind, title, row.state, row.attempts, round(seconds, 1))
