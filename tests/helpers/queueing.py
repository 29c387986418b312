"""Experiments for the queue and the scheduler: records as `submit` writes them, of jobs that need no torch."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.home.files import write_json
from engine.home.paths import Home, open_home
from store.queue import Queue

PROBE = "tests.launch.probe_job"


@dataclass(frozen=True)
class Probe:
    """A job to be: `does` is its details.json (tests/launch/probe_job.py)."""

    job: str
    needs: tuple[str, ...] = ()
    does: dict[str, Any] = field(default_factory=dict)
    cost: float = 1.0
    kind: str = "train"


def make_record(name: str, probes: Sequence[Probe], *, at: float = 1.0, priority: int = 0) -> dict[str, Any]:
    """Return the record of an experiment with one run for each job, made of the job and all that it needs."""
    by_id = {probe.job: probe for probe in probes}

    def closure(job: str) -> list[str]:
        return [job, *(other for need in by_id[job].needs for other in closure(need))]

    return {
        "version": 1,
        "name": name,
        "title": name,
        "submitted_at": at,
        "priority": priority,
        "runs": [
            {
                "run": f"run-{probe.job}",
                "arm": "arm",
                "cell": "cell",
                "seed": seed,
                "jobs": {f"role{place}": job for place, job in enumerate(dict.fromkeys(closure(probe.job)))},
            }
            for seed, probe in enumerate(probes)
        ],
        "jobs": [
            {
                "job": probe.job,
                "kind": probe.kind,
                "needs": list(probe.needs),
                "details": probe.does,
                "cost": probe.cost,
            }
            for probe in probes
        ],
    }


def submit_probes(home: Home, name: str, probes: Sequence[Probe], *, priority: int = 0) -> None:
    """Do what `submit` does: job folders, then the record, then the queue's rows."""
    for probe in probes:
        home.job(probe.job).root.mkdir(parents=True, exist_ok=True)
        write_json(home.job(probe.job).spec, {"kind": probe.kind})
        write_json(home.job(probe.job).details, probe.does)
    record = make_record(name, probes, at=time.time(), priority=priority)
    home.experiment(name).mkdir(parents=True, exist_ok=True)
    write_json(home.experiment(name) / f"{len(home.records(name)) + 1}.json", record)
    with Queue(home.queue_db) as queue:
        queue.add_experiment(record, {probe.job for probe in probes if home.job(probe.job).result.exists()})


def make_home(folder: Path) -> Home:
    return open_home(folder / "home", create=True)


def states(home: Home) -> dict[str, str]:
    with Queue.open_readonly(home.queue_db) as queue:
        return queue.job_states()


def faults(home: Home) -> list[str]:
    with Queue(home.queue_db) as queue:
        return queue.check_integrity()


def until(holds: Callable[[], object], seconds: float = 120.0) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "it never came true"
        time.sleep(0.01)


def told_process(home: Home, job: str = "train-1", attempt: int = 1) -> tuple[int, int]:
    path = home.job(job).attempt(attempt).handle
    until(path.exists)
    told = json.loads(path.read_text())
    return told["pid"], told["start_time"]
