"""The rows of a searched experiment, written by hand: trials of arms, and the best of them trained anew."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from engine.analysis.searches import Searches, gather_searches
from engine.report.page import Page, make_page
from engine.report.searches import SearchSection
from engine.report.sheet import ReportRows
from tests.report.rows import cell_rows, make_rows, run_row

SPACE: dict[str, Any] = {
    "train.lr": {"log": [1e-4, 1e-2]},
    "student.attention.kind": {"choice": ["window", "longformer"]},
    "student.attention.radius": {"int": [1, 3], "when": {"student.attention.kind": "longformer"}},
}
LR = [1e-4 * 10 ** (at / 10) for at in range(20)]


def trial_row(arm: str, trial: int, value: float | None = None, **more: Any) -> dict[str, Any]:
    """A trial, done where it has a figure; `seconds` on `slots` GPUs, or on a processor where there are none."""
    seconds, gpus = more.pop("seconds", 60.0), more.pop("gpus", 0)
    drawn = more.pop("drawn", {"train.lr": LR[trial % len(LR)], "student.attention.kind": "window"})
    job = more.pop("job", f"train-{arm}-{trial}-{more.get('rung', 0)}")
    work = [{"job": job, "seconds": seconds, "is_gpu": gpus > 0, "slots": max(1, gpus)}]
    usual = {"arm": arm, "trial": trial, "rung": 0, "trial_arm": f"{arm}-t{trial:03d}", "why": "tpe", "refused": None,
             "state": "failed" if value is None else "done", "epochs": 3.0}  # fmt: skip
    has_run = not more.get("refused")
    usual |= {} if has_run else {"state": "refused"}
    figures = {"val_top1": value, **more.pop("figures", {})}
    return {**usual, "drawn": json.dumps(drawn), "work": work if has_run else None, **figures, **more}


def trials_of(arm: str, *values: float | None, **more: Any) -> list[dict[str, Any]]:
    return [trial_row(arm, at, value, **more) for at, value in enumerate(values)]


def final_runs(arm: str, *values: float, metric: str = "val_top1") -> list[dict[str, Any]]:
    """The runs of a best that was trained anew, on fresh seeds."""
    return [{**run_row(arm, seed, test_top1=0.5), metric: value} for seed, value in enumerate(values, 1)]


def searched_rows(
    *trials: Sequence[Mapping[str, Any]],
    arms: Sequence[str] = ("a",),
    finals: Mapping[str, tuple[str, int]] | None = None,
    again: Sequence[str] = (),
    runs: Sequence[dict[str, Any]] = (),
    asked: int = 4,
    stopped: bool = False,
    metrics: Sequence[str] = ("val_top1",),
    spaces: Mapping[str, Any] | None = None,
    spec_seeds: Sequence[int] | None = None,
    **search: Any,
) -> ReportRows:
    """All rows of the report of an experiment that is searched; `finals`: an arm -> of which arm and trial it
    is, and those of `again` took another's place; `spaces` are `search.arms`."""
    spec: dict[str, Any] = {
        "name": "x",
        "arms": {arm: {} for arm in arms},
        "search": {"space": SPACE, "trials": asked, **search},
    }
    spec["search"]["arms"] = spaces or {}
    spec |= {} if spec_seeds is None else {"seeds": list(spec_seeds)}
    winners = [
        {"arm": arm, "searched": of, "trial": at, "is_again": arm in again} for arm, (of, at) in (finals or {}).items()
    ]
    return make_rows(
        list(runs), about={"spec": json.dumps(spec)}, cells=cell_rows(runs, ("test_top1", *metrics)), winners=winners,
        searches=[{"asked": asked, "stopped": stopped}], trials=[row for arm in trials for row in arm],
    )  # fmt: skip


def searched_page(*trials: Sequence[Mapping[str, Any]], **more: Any) -> Page:
    return make_page("x", searched_rows(*trials, **more))


def section(*trials: Sequence[Mapping[str, Any]], **more: Any) -> SearchSection:
    found = searched_page(*trials, **more).search
    assert found is not None
    return found


def gathered(*trials: Sequence[Mapping[str, Any]], **more: Any) -> Searches:
    rows = searched_rows(*trials, **more)
    found = gather_searches(json.loads(rows.about["spec"]), rows.searches, rows.trials, rows.winners)
    assert found is not None
    return found


def told(found: SearchSection) -> str:
    """All that a section says in sentences."""
    charts = found.charts
    drawn = [one for one in (charts.best, charts.front, *charts.parallels, *charts.weights) if one is not None]
    notes = [note for one in (*found.tables, *drawn) for note in one.notes]
    return "\n".join([*found.sentences, *notes])
