"""The numbers of what accuracy costs: takes a sheet, gives accuracy against MACs and against memory, with the front."""

from __future__ import annotations

import math
from collections.abc import Sequence

from engine.analysis.fronts import DRAWS, SURE, Quick, Right, front_shares
from engine.analysis.snapshot import Row
from engine.report import number_text
from engine.report.charts.style import point_name
from engine.report.compression_speeds import KINDS
from engine.report.front_chart import Front, FrontPoint
from engine.report.sentences import say
from engine.report.sheet import Sheet
from store.metrics import METRICS, Metric

ACCURACY = "test_top1"
LEAST_ARMS = 2
MEGA, GIGA = 1e-6, 1e-9
LEAST_GIGA = 1e8


def cost_charts(sheet: Sheet) -> list[Front]:
    """Return the charts at the first point of the matrix where two arms have both figures, and differ in the cost."""
    found = []
    for name, metric in (("macs", METRICS["macs"]), ("memory", sheet.shown("memory"))):
        charts = (_chart(sheet, point, name, metric) for point in sheet.points)
        found += [one for one in (next((chart for chart in charts if chart is not None), None),) if one is not None]
    return found


def _chart(sheet: Sheet, point: str, name: str, metric: Metric) -> Front | None:
    arms = [arm for arm in sheet.arms if sheet.seeds(arm, point, ACCURACY) and sheet.mean(arm, point, metric.name)]
    if len(arms) < LEAST_ARMS or len({sheet.mean(arm, point, metric.name) for arm in arms}) == 1:
        return None
    rights = [Right(sheet.seeds(arm, point, ACCURACY)) for arm in arms]
    shares = front_shares(rights, [_thrift(sheet, arm, point, metric) for arm in arms])
    unit, factor = _unit(metric, max(sheet.cells[arm, point, metric.name]["mean"] for arm in arms))
    points = [_point(sheet, arm, point, metric, factor, share) for arm, share in zip(arms, shares, strict=True)]
    where = f", {point_name(point)}" if point_name(point) and len(sheet.points) > 1 else ""
    across = f"{metric.label} [{unit}]"
    return Front(f"cost_{name}", f"Accuracy and {name.replace('macs', 'MACs')}{where}", across, "test accuracy [%]",
                 points, _notes(points))  # fmt: skip


def _unit(metric: Metric, most: float) -> tuple[str, float]:
    """Return the unit of an axis on which the largest value is `most`, and what a figure of SQL is multiplied by."""
    if metric.name == "macs":
        return ("billions", GIGA) if most >= LEAST_GIGA else ("millions", MEGA)
    scale = number_text.scale_of(metric)
    return scale.axis, scale.factor


def _thrift(sheet: Sheet, arm: str, point: str, metric: Metric) -> Quick:
    """Less is better: minus the log of the cost, with the standard error of its seeds (delta method)."""
    row = sheet.cells[arm, point, metric.name]
    if not row["std"] or row["n"] < 2:
        return Quick(-math.log(row["mean"]))
    return Quick(-math.log(row["mean"]), row["std"] / row["mean"] / math.sqrt(row["n"]), row["n"] - 1, (arm,))


def _point(sheet: Sheet, arm: str, point: str, metric: Metric, factor: float, share: float) -> FrontPoint:
    cost, right = sheet.cells[arm, point, metric.name], sheet.cells[arm, point, ACCURACY]
    tree = sheet.settings.get((arm, point), {})
    kind = KINDS.get(str(tree.get("prune.method")), "pruned") if tree.get("prune.ratio") else "whole"
    return FrontPoint(
        arm, sheet.arms.index(arm), kind, factor * cost["mean"], _edges(cost, factor), 100 * right["mean"],
        _edges(right, 100), share,
    )  # fmt: skip


def _edges(row: Row, factor: float) -> tuple[float, float] | None:
    return (factor * row["low"], factor * row["high"]) if row["std"] and row["low"] is not None else None


def _notes(points: Sequence[FrontPoint]) -> list[str]:
    notes = [say("cost_front", sure=round(100 * SURE), rest=round(100 - 100 * SURE), draws=f"{DRAWS:,}")]
    notes += [say("cost_edges")] if any(one.span or one.top for one in points) else []
    return notes + ([say("front_luck")] if any(one.top is None for one in points) else [])
