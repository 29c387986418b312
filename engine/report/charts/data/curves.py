"""The numbers of the learning curves: takes rows of the store, gives a chart of accuracy and one for each kind of loss.

Losses of two kinds are not on one scale: cross-entropy with labels, and what a loss of distillation adds to it or takes
its place with. They never share an axis.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace

from engine.analysis.snapshot import Row
from engine.analysis.things import is_taught, same_form
from engine.report import number_text
from engine.report.charts.curves import Band, Curves, Point
from engine.report.charts.style import point_name
from engine.report.sentences import say
from engine.report.sheet import Sheet
from store.metrics import METRICS, Metric

PLAIN = "ce"
# What a loss of one kind is still made of: where arms differ in these, the heights of their lines do not compare.
PARTS = ("distill.", "teacher.")
PLAIN_PARTS = ("train.label_smoothing", "data.mix", "train.mix", "augment")


def curve_charts(rows: Sequence[Row], sheet: Sheet) -> list[Curves]:
    """Return validation accuracy and training losses at the first point of the matrix that has any."""
    point = next((point for point in sheet.points if any(row["cell"] == point for row in rows)), None)
    if point is None:
        return []
    held = [row for row in rows if row["cell"] == point]
    where = f", {point_name(point)}" if point_name(point) and len(sheet.points) > 1 else ""
    charts = [_accuracy_chart(held, sheet, point), *_loss_charts(held, sheet, point)]
    return [
        replace(chart, title=chart.title + where)
        for chart in charts
        if any(len(line) > 1 for line in chart.lines.values())
    ]


def _accuracy_chart(rows: Sequence[Row], sheet: Sheet, point: str) -> Curves:
    metric = METRICS["val_top1"]
    return _make_chart([row for row in rows if row["name"] == metric.name], rows, sheet, point, metric)


def _loss_charts(rows: Sequence[Row], sheet: Sheet, point: str) -> list[Curves]:
    """Return one chart for each kind of loss, in the order of the arms."""
    metric = METRICS["train_loss"]
    kinds = {arm: _loss_kind(sheet.settings.get((arm, point), {})) for arm in sheet.arms}
    held = [row for row in rows if row["name"] == metric.name]
    present = list(dict.fromkeys(kinds[arm] for arm in sheet.arms if any(row["arm"] == arm for row in held)))
    charts = []
    for kind in present:
        arms = [arm for arm in sheet.arms if kinds[arm] == kind]
        chart = _make_chart([row for row in held if row["arm"] in arms], rows, sheet, point, metric)
        if len(present) > 1:
            chart = replace(chart, name=f"{chart.name}_{file_word(kind)}", title=f"{chart.title}, {_kind_name(kind)}",
                            notes=[*chart.notes, say("losses_note")])  # fmt: skip
        if _is_unlike(kind, [sheet.settings.get((arm, point), {}) for arm in chart.lines]):
            chart = replace(chart, notes=[*chart.notes, say("unlike_losses")])
        charts.append(chart)
    return charts


def file_word(kind: str) -> str:
    """Return a kind of loss as a part of a file's name: one of somebody's own has a colon."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", kind)


def _loss_kind(tree: Mapping[str, object]) -> str:
    return str(tree.get("distill.loss") or PLAIN) if is_taught(tree) else PLAIN


def _kind_name(kind: str) -> str:
    return "cross-entropy" if kind == PLAIN else kind


def _is_unlike(kind: str, trees: Sequence[Mapping[str, object]]) -> bool:
    """Whether what the loss is made of differs between arms, though its kind is the same."""
    parts = PLAIN_PARTS if kind == PLAIN else (*PARTS, *PLAIN_PARTS)
    told = {
        tuple(sorted((path, same_form(value)) for path, value in tree.items() if path.startswith(parts)))
        for tree in trees
    }
    return len(told) > 1


def _make_chart(shown: Sequence[Row], rows: Sequence[Row], sheet: Sheet, point: str, metric: Metric) -> Curves:
    """Return one line for each arm that has one, also where two are equal: each arm is on the chart."""
    factor, before = number_text.scale_of(metric).factor, _all_before(rows, sheet, point)
    lines, bands = dict[str, list[Point]](), dict[str, list[Band]]()
    for row in shown:
        epoch = (before[row["arm"]] if row["role"] == "prune" else 0) + row["epoch"] + 1
        lines.setdefault(row["arm"], []).append((epoch, row["mean"] * factor))
        if row["n"] > 1:
            bands.setdefault(row["arm"], []).append((epoch, row["least"] * factor, row["most"] * factor))
    kept = {arm: sorted(lines[arm]) for arm in sheet.arms if arm in lines}
    pruned = {arm: before[arm] for arm in kept if sheet.mean(arm, point, "prune_asked")}
    drawn = Curves(
        f"curve_{metric.name}", metric.label, number_text.scale_of(metric).axis, kept, sheet.arms, pruned,
        {arm: sorted(bands[arm]) for arm in kept if arm in bands},
    )  # fmt: skip
    return replace(drawn, notes=_notes(shown, drawn))


def _all_before(rows: Sequence[Row], sheet: Sheet, point: str) -> dict[str, int]:
    return {arm: _epochs_before(rows, sheet, arm, point) for arm in sheet.arms}


def _epochs_before(rows: Sequence[Row], sheet: Sheet, arm: str, point: str) -> int:
    """Return the epochs of an arm before pruning: those that were asked for, else those that were logged."""
    asked = sheet.settings.get((arm, point), {}).get("train.epochs")
    logged = [row["epoch"] + 1 for row in rows if row["arm"] == arm and row["role"] != "prune"]
    return int(asked) if asked is not None else max(logged, default=0)


def _notes(rows: Sequence[Row], drawn: Curves) -> list[str]:
    """Return what must be known to read the chart: only what is true of what it shows."""
    fewer = dict.fromkeys(row["arm"] for row in rows if row["n"] < row["seeds"])
    counts = sorted({row["seeds"] for row in rows})
    told = f"n={counts[0]}" if len(counts) == 1 else f"n={counts[0]} to {counts[-1]}" if counts else ""
    notes = [say("curves_note", counts=told)]
    notes += [say("band_note")] if any(least < most for band in drawn.bands.values() for _, least, most in band) else []
    notes += [say("cross_note")] if drawn.pruned else []
    notes += [say("dashes_note")] if any(len(arms) > 1 for arms in drawn.owners.values()) else []
    notes += [say("fewer_note", arms=", ".join(fewer))] if fewer else []
    return notes
