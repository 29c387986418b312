"""Homes as large as years of work leave them: takes a number of runs, gives a home whose results and queue hold them.

    python -m tests.helpers.large_home FOLDER --runs 10000 --steps 1000

Curves are put into the store by its own SQL, as an ingest leaves them, since their journals would take hours to write:
so the home has folders, records, a queue and published results, and no journals of what is done. 10,000 runs of ten
curves with a thousand values are 100 million rows, some 2 GB and a few minutes.
"""

from __future__ import annotations

import argparse
import itertools
import os
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

import duckdb

from engine.collect import collect
from engine.collect.files import sign_settled
from engine.home.files import encode_json
from engine.home.paths import Home, open_home
from engine.home.seals import seal
from engine.load import load_spec
from engine.plan import make_plan
from store.queue import Queue
from store.results import Ingest

ROOT = Path(__file__).parents[2]
START = 1_760_000_000.0
CURVES = (
    "train_loss", "val_loss", "val_top1", "lr", "grad_norm", "images_per_second", "train_top1", "val_nll", "val_ece",
    "temperature",
)  # fmt: skip
CELLS = tuple(f"train.lr={rate}" for rate in ("0.0005", "0.001", "0.002", "0.004", "0.008"))
IMAGES = 100  # predictions of a job
AT_ONCE = 250  # jobs whose curves are put in by one statement: bounds the memory
FALLING = ("train_loss", "val_loss", "val_nll")


@dataclass(frozen=True)
class LargeRun:
    """One run, what it trained and how well it came out."""

    run: str
    experiment: str
    arm: str
    cell: str
    seed: int
    settings: Mapping[str, Any]
    jobs: Mapping[str, str]
    top1: float

    def as_record(self) -> dict[str, Any]:
        about = {"run": self.run, "arm": self.arm, "cell": self.cell, "seed": self.seed, "split": "60/20/20"}
        return {**about, "settings": self.settings, "jobs": self.jobs}


@dataclass(frozen=True)
class LargeHome:
    """The home, its runs, and the jobs that are running in it, whose journals a test or a benchmark writes."""

    home: Home
    runs: tuple[LargeRun, ...]
    running: tuple[str, ...] = field(default=())


def make_large_home(root: Path, runs: int, steps: int, *, per_experiment: int = 500, running: int = 4) -> LargeHome:
    """Make a home of `runs` finished runs with ten curves of `steps` values each, and one with `running` jobs at work.

    Ids are drawn as real ones are, so that their order says nothing of where their rows lie. One that was made there
    before, with the same numbers, stays as it is.
    """
    home = open_home(root, create=True)
    made = tuple(itertools.islice(_draw_runs(per_experiment), runs))
    alive = tuple(f"train-{_hex(f'alive {number}')}" for number in range(running))
    if home.results_db.exists():
        return LargeHome(home, made, alive)
    _write_folders(home, made, alive)
    records = _write_records(home, made, alive)
    _fill_queue(home, records, alive)
    _fill_results(home, made, steps)
    collect(home)
    return LargeHome(home, made, alive)


def _draw_runs(per_experiment: int) -> Iterator[LargeRun]:
    plan = make_plan(load_spec(ROOT / "specs" / "quickstart.yaml"))
    shapes = {run.arm: dict(run.settings) for run in plan.runs}
    for number in itertools.count():
        name = f"study_{number:03d}"
        points = list(itertools.product(range(per_experiment), CELLS, shapes))
        for seed, cell, arm in points[:per_experiment]:
            yield _draw_run(name, arm, cell, seed, shapes[arm])


def _draw_run(name: str, arm: str, cell: str, seed: int, settings: Mapping[str, Any]) -> LargeRun:
    key = _hex(f"{name} {arm} {cell} {seed}")
    draw = random.Random(key)
    rate = float(cell.partition("=")[2])
    own = {**settings, "train": {**settings["train"], "lr": rate}}
    jobs = {"pack": f"pack-{_hex(name)}", "student": f"train-{key}", "measure": f"measure-{_hex(name + arm + cell)}"}
    top1 = min(0.99, max(0.01, 0.4 + 0.04 * len(arm) % 0.3 + draw.gauss(0, 0.02)))
    return LargeRun(f"run-{key}", name, arm, cell, seed, own, jobs, top1)


def _hex(text: str) -> str:
    return sha256(text.encode()).hexdigest()[:12]


def _jobs_of(made: Sequence[LargeRun]) -> dict[str, tuple[str, LargeRun]]:
    """Job -> its role and the first run that it is of."""
    found: dict[str, tuple[str, LargeRun]] = {}
    for run in made:
        for role, job in run.jobs.items():
            found.setdefault(job, (role, run))
    return found


def _kind(role: str) -> str:
    return "train" if role == "student" else role


def _write_folders(home: Home, made: Sequence[LargeRun], alive: Sequence[str]) -> None:
    for job, (role, run) in _jobs_of(made).items():
        _write_job(home, job, role, run)
        _write_done(home, job, role)
    for job in alive:
        _write_job(home, job, "student", made[0])
        home.job(job).attempt(1).root.mkdir(parents=True)
        # By this process, so that it is taken for one that lives.
        handle = {"pid": os.getpid(), "start_time": 1, "host": "bench", "boot_id": "x", "job": job, "attempt": 1}
        home.job(job).attempt(1).handle.write_text(encode_json(handle))


def _write_job(home: Home, job: str, role: str, run: LargeRun) -> None:
    folder = home.job(job)
    folder.root.mkdir(parents=True)
    needs = {"pack": run.jobs["pack"]} if role == "student" else {}
    folder.spec.write_text(
        encode_json({"version": 1, "kind": _kind(role), "needs": needs, "settings": dict(run.settings)})
    )


def _write_done(home: Home, job: str, role: str) -> None:
    folder, attempt = home.job(job), home.job(job).attempt(1)
    attempt.root.mkdir(parents=True)
    about = {"job": job, "attempt": 1, "kind": _kind(role), "steps": 1000, "seconds": 60.0, "figures": {}}
    attempt.result.write_text(encode_json(about))
    verdict = {"outcome": "done", "exit": 0, "reason": "", "slot": "cpu:0", "started_at": START, "ended_at": START + 60}
    attempt.outcome.write_text(encode_json(seal(verdict)))
    attempt.log.write_text("".join(f"epoch {epoch}: loss {1 / (epoch + 1):.4f}\n" for epoch in range(10)))
    os.link(attempt.result, folder.result)


def _write_records(home: Home, made: Sequence[LargeRun], alive: Sequence[str]) -> list[dict[str, Any]]:
    records: list[dict[str, Any]] = []
    for name, group in itertools.groupby(made, key=lambda run: run.experiment):
        records.append(_make_record(name, [run.as_record() for run in group], len(records)))
    if alive:
        shape = made[0].as_record()
        runs = [
            {**shape, "run": f"run-{job[6:]}", "arm": "alive", "seed": seed, "jobs": {"student": job}}
            for seed, job in enumerate(alive)
        ]
        records.append(_make_record("at_work", runs, len(records)))
    for record in records:
        home.experiment(record["name"]).mkdir(parents=True)
        (home.experiment(record["name"]) / "1.json").write_text(encode_json(record))
    return records


def _make_record(name: str, runs: Sequence[Mapping[str, Any]], number: int) -> dict[str, Any]:
    links = {job: role for run in runs for role, job in run["jobs"].items()}
    claim = {"id": "narrow_is_as_good", "text": "Nothing is lost.", "metric": "test_top1", "arm": runs[-1]["arm"],
             "against": runs[0]["arm"], "expect": "not_worse", "margin": 0.05}  # fmt: skip
    record = {
        "version": 1, "name": name, "title": f"The experiment {name}", "baseline": runs[0]["arm"],
        "submitted_at": START + 60 * number, "priority": 0, "spec": {"name": name, "claims": [claim]},
        "claims": [claim], "runs": list(runs), "number": 1,
        "jobs": [{"job": job, "kind": _kind(role), "needs": [], "details": {}, "cost": 60.0, "chain": 60.0}
                 for job, role in links.items()],
    }  # fmt: skip
    return seal(record)


def _fill_queue(home: Home, records: Sequence[Mapping[str, Any]], alive: Sequence[str]) -> None:
    with Queue(home.queue_db) as queue:
        for record in records:
            done = {entry["job"] for entry in record["jobs"]} - {*alive}
            queue.add_experiment(record, done)
        for slot, job in enumerate(alive):
            queue.lease(job, 1, f"cpu:{slot}", boot_id="x", expires=1e12, now=START)


def _fill_results(home: Home, made: Sequence[LargeRun], steps: int) -> None:
    jobs = _jobs_of(made)
    with Ingest(home.ingest_db) as ingest, ingest.transaction():
        ingest.replace("jobs", "job", [], [_job_row(job, *about) for job, about in jobs.items()])
        ingest.replace("attempts", "job", [], [_attempt_row(job) for job in jobs])
        ingest.replace("provenance", "job", [], [_provenance_row(job) for job in jobs])
        ingest.replace("raw.winners", "job", [], [{"job": job, "attempt": 1} for job in jobs])
        marks = [{"job": job, "attempt": 1, "bytes": 1, "damaged": 0, "compacted": True} for job in jobs]
        ingest.replace("raw.watermarks", "job", [], marks)
        ingest.replace("raw.measurements", "job", [], _measurements(jobs))
        # As they look now, so that a collection finds nothing new in them.
        ingest.mark_seen({f"job:{job}": (sign_settled(home.job(job)), True) for job in jobs})
    students = [(job, run.top1) for job, (role, run) in jobs.items() if role == "student"]
    for first in range(0, len(students), AT_ONCE):
        _fill_curves(home, students[first : first + AT_ONCE], steps)
    with Ingest(home.ingest_db) as ingest, ingest.transaction():
        ingest.refresh(sorted(jobs))


def _job_row(job: str, role: str, run: LargeRun) -> dict[str, Any]:
    about = {"job": job, "kind": _kind(role), "state": "done", "seconds": 60.0, "needs": []}
    return {**about, "settings": dict(run.settings), "figures": {}}


def _attempt_row(job: str) -> dict[str, Any]:
    times = {"started_at": "2025-10-09 09:00:00", "ended_at": "2025-10-09 09:01:00"}
    return {"job": job, "attempt": 1, "outcome": "done", "reason": "", "host": "bench", "device": "cpu", **times}


def _provenance_row(job: str) -> dict[str, Any]:
    about = {"git_commit": "c0ffee" * 6, "git_dirty": False, "python": "3.11", "torch": "2.15.0", "timm": "1.0.31"}
    return {"job": job, "attempt": 1, **about, "host": "bench", "device": "cpu", "spec_digest": "s", "data_digest": "d"}


def _measurements(jobs: Mapping[str, tuple[str, LargeRun]]) -> list[dict[str, Any]]:
    figures = {
        "measure": (("params", 2.1e7, "1"), ("macs", 4e9, "1"), ("infer_images_per_second", 500.0, "images/s"),
                    ("infer_latency", 2.0, "ms")),
        "student": (("train_images_per_second", 170.0, "images/s"), ("host_peak_rss", 9e8, "bytes")),
    }  # fmt: skip
    where = {"device": "cpu", "precision": "fp32", "batch_size": 64, "threads": 2, "n": 30}
    return [
        {"job": job, "attempt": 1, "seq": 1_000_000 + at, "name": name, "value": value * (1 + run.top1), "unit": unit,
         **where}
        for job, (role, run) in jobs.items()
        for at, (name, value, unit) in enumerate(figures.get(role, ()))
    ]  # fmt: skip


def _fill_curves(home: Home, students: Sequence[tuple[str, float]], steps: int) -> None:
    """Put in the curves, the tested accuracy and the predictions of some jobs, in the order that journals have."""
    values = {
        "jobs": [job for job, _ in students], "tops": [top for _, top in students], "names": list(CURVES),
        "falling": list(FALLING), "steps": steps, "curves": len(CURVES), "start": START,
    }  # fmt: skip
    with duckdb.connect(str(home.ingest_db)) as db:
        db.execute("set timezone = 'UTC'; set preserve_insertion_order = true")
        db.execute(CURVE_ROWS, values)
        db.execute(TEST_ROWS, {name: values[name] for name in ("jobs", "tops", "steps", "curves", "start")})
        db.execute(
            IMAGE_ROWS, {name: values[name] for name in ("jobs", "tops", "steps", "curves")} | {"images": IMAGES}
        )


CURVE_ROWS = """
insert into raw.metrics
select $jobs[j.range + 1], 1, s.range * $curves + k.range + 1, $names[k.range + 1], 10 * s.range, s.range // 100,
    case when $names[k.range + 1] in (select unnest($falling)) then 2.5 * exp(-s.range / 300.0)
        else $tops[j.range + 1] * (1 - exp(-s.range / 200.0)) end
        + 0.02 * (hash(j.range, s.range, k.range) % 1000 / 1000.0 - 0.5),
    make_timestamp((($start + s.range * 0.06) * 1e6)::bigint)
from range(len($jobs)) j, range($steps) s, range($curves) k
order by j.range, s.range, k.range
"""
TEST_ROWS = """
insert into raw.metrics
select $jobs[j.range + 1], 1, $steps * $curves + 1, 'test_top1', 10 * $steps, $steps // 100, $tops[j.range + 1],
    make_timestamp((($start + 60) * 1e6)::bigint)
from range(len($jobs)) j
"""
IMAGE_ROWS = """
insert into raw.predictions
select $jobs[j.range + 1], 1, $steps * $curves + 2, 'test', sha256('image ' || i.range), i.range % 10,
    case when hash(j.range, i.range) % 1000 / 1000.0 < $tops[j.range + 1] then i.range % 10 else (i.range + 1) % 10 end,
    0.9
from range(len($jobs)) j, range($images) i
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--runs", type=int, default=10_000)
    parser.add_argument("--steps", type=int, default=1000)
    chosen = parser.parse_args()
    made = make_large_home(chosen.folder, chosen.runs, chosen.steps)
    print(f"{len(made.runs):,} runs, {len(made.runs) * chosen.steps * len(CURVES):,} values: {made.home.root}")


if __name__ == "__main__":
    main()
