"""The files of a home as rows: takes records, job folders and attempts, gives what the tables hold, and looks of files.

A file that is missing or damaged gives an empty row and stops nothing else. A look is a text that changes when a file
does.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from engine.errors import HomeError
from engine.home.control_files import HandleFile, OutcomeFile, read_details, read_handle, read_outcome
from engine.home.files import read_object
from engine.home.paths import AttemptFolder, JobFolder
from engine.home.records import record_problem
from engine.home.seals import is_sealed

PUBLISHED = Path(__file__).parents[2] / "specs" / "published.csv"
PROVENANCE = (
    "git_commit", "git_dirty", "python", "torch", "timm", "host", "device", "driver", "spec_digest", "data_digest",
    "code_digest", "changes_digest",
)  # fmt: skip
IN_FILES_ALONE = ("packages",)  # long and nearly always the same: the store knows its digest
Row = dict[str, Any]


def read_published() -> Iterator[Row]:
    """Yield the rows of specs/published.csv, empty fields as nulls."""
    with open(PUBLISHED, newline="") as handle:
        for line in csv.DictReader(handle):
            yield {name: value or None for name, value in line.items()}


def experiment_rows(paths: Mapping[str, Path]) -> dict[str, list[Row]]:
    """Return table -> rows of the newest records of some experiments (name -> file)."""
    tables: dict[str, list[Row]] = {
        table: [] for table in ("experiments", "claims", "searches", "raw.runs", "raw.run_jobs", "raw.trials")
    }
    for name, path in paths.items():
        # A damaged one has no runs: which they were is not known any more.
        record = read_object(path) or {}
        # One without a checksum is of an older version, and taken for what it says.
        is_new = is_sealed(record) or "number" in record
        record = {} if is_new and record_problem(path, record) else record
        spec = record.get("spec") or {}
        about = {"experiment": name, "title": record.get("title"), "baseline": record.get("baseline"), "spec": spec}
        when = {"submitted_at": time_text(record.get("submitted_at")), "submission": int(path.stem)}
        imported = (record.get("imported") or {}).get("tool")
        tables["experiments"].append({**about, **when, "imported": imported})
        claims = record.get("claims") or spec.get("claims") or ()
        tables["claims"] += [{**claim, "claim": claim.get("id"), "experiment": name} for claim in claims]
        trials = _trial_rows(name, record)
        tables["raw.trials"] += trials
        tables["searches"] += _search_rows(name, record)
        tried = {trial["trial_arm"] for trial in trials if trial["stage"] != "final"}
        for position, run in enumerate(record.get("runs", ())):
            own = trials_name(name) if run["arm"] in tried else name
            tables["raw.runs"].append({**run, "experiment": own, "jobs": None, "position": position})
            tables["raw.run_jobs"] += [
                {"experiment": own, "run": run["run"], "job": job, "role": role}
                for role, job in run["jobs"].items()
                if job
            ]
    return tables


def trials_name(name: str) -> str:
    """Return under which name the runs of an experiment's trials stand: no arm of it, and in none of its tables."""
    return f"{name}/trials"


def _search_rows(name: str, record: Mapping[str, Any]) -> list[Row]:
    told = record.get("search")
    return [{"experiment": name, "asked": told.get("asked"), "stopped": told.get("stopped")}] if told else []


def _trial_rows(name: str, record: Mapping[str, Any]) -> list[Row]:
    """Return what was decided of each trial on each of its rungs; the runs of finals are those of arms as any other."""
    told = (record.get("search") or {}).get("trials", ())
    words = ("arm", "trial", "trial_arm", "why", "refused", "settings")
    usual = {"experiment": name, "rung": 0, "stage": "train"}
    return [
        {
            **usual,
            **{word: trial.get(word) for word in words},
            **{word: trial[word] for word in ("rung", "stage") if word in trial},
            "asked_at": time_text(trial.get("at")),
        }
        for trial in told
    ]


def job_row(folder: JobFolder, states: Mapping[str, str], *, is_damaged: bool = False) -> Row:
    """Return what a job was, its state and, when done, its seconds and figures; of a damaged one none of these."""
    spec, result = ({}, {}) if is_damaged else (read_object(folder.spec) or {}, read_object(folder.result) or {})
    needs = spec.get("needs") or {}
    return {
        "job": folder.job,
        "kind": spec.get("kind") or folder.job.rpartition("-")[0] or None,
        "state": state_of(folder, states),
        "seconds": result.get("seconds"),
        "needs": sorted(needs.values()),
        "settings": spec.get("settings"),
        "figures": result.get("figures"),
    }


def state_of(folder: JobFolder, states: Mapping[str, str]) -> str:
    """A committed result is the truth; all else is what the queue says."""
    return "done" if folder.result.exists() else states.get(folder.job, "queued")


def attempt_row(job: str, attempt: AttemptFolder, winners: list[tuple[str, int]]) -> Row:
    """Return one attempt with its outcome; the committed one is done before its scheduler says so."""
    told, handle = read_outcome(attempt), read_handle(attempt) or HandleFile()
    outcome = told or OutcomeFile()
    about = read_object(attempt.provenance) or {}
    return {
        "job": job,
        "attempt": attempt.number,
        "outcome": outcome.outcome or ("done" if (job, attempt.number) in winners else None),
        "reason": None if told is None else outcome.reason,
        "host": handle.host or about.get("host"),
        "device": about.get("device"),
        "slot": outcome.slot or None,
        "started_at": time_text(outcome.started_at),
        "ended_at": time_text(outcome.ended_at),
    }


def provenance_row(job: str, attempt: AttemptFolder) -> Row | None:
    """Return what an attempt ran with, or None where it has not said."""
    about = read_object(attempt.provenance) or {}
    if not about:
        return None
    more = {name: value for name, value in about.items() if name not in (*PROVENANCE, *IN_FILES_ALONE)}
    if "details" not in about:  # of an attempt that did not say how it was done: as its job should be
        more |= _details_of(attempt)
    known = {name: about.get(name) for name in PROVENANCE}
    return {"job": job, "attempt": attempt.number, **known, "more": more}


def _details_of(attempt: AttemptFolder) -> Row:
    try:
        details = read_details(JobFolder(attempt.root.parents[1]))
    except (HomeError, OSError):
        return {}
    return {"details": details} if details else {}


def winner_of(folder: JobFolder) -> int | None:
    """Return the number of the committed attempt."""
    number = (read_object(folder.result) or {}).get("attempt")
    return None if number is None else int(number)


def sign_job(folder: JobFolder) -> str:
    """Return the look of everything under a job that rows are made of."""
    paths = [folder.spec, folder.result]
    for one in folder.attempts():
        paths += [one.journal, one.compacted, one.compacted_sum, one.handle, one.provenance, one.outcome, one.result]
    return sign_settled(folder) + "|" + "|".join(sign_file(path) for path in paths)


def sign_settled(folder: JobFolder) -> str:
    """A new attempt, or a result that was not there, changes the time of a folder."""
    return sign_file(folder.root / "attempts") + sign_file(folder.result)


def sign_file(path: Path) -> str:
    """Return the look of a file: time, size and inode; `-` where there is none."""
    try:
        stat = path.stat()
    except FileNotFoundError:
        return "-"
    # The inode: a file may be replaced by one as large within one tick of the clock.
    return f"{stat.st_mtime_ns:x}.{stat.st_size:x}.{stat.st_ino:x}"


def size_of(path: Path) -> int:
    """Return a file's size, 0 where there is none."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def time_text(value: Any) -> str | None:
    """Return UTC without a zone, as the store keeps times, from unix seconds or an ISO text."""
    if value is None:
        return None
    try:
        moment = datetime.fromtimestamp(value, UTC) if isinstance(value, int | float) else datetime.fromisoformat(value)
    except (ValueError, OverflowError):
        return None
    return (moment.astimezone(UTC) if moment.tzinfo else moment).replace(tzinfo=None).isoformat(sep=" ")
