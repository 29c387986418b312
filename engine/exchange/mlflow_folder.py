"""MLflow's file store: takes an mlruns folder, gives its runs. Read without MLflow.

Layout: <experiment id>/meta.yaml names the experiment; <experiment id>/<run id>/ has meta.yaml, params/ and tags/ with
a file for each, and metrics/ with a line for each value: milliseconds, value, step. Names with a slash are folders.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import Any

from engine.errors import SpecError
from engine.exchange.foreign import BrokenRun, ForeignRun, Found, Series, Values
from engine.load.yaml_tree import read_document

META, DELETED = "meta.yaml", "deleted"
STATUS = {1: "RUNNING", 2: "SCHEDULED", 3: "FINISHED", 4: "FAILED", 5: "KILLED"}
EXPERIMENT = re.compile(r"[0-9]+")
RUN_NAME, NOTE = "mlflow.runName", "mlflow.note.content"
LONGEST_TEXT = 100_000  # characters of one param or tag


def is_mlruns(path: Path) -> bool:
    """Whether a folder is a file store: folders of experiments with their meta.yaml."""
    return path.is_dir() and any((one / META).is_file() for one in _experiments(path))


def read_mlruns(path: Path) -> Found:
    """Return the runs of a file store; deleted and broken ones are left out, and told."""
    runs: list[ForeignRun] = []
    left: list[str] = []
    for folder in _experiments(path):
        try:
            about = _read_meta(folder / META)
        except BrokenRun as error:
            left.append(f"{folder}: {error.what}")
            continue
        found, problems = _read_experiment(folder, about)
        runs, left = runs + found, left + problems
    return Found(runs, left)


def _experiments(path: Path) -> list[Path]:
    return sorted(one for one in path.iterdir() if EXPERIMENT.fullmatch(one.name) and one.is_dir())


def _read_experiment(folder: Path, about: dict[str, Any]) -> tuple[list[ForeignRun], list[str]]:
    runs, left, deleted = list[ForeignRun](), list[str](), 0
    for one in sorted(path for path in folder.iterdir() if path.is_dir() and not path.name.startswith(".")):
        if not (one / "metrics").is_dir() and not (one / META).is_file():
            continue  # of models, traces and data sets
        try:
            meta = _read_meta(one / META)
            if meta.get("lifecycle_stage") == DELETED or about.get("lifecycle_stage") == DELETED:
                deleted += 1
                continue
            runs.append(_read_run(one, meta, str(about.get("name") or folder.name)))
        except BrokenRun as error:
            left.append(f"{one}: {error.what}")
    if deleted:
        left.append(f"{folder}: {deleted} runs that were deleted in MLflow")
    return runs, left


def _read_meta(path: Path) -> dict[str, Any]:
    try:
        return read_document(path).tree
    except SpecError as error:
        raise BrokenRun(f"its {META} cannot be read: {error.what}", where=str(path)) from error


def _read_run(folder: Path, meta: dict[str, Any], group: str) -> ForeignRun:
    run = str(meta.get("run_id") or meta.get("run_uuid") or "")
    if not run:
        raise BrokenRun(f"its {META} names no run", where=str(folder))
    tags = _read_texts(folder / "tags")
    return ForeignRun(
        group=group,
        id=run,
        name=tags.pop(RUN_NAME, "") or str(meta.get("run_name") or run),
        source=folder,
        read_values=partial(_read_metrics, folder / "metrics"),
        status=_status(meta.get("status")),
        started=seconds_of(meta.get("start_time")),
        ended=seconds_of(meta.get("end_time")),
        params=_read_texts(folder / "params"),
        note=tags.pop(NOTE, ""),
        tags=tags,
        artifacts=str(meta.get("artifact_uri") or ""),
    )


def _status(told: object) -> str:
    return STATUS.get(told, str(told)) if isinstance(told, int) else str(told or "")


def seconds_of(milliseconds: object) -> float | None:
    """Return unix seconds; None for what is no time."""
    return milliseconds / 1000 if isinstance(milliseconds, int | float) else None


def _read_texts(folder: Path) -> dict[str, str]:
    return {name: _read_text(path)[:LONGEST_TEXT] for name, path in _named_files(folder)}


def _named_files(folder: Path) -> Iterator[tuple[str, Path]]:
    """Yield the files below a folder by what they are called there: a slash in a name is a folder."""
    for path in sorted(folder.rglob("*")) if folder.is_dir() else ():
        if path.is_file() and not path.name.startswith("."):
            yield path.relative_to(folder).as_posix(), path


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise BrokenRun(f"cannot read {path.name}: {error.strerror}", where=str(path)) from error


def _read_metrics(folder: Path) -> Values:
    values = Values()
    for name, path in _named_files(folder):
        values.series[name] = _read_series(path)
    return values


def _read_series(path: Path) -> Series:
    points = []
    for number, line in enumerate(_read_text(path).splitlines(), 1):
        parts = line.split()
        try:
            # An old MLflow had no step; a newer one may name a data set behind it.
            points.append((int(parts[2]) if len(parts) > 2 else 0, int(parts[0]) / 1000, float(parts[1])))
        except (ValueError, IndexError) as error:
            raise BrokenRun(f"line {number} of metric {path.name} is no value", where=f"{path}:{number}") from error
    return sorted_series(points)


def sorted_series(points: list[tuple[int, float, float]]) -> Series:
    """Return (step, time, value) in the order of steps and times: the last is what MLflow shows as the last."""
    with suppress(TypeError):
        points.sort(key=lambda point: point[:2])
    return Series([one[0] for one in points], [one[1] for one in points], [one[2] for one in points])
