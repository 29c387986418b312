"""The paper's figures and ours beside them: takes rows of the paper and a sheet, gives a table.

Ours stands beside a figure only where the same thing was run: network, windows, attention, teacher, pruning and split,
and against the arm that the paper compared with. Else the table says what such a run would be.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.analysis.snapshot import Row
from engine.report import number_text
from engine.report.sentences import say
from engine.report.sheet import ReportRows, Sheet
from engine.report.tables import Cell, Table
from store.metrics import METRICS

PAPER_METRICS = {"top1": "test_top1", "throughput": "train_images_per_second", "memory": "cuda_peak_reserved"}
AGAINST = {"with CLIP ViT teacher": "clip", "with ConvNeXt V2 teacher": "convnextv2"}
"""How the paper names the teacher of the network that it compared with; without such words it had none."""
NAMES = {"clip": "CLIP", "convnextv2": "ConvNeXt V2"}
OWN_WINDOWS = "7-7-14-7"
UNMATCHED, UNCLEAR = "no run corresponds", "\u2021"
COLUMNS = (
    "published", "split", "value", "change as printed", "if relative", "if absolute", "ours: value", "ours: absolute",
    "ours: relative",
)  # fmt: skip
Settings = Mapping[str, Any]
Place = tuple[str, str]


@dataclass(frozen=True)
class Wanted:
    """A network as the paper names it; `windows` is empty where it says nothing of them."""

    model: str
    windows: str
    attention: str
    teacher: str
    prune: float | None
    split: str

    def fits(self, settings: Settings) -> bool:
        """Whether an arm is that network. `tiny_vit` without a size is any of them."""
        return (
            _is_model(self.model, str(settings.get("student.arch", "")))
            and self.windows in ("", _windows_of(settings))
            and settings.get("student.attention.kind") == self.attention
            and settings.get("data.split") == self.split
            and (settings.get("prune.ratio") or None) == self.prune
            and settings.get("prune.control") is None
            and settings.get("prune.criterion") != "random"
            and _is_teacher(self.teacher, settings.get("teacher.arch"))
        )

    def __str__(self) -> str:
        windows = f" at windows {self.windows}" if self.windows else ""
        taught = f", taught by {NAMES.get(self.teacher, self.teacher)}" if self.teacher else ", without a teacher"
        pruned = f", pruned by {100 * self.prune:g} %" if self.prune else ""
        return f"{self.model} with {self.attention} attention{windows}{taught}{pruned}, split {self.split}"


def _is_model(model: str, arch: str) -> bool:
    return arch == model or (model == "tiny_vit" and arch.startswith("tiny_vit"))


def _windows_of(settings: Settings) -> str:
    """The first entry is unused: stage 0 is convolutional."""
    windows = settings.get("student.windows")
    return "-".join(map(str, [windows[1], *windows[1:]])) if windows else OWN_WINDOWS


def _is_teacher(wanted: str, arch: str | None) -> bool:
    return wanted in arch if wanted and arch else not wanted and not arch


def published_table(rows: ReportRows, sheet: Sheet) -> Table | None:
    """The paper's figures of this section with both readings of each change, and ours beside them."""
    if not rows.published:
        return None
    marks = unclear_marks(rows.published)
    body = [
        [*printed_cells(row, mark), *our_cells(row, sheet, find_pair(row, sheet))]
        for row, mark in zip(rows.published, marks, strict=True)
    ]
    needs = dict.fromkeys(need for row in rows.published for need in _needs(row, sheet))
    notes = [say("readings"), say("ours"), *unclear_notes(rows.published)]
    notes += [say("no_run", need=need) for need in needs]
    return Table("", COLUMNS, body, notes)


def unclear_marks(published: Sequence[Row]) -> list[str]:
    """Return for each row the mark of a figure that is printed twice or whose meaning is open, else nothing."""
    twice = _printed_twice(published)
    return [_mark(row, twice) for row in published]


def unclear_notes(published: Sequence[Row]) -> list[str]:
    """Return what the marks mean, of those that the rows have."""
    notes = [say("two_changes", mark=UNCLEAR)] if _printed_twice(published) else []
    return notes + ([say("pruned_against", mark=UNCLEAR)] if any(row["prune"] for row in published) else [])


def _figure_of(row: Row) -> tuple[Any, ...]:
    return tuple(row[name] for name in ("model", "attention", "teacher", "prune", "split", "metric", "against"))


def _printed_twice(published: Sequence[Row]) -> set[tuple[Any, ...]]:
    return {figure for figure, count in Counter(map(_figure_of, published)).items() if count > 1}


def _mark(row: Row, twice: set[tuple[Any, ...]]) -> str:
    return f" {UNCLEAR}" if row["prune"] or _figure_of(row) in twice else ""


def wanted_pair(row: Row) -> tuple[Wanted, Wanted]:
    """Return the network of a published row, and the one that it is held against."""
    windows, split = row["windows"] or "", row["split"] or ""
    teacher = next((name for words, name in AGAINST.items() if words in (row["against"] or "")), "")
    ours = Wanted(row["model"], windows, row["attention"] or "", row["teacher"] or "", row["prune"], split)
    return ours, Wanted(row["model"], windows, "window", teacher, None, split)


def _needs(row: Row, sheet: Sheet) -> list[str]:
    return [str(one) for one in wanted_pair(row) if not any(map(one.fits, sheet.settings.values()))]


def find_pair(row: Row, sheet: Sheet) -> tuple[Place, Place] | None:
    """Return the arm of a published row and the one that it is held against, both at one point of the matrix."""
    first, second = ([place for place, tree in sheet.settings.items() if one.fits(tree)] for one in wanted_pair(row))
    pairs = ((one, other) for one in first for other in second if one[1] == other[1] and one != other)
    return next(pairs, None)


def printed_cells(row: Row, mark: str = "") -> list[Cell]:
    """Return what is printed: name, split, value, change as it stands, and both readings of it."""
    value = number_text.NONE if row["value"] is None else f"{row['value']:g} {row['unit'].replace('percent', '%')}"
    unit = {"percent": "points"}.get(row["unit"], row["unit"])
    absolute = number_text.NONE if row["absolute_change"] is None else f"{row['absolute_change']:+g} {unit}"
    relative = number_text.NONE if row["relative_change"] is None else f"{row['relative_change']:+g} %"
    name = f"{row['model']} {row['attention'] or ''} {'pruned' if row['prune'] else ''}: {row['metric']}".replace(
        "  ", " "
    ).replace(" :", ":")
    against = "" if row["against"] is None else f"against {row['against']}"
    return [
        Cell(name, against), Cell(row["split"] or ""), Cell(value), Cell(_printed_change(row, mark)), Cell(relative),
        Cell(absolute),
    ]  # fmt: skip


def _printed_change(row: Row, mark: str) -> str:
    if row["change"] is None:
        return number_text.NONE
    return f"{row['change']:+g}" + (" %" if row["change_unit"] == "percent" else "") + mark


def our_cells(row: Row, sheet: Sheet, pair: tuple[Place, Place] | None) -> list[Cell]:
    """Return ours beside a row: value, change in its own unit, change in per cent; `pair` is what corresponds to it."""
    metric = PAPER_METRICS.get(row["metric"])
    if metric is None or pair is None:
        return [Cell(UNMATCHED), Cell(number_text.NONE), Cell(number_text.NONE)]
    one, other = pair
    source = ", ".join(run["run"] for place in (one, other) for run in sheet.runs[place])
    values, bases = (sheet.seeds(*place, metric) for place in (one, other))
    return [Cell(text, source) for text in _our_figures(metric, values, bases)]


def _our_figures(metric: str, values: Mapping[int, float], bases: Mapping[int, float]) -> tuple[str, str, str]:
    common = sorted(values.keys() & bases.keys())
    if not common:
        return number_text.NONE, number_text.NONE, number_text.NONE
    value, base = (sum(side[seed] for seed in common) / len(common) for side in (values, bases))
    if metric == "test_top1":
        return f"{100 * value:.2f} %", f"{100 * (value - base):+.2f} points", number_text.relative(value, base)
    write = number_text.scale_of(METRICS[metric]).write
    return write(value), f"{'+' if value >= base else '-'}{write(abs(value - base))}", number_text.relative(value, base)
