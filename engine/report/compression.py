"""The section 'Compression': takes what an experiment tells of it, gives its tables, sentences and charts.

Every compressed arm stands beside its whole one: what was asked and reached, what accuracy it has and what its
controls have, and what was measured in each way that networks were run. A column that no arm has a figure for is left
out, so that a metric of store/metrics.py has its column as soon as something logs it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from engine.analysis.compression import Compressed, Compression, Ran
from engine.analysis.held import family_of
from engine.analysis.sentences import say as say_analysis
from engine.report import number_text
from engine.report.compression_speeds import fit_table, front_chart, mask_sentence, rows_of, speed_table
from engine.report.front_chart import Front
from engine.report.sentences import say
from engine.report.sheet import Sheet
from engine.report.tables import Cell, Table
from engine.spec.prune import CONTROLS, MASKS, Control
from store.metrics import METRICS, Metric

METHODS = {"structured": "smaller layers", "unstructured": "mask", "2:4": "2:4 mask"}
ASKED_OF = {"params": "params", "macs": "MACs"}
WORDS = {"criterion": "prune.criterion", "scope": "prune.scope", "when": "prune.when", "control": "prune.control"}
OVER = {"seeds": "seeds", "images": "test images alone", "seeds and images": "seeds and test images"}
RECOVERY = "prune.recover_epochs"
SIZES = tuple(one for one in METRICS.values() if family_of(one) == "size" and one.better != "neither")
TOLD = tuple(
    one for one in METRICS.values()
    if family_of(one) == "accuracy" and one.better != "neither" and one.source.startswith("figures[")
)  # fmt: skip
MOST_CHARTS = 8
"""What the job of the last network says of its answers beside how many are right: agreement with its parent."""


@dataclass(frozen=True)
class CompressionSection:
    """All that the report says of compressed arms."""

    sentences: Sequence[str]
    tables: Sequence[Table]
    charts: Sequence[Front]
    chart_notes: Sequence[str] = ()


def compression_section(sheet: Sheet, found: Compression | None) -> CompressionSection | None:
    """Return the section, None where no arm is compressed."""
    if found is None:
        return None
    tables, sentences, charts = list[Table](), list[str](), list[Front]()
    for cell in [cell for cell in sheet.points if found.at(cell)]:
        arms, ran = found.at(cell), [one for one in found.ran if one.cell == cell]
        where = "" if len(sheet.points) == 1 or cell == "default" else f", {cell}"
        tables += [replace(table, title=table.title + where) for table in _tables(sheet, found, arms, ran)]
        sentences += [line for one in arms if (line := _mask_line(sheet, one, ran))]
        drawn = [front_chart(sheet, one) for one in ran]
        charts += [replace(chart, title=chart.title + where) for chart in drawn if chart is not None]
    notes = [say("more_fronts", count=MOST_CHARTS, all=len(charts))] if len(charts) > MOST_CHARTS else []
    named = [replace(chart, name=f"front_{at}") for at, chart in enumerate(charts[:MOST_CHARTS], 1)]
    return CompressionSection(sentences, tables, named, [*named[0].notes, *notes] if named else [])


def _tables(sheet: Sheet, found: Compression, arms: Sequence[Compressed], ran: Sequence[Ran]) -> Iterator[Table]:
    yield _size_table(sheet, arms, ran)
    yield _accuracy_table(sheet, arms)
    for one in ran:
        yield speed_table(sheet, one, arms, [row for row in found.measured if row["cell"] == one.cell])


# What was asked and reached -------------------------------------------------------------------------------------------


def _size_table(sheet: Sheet, arms: Sequence[Compressed], ran: Sequence[Ran]) -> Table:
    names = [name for name, _ in rows_of(arms)]
    shown = [one for one in SIZES if any((name, arms[0].cell, one.name) in sheet.cells for name in names)]
    macs = [[sheet.mean(name, arms[0].cell, metric) for name in names] for metric in ("macs", "macs_algorithm")]
    shown = [one for one in shown if one.name != "macs_algorithm" or macs[0] != macs[1]]  # said once where they agree
    columns = ["arm", "against", "method", "asked", *WORDS, "recovery", "foretold", "reached", "measured"]
    columns += map(number_text.heading, shown)
    body = [_size_row(sheet, arm, one, arms[0].cell, shown, ran) for arm, one in rows_of(arms)]
    notes = [say("size_note")] if shown and any(one.whole for one in arms) else []
    return fit_table("Asked and reached", columns, body, notes, 4 + len(WORDS))


def _size_row(
    sheet: Sheet, arm: str, one: Compressed | None, cell: str, shown: Sequence[Metric], ran: Sequence[Ran]
) -> list[Cell]:
    source = ", ".join(run["run"] for run in sheet.runs[arm, cell])
    tree = sheet.settings.get((arm, cell), {}) if one is not None else {}
    asked = tree if tree.get("prune.ratio") else {}
    words = ["" if asked.get(path) is None else str(asked[path]) for path in (*WORDS.values(), RECOVERY)]
    foretold = sheet.mean(arm, cell, "prune_predicted") if one is not None else None
    reached = _reached(sheet, one, tree) if one is not None else None
    told = ["" if share is None and not asked else number_text.percent(share) for share in (foretold, reached)]
    shares = [*told, _saved_latency(tree, arm, ran)]
    texts = [one.whole or "" if one is not None else "", _method(tree), _asked(tree), *words, *shares]
    sizes = [Cell(_size_text(sheet, arm, one, cell, metric), f"{metric.name} of {source}") for metric in shown]
    return [Cell(arm, source), *(Cell(text, source) for text in texts), *sizes]


def _saved_latency(tree: Mapping[str, Any], arm: str, ran: Sequence[Ran]) -> str:
    """Return what share of the latency went, where a share of that was asked: as it was measured, not foretold."""
    speed = ran[0].at_smallest.get(arm) if ran else None
    if tree.get("prune.of") != "latency" or speed is None or speed.ratio is None:
        return ""
    low, high = (number_text.percent(1 - 1 / edge) for edge in speed.ratio.edges)
    return f"{number_text.percent(1 - 1 / speed.ratio.ratio)} [{low}, {high}]"


def _reached(sheet: Sheet, one: Compressed, tree: Mapping[str, Any]) -> float | None:
    """Return the share that went, as its job says; of a network that has its widths from another, by its sizes."""
    told = sheet.mean(one.arm, one.cell, "prune_achieved")
    metric = str(tree.get("prune.of"))
    if told is not None or tree.get("prune.method") != "structured" or metric not in ("params", "macs"):
        return told
    own, base = (sheet.mean(name, one.cell, metric) if name else None for name in (one.arm, one.whole))
    return None if own is None or not base else 1 - own / base


def _method(tree: Mapping[str, Any]) -> str:
    """Say how a network was compressed; words of a method that nobody has named here stand as they are."""
    pruned = str(tree.get("prune.method", "")) if tree.get("prune.ratio") else ""
    words = ", ".join(str(tree[path]) for path in ("quantize.backend", "quantize.mode") if tree.get(path) is not None)
    quantised = [f"int{tree['quantize.bits']} ({words})"] if tree.get("quantize.bits") else []
    return ", ".join([*([METHODS.get(pruned, pruned)] if pruned else []), *quantised])


def _asked(tree: Mapping[str, Any]) -> str:
    ratio = tree.get("prune.ratio")
    if not ratio:
        return ""
    of = str(tree.get("prune.of"))
    of = "weights covered" if tree.get("prune.method") == "2:4" else ASKED_OF.get(of, of)
    share = number_text.percent(float(ratio))
    return f"{share} of {of}" if tree.get("prune.of") else share


def size_of(sheet: Sheet, arm: str, cell: str, metric: str) -> float | None:
    """Return the mean figure of an arm; where no mask lies on a network all its parameters count."""
    value = sheet.mean(arm, cell, metric)
    return sheet.mean(arm, cell, "params") if value is None and metric == "params_nonzero" else value


def _size_text(sheet: Sheet, arm: str, one: Compressed | None, cell: str, metric: Metric) -> str:
    value = size_of(sheet, arm, cell, metric.name)
    base = size_of(sheet, one.whole, cell, metric.name) if one is not None and one.whole is not None else None
    text = number_text.NONE if value is None else number_text.scale_of(metric).write(value)
    return text if value is None or not base else f"{text} ({number_text.percent(value / base)})"


# What it knows --------------------------------------------------------------------------------------------------------


def _accuracy_table(sheet: Sheet, arms: Sequence[Compressed]) -> Table:
    columns = ["arm", "against", "test top-1 [%]", "change [points]", *(f"over {word} [points]" for word in CONTROLS)]
    columns += [number_text.heading(one) for one in TOLD]
    body = [_accuracy_row(sheet, arm, one, arms[0].cell) for arm, one in rows_of(arms)]
    return fit_table("Accuracy, beside controls", columns, body, list(_accuracy_notes(arms)), 2)


def _accuracy_row(sheet: Sheet, arm: str, one: Compressed | None, cell: str) -> list[Cell]:
    source = ", ".join(run["run"] for run in sheet.runs[arm, cell])
    controls = [_control_cell(one, word) for word in CONTROLS]
    change = _change_cell(one, one.whole) if one is not None else Cell("")
    told = [Cell(_told_text(sheet, arm, cell, metric), f"{metric.name} of {source}") for metric in TOLD]
    against = one.whole or "" if one is not None else ""
    return [
        Cell(arm, source),
        Cell(against),
        Cell(_top1(sheet, arm, cell), f"test_top1 of {source}"),
        change,
        *controls,
        *told,
    ]


def _top1(sheet: Sheet, arm: str, cell: str) -> str:
    row = sheet.cells.get((arm, cell, "test_top1"))
    if row is None or not row["n"]:
        return number_text.NONE
    edges = "" if row["low"] is None else f" [{100 * row['low']:.1f}, {100 * row['high']:.1f}]"
    return f"{100 * row['mean']:.1f}{edges} (n={row['n']})"


def _told_text(sheet: Sheet, arm: str, cell: str, metric: Metric) -> str:
    mean, half = sheet.mean(arm, cell, metric.name), sheet.half(arm, cell, metric.name)
    return number_text.spread(mean, half, number_text.scale_of(metric).write)


def _control_cell(one: Compressed | None, word: Control) -> Cell:
    if one is None or (word not in one.controls and word not in one.missing):
        return Cell("")
    return _change_cell(one, one.controls.get(word))


def _change_cell(one: Compressed, other: str | None) -> Cell:
    """How far the arm lies above another in test accuracy, over common seeds, with the half of its 95 % interval."""
    found = one.changes.get(other or "")
    if found is None:
        return Cell(number_text.NONE, "")
    source = f"paired over seeds against {other}: {', '.join(found.runs[0] + found.runs[1])}"
    return Cell(number_text.points(found.difference.mean, found.difference.half), source)


def _accuracy_notes(arms: Sequence[Compressed]) -> Iterator[str]:
    """Yield what must be known to read the table: only what is true of its figures."""
    left = sum(not one.is_compared for one in arms)
    if left:
        yield say("some_compared", count=len(arms) - left, all=len(arms))
    found = [change for one in arms for change in one.changes.values()]
    over = sorted(
        {OVER.get(one.difference.over, one.difference.over) for one in found if one.difference.half is not None}
    )
    edges = [say("gain_edges", over=", or ".join(over))] if over else []
    if found:
        yield " ".join([say("gain_note"), *edges])
    if any(word in one.controls for one in arms for word in CONTROLS):
        yield " ".join(say(f"over_{word}") for word in CONTROLS if any(word in one.controls for one in arms))
    for missing in dict.fromkeys(tuple(one.missing) for one in arms if one.missing):
        which = ", or ".join(say_analysis(f"control_{word}") for word in missing)
        yield say("lacks_note", arms=", ".join(one.arm for one in arms if tuple(one.missing) == missing), which=which)


# Masks ----------------------------------------------------------------------------------------------------------------


def _mask_line(sheet: Sheet, one: Compressed, ran: Sequence[Ran]) -> str:
    tree = sheet.settings.get((one.arm, one.cell), {})
    if not tree.get("prune.ratio") or tree.get("prune.method") not in MASKS or one.whole is None:
        return ""
    sizes = [sheet.mean(arm, one.cell, "params") for arm in (one.arm, one.whole)]
    kept = sheet.mean(one.arm, one.cell, "params_nonzero")
    if None in sizes or kept is None:
        return ""
    return mask_sentence(one, ran, float(kept), (float(sizes[0] or 0), float(sizes[1] or 0)))
