"""What compressing saves when networks run: takes what was measured in one way, gives its table, words and chart."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

from engine.analysis.compression import Compressed, Ran, Speed, Way
from engine.analysis.fronts import DRAWS, SURE
from engine.analysis.held import family_of
from engine.analysis.snapshot import Row
from engine.analysis.speeds import SpeedRatio
from engine.inputs.machine import NOISY
from engine.report import number_text
from engine.report.front_chart import Front, FrontPoint
from engine.report.sentences import say
from engine.report.sheet import Sheet
from engine.report.tables import Cell, Table
from store.amounts import counted
from store.metrics import METRICS, Metric

LATENCY, RATE, SPEED_UP = "infer_latency", "infer_images_per_second", "infer_speedup"
P95 = "p95 [ms]"
CLOSE = 0.1
"""An interval of a ratio from 1 - CLOSE to 1 + CLOSE tells that there is nothing worth telling; a wider one tells
nothing."""
SAME = 1e-9
SHORT = 60.0  # seconds
NOISY_MARK = "*"
KINDS = {"structured": "smaller layers", "unstructured": "mask", "2:4": "2:4 mask"}


def rows_of(arms: Sequence[Compressed]) -> list[tuple[str, Compressed | None]]:
    """Return the arms of a table in order: each whole one above the first that is held against it."""
    rows: dict[str, Compressed | None] = {}
    for one in arms:
        if one.whole is not None:
            rows.setdefault(one.whole, None)
        rows[one.arm] = one
    return list(rows.items())


def fit_table(
    title: str, columns: Sequence[str], body: Sequence[Sequence[Cell]], notes: Sequence[str], words: int
) -> Table:
    """Return a table without the columns that have no name, or no value in any row."""
    told = [name and any(row[at].text not in ("", number_text.NONE) for row in body) for at, name in enumerate(columns)]
    kept = [at for at in range(len(columns)) if at == 0 or told[at]]
    rows = [[row[at] for at in kept] for row in body]
    return Table(title, [columns[at] for at in kept], rows, notes, sum(at < words for at in kept))


# The table ------------------------------------------------------------------------------------------------------------


def speed_table(sheet: Sheet, ran: Ran, arms: Sequence[Compressed], measured: Sequence[Row]) -> Table:
    """Return what was measured of whole and compressed arms in one way, with what its figures are of."""
    shown = figures_of(ran.way)
    small, large = f"batch {ran.smallest}", f"batch {ran.largest}"
    speeds = [f"ms at {small}", "times as fast", P95, f"images/s at {large}", "times as fast"]
    held = _held_figures(ran, measured)
    if any("p95" in name for _, name, _ in held if name in [metric.name for metric in shown]):
        speeds[speeds.index(P95)] = ""  # there is a metric of its own for it
    rows = [_speed_row(sheet, ran, arm, one, held, shown) for arm, one in rows_of(arms)]
    body = [row for row in rows if any(cell.text != number_text.NONE for cell in row[1:])]
    columns = ["arm", *speeds, *map(number_text.heading, shown)]
    return fit_table(f"Measured: {way_title(ran.way)}", columns, body, _speed_notes(ran, body), 1)


def way_title(way: Way) -> str:
    """Return how and where networks were run, in words."""
    return f"{way_name(way)}, {way.device}, {way.precision}"


def way_name(way: Way) -> str:
    return f"{way.name}, {counted(way.threads, 'thread')}"


def figures_of(way: Way) -> list[Metric]:
    """Return the metrics of a way of running networks that are no speeds: tails of latency, energy, memory, loading."""
    runtimes = [name.removeprefix(f"{RATE}_") for name in METRICS if name.startswith(f"{RATE}_")]
    found = []
    for one in METRICS.values():
        own = next((runtime for runtime in runtimes if one.name.endswith(f"_{runtime}")), "")
        is_speed = one.name.removesuffix(f"_{own}") in (LATENCY, RATE, SPEED_UP)
        if own == way.runtime and not is_speed and family_of(one) == "inference":
            found.append(one)
    return found


def _held_figures(ran: Ran, measured: Sequence[Row]) -> Mapping[tuple[str, str, int], list[Row]]:
    """Return the rows of this way by arm, name and batch."""
    held: dict[tuple[str, str, int], list[Row]] = {}
    way = ran.way
    for row in measured:
        if (row["device"], row["precision"], row["threads"]) == (way.device, way.precision, way.threads):
            held.setdefault((row["arm"], row["name"], row["batch_size"]), []).append(row)
    return held


def _speed_row(
    sheet: Sheet, ran: Ran, arm: str, one: Compressed | None, held: Mapping[tuple[str, str, int], list[Row]],
    shown: Sequence[Metric],
) -> list[Cell]:  # fmt: skip
    source = ", ".join(run["run"] for run in sheet.runs[arm, ran.cell])
    small, large = ran.at_smallest.get(arm), ran.at_largest.get(arm)
    whole = one.whole if one is not None else None
    name = f"{LATENCY}_{ran.way.runtime}" if ran.way.runtime else LATENCY
    slowest = _mean(row["p95"] for row in held.get((arm, name, ran.smallest), ()))
    texts = [
        _milliseconds(small, ran.smallest), _ratio_text(small),
        number_text.NONE if slowest is None else number_text.significant(slowest),
        _rate_text(large), _ratio_text(large),
    ]  # fmt: skip
    jobs = ", ".join(dict.fromkeys(job for speed in (small, large) if speed for job in speed.jobs))
    jobs = f"{jobs}, of {source}" if jobs else source
    return [
        Cell(arm, source),
        *(Cell(text, jobs) for text in texts),
        *_figure_cells(ran, arm, whole, held, shown, jobs),
    ]


def _figure_cells(
    ran: Ran, arm: str, whole: str | None, held: Mapping[tuple[str, str, int], list[Row]], shown: Sequence[Metric],
    source: str,
) -> list[Cell]:  # fmt: skip
    cells = []
    for metric in shown:
        own, base = (_figure(ran, name, held, metric) if name else None for name in (arm, whole))
        text = number_text.NONE if own is None else _figure_text(metric, own)
        share = f" ({number_text.percent(own / base)})" if own is not None and base else ""
        cells.append(Cell(text + share, f"{metric.name} of {source}"))
    return cells


def _figure_text(metric: Metric, value: float) -> str:
    """Return a figure as readers see it; of short times more than whole seconds."""
    is_short = metric.unit == "s" and value < SHORT
    return f"{number_text.significant(value)} s" if is_short else number_text.scale_of(metric).write(value)


def _figure(ran: Ran, arm: str, held: Mapping[tuple[str, str, int], list[Row]], metric: Metric) -> float | None:
    """Return the mean over an arm's networks, of the load that the metric is of."""
    sizes = [ran.largest] if "largest[" in metric.source else [ran.smallest]
    if not any(word in metric.source for word in ("largest[", "smallest[")):
        sizes = sorted({batch for name, _, batch in held if name == arm})
    rows = [row for name in metric.logged for size in sizes for row in held.get((arm, name, size), ())]
    return _mean(row["value"] for row in rows)


def _mean(values: Iterable[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return sum(known) / len(known) if known else None


def _edges(ratio: SpeedRatio) -> tuple[float, float] | None:
    """Return the edges of an interval, None where nothing was seen to vary."""
    return ratio.edges if ratio.df >= 1 and math.isfinite(ratio.df) else None


def _milliseconds(speed: Speed | None, batch: int) -> str:
    if speed is None:
        return number_text.NONE
    edges = _edges(speed.rate)
    between = edges and (1e3 * batch / edges[1], 1e3 * batch / edges[0])
    return _with_edges(1e3 * batch / speed.rate.ratio, between) + _mark(speed)


def _rate_text(speed: Speed | None) -> str:
    return number_text.NONE if speed is None else _with_edges(speed.rate.ratio, _edges(speed.rate)) + _mark(speed)


def _ratio_text(speed: Speed | None) -> str:
    if speed is None or speed.ratio is None:
        return number_text.NONE
    return _with_edges(speed.ratio.ratio, _edges(speed.ratio)) + _mark(speed)


def _mark(speed: Speed) -> str:
    return f" {NOISY_MARK}" if speed.is_noisy else ""


def _with_edges(value: float, edges: tuple[float, float] | None) -> str:
    text = number_text.significant(value)
    return text if edges is None else f"{text} [{', '.join(map(number_text.significant, edges))}]"


def _speed_notes(ran: Ran, body: Sequence[Sequence[Cell]]) -> list[str]:
    """Return what must be known to read the table: only what is true of its figures."""
    speeds = [*ran.at_smallest.values(), *ran.at_largest.values()]
    notes = [say("pace_note")]
    notes += [say("pace_edges")] if any(_edges(one.rate) for one in speeds) else []
    notes += [say("pace_ratio")] if any(one.ratio is not None for one in speeds) else []
    of = {one.rate.of for one in speeds if _edges(one.rate)} | {one.ratio.of for one in speeds if one.ratio is not None}
    notes += [say(f"pace_{word}") for word in ("rounds", "networks") if word in of]
    is_noisy = any(one.is_noisy for one in speeds)
    return [" ".join(notes), *([say("pace_noisy", mark=NOISY_MARK, share=round(100 * NOISY))] if is_noisy else [])]


# Masks ----------------------------------------------------------------------------------------------------------------


def mask_sentence(one: Compressed, ran: Sequence[Ran], kept: float, sizes: tuple[float, float]) -> str:
    """Return what a mask saved, as far as it was measured: of `sizes` parameters, its own and the whole one's, `kept`
    are not zero. Nothing where they are of unlike sizes: then the mask is not all that differs."""
    if sizes[0] != sizes[1]:
        return ""
    zero = number_text.percent(1 - kept / sizes[0])
    held = {way.way: way.at_smallest.get(one.arm) for way in ran}
    ratios = {way: speed.ratio for way, speed in held.items() if speed is not None and speed.ratio is not None}
    about = {"arm": one.arm, "whole": one.whole, "zero": zero}
    if not ratios:
        return say("mask_unmeasured", **about)
    told = ", ".join(f"{_ratio_of(ratio)} ({way_name(way)})" for way, ratio in ratios.items())
    return say(_mask_word(list(ratios.values())), speeds=told, **about)


def _ratio_of(ratio: SpeedRatio) -> str:
    return _with_edges(ratio.ratio, _edges(ratio))


def _mask_word(ratios: Sequence[SpeedRatio]) -> str:
    edges = [ratio.edges for ratio in ratios]
    if any(low > 1 or high < 1 for low, high in edges):
        return "mask_moved"
    is_close = all(low >= 1 - CLOSE and high <= 1 + CLOSE for low, high in edges)
    return "mask_free" if is_close else "mask_unclear"


# The chart ------------------------------------------------------------------------------------------------------------


def front_chart(sheet: Sheet, ran: Ran) -> Front | None:
    """Return accuracy against latency of the arms that have both; None for fewer than two."""
    points = [_front_point(sheet, ran, arm, share) for arm, share in ran.front.items()]
    if len(points) < 2:
        return None
    speeds = [ran.at_smallest[arm] for arm in ran.front]
    is_level = any(abs(one.level.log - one.rate.log) > SAME for one in speeds)
    title = f"Accuracy and latency: {way_name(ran.way)}"
    return Front(
        "front",
        title,
        f"ms at batch {ran.smallest}",
        "test accuracy [%]",
        points,
        _front_notes(points, is_level=is_level),
    )


def _front_point(sheet: Sheet, ran: Ran, arm: str, share: float) -> FrontPoint:
    row, level = sheet.cells[arm, ran.cell, "test_top1"], ran.at_smallest[arm].level
    edges = _edges(level)
    top = None if row["low"] is None else (100 * row["low"], 100 * row["high"])
    tree = sheet.settings.get((arm, ran.cell), {})
    quantised = any(path.startswith("quantize") and value for path, value in tree.items())
    pruned = KINDS.get(str(tree.get("prune.method")), "pruned") if tree.get("prune.ratio") else "whole"
    return FrontPoint(
        arm, sheet.arms.index(arm), "quantised" if quantised else pruned,
        1e3 * ran.smallest / level.ratio, edges and (1e3 * ran.smallest / edges[1], 1e3 * ran.smallest / edges[0]),
        100 * float(row["mean"]), top, share,
    )  # fmt: skip


def _front_notes(points: Sequence[FrontPoint], *, is_level: bool) -> list[str]:
    notes = [say("front_note", sure=round(100 * SURE), rest=round(100 - 100 * SURE), draws=f"{DRAWS:,}")]
    notes += [say("front_level")] if is_level else []
    return notes + ([say("front_luck")] if any(point.top is None for point in points) else [])
