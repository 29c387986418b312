"""To MLflow: takes runs, writes an experiment of an mlruns folder, laid out as in mlflow_folder.py. Needs no MLflow."""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from engine.exchange.foreign import Series
from engine.exchange.leaving import LeavingRun, text_of

STATUS = {"done": 3, "failed": 4, "cancelled": 5, "running": 1}  # MLflow's numbers: FINISHED, FAILED, KILLED, RUNNING
SCHEDULED = 2
ODD = re.compile(r"[^\w.\- :/]", re.ASCII)
LONGEST_KEY, LONGEST_PARAM = 250, 6000


def write_mlflow(runs: Iterable[LeavingRun], name: str, beside: Path, final: Path) -> list[Path]:
    """Write an experiment below `beside`, whose place will be `final`; return the one folder that it is."""
    number = str(int(hashlib.sha256(name.encode()).hexdigest()[:14], 16) + 10**17)
    folder, place = beside / number, final.resolve() / number
    folder.mkdir(parents=True)
    first = last = 0
    for run in runs:
        _write_run(folder, place, number, run)
        first = min(first or _ms(run.started), _ms(run.started))
        last = max(last, _ms(run.ended or run.started))
    about = {"artifact_location": place.as_uri(), "creation_time": first, "experiment_id": number,
             "last_update_time": last, "lifecycle_stage": "active", "name": name}  # fmt: skip
    _write_meta(folder, about)
    _write_texts(folder / "tags", {"xp.experiment": name})
    return [folder]


def _write_run(folder: Path, place: Path, number: str, run: LeavingRun) -> None:
    identity = hashlib.sha256(f"{run.experiment}/{run.run}".encode()).hexdigest()[:32]
    own = folder / identity
    for part in ("artifacts", "metrics", "params", "tags"):
        (own / part).mkdir(parents=True)
    ended = None if run.state == "running" or run.ended is None else _ms(run.ended)
    about: dict[str, Any] = {
        "artifact_uri": (place / identity / "artifacts").as_uri(), "end_time": ended, "entry_point_name": "",
        "experiment_id": number, "lifecycle_stage": "active", "run_id": identity, "run_name": run.name,
        "run_uuid": identity, "source_name": "xp", "source_type": 4, "source_version": run.commit,
        "start_time": _ms(run.started), "status": STATUS.get(run.state, SCHEDULED), "tags": [], "user_id": "",
    }  # fmt: skip
    _write_meta(own, about)
    source = {"mlflow.runName": run.name, "mlflow.source.name": "xp", "mlflow.source.type": "LOCAL"}
    commit = {"mlflow.source.git.commit": run.commit} if run.commit and "," not in run.commit else {}
    _write_texts(own / "tags", {**run.tags, **source, **commit})
    _write_texts(own / "params", {key: text_of(value)[:LONGEST_PARAM] for key, value in run.params.items()})
    for key, series in file_names(run.series).items():
        path = own / "metrics" / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(_series_text(series, run.started))


def file_names(named: Mapping[str, Any]) -> dict[str, Any]:
    """Return what has these names under keys that MLflow takes; a slash is a folder, which no other key may be."""
    found: dict[str, Any] = {}
    for name, value in named.items():
        key = "/".join(part for part in ODD.sub("_", name)[:LONGEST_KEY].split("/") if part.strip("."))
        is_folder = any(other.startswith(f"{name}/") for other in named)
        key = f"{key}_" if is_folder else key or "_"
        while key in found:  # two names that differ in letters that it does not take
            key += "_"
        found[key] = value
    return found


def _write_texts(folder: Path, texts: Mapping[str, str]) -> None:
    for key, text in file_names(texts).items():
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", errors="replace")


def _write_meta(folder: Path, about: Mapping[str, Any]) -> None:
    # JSON is YAML too.
    (folder / "meta.yaml").write_text("".join(f"{key}: {json.dumps(value)}\n" for key, value in about.items()))


def _series_text(series: Series, otherwise: float) -> str:
    rows = zip(series.steps, series.times, series.values, strict=True)
    return "".join(
        f"{_ms(otherwise if time is None else time)} {_number(value)} {step}\n" for step, time, value in rows
    )


def _number(value: float) -> str:
    return repr(value) if math.isfinite(value) else "nan" if math.isnan(value) else "inf" if value > 0 else "-inf"


def _ms(seconds: float) -> int:
    return round(seconds * 1000)
