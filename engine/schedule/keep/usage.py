"""What a home takes of the disk: takes a home, gives bytes by experiment and kind, everything counted once.

A job that several experiments use is theirs together: it stands in a row of its own, and each of them says how much of
that row it uses. The sum over all rows is what the folders take.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

from engine.home.files import read_object
from engine.home.paths import Home
from engine.home.records import jobs_of, newest_records
from engine.schedule.keep.sizes import Ledger

KINDS = ("packs", "targets", "checkpoints", "journals", "artifacts", "rest")
SHARED, NOBODY, TRASH, RESULTS, OTHER = "(shared)", "(no experiment)", "(trash)", "(queue and results)", "(other)"
CACHE_ENTRY = re.compile(r"(.+?)(?:\.lock|\.[0-9a-f]{8}\.tmp)?")
JOURNALS = ("journal.jsonl", "journal.parquet", "journal.parquet.json", "log.txt")


@dataclass
class Use:
    """A row: bytes by kind; `shared` is what an experiment uses of what others use too, counted in their row."""

    name: str
    kinds: dict[str, int] = field(default_factory=lambda: dict.fromkeys(KINDS, 0))
    shared: int = 0

    @property
    def bytes(self) -> int:
        return sum(self.kinds.values())

    def as_json(self) -> dict[str, Any]:
        return {"name": self.name, **self.kinds, "bytes": self.bytes, "shared": self.shared}


def disk_use(home: Home) -> list[Use]:
    """Return a row for each experiment, the largest first, then what is shared, nobody's, and the home's own."""
    users, ledger = _users(home), Ledger()
    rows: dict[str, Use] = {name: Use(name) for name in (path.name for path in home.experiments())}
    own = {name: Use(name) for name in (SHARED, NOBODY, TRASH, RESULTS, OTHER)}
    for name in rows:
        rows[name].kinds["rest"] += ledger.count(home.experiment(name)) + sum(
            map(ledger.count, home.certificates(name))
        )
    for job, kinds in _job_kinds(home, ledger).items():
        _add(kinds, users.get(job, ()), rows, own)
    for name, paths in _own_parts(home).items():
        own[name].kinds["rest"] += sum(map(ledger.count, paths))
    rest = ledger.count(home.root) + (0 if home.cache.is_relative_to(home.root) else ledger.count(home.cache))
    own[OTHER].kinds["rest"] += rest
    return sorted(rows.values(), key=lambda row: (-row.bytes, row.name)) + [row for row in own.values() if row.bytes]


def _add(kinds: Mapping[str, int], users: Iterable[str], rows: Mapping[str, Use], own: Mapping[str, Use]) -> None:
    names = sorted(users)
    row = rows[names[0]] if len(names) == 1 else own[SHARED if names else NOBODY]
    for kind, size in kinds.items():
        row.kinds[kind] += size
    for name in names if len(names) > 1 else ():
        rows[name].shared += sum(kinds.values())


def _users(home: Home) -> dict[str, set[str]]:
    """Return job -> the experiments whose newest submission has it; a damaged submission has none."""
    found: dict[str, set[str]] = defaultdict(set)
    for name, path in newest_records(home).items():
        record = read_object(path) or {}
        for job in jobs_of(record) if {"jobs", "runs"} <= record.keys() else ():
            found[job].add(name)
    return found


def _job_kinds(home: Home, ledger: Ledger) -> dict[str, dict[str, int]]:
    """Return job -> kind -> bytes, of its folder and of what it has in the cache."""
    found: dict[str, dict[str, int]] = defaultdict(lambda: dict.fromkeys(KINDS, 0))
    for folder in home.jobs():
        # One that another home has lent is a link, and its bytes are there.
        for path, size in ledger.walk(folder.root):
            found[folder.job][_kind_of(path[len(str(folder.root)) :])] += size
    for kind, root in (("packs", home.pack("")), ("targets", home.targets(""))):
        for entry in sorted(root.iterdir()) if root.is_dir() else ():
            found[cached_job(entry)][kind] += ledger.count(entry)
    return found


def cached_job(path: PurePath) -> str:
    """Return the job whose entry this is: `<job>`, its lock, or `<job>.<uuid>.tmp` of a builder."""
    found = CACHE_ENTRY.fullmatch(path.name)
    return found[1] if found else path.name


def _kind_of(path: str) -> str:
    """Return the kind of a file by its path from the job's folder."""
    parts = path.split("/")
    if "branch" in parts:
        return "checkpoints"
    return next((part for part in reversed(parts) if part in ("checkpoints", "artifacts")), None) or (
        "journals" if parts[-1] in JOURNALS else "rest"
    )


def _own_parts(home: Home) -> dict[str, list[Path]]:
    queue = [home.queue_db.with_name(home.queue_db.name + ending) for ending in ("", "-wal", "-shm")]
    return {TRASH: [home.trash, home.cache_trash], RESULTS: [*queue, home.results_db, home.ingest_db]}
