"""The runs of one experiment as they stand: takes a home and a name, gives each with its state, progress and figures.

States are the queue's, progress is told by heartbeats, and the last validation by the journal of what is at work; of
what is done by the results, as they were published last.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from engine.errors import QueryError
from engine.home.paths import AttemptFolder, Home
from engine.inspect.status import Beat, JobView, running_slots, view_jobs
from engine.spec.job_kinds import KINDS, final_network
from store.journal import parse_lines
from store.queue import JobRow, Queue, RunRow
from store.queue.rows import RUN_ORDER

METRIC = "val_top1"
TRAINED = tuple(name for name, kind in KINDS.items() if kind.trains)
TAIL = 1 << 16  # bytes of a journal's end
# Which runs a person wants to see first where not all can be shown.
ATTENTION = ("failed", "running", "paused", "queued", "blocked", "cancelled", "done")


@dataclass(frozen=True)
class RunView:
    """A run as a person sees it. `job` is what holds it up or does its work now, None where nothing is left.

    `value` is the last validated accuracy, a fraction; `seconds_left` is None where nothing of it runs.
    """

    run: str
    arm: str
    cell: str
    seed: int
    state: str
    share: float
    job: JobView | None
    network_job: str | None
    value: float | None
    seconds_left: float | None

    def as_json(self) -> dict[str, Any]:
        place = {"run": self.run, "arm": self.arm, "cell": self.cell, "seed": self.seed, "state": self.state}
        left = None if self.seconds_left is None else round(self.seconds_left, 1)
        job = self.job.job if self.job else None
        slot = self.job.slot if self.job else ""
        told = {"share": round(self.share, 4), METRIC: self.value, "seconds_left": left, "job": job, "slot": slot}
        return {**place, **told}


def read_runs(home: Home, experiment: str, only: Iterable[str] | None = None) -> list[RunView]:
    """Return the runs of an experiment, or those named, in its order."""
    with Queue.open_readonly(home.queue_db) as queue:
        rows = queue.experiment_rows(experiment)
        names = dict.fromkeys(job for row in rows for job in row.jobs.values())
        jobs = {row.job: row for row in queue.job_rows(list(names))}
        alive = [row for row in jobs.values() if (row.state != "done" and row.attempts) or row.state == "running"]
        owners = queue.owners([row.job for row in alive], experiment)
        slots = running_slots(queue, alive)
    seen = {view.job: view for view in view_jobs(home, alive, owners, slots)}
    wanted = None if only is None else set(only)
    rows = [row for row in rows if wanted is None or row.run in wanted]
    networks = {network_of(row.jobs) for row in rows}
    is_some_done = any(job.state == "done" and job.job in networks for job in jobs.values())
    figures = _published(home, experiment, _stamp(home)) if is_some_done else {}
    return [_view_run(home, row, jobs, seen, figures) for row in rows]


def _view_run(
    home: Home, row: RunRow, jobs: Mapping[str, JobRow], seen: Mapping[str, JobView], figures: Mapping[str, float]
) -> RunView:
    mine = [jobs[job] for job in dict.fromkeys(row.jobs.values()) if job in jobs]
    network = network_of(row.jobs)
    left = [job for job in mine if job.state != "done"]
    job = _telling_job(left, seen, network)
    value = figures.get(row.run)
    if value is None and network is not None and network in jobs and jobs[network].attempts:
        value = last_value(home, network)
    if value is None and job is not None and job.kind in TRAINED and job.attempts:  # on its way to that network
        value = last_value(home, job.job)
    left_over = _seconds_left(left, seen)
    return RunView(row.run, row.arm, row.cell, row.seed, row.state, _share(mine, seen), job, network, value, left_over)


def network_of(jobs: Mapping[str, str]) -> str | None:
    """Return the job that makes a run's network what it is in the end, None for a run that makes none."""
    with suppress(IndexError, KeyError):
        return final_network(jobs)
    return None


def _telling_job(left: Sequence[JobRow], seen: Mapping[str, JobView], network: str | None) -> JobView | None:
    """Return the job that makes the run's state: what failed, else what runs, and so on; of equals its network's."""
    first = min(left, key=lambda job: (RUN_ORDER.index(job.state), job.job != network), default=None)
    if first is None:
        return None
    bare = JobView(first.job, first.kind, first.state, first.kind, first.reason, 0, first.seconds, 0.0, Beat())
    return seen.get(first.job) or bare


def _share(mine: Sequence[JobRow], seen: Mapping[str, JobView]) -> float:
    whole = sum(job.seconds for job in mine)
    if not whole:
        return 1.0 if all(job.state == "done" for job in mine) else 0.0
    done = sum(job.seconds * (1.0 if job.state == "done" else _begun(seen.get(job.job))) for job in mine)
    return min(1.0, done / whole)


def _begun(view: JobView | None) -> float:
    return view.share if view is not None and view.state in ("running", "paused", "queued") else 0.0


def _seconds_left(left: Sequence[JobRow], seen: Mapping[str, JobView]) -> float | None:
    """Seconds of work of a run of which something runs; None for all others, as nobody knows when they begin."""
    if not any(job.state == "running" for job in left):
        return None
    return sum(seen[job.job].seconds_left if job.state == "running" else job.seconds for job in left)


def _stamp(home: Home) -> int:
    """Return what changes when results are published."""
    with suppress(OSError):
        return home.results_db.stat().st_mtime_ns
    return 0


@lru_cache(maxsize=8)
def _published(home: Home, experiment: str, _stamp: int) -> dict[str, float]:
    """Return each run's figure; who watches asks every second, and gets what was read until more is published."""
    from engine.analysis.snapshot import one_snapshot  # DuckDB, which an experiment that has only begun does without

    with suppress(QueryError), one_snapshot(home) as snapshot:
        rows = snapshot.ask("status_runs", name=experiment)
        return {row["run"]: row["value"] for row in rows if row["value"] is not None}
    return {}


def last_value(home: Home, job: str, metric: str = METRIC) -> float | None:
    """Return what a job's newest attempt logged last under a name, None where its journal's end has none."""
    for attempt in reversed(home.job(job).attempts()[-2:]):  # one that was just begun has logged nothing yet
        value = _last_logged(attempt, metric)
        if value is not None:
            return value
    return None


def _last_logged(attempt: AttemptFolder, metric: str) -> float | None:
    try:
        with open(attempt.journal, "rb") as handle:
            handle.seek(max(0, handle.seek(0, 2) - TAIL))
            data = handle.read(TAIL)
    except OSError:
        return None
    told = [line for line in parse_lines(data) if line.get("type") == "metric" and line.get("name") == metric]
    return float(told[-1]["value"]) if told else None


def by_attention(views: Iterable[RunView]) -> list[RunView]:
    """Return runs with those first that a person has to look at."""
    return sorted(views, key=lambda view: ATTENTION.index(view.state))
