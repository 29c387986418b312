"""Each sentence about imported runs: a page where it is true, one where it must not appear."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from engine.report.page import make_page
from engine.report.sheet import ReportRows
from tests.report.rows import make_rows, run_row

Told = Callable[[], str]
Row = dict[str, Any]
WORDS = json.dumps({"name": "cifar", "imported": {"tool": "mlflow", "source": "/there/mlruns"}})


def imported_rows(*runs: Row, lasts: tuple[Row, ...] = (), curves: tuple[Row, ...] = ()) -> ReportRows:
    """The rows of an experiment that came from MLflow."""
    about = {"imported": "mlflow", "spec": WORDS}
    return make_rows(runs or (imported_run("net"),), about=about, imported=lasts, imported_curves=curves)


def imported_run(arm: str, seed: int = 0, status: str = "FINISHED") -> Row:
    return run_row(arm, seed, settings={"imported": {"tool": "mlflow", "status": status}, "params": {"lr": arm}})


def last_row(arm: str, name: str, mean: float | None, place: int = 1, names: int = 1) -> Row:
    about = {"arm": arm, "cell": "default", "name": name, "place": place, "names": names}
    return {**about, "n": 1 if mean is not None else 0, "mean": mean, "std": None}


def curve_row(arm: str, step: int, mean: float, n: int = 1, arms: int = 1) -> Row:
    return {
        "arm": arm,
        "name": "loss",
        "step": step,
        "mean": mean,
        "least": mean,
        "most": mean + 1,
        "n": n,
        "arms": arms,
    }


def notice(rows: ReportRows) -> Told:
    return lambda: make_page("cifar", rows).notice


def holes(*runs: Row) -> Told:
    return lambda: "\n".join(make_page("cifar", imported_rows(*runs)).holes)


def notes(*lasts: Row) -> Told:
    return lambda: "\n".join(
        note for table in make_page("cifar", imported_rows(lasts=lasts)).results for note in table.notes
    )


def drawn(arms: int) -> Told:
    rows = tuple(curve_row("net", step, 1.0 / (1 + step), arms=arms) for step in range(3))
    return lambda: " ".join(
        note for chart in make_page("cifar", imported_rows(curves=rows)).curves for note in chart.notes
    )


SHOWN = last_row("net", "acc", 0.5)
IMPORTED_CASES: dict[str, tuple[Told, Told]] = {
    "imported": (notice(imported_rows()), notice(make_rows([run_row("a", 0)]))),
    "imported_ended": (holes(imported_run("net", status="FAILED")), holes(imported_run("net"))),
    "imported_last": (notes(SHOWN), notes()),
    "imported_hidden": (notes({**SHOWN, "names": 9}), notes(SHOWN)),
    "imported_arms": (drawn(13), drawn(1)),
}
