"""MLflow's SQLite store: takes an mlflow.db, gives its runs. Read without MLflow, and never written.

Tables: experiments, runs, params, tags, and metrics with a row for each value. MLflow keeps NaN as 0 with `is_nan`, and
infinities as the largest numbers that a double holds.
"""

from __future__ import annotations

import sqlite3
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import quote

from engine.errors import DataError
from engine.exchange.foreign import BrokenRun, ForeignRun, Found, Values
from engine.exchange.mlflow_folder import DELETED, NOTE, RUN_NAME, seconds_of, sorted_series

MAGIC = b"SQLite format 3\x00"
TABLES = {
    "experiments": {"experiment_id", "name", "lifecycle_stage"},
    "runs": {
        "run_uuid",
        "name",
        "status",
        "start_time",
        "end_time",
        "lifecycle_stage",
        "artifact_uri",
        "experiment_id",
    },
    "metrics": {"key", "value", "timestamp", "run_uuid", "step", "is_nan"},
    "params": {"key", "value", "run_uuid"},
    "tags": {"key", "value", "run_uuid"},
}
RUNS = (
    "select r.run_uuid, r.name, r.status, r.start_time, r.end_time, r.artifact_uri, r.lifecycle_stage, e.name,"
    " e.lifecycle_stage from runs r join experiments e using (experiment_id) order by r.start_time, r.run_uuid"
)
LARGEST = sys.float_info.max


def is_database(path: Path) -> bool:
    """Whether a file is of SQLite."""
    try:
        with open(path, "rb") as handle:
            return handle.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def read_database(path: Path) -> Found:
    """Return the runs of an mlflow.db. Raises DataError where it is no such file, or damaged."""
    try:
        with _open(path) as db:
            _check_tables(db, path)
            params, tags = _texts(db, "params"), _texts(db, "tags")
            rows = db.execute(RUNS).fetchall()
    except sqlite3.Error as error:
        fix = "restore it from a copy; or let MLflow write it once: mlflow db upgrade sqlite:///PATH"
        raise DataError(f"this SQLite file cannot be read: {error}", where=str(path), fix=fix) from error
    there = [row for row in rows if DELETED not in (row[6], row[8])]
    gone = len(rows) - len(there)
    left = [f"{path}: {gone} runs that were deleted in MLflow"] if gone else []
    return Found([_make_run(path, row, params[row[0]], tags[row[0]]) for row in there], left)


@contextmanager
def _open(path: Path) -> Iterator[sqlite3.Connection]:
    """Open a file for reading; one that another process writes is read as it is committed."""
    with closing(sqlite3.connect(f"file:{quote(str(path.resolve()))}?mode=ro", uri=True)) as db:
        db.text_factory = lambda raw: raw.decode("utf-8", "replace")
        yield db


def _check_tables(db: sqlite3.Connection, path: Path) -> None:
    for table, wanted in TABLES.items():
        columns = {row[1] for row in db.execute(f"pragma table_info({table})")}
        if missing := sorted(wanted - columns):
            what = f"table {table} has no {', '.join(missing)}" if columns else f"it has no table {table}"
            fix = "name the database of an MLflow server; an old one becomes new by `mlflow db upgrade sqlite:///PATH`"
            raise DataError(f"this is no database of MLflow that xp knows: {what}", where=str(path), fix=fix)


def _texts(db: sqlite3.Connection, table: str) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = defaultdict(dict)
    for run, key, value in db.execute(f"select run_uuid, key, value from {table} order by key"):
        found[run][key] = value or ""
    return found


def _make_run(path: Path, row: tuple[Any, ...], params: dict[str, str], tags: dict[str, str]) -> ForeignRun:
    run, name, status, started, ended, artifacts, _, group, _ = row
    own = dict(tags)
    return ForeignRun(
        group=str(group),
        id=str(run),
        name=own.pop(RUN_NAME, "") or str(name or run),
        source=path,
        read_values=partial(_read_values, path, str(run)),
        status=str(status or ""),
        started=seconds_of(started),
        ended=seconds_of(ended),
        params=params,
        note=own.pop(NOTE, ""),
        tags=own,
        artifacts=str(artifacts or ""),
    )


def _read_values(path: Path, run: str) -> Values:
    points: dict[str, list[tuple[int, float, float]]] = defaultdict(list)
    try:
        with _open(path) as db:
            rows = db.execute("select key, step, timestamp, value, is_nan from metrics where run_uuid = ?", [run])
            for key, step, time, value, is_nan in rows:
                points[str(key)].append((int(step), time / 1000, float("nan") if is_nan else _unbounded(value)))
    except (sqlite3.Error, TypeError, ValueError) as error:
        raise BrokenRun(f"its metrics cannot be read: {error}", where=str(path)) from error
    return Values({name: sorted_series(points[name]) for name in sorted(points)})


def _unbounded(value: float) -> float:
    return value if abs(value) < LARGEST else float("inf") if value > 0 else float("-inf")
