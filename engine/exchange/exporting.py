"""An export: takes an experiment and a folder, writes what a tool reads; again replaces what was written before.

Beside it lies `xp-<experiment>.json`, which names what is ours there: nothing else is ever replaced or removed.
"""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.analysis.snapshot import one_snapshot
from engine.errors import DataError, closest_hint
from engine.exchange.leaving import LeavingRun, leaving_runs
from engine.exchange.to_mlflow import write_mlflow
from engine.exchange.to_tensorboard import write_tensorboard
from engine.exchange.to_wandb import write_wandb
from engine.home.files import read_object, write_json
from engine.home.paths import Home

Writer = Callable[[Iterable[LeavingRun], str, Path, Path], list[Path]]


@dataclass
class Exported:
    """What an export wrote: runs, values, whether it took the place of an earlier one; `then` says how to see it."""

    out: Path
    runs: int = 0
    values: int = 0
    is_again: bool = False
    then: str = ""


def export_runs(home: Home, tool: str, name: str, out: Path) -> Exported:
    """Write the runs of an experiment into `out` for a tool. Raises DataError where something else is in the way."""
    if tool not in WRITERS:
        raise DataError(f"xp exports nothing to {tool!r}", where="xp export-to", fix=closest_hint(tool, WRITERS))
    if out.exists() and not out.is_dir():
        raise DataError("this is no folder", where=str(out), fix="name a folder, which is made where there is none")
    out.mkdir(parents=True, exist_ok=True)
    before, done = _written_before(out, tool, name), Exported(out)
    beside = out / f".xp-{uuid.uuid4().hex[:8]}.tmp"
    beside.mkdir()
    try:
        with one_snapshot(home) as snapshot:
            paths = WRITERS[tool](_counted(leaving_runs(snapshot, name), done), name, beside, out)
        _check_free(out, paths, before)
        _replace(out, paths, before)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    write_json(_mark(out, name), {"tool": tool, "experiment": name, "paths": sorted(path.name for path in paths)})
    done.is_again, done.then = bool(before), THEN[tool].format(out=out)
    return done


def _counted(runs: Iterator[LeavingRun], done: Exported) -> Iterator[LeavingRun]:
    for run in runs:
        done.runs += 1
        done.values += sum(len(series.values) for series in run.series.values())
        yield run


def _mark(out: Path, name: str) -> Path:
    return out / f"xp-{name}.json"


def _written_before(out: Path, tool: str, name: str) -> list[str]:
    """Return the names in `out` that an earlier export of this experiment wrote."""
    told = read_object(_mark(out, name)) or {}
    if told.get("tool", tool) != tool:
        fix = "name another folder, one for each tool"
        raise DataError(f"{name} was exported to {told['tool']} here", where=str(out), fix=fix)
    paths = told.get("paths")
    return [one for one in paths if _is_plain(one)] if isinstance(paths, list) else []


def _is_plain(name: object) -> bool:
    """Whether it is the name of something in the folder, and leads nowhere else."""
    return isinstance(name, str) and Path(name).name == name and name not in (".", "..")


def _check_free(out: Path, paths: Iterable[Path], before: Iterable[str]) -> None:
    for path in paths:
        if (out / path.name).exists() and path.name not in before:
            fix = "name another folder, or move it away"
            raise DataError("something is there that xp did not write", where=str(out / path.name), fix=fix)


def _replace(out: Path, paths: Iterable[Path], before: Iterable[str]) -> None:
    for name in before:
        shutil.rmtree(out / name, ignore_errors=True)
    for path in paths:
        os.replace(path, out / path.name)


WRITERS: Mapping[str, Writer] = {"mlflow": write_mlflow, "tensorboard": write_tensorboard, "wandb": write_wandb}
THEN: Mapping[str, str] = {
    "mlflow": "mlflow migrate-filestore --source {out} --target sqlite:///mlflow.db, then mlflow server; "
    "or at once: MLFLOW_ALLOW_FILE_STORE=true mlflow server --backend-store-uri {out}",
    "tensorboard": "tensorboard --logdir {out}",
    "wandb": "wandb sync {out}/offline-run-*",
}
