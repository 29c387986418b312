"""What must stay: takes a home, gives its jobs that something still rests on, each with what that is.

Needed are the jobs of each experiment's newest submission, those behind frozen numbers and archives, what runs now, and
all that these were made from: what their specs need, and networks whose files their weights or details name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from engine.errors import HomeError
from engine.home.control_files import read_handle
from engine.home.files import parse_object, read_object, read_regular
from engine.home.paths import OWN_NAME, AttemptFolder, Home, JobFolder
from engine.home.pins import Pin, read_pins
from engine.home.records import jobs_of, read_record, record_problem
from engine.launch.process import boot_id, host_name, is_alive
from engine.schedule.growing import open_searches
from store.queue import Queue

Record = Mapping[str, Any]
IN_JOBS = re.compile(r"/jobs/([A-Za-z0-9_][A-Za-z0-9._-]*)/")
DIGEST = re.compile(r"\b[0-9a-f]{64}\b")
NETWORK_SUMS = ("weights_sha256", "tensors_sha256")
RUNS_NOW = "it runs now"


def find_needs(
    home: Home, instead: Mapping[str, Record | None] | None = None, *, with_history: bool = False
) -> dict[str, str]:
    """Return job -> who needs it: an experiment, a pin, a process.

    `instead` are newest submissions as they would be (None: the experiment is gone, pins and all). With `with_history`
    earlier submissions need their jobs too. Raises HomeError where a file that would tell is damaged.
    """
    needed: dict[str, str] = {}
    for job, user in (*_asked(home, instead or {}, with_history), *_at_work(home), *_lent(home)):
        needed.setdefault(job, user)
    _close(home, needed)
    return needed


def _asked(home: Home, instead: Mapping[str, Record | None], with_history: bool) -> Iterator[tuple[str, str]]:
    for name in (path.name for path in home.experiments()):
        if name in instead and instead[name] is None:
            continue
        paths = home.records(name)
        records = [instead.get(name) or read_record(path) for path in paths[-1:]]
        records += [read_record(path) for path in paths[:-1]] if with_history else []
        yield from ((job, name) for record in records for job in sorted(jobs_of(record)))
        yield from _pinned(name, paths, read_pins(home, name))


def closed_rungs(home: Home) -> set[str]:
    """Return the jobs of searches that ended and of nothing else: nobody will go on from them."""
    is_open, closed, others = set(open_searches(home)), set[str](), set[str]()
    for name in (path.name for path in home.experiments()):
        for path in home.records(name)[-1:]:
            record = read_record(path)
            (closed if "search" in record and name not in is_open else others).update(jobs_of(record))
    return closed - others


def _pinned(name: str, paths: list[Path], pins: list[Pin]) -> Iterator[tuple[str, str]]:
    """Yield the jobs of the runs that pins hold, whichever submission had them."""
    wanted = {run: f"{name}: {pin}" for pin in pins for run in pin.about.runs}
    for path in reversed(paths if wanted else []):
        record = read_object(path)
        if record is None or record_problem(path, record):
            continue
        for run in record["runs"]:
            user = wanted.pop(run["run"], None)
            yield from ((job, user) for job in run["jobs"].values() if user)
    if wanted:
        run, user = next(iter(wanted.items()))
        fix = "restore the submission that had it; or remove the pin, if nothing rests on these numbers any more"
        raise HomeError(f"no submission tells which jobs {run} has, and it is held by {user}", fix=fix)


def _at_work(home: Home) -> list[tuple[str, str]]:
    with Queue.open_readonly(home.queue_db) as queue:
        return [(row.job, RUNS_NOW) for row in queue.running()]


def _lent(home: Home) -> list[tuple[str, str]]:
    """Return what scratch homes of verify-resume have of ours, as links or by the name of a pack that they share."""
    return [(path.name, "verify-resume, which works now") for path in home.verify_root.glob("*/jobs/*")]


def _close(home: Home, needed: dict[str, str]) -> None:
    """Add all that the needed jobs were made from, and the networks whose weights they began with."""
    digests: set[str] = set()
    others = {folder.job for folder in home.jobs()} - needed.keys()
    ahead = list(needed)
    while ahead:
        _follow(home, ahead, needed, digests)
        others -= needed.keys()
        ahead = []
        ahead = [job for job, user in _still_in_use(home, sorted(others), digests) if needed.setdefault(job, user)]


def _follow(home: Home, ahead: list[str], needed: dict[str, str], digests: set[str]) -> None:
    while ahead:
        job = ahead.pop()
        for other in _made_from(home.job(job), digests):
            if other not in needed:
                needed[other] = needed[job]
                ahead.append(other)


def _made_from(folder: JobFolder, digests: set[str]) -> set[str]:
    """Return the jobs that a job's spec and details name, and note the sha256 of files that they name."""
    spec, details = _text(folder.spec), _text(folder.details)
    needs = (parse_object(spec) or {}).get("needs")
    found = set(map(str, needs.values())) if isinstance(needs, dict) else set()
    for text in (spec, details):
        digests.update(DIGEST.findall(text))
        found.update(IN_JOBS.findall(text))
    return {name for name in found if OWN_NAME.fullmatch(name)}


def _text(path: Path) -> str:
    try:
        return read_regular(path).decode(errors="replace")
    except (OSError, ValueError):
        return ""


def _still_in_use(home: Home, jobs: Iterable[str], digests: set[str]) -> Iterator[tuple[str, str]]:
    """Yield jobs that no experiment asks for and that are in use all the same."""
    for job in jobs:
        folder = home.job(job)
        told = read_object(folder.result) or {}
        if any(told.get(name) in digests for name in NETWORK_SUMS):
            yield job, "a network that was made from its weights"
        elif any(may_live(attempt) for attempt in folder.attempts()):
            yield job, RUNS_NOW


def may_live(attempt: AttemptFolder) -> bool:
    """Whether an attempt without a verdict may still run: that it cannot be seen is no sign that it is dead."""
    if attempt.outcome.exists():
        return False
    told = read_handle(attempt)
    if told is None:  # it has just begun, or it never did; who takes a job first takes it out of the queue
        return attempt.handle.exists()
    if told.host != host_name():
        return True
    return told.boot_id == boot_id() and is_alive(told.pid, told.start_time)
