"""Neptune's exporter: takes the folder of Parquet files that neptune-exporter wrote, gives runs.

Neptune itself is closed, so what its own clients wrote offline can be sent nowhere any more, and there is no public
description of it: only what was exported can come in. A row is one value of one attribute: project_id, run_id,
attribute_path, attribute_type, step, timestamp, and a column for each kind of value.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from engine.errors import DataError
from engine.exchange.foreign import BrokenRun, ForeignRun, Found, Values
from store.parquet import ParquetError, ask_parquet, parquet_columns

COLUMNS = ("project_id", "run_id", "attribute_path", "attribute_type", "step", "timestamp", "float_value")
SCALARS = ("int", "float", "bool", "string", "datetime")
SYSTEM = "sys/"
WANTED = "', '".join((*SCALARS, "string_set"))
ABOUT = (
    "select attribute_path, attribute_type, int_value, float_value, bool_value, string_value, datetime_value,"
    f" string_set_value from rows where run_id = ? and project_id = ? and attribute_type in ('{WANTED}')"
    " order by attribute_path"
)
POINTS = (
    "select attribute_path, step::double, epoch(timestamp), float_value from rows"
    " where run_id = ? and project_id = ? and attribute_type = 'float_series'"
    " order by attribute_path, step, timestamp"
)
OTHERS = (
    "select attribute_type, count(*) from rows where run_id = ? and project_id = ?"
    f" and attribute_type not in ('float_series', '{WANTED}') group by all order by all"
)
OFFLINE = (".neptune", "*.sqlite3", "*.mdb")
FIX = "name the folder of neptune-exporter's --data-path, which holds *_part_0.parquet files"


def read_neptune(path: Path) -> Found:
    """Return the runs of an export. Raises DataError where it is none, with what else it seems to be."""
    files = [path] if path.suffix == ".parquet" else sorted(path.rglob("*.parquet")) if path.is_dir() else []
    if not files:
        raise DataError(_what_else(path), where=str(path), fix=FIX)
    sound, left = list[Path](), list[str]()
    for file in files:
        problem = _problem(file)
        if problem is None:
            sound.append(file)
        else:
            left.append(f"{file}: {problem}")
    if not sound:
        raise DataError(f"no file here is of neptune-exporter: {left[0]}", where=str(path), fix=FIX)
    rows = ask_parquet(sound, "select distinct project_id, run_id, filename from rows order by all")
    by_run: dict[tuple[str, str], list[Path]] = defaultdict(list)
    for project, run, name in rows:
        by_run[str(project), str(run)].append(Path(name))
    runs = []
    for (project, run), own in by_run.items():
        try:
            runs.append(_make_run(project, run, own))
        except BrokenRun as error:
            left.append(f"{own[0]}: {error.what}")
    return Found(runs, left)


def _what_else(path: Path) -> str:
    told = "there are no Parquet files here"
    offline = path.is_dir() and any(next(path.rglob(pattern), None) for pattern in OFFLINE)
    more = "; offline data of Neptune's own clients cannot be read: they were meant for its servers, which are gone"
    return told + (more if offline else "")


def _problem(file: Path) -> str | None:
    try:
        columns = parquet_columns([file])
    except ParquetError as error:
        return str(error)
    missing = [name for name in COLUMNS if name not in columns]
    return f"it has no column {', '.join(missing)}" if missing else None


def _ask(files: list[Path], query: str, run: str, project: str) -> list[tuple[Any, ...]]:
    try:
        return ask_parquet(files, query, [run, project])
    except ParquetError as error:
        raise BrokenRun(f"it cannot be read: {error}", where=str(files[0])) from error


def _make_run(project: str, run: str, files: list[Path]) -> ForeignRun:
    told = {row[0]: _scalar(row) for row in _ask(files, ABOUT, run, project)}
    system = {key.removeprefix(SYSTEM): value for key, value in told.items() if key.startswith(SYSTEM)}
    tags = {word: system[word] for word in ("tags", "group_tags", "owner", "hostname") if system.get(word)}
    return ForeignRun(
        group=project,
        id=run,
        name=str(system.get("name") or run),
        source=files[0],
        read_values=partial(_read_values, files, run, project),
        status="failed" if system.get("failed") is True else str(system.get("state") or ""),
        started=_seconds(system.get("creation_time")),
        ended=_seconds(system.get("modification_time")),
        params={key: _plain(value) for key, value in told.items() if not key.startswith(SYSTEM)},
        tags=tags,
        artifacts=str(files[0].parent),
        note=str(system.get("description") or ""),
    )


def _scalar(row: tuple[Any, ...]) -> Any:
    kinds: Mapping[str, Any] = dict(zip((*SCALARS, "string_set"), row[2:8], strict=True))
    return kinds[row[1]]


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime) else value


def _seconds(value: Any) -> float | None:
    if not isinstance(value, datetime):
        return None
    return (value if value.tzinfo else value.replace(tzinfo=UTC)).timestamp()


def _read_values(files: list[Path], run: str, project: str) -> Values:
    values = Values()
    points: dict[str, list[tuple[float, float | None, float]]] = defaultdict(list)
    for name, step, time, value in _ask(files, POINTS, run, project):
        points[name].append((step or 0.0, time, float("nan") if value is None else value))
    for name, found in points.items():
        # Steps may be fractions there; here they are whole, so that those of such a series are counted.
        is_whole = all(step.is_integer() for step, _, _ in found)
        for position, (step, time, value) in enumerate(found):
            values.of(name).add(int(step) if is_whole else position, time, value)
        if not is_whole:
            values.notes.append(f"{name}: its steps are fractions, and are counted from 0 here")
    for kind, count in _ask(files, OTHERS, run, project):
        values.leave(f"values of kind {kind}", count)
    return values
