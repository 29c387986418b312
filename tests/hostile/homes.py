"""Homes that somebody else wrote or a copy broke: names that are none, pipes and links where files belong."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from tests.hostile.cases import Case

JOB, ATTEMPT = "jobs/pack-0123456789ab", "jobs/pack-0123456789ab/attempts/1"
Make = Callable[[Path], object]


def put(home: Path, name: str, text: str = "{}") -> None:
    place = home / name
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)


def make_home(folder: Path) -> Path:
    home = folder / "home"
    for name in ("experiments", "cache", ATTEMPT):
        (home / name).mkdir(parents=True)
    put(home, f"{JOB}/spec.json", '{"kind": "pack"}')
    return home


def home(name: str, change: Make, code: int, *says: str, ask: tuple[str, ...] = ("rebuild",)) -> Case:
    """A home with one job that has begun, and what `change` does to it."""
    return Case(name, lambda folder: change(make_home(folder)), ask, code, says)


def folders(*names: str) -> Make:
    def make(home: Path) -> None:
        for name in names:
            (home / name).mkdir(parents=True)

    return make


def pipe(name: str) -> Make:
    return lambda home: os.mkfifo(home / name)


def link(name: str, target: str) -> Make:
    def make(home: Path) -> None:
        if (home / name).is_dir():
            (home / name).rmdir()
        (home / name).symlink_to(target)

    return make


NEW = "results.duckdb is new"
QUEUE = ("rebuild", "--queue")
ODD = '{"pid": "x", "start_time": NaN, "slot": "\\ud800", "spent": {"crashed": []}, "ended_at": 1e400, "outcome": {}}'
CASES: list[Case] = [
    home("attempts numbered by other digits", folders(f"{ATTEMPT[:-1]}²", f"{ATTEMPT[:-1]}٣"), 0, NEW),
    home("an attempt of two hundred digits", folders(f"{ATTEMPT[:-1]}{'9' * 200}"), 0, NEW),
    home("a submission numbered by other digits", lambda home: put(home, "experiments/a/².json"), 1, "is gone"),
    home("a submission of two hundred digits", lambda home: put(home, f"experiments/a/{'9' * 200}.json"), 1, "is gone"),
    home("a job whose name breaks the line", folders("jobs/a\nb", "jobs/\x1b]52;c;eA==\x07"), 0, NEW, "1 jobs"),
    home("an experiment whose name steers", folders("experiments/\x1b]52;c;eA==\x07"), 0, NEW),
    home("a pipe among the jobs", pipe("jobs/pipe"), 0, NEW, "1 jobs"),
    home("a link to itself among the jobs", link("jobs/loop", "loop"), 0, NEW, "1 jobs"),
    home("a file among the experiments", lambda home: put(home, "experiments/notes"), 0, NEW),
    home("a pipe as a job's result", pipe(f"{JOB}/result.json"), 1, "result.json"),
    home("a device as a job's result", link(f"{JOB}/result.json", "/dev/zero"), 1, "result.json"),
    home("a result of 100,000 lists", lambda home: put(home, f"{JOB}/result.json", "[" * 100_000), 1, "result.json"),
    home("a verdict of odd words", lambda home: put(home, f"{ATTEMPT}/outcome.json", ODD), 0, NEW, "1 jobs"),
    home("a queue of odd verdicts", lambda home: put(home, f"{ATTEMPT}/outcome.json", ODD), 0, ask=QUEUE),
    home("a handle of odd words", lambda home: put(home, f"{ATTEMPT}/handle.json", ODD), 0, NEW, "1 jobs"),
    home("a pipe as a handle", pipe(f"{ATTEMPT}/handle.json"), 0, NEW, "1 jobs"),
    home("details that are a list", lambda home: put(home, f"{JOB}/details.json", "[[1, 2]]"), 0, NEW, "1 jobs"),
    home("a pipe as queue", pipe("queue.db"), 2, "queue.db: what lies here is no file", ask=("status",)),
    home("a folder as queue", folders("queue.db"), 2, "queue.db: what lies here is no file", ask=QUEUE),
    home("a pipe as the orders", pipe("control.jsonl"), 2, "control.jsonl: what lies here is no file", ask=QUEUE),
    home("a device as results", link("results.duckdb", "/dev/zero"), 2, "is no file", ask=("sql", "select 1")),
    home("a folder as a lock", folders("ingest.lock"), 2, "ingest.lock: what lies here is no file"),
    home("a lock that links to itself", link("ingest.lock", "ingest.lock"), 2, "is a link to itself"),
    home("a cache that links to nowhere", link("cache", "nowhere"), 2, "File exists"),
    home("experiments that link to a file", link("experiments", "/etc/passwd"), 2, "experiments: what lies here"),
]
