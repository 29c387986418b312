"""The runs of an experiment on their way out: takes a snapshot and a name, gives each run as other tools know runs.

Metrics of the network are called as they were logged, those of other jobs of a run have their role before them, as in
`prune/val_top1`; what `results` says of a run stands under `results/`. Params are the settings by dotted path; tags
tell where it stands here.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from engine.analysis.snapshot import Row, Snapshot
from engine.errors import QueryError
from engine.exchange.foreign import Series
from engine.spec.dotted import flatten_settings
from engine.spec.job_file import IMPORTED
from store.metrics import METRICS

OWN_ROLE, RESULTS = "student", "results"


@dataclass(frozen=True)
class LeavingRun:
    """A run: its place and id here, what it was told, and all its values; times are unix seconds."""

    experiment: str
    run: str
    arm: str
    cell: str
    seed: int
    state: str
    started: float
    ended: float | None
    params: Mapping[str, Any]
    tags: Mapping[str, str]
    series: Mapping[str, Series]
    commit: str

    @property
    def name(self) -> str:
        """How people call it, as in an address."""
        cell = "" if self.cell == "default" else f"/{self.cell}"
        return f"{self.arm}{cell}@{self.seed}"


def leaving_runs(snapshot: Snapshot, name: str) -> Iterator[LeavingRun]:
    """Yield the runs of an experiment, one at a time in memory. Raises QueryError where there is none."""
    snapshot.check_experiment(name)
    rows = snapshot.ask("export_runs", name=name)
    if not rows:
        raise QueryError(f"{name} has no runs", fix="submit it, or see with xp ls what there is")
    figures = {row["run"]: row for row in snapshot.ask("ls_runs", name=name)}
    for row in rows:
        yield _make_run(snapshot, name, row, figures.get(row["run"], {}))


def _make_run(snapshot: Snapshot, name: str, row: Row, figures: Mapping[str, Any]) -> LeavingRun:
    settings = json.loads(row["settings"] or "{}")
    started = float(row["started"] or 0.0)
    series = _read_series(snapshot, row["run"])
    series |= _figures_of(figures, series, float(row["ended"] or started))
    about = {"experiment": name, "run": row["run"], "arm": row["arm"], "cell": row["cell"], "seed": str(row["seed"])}
    made = {"commit": row["commits"], "code": row["codes"], "host": row["hosts"], "device": row["devices"]}
    tags = {f"xp.{word}": str(value) for word, value in {**about, "state": row["state"], **made}.items() if value}
    return LeavingRun(
        experiment=name, run=row["run"], arm=row["arm"], cell=row["cell"], seed=row["seed"], state=row["state"],
        started=started, ended=row["ended"], params=_params_of(settings), tags={**_tags_of(settings), **tags},
        series=series, commit=row["commits"] or "",
    )  # fmt: skip


def _params_of(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings by dotted path; of an imported run its own params, as they came."""
    return flatten_settings(settings.get("params") or {} if IMPORTED in settings else settings)


def _tags_of(settings: Mapping[str, Any]) -> dict[str, str]:
    tags = flatten_settings(settings.get("tags") or {}) if IMPORTED in settings else {}
    return {key: value if isinstance(value, str) else json.dumps(value) for key, value in tags.items()}


def _read_series(snapshot: Snapshot, run: str) -> dict[str, Series]:
    found: dict[str, Series] = {}
    for row in snapshot.ask("export_points", run=run):
        name = row["name"] if row["role"] == OWN_ROLE else f"{row['role']}/{row['name']}"
        found[name] = Series(row["steps"], row["times"], row["values"])
    return found


def _figures_of(figures: Mapping[str, Any], series: Mapping[str, Series], time: float) -> dict[str, Series]:
    """Return what `results` says of the run, each figure at the last step of its network."""
    last = max((one.steps[-1] for one in series.values() if one.steps), default=0)
    told = {name: figures.get(name) for name in METRICS}
    return {
        f"{RESULTS}/{name}": Series([last], [time], [float(value)]) for name, value in told.items() if value is not None
    }


def text_of(value: Any) -> str:
    """Return a setting as text: one that is a text as it is, all else as JSON."""
    if isinstance(value, str):
        return value
    return str(value) if isinstance(value, float) and not math.isfinite(value) else json.dumps(value)
