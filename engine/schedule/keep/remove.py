"""rm: takes EXPERIMENT or EXPERIMENT/ARM, gives what would go and what stays; then removes it, for a day at least.

An experiment goes as its folder: files are the truth, so with that rename it is gone, and what is cut off after it
(rows of the queue, jobs that only it needed) the next command finishes. An arm goes as one more submission without its
runs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from filelock import FileLock

from engine.errors import XpError, closest_hint
from engine.home.files import read_object
from engine.home.paths import Home
from engine.home.pins import read_pins
from engine.home.records import jobs_of, read_record, record_problem
from engine.home.users import other_users
from engine.schedule.growing import without_trial
from engine.schedule.keep.choose import cache_entries, job_entry
from engine.schedule.keep.needs import find_needs
from engine.schedule.keep.sizes import Ledger
from engine.schedule.keep.sweep import job_of
from engine.schedule.keep.trash import (
    Entry,
    Removal,
    begin_removal,
    clear_retired,
    finish_removals,
    move_entries,
    queue_of,
    removing,
    retire,
)
from engine.schedule.lookup import Match
from engine.schedule.orders import give_order
from engine.schedule.submit import write_next
from engine.schedule.worker.rebuild import add_record
from store.queue import Queue

Record = dict[str, Any]


@dataclass(frozen=True)
class Target:
    """What a person wants removed: an experiment, or an arm of it and the submission that is left without it."""

    experiment: str
    arm: str | None = None
    left: Record | None = None
    runs: tuple[str, ...] = ()
    """The arm's."""

    @property
    def name(self) -> str:
        return f"{self.experiment}/{self.arm}" if self.arm else self.experiment


@dataclass(frozen=True)
class Outlook:
    """What would go, how many of the target's jobs others use and stay, which run now, and what rests on it."""

    target: Target
    entries: tuple[Entry, ...]
    stay: tuple[str, ...]
    running: tuple[str, ...]
    pins: tuple[str, ...]

    @property
    def bytes(self) -> int:
        return sum(entry.bytes for entry in self.entries)

    @property
    def jobs(self) -> int:
        return sum(entry.kind == "job" for entry in self.entries)

    def as_json(self) -> dict[str, Any]:
        about = {"target": self.target.name, "bytes": self.bytes, "stay": list(self.stay)}
        more = {"running": list(self.running), "pins": list(self.pins)}
        return {**about, **more, "entries": [entry.model_dump() for entry in self.entries]}


def look(home: Home, text: str) -> Outlook:
    """Return what removing `text` comes to. Changes nothing; raises XpError for what is no experiment or arm."""
    target = find_target(home, text)
    jobs = _jobs_of(home, target)
    with Queue.open_readonly(home.queue_db) as queue:
        running = tuple(row.job for row in queue.running() if row.job in jobs)
    needed = find_needs(home, {target.experiment: target.left})
    stay = tuple(sorted(job for job in jobs if job in needed.keys() - {*running} and needed[job] != target.experiment))
    pins = () if target.arm else tuple(map(str, read_pins(home, target.experiment)))
    mine = [job for job in jobs if job not in needed]
    return Outlook(target, tuple(_entries(home, target, mine)), stay, running, pins)


def find_target(home: Home, text: str) -> Target:
    """Return what `text` names. Raises XpError for an arm that another needs or that there is not."""
    name, _, arm = text.partition("/")
    known = [path.name for path in home.experiments()]
    if name not in known:
        fix = closest_hint(name, known) if known else "there is nothing to remove"
        raise XpError(f"this home has no experiment {name!r}", where="xp rm", fix=fix)
    if not arm:
        return Target(name)
    if not home.records(name):
        raise XpError(f"{name} has no submission, and so no arms", where="xp rm", fix=f"xp rm {name}")
    record = read_record(home.records(name)[-1])
    arms = list(dict.fromkeys(run["arm"] for run in record["runs"]))
    if arm not in arms:
        raise XpError(f"{name} has no arm {arm!r}", where="xp rm", fix=closest_hint(arm, arms))
    if len(arms) == 1:
        raise XpError(f"{arm} is the only arm of {name}", where="xp rm", fix=f"remove the experiment: xp rm {name}")
    if arm == record.get("baseline"):
        fix = "name another baseline in the spec and submit it, without this arm"
        raise XpError(f"{arm} is the baseline of {name}", where="xp rm", fix=fix)
    runs = tuple(run["run"] for run in record["runs"] if run["arm"] == arm)
    return Target(name, arm, without_arm(record, arm), runs)


def without_arm(record: Mapping[str, Any], arm: str) -> Record:
    """Return a submission as if its spec had not had this arm, nor claims about it."""
    runs = [run for run in record["runs"] if run["arm"] != arm]
    needs = {entry["job"]: entry["needs"] for entry in record["jobs"]}
    kept: set[str] = set()
    ahead = [job for run in runs for job in run["jobs"].values()]
    while ahead:
        job = ahead.pop()
        if job not in kept:
            kept.add(job)
            ahead += needs.get(job, ())
    spec = dict(record.get("spec") or {})
    about = {word: _claims_without(record[word], arm) for word in ("claims",) if word in record}
    if "arms" in spec:
        spec["arms"] = {name: changes for name, changes in spec["arms"].items() if name != arm}
    if "claims" in spec:
        spec["claims"] = _claims_without(spec["claims"], arm)
    if "held" in record:
        about["held"] = [job for job in record["held"] if job in kept]
    if "added" in record:
        about["added"] = [place for place in record["added"] if place[0] != arm]
    return {
        **without_trial(record, arm),
        **about,
        "spec": spec,
        "runs": runs,
        "jobs": [one for one in record["jobs"] if one["job"] in kept],
    }


def _claims_without(claims: Sequence[Mapping[str, Any]], arm: str) -> list[Mapping[str, Any]]:
    return [claim for claim in claims if arm not in (claim.get("arm"), claim.get("against"))]


def _jobs_of(home: Home, target: Target) -> list[str]:
    """Return the jobs that all submissions of an experiment had, or the newest one's of an arm, by name."""
    paths = home.records(target.experiment)
    records = [record for path in paths if (record := read_object(path)) and not record_problem(path, record)]
    if target.arm is None:
        return sorted({job for record in records for job in jobs_of(record)})
    assert target.left is not None, "an arm leaves a submission behind"
    return sorted(jobs_of(records[-1]) - jobs_of(target.left))


def _entries(home: Home, target: Target, jobs: Sequence[str]) -> list[Entry]:
    """Return what goes, the experiment first: with it the rest is needed by nobody, wherever a kill falls."""
    ledger, found = Ledger(), []
    if target.arm is None:
        found.append(_entry(home, "experiment", home.experiment(target.experiment), ledger))
        certificates = home.certificates(target.experiment)
        found += [_entry(home, "certificates", path, ledger) for path in {one.parent for one in certificates}]
    may_share = not home.owns_cache or other_users(home)
    for folder in map(home.job, jobs):
        if folder.root.is_dir() and not folder.root.is_symlink():
            found.append(job_entry(home, folder, ledger))
        if not may_share:
            found += cache_entries(home, folder.job, ledger)
    return found


def remove(home: Home, text: str, *, pinned: bool = False) -> tuple[Outlook, Removal]:
    """Remove an experiment or an arm: stop what runs for it alone, move what only it needs into the trash.

    Raises XpError where frozen numbers or an archive rest on it, unless `pinned`, and where a job does not stop.
    """
    with removing(home):
        with queue_of(home) as queue:
            finish_removals(home, queue)
        check_pins(look(home, text), pinned=pinned)
        _stop(home, find_target(home, text))
        # Again: what ran is no longer in the way.
        outlook = look(home, text)
        target = outlook.target
        removal = _take_experiment(home, outlook) if target.arm is None else _take_arm(home, outlook)
        retire(home)
    clear_retired(home)
    return outlook, removal


def check_pins(outlook: Outlook, *, pinned: bool) -> None:
    if outlook.pins and not pinned:
        fix = "keep it; or remove it all the same with --pinned"
        raise XpError(f"{outlook.pins[0]} rests on {outlook.target.name}", where="xp rm", fix=fix)


def _stop(home: Home, target: Target) -> None:
    with Queue.open_readonly(home.queue_db) as queue:
        if target.experiment not in queue.experiment_names():
            return
        jobs = tuple(queue.jobs_of(target.experiment, target.runs if target.arm else None))
    match = Match("arm" if target.arm else "experiment", target.name, target.experiment, jobs, target.runs)
    give_order(home, "cancel", match)


def _take_experiment(home: Home, outlook: Outlook) -> Removal:
    name = outlook.target.experiment
    removal = begin_removal(home, f"xp rm {name}", outlook.entries, [name])
    with FileLock(home.ingest_lock):
        move_entries(home, removal, [0])
        with queue_of(home) as queue:
            if queue:
                queue.remove_experiment(name)
        _move_rest(home, removal, 1)
    return removal


def _take_arm(home: Home, outlook: Outlook) -> Removal:
    target = outlook.target
    assert target.left is not None, "an arm leaves a submission behind"
    name, before = target.experiment, int(home.records(target.experiment)[-1].stem)
    removal = begin_removal(home, f"xp rm {target.name}", outlook.entries, [name], before)
    record = write_next(home, name, target.left)
    with queue_of(home) as queue:
        if queue:
            add_record(home, queue, record)
    with FileLock(home.ingest_lock):
        _move_rest(home, removal, 0)
    return removal


def _move_rest(home: Home, removal: Removal, first: int) -> None:
    """Move the jobs that the queue lets go, and all else from entry `first` on."""
    jobs = [job_of(entry) for entry in removal.entries[first:] if entry.kind == "job"]
    with queue_of(home) as queue:
        kept = set(queue.remove_jobs(jobs)) if queue else set()
    numbers = range(first, len(removal.entries))
    move_entries(home, removal, [number for number in numbers if job_of(removal.entries[number]) not in kept])


def _entry(home: Home, kind: str, path: Path, ledger: Ledger) -> Entry:
    return Entry(kind=kind, place="home", path=path.relative_to(home.root).as_posix(), bytes=ledger.count(path))
