"""The numbers of the bars: takes a sheet, gives one chart for accuracy, speed, memory and parameters each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from engine.report import number_text
from engine.report.charts.bars import Bars, Edges
from engine.report.sentences import say
from engine.report.sheet import Sheet
from store.metrics import METRICS, Metric

ACCURACY = "test_top1"
SIDE_BY_SIDE = "infer_speedup"


def bar_charts(sheet: Sheet) -> list[Bars]:
    """Return the charts of which any arm has a figure."""
    charts = {
        "accuracy": METRICS[ACCURACY],
        "throughput": _speed_metric(sheet),
        "memory": sheet.shown("memory"),
        "parameters": METRICS["params"],
    }
    drawn = [make_bars(sheet, name, metric) for name, metric in charts.items()]
    return [one for one in drawn if not one.is_empty]


def _speed_metric(sheet: Sheet) -> Metric:
    """Return what speed is drawn by: what was measured side by side with the baseline, where any arm was."""
    known = {name for arm, _, name in sheet.cells if arm != sheet.baseline or name != SIDE_BY_SIDE}
    order = (SIDE_BY_SIDE, "infer_images_per_second", "train_images_per_second")
    return METRICS[next((name for name in order if name in known), order[-1])]


def make_bars(sheet: Sheet, name: str, metric: Metric) -> Bars:
    """Return one metric of all arms at all points, in the unit that readers see."""
    scale = number_text.scale_of(metric)

    def scaled(value: float | None) -> float | None:
        return None if value is None else value * scale.factor

    arms, points = sheet.arms, sheet.points
    drawn = Bars(
        name=name, title=metric.label, unit=scale.axis or "times", points=points,
        values={arm: [scaled(sheet.mean(arm, point, metric.name)) for point in points] for arm in arms},
        edges={arm: [_edges(sheet, arm, point, metric, scale.factor) for point in points] for arm in arms},
        seeds={arm: [_seeds(sheet, arm, point, metric, scale.factor) for point in points] for arm in arms},
        hatched=frozenset(arm for arm in arms if sheet.is_pruned(arm) or sheet.is_from_scratch(arm)),
    )  # fmt: skip
    return replace(drawn, notes=_notes(sheet, drawn, metric))


def _edges(sheet: Sheet, arm: str, point: str, metric: Metric, factor: float) -> Edges | None:
    """The interval over seeds, and of the accuracy of one seed that over its test images."""
    row = sheet.cells.get((arm, point, metric.name))
    lone = sheet.lone_run(arm, point) if metric.name == ACCURACY else None
    rounds = sheet.round_edges(arm, point) if metric.name == SIDE_BY_SIDE else None
    if rounds is not None:
        return rounds
    if lone is not None:
        return lone["test_low"] * factor, lone["test_high"] * factor
    if row is None or not row["std"] or row["low"] is None:
        return None
    return row["low"] * factor, row["high"] * factor


def _seeds(sheet: Sheet, arm: str, point: str, metric: Metric, factor: float) -> Sequence[float]:
    """The value of each seed, where seeds differ: a figure that was measured once for all is one."""
    row = sheet.cells.get((arm, point, metric.name))
    if row is None or not row["std"]:
        return ()
    return [value * factor for value in sheet.seeds(arm, point, metric.name).values()]


def _notes(sheet: Sheet, drawn: Bars, metric: Metric) -> list[str]:
    notes = [say("bars_note")]
    notes += [say("apart_note")] if metric.unit == "images/s" and _has_jobs_apart(drawn) else []
    notes += [say("speed_note")] if metric.name == SIDE_BY_SIDE else []
    counts = _counts(sheet, metric)
    notes += [say("whiskers_note", counts=_counts_text(counts))] if counts else []
    is_timed = metric.name == SIDE_BY_SIDE and any(sheet.round_edges(*place) for place in list(sheet.runs))
    notes += [say("rounds_whiskers")] if is_timed else []
    is_lone = metric.name == ACCURACY and any(sheet.lone_run(arm, point) for arm, point in list(sheet.runs))
    notes += [say("wilson_whiskers")] if is_lone else []
    notes += [say("dots_note")] if any(len(one) > 1 for row in drawn.seeds.values() for one in row) else []
    notes += [say("hatched_note")] if any(map(sheet.is_pruned, sheet.arms)) else []
    return notes + ([say("hatched_scratch")] if any(map(sheet.is_from_scratch, sheet.arms)) else [])


def _has_jobs_apart(drawn: Bars) -> bool:
    """Whether two bars stand beside each other that jobs of their own measured."""
    return sum(value is not None for row in drawn.values.values() for value in row) > 1


def _counts(sheet: Sheet, metric: Metric) -> dict[str, list[int]]:
    """Return each number of seeds that an interval is over -> with the arms that have it."""
    rows = {(arm, point): row for (arm, point, name), row in sheet.cells.items() if name == metric.name and row["std"]}
    found: dict[str, list[int]] = {}
    for arm in sheet.arms:
        for point in sheet.points:
            if (arm, point) in rows:
                found.setdefault(arm, []).append(int(rows[arm, point]["n"]))
    return found


def _counts_text(counts: dict[str, list[int]]) -> str:
    """Return `n=3` where all are of as many seeds, else the range with the arms of fewest."""
    every = {n for row in counts.values() for n in row}
    if len(every) == 1:
        return f"n={every.pop()}"
    told = (f"{arm} {'/'.join(map(str, dict.fromkeys(row)))}" for arm, row in counts.items())
    return f"n: {', '.join(told)}"
