"""Homes to keep house in: experiments of invented jobs that share some, with all that a sweep looks at."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from engine.home.files import write_json
from engine.home.paths import Home
from engine.home.seals import seal
from store.queue import Queue

Jobs = Mapping[str, Sequence[str]]
"""job -> what it needs; its kind is what its id begins with."""


def put_job(home: Home, job: str, needs: Sequence[str] = (), *, done: bool = True, **settings: Any) -> None:
    """Make a job's folder; a done one has a result, checkpoints, and its entry in the cache."""
    folder, kind = home.job(job), job.partition("-")[0]
    folder.root.mkdir(parents=True)
    folder.spec.write_text(_json({"kind": kind, "needs": {f"r{at}": one for at, one in enumerate(needs)}, **settings}))
    folder.details.write_text("{}\n")
    if not done:
        return
    attempt = folder.attempt(1)
    attempt.checkpoints.mkdir(parents=True)
    for serial in (1, 2):
        (attempt.checkpoints / f"{serial:06d}.pt").write_bytes(b"x" * 5000)
    attempt.outcome.write_text("{}\n")
    folder.result.write_text(_json({"attempt": 1, "job": job, "kind": kind}))
    if kind in ("pack", "targets"):
        entry = home.pack(job) if kind == "pack" else home.targets(job)
        entry.mkdir(parents=True)
        (entry / "data").write_bytes(b"y" * 9000)


def put_experiment(home: Home, name: str, runs: Mapping[str, Sequence[str]], jobs: Jobs, *, at: float = 1.0) -> None:
    """Submit an experiment whose runs (`arm@seed`) have these jobs, which are there already."""
    entries = [
        {"job": job, "kind": job.partition("-")[0], "needs": list(needs), "details": {}, "cost": 1.0}
        for job, needs in jobs.items()
    ]
    told = [
        {"run": f"run-{name}-{place.replace('@', '-')}", "arm": place.partition("@")[0], "cell": "default",
         "seed": int(place.partition("@")[2]), "split": "60/20/20", "settings": {"train": {"epochs": 1}},
         "jobs": {_role(job, number): job for number, job in enumerate(own)}}
        for place, own in runs.items()
    ]  # fmt: skip
    arms = list(dict.fromkeys(run["arm"] for run in told))
    number = len(home.records(name)) + 1
    spec = {"name": name, "arms": {arm: {} for arm in arms}}
    record = {"version": 1, "name": name, "title": name, "baseline": arms[0], "submitted_at": at, "priority": 0,
              "spec": spec, "claims": [], "runs": told, "jobs": entries, "number": number}  # fmt: skip
    home.experiment(name).mkdir(parents=True, exist_ok=True)
    record = seal(record)
    write_json(home.experiment(name) / f"{number}.json", record)
    with Queue(home.queue_db) as queue:
        queue.add_experiment(record, {job for job in jobs if home.job(job).result.exists()})


def _role(job: str, number: int) -> str:
    kind = job.partition("-")[0]
    return {"train": "student", "measure": "measure", "pack": "pack"}.get(kind, f"role{number}")


def _json(value: Any) -> str:
    return json.dumps(value) + "\n"


def make_two(home: Home) -> None:
    """Experiments `one` (arms a, b) and `two` (arm c), which share a pack; `train-old` and its pack are nobody's."""
    for job, needs in {**ONE, **TWO, "pack-old": (), "train-old": ("pack-old",)}.items():
        if not home.job(job).root.exists():
            put_job(home, job, needs)
    put_experiment(home, "one", {"a@0": ["pack-p", "train-a"], "b@0": ["pack-p", "targets-t", "train-b"]}, ONE)
    put_experiment(home, "two", {"c@0": ["pack-p", "train-c"]}, TWO, at=2.0)


ONE: Jobs = {"pack-p": (), "train-a": ("pack-p",), "targets-t": ("pack-p",), "train-b": ("pack-p", "targets-t")}
TWO: Jobs = {"pack-p": (), "train-c": ("pack-p",)}


def files_of(root: Path, *leave: str) -> dict[str, bytes]:
    """Return the content of every file below `root`, without the folders named in `leave`."""
    found = (path for path in sorted(root.rglob("*")) if path.is_file())
    return {
        name: path.read_bytes()
        for path in found
        if not (name := path.relative_to(root).as_posix()).startswith(tuple(leave))
    }
