"""Where a number of the results comes from: takes a sheet and a place, gives what a reader asks of it.

The SQL that gives the number, the runs behind it, the code they ran, how many seeds, its interval and its test. The
forms that have room for it show it beside the number; a number without one has its runs named all the same.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.analysis.snapshot import Row
from engine.report import number_text
from engine.report.sheet import Sheet
from store.metrics import Metric

MOST_RUNS = 40  # named in full


@dataclass(frozen=True)
class Origin:
    """The facts of one number by what they are called, in the order to be read."""

    facts: Mapping[str, str]


def mean_origin(sheet: Sheet, arm: str, point: str, metric: Metric) -> Origin | None:
    """Return where the mean of a metric comes from; None where there is none."""
    row = sheet.cells.get((arm, point, metric.name))
    if row is None or not row["n"] or not sheet.experiment:
        return None
    named = {"experiment": sheet.experiment, "arm": arm, "cell": point, "metric": metric.name}
    where = " and ".join(f"{name} = {_quoted(value)}" for name, value in named.items())
    facts = {"SQL": f"select n, mean, std, low, high from cells where {where}", "n": str(row["n"])}
    edges = _edges(row, metric)
    facts |= {"95 % interval": edges} if edges else {}
    return Origin(facts | _runs(sheet, (arm,), point))


def change_origin(sheet: Sheet, arm: str, point: str) -> Origin | None:
    """Return where a change against the baseline comes from; None where there is none."""
    change, base = sheet.change(arm, point), sheet.baseline
    if change is None or base is None or not sheet.experiment:
        return None
    sql = (
        "select seed, a.test_top1 - b.test_top1 as change from results a join results b using (experiment, cell, seed) "
        f"where experiment = {_quoted(sheet.experiment)} and cell = {_quoted(point)} and a.arm = {_quoted(arm)} "
        f"and b.arm = {_quoted(base)} order by seed"
    )
    facts = {"SQL": sql, "n": str(change.n)}
    if change.low is not None and change.high is not None:
        facts["95 % interval"] = f"[{100 * change.low:+.1f}, {100 * change.high:+.1f}], over {change.over}"
    compared = sheet.changes.comparisons.get((arm, point))
    if compared is not None:
        facts["test"] = compared.untested or _test_text(compared.p, compared.adjusted_p)
    return Origin({name: text for name, text in facts.items() if text} | _runs(sheet, (arm, base), point))


def _test_text(p: float | None, adjusted: float | None) -> str:
    if p is None:
        return ""
    return f"p {_p_text(p)}" + ("" if adjusted is None else f", after Holm {_p_text(adjusted)}")


def _p_text(p: float) -> str:
    return "< 0.0001" if p < 1e-4 else f"{p:.2g}"


def _edges(row: Row, metric: Metric) -> str:
    if not row["std"] or row["low"] is None:
        return ""
    scale = number_text.scale_of(metric)
    return f"[{scale.write(row['low'])}, {scale.write(row['high'])}] {scale.sign}".strip()


def _runs(sheet: Sheet, arms: tuple[str, ...], point: str) -> dict[str, str]:
    runs = [run["run"] for arm in arms for run in sheet.runs[arm, point]]
    codes = sorted({code for run in runs if (code := sheet.codes.get(run))})
    more = f" and {len(runs) - MOST_RUNS} more" if len(runs) > MOST_RUNS else ""
    return {"runs": ", ".join(runs[:MOST_RUNS]) + more} | ({"commit": "; ".join(codes)} if codes else {})


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
