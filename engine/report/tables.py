"""The tables of a report: take a sheet of figures, give finished text."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.analysis.claims import Judged, interval_text, tested_text
from engine.analysis.snapshot import Row
from engine.analysis.statistics import paired_shares
from engine.analysis.things import HEADS as THING_HEADS
from engine.analysis.trainings import UNKNOWN, unknown_arms
from engine.report import number_text
from engine.report.sheet import ReportRows, Sheet
from store.metrics import METRICS, Metric

HEADS = ("kind", "arch", "ratio", "loss", "radius", "globals", "pattern", "select", "epochs", "weights")
COLUMNS = tuple(dict.fromkeys(metric.column for metric in METRICS.values() if metric.column not in ("", "accuracy")))
NEWER = ("macs_algorithm", "speed-up")  # left out where no run has a figure, as in results of older versions
OF_A_RUN = ("test_top1", "val_top1", "train_seconds")


@dataclass(frozen=True)
class Cell:
    """One finished entry of a table; `source` names the runs behind it."""

    text: str
    source: str = ""
    is_best: bool = False


@dataclass(frozen=True)
class Table:
    """A finished table: the first column is text, the others are numbers."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    notes: Sequence[str] = ()


def result_table(sheet: Sheet, point: str) -> Table:
    shown = {column: sheet.shown(column) for column in COLUMNS}
    # The baseline alone is no comparison: it is 1 beside itself even where nothing was measured beside it.
    known = {name for arm, _, name in sheet.cells if arm != sheet.baseline}
    metrics = [metric for column, metric in shown.items() if column not in NEWER or metric.name in known]
    change = ["change [points]", "relative"]
    headings = [number_text.heading(metric) for metric in (METRICS["test_top1"], *metrics)]
    columns = ["arm", headings[0], *change, *headings[1:]]
    rows = [_result_row(sheet, arm, point, metrics) for arm in sheet.arms if (arm, point) in sheet.runs]
    return Table("" if point == "default" else point, columns, rows, _result_notes(sheet, point))


def _result_row(sheet: Sheet, arm: str, point: str, metrics: Sequence[Metric]) -> list[Cell]:
    source = ", ".join(run["run"] for run in sheet.runs[arm, point])
    mark = " (baseline)" if arm == sheet.baseline else ""
    first = [Cell(f"{arm}{mark}", source), _accuracy_cell(sheet, arm, point, source)]
    rest = [_metric_cell(sheet, arm, point, metric, source) for metric in metrics]
    return [*first, *_change_cells(sheet, arm, point, source), *rest]


def _metric_cell(sheet: Sheet, arm: str, point: str, metric: Metric, source: str) -> Cell:
    mean, std = sheet.mean(arm, point, metric.name), sheet.std(arm, point, metric.name)
    text = number_text.spread(mean, std, number_text.scale_of(metric).write)
    return Cell(text + _rounds_text(sheet, arm, point, metric), f"{metric.name} of {source}")


def _rounds_text(sheet: Sheet, arm: str, point: str, metric: Metric) -> str:
    """The interval of a ratio that one measurement in rounds stands for; networks of several have their spread."""
    runs = [run for run in sheet.runs[arm, point] if run.get("speedup_low") is not None]
    edges = {(run["speedup_low"], run["speedup_high"]) for run in runs}
    if metric.name != "infer_speedup" or len(edges) != 1:
        return ""
    low, high = next(iter(edges))
    return f" [{number_text.significant(low)}, {number_text.significant(high)}]"


def _accuracy_cell(sheet: Sheet, arm: str, point: str, source: str) -> Cell:
    row = sheet.cells.get((arm, point, "test_top1"))
    if row is None or not row["n"]:
        return Cell(number_text.NONE, source)
    text = number_text.accuracy(row["mean"], row["std"], row["n"], _widest_half(sheet, point))
    if row["n"] == 1:
        text = _one_run(sheet, arm, point) or text
    return Cell(text, f"test_top1 of {source}", sheet.changes.leaders.get(point) == arm)


def _one_run(sheet: Sheet, arm: str, point: str) -> str:
    """One run has no spread over seeds; it has Wilson's interval over its test images."""
    run = next((run for run in sheet.runs[arm, point] if run["test_top1"] is not None), None)
    if run is None or run["test_low"] is None:
        return ""
    return f"{100 * run['test_top1']:.1f} [{100 * run['test_low']:.1f}, {100 * run['test_high']:.1f}] (n=1)"


def _widest_half(sheet: Sheet, point: str) -> float | None:
    """Return the widest half of an interval in a table, so that all its rows have the same decimals."""
    rows = [sheet.cells.get((arm, point, "test_top1")) for arm in sheet.arms]
    return max(((row["high"] - row["low"]) / 2 for row in rows if row and row["high"] is not None), default=None)


def _change_cells(sheet: Sheet, arm: str, point: str, source: str) -> list[Cell]:
    """The change against the baseline over the seeds that both arms have, with the interval of their comparison."""
    if sheet.baseline is None or arm == sheet.baseline:
        return [Cell(""), Cell("")]
    ours, base = (sheet.seeds(name, point, "test_top1") for name in (arm, sheet.baseline))
    compared = sheet.changes.comparisons.get((arm, point))
    change = compared.difference if compared is not None else paired_shares(ours, base)
    pair = f"paired over seeds against {sheet.baseline}: {source}"
    if change is None:
        return [Cell(number_text.NONE, pair), Cell(number_text.NONE, pair)]
    common = [base[seed] for seed in base if seed in ours]
    before = sum(common) / len(common)
    return [
        Cell(number_text.points(change.mean, change.half) + sheet.changes.mark(arm, point), pair),
        Cell(number_text.relative(before + change.mean, before), pair),
    ]


def _result_notes(sheet: Sheet, point: str) -> list[str]:
    notes = []
    for arm in sheet.arms:
        asked = sheet.mean(arm, point, "prune_asked")
        if asked:
            reached = number_text.percent(sheet.mean(arm, point, "prune_achieved"))
            notes.append(f"{arm}: pruning of {number_text.percent(asked)} was asked, {reached} reached.")
    notes += [_split_note(row) for row in sheet.splits if row["cell"] == point] + _epoch_notes(sheet, point)
    notes += [
        f"{arm}: begins with or learns from weights {UNKNOWN}, which may have been trained on these test images."
        for arm in unknown_arms(sheet.trainings, point)
    ]
    notes += sheet.changes.notes(point)
    if point != sheet.points[-1]:
        return notes
    notes.append(
        "Accuracy: mean ± standard deviation over n seeds, on the test part, measured once. Bold: the highest "
        "mean, where its difference to the second is real (p < 0.05 beside all other tests of the table)."
    )
    if any(row["n"] == 1 for key, row in sheet.cells.items() if key[2] == "test_top1"):
        notes.append(
            "With one seed: Wilson's 95 % interval over the test images; it knows nothing of the luck of a seed."
        )
    if sheet.baseline and len(sheet.arms) > 1:
        notes.append(
            "Change: the mean difference over common seeds ± half of its 95 % interval, over seeds and, from three "
            "on, their test images together, in percentage points; "
            "relative: the change in per cent of the baseline."
        )
    if any(run.get("speedup_low") is not None for runs in sheet.runs.values() for run in runs):
        notes.append(
            "Speed-up: images/s over the baseline's, which was measured in turn with each network, in new processes "
            "each round; in brackets the 95 % t interval over rounds, on the log scale."
        )
    if len(sheet.points) > 1:
        notes.append("Tables with different splits have different test images: compare within a table, not across.")
    return notes


def _epoch_notes(sheet: Sheet, point: str) -> list[str]:
    """Say how long each arm was trained where that differs: more training is not to be taken for what is studied."""
    spent = {arm: sheet.mean(arm, point, "epochs_spent") for arm in sheet.arms}
    known = [f"{arm} {count:g}" for arm, count in spent.items() if count is not None]
    is_even = len({count for count in spent.values() if count is not None}) < 2
    return [] if is_even else [f"Epochs in all, recovery after pruning included: {', '.join(known)}."]


def _split_note(row: Row) -> str:
    """Say that a training went on in micro-batches, and what that changed beyond rounding."""
    split = json.loads(row["split"])
    seeds = ", ".join(map(str, row["seeds"]))
    note = f"{row['arm']}, seed {seeds}: {row['role']} trained {split['images']} of {split['batch_size']} images at a"
    note += " time, after running out of memory; the steps are the same up to rounding"
    if split["masks"]:
        note += ", dropout and drop path drew other masks"
    if split["batch_norm"]:
        note += f", and BatchNorm saw {split['images']} images, not {split['batch_size']}: another training"
    return note + "."


def claim_table(judged: Sequence[Judged]) -> Table | None:
    """What the spec claims, and what the data say of it; a column that would be empty is left out."""
    if not judged:
        return None
    columns = ["claim", "where", "tested", "verdict", "difference", "remark"]
    body = [_claim_row(one) for one in judged]
    kept = [at for at in range(len(columns)) if any(row[at].text for row in body)]
    notes = [
        "Difference: of the two arms over common seeds, with its 95 % interval, of test accuracy from three seeds "
        "on over seeds and test images together. A claim is decided where p is below 0.05 after Holm over all claims."
    ]
    return Table("", [columns[at] for at in kept], [[row[at] for at in kept] for row in body], notes)


def _claim_row(one: Judged) -> list[Cell]:
    comparison, where = one.comparison, "" if one.cell == "default" else one.cell
    difference = number_text.NONE if comparison is None else f"{one.claim.metric} {interval_text(comparison)}"
    source = "" if comparison is None else ", ".join(comparison.runs[0] + comparison.runs[1])
    return [
        Cell(one.claim.text, one.claim.id),
        Cell(where),
        Cell(tested_text(one.claim)),
        Cell(one.verdict, source),
        Cell(difference, source),
        Cell(one.reason),
    ]


def difference_table(sheet: Sheet) -> Table | None:
    """What the arms vary, at the first point of the matrix: not the defaults that come with it."""
    point = sheet.points[0] if sheet.points else ""
    trees = {arm: sheet.settings.get((arm, point), {}) for arm in sheet.arms}
    paths = sorted({path for tree in trees.values() for path in tree})
    varied = [path for path in paths if len({json.dumps(tree.get(path)) for tree in trees.values()}) > 1]
    told = {*THING_HEADS.values(), "distill.loss"}  # what is studied is named, wherever the spec says it
    shown = [path for path in varied if path in told or _is_said(path, sheet) or _truly_varies(path, trees)]
    if not shown:
        return None
    body = [[Cell(path), *(Cell(_setting_text(trees[arm], path)) for arm in sheet.arms)] for path in shown]
    left = len(varied) - len(shown)
    note = f"{left} more settings come with these and are the same wherever they are set; `xp diff` shows all."
    return Table("", ["setting", *sheet.arms], body, [note] if left else [])


def _is_said(path: str, sheet: Sheet) -> bool:
    """Whether an arm of the spec says it, and not only how its teacher was trained; of an old record, a head word."""
    if not sheet.written:
        return path.rsplit(".", 1)[-1] in HEADS
    return path in sheet.written and not path.startswith("teacher.train.")


def _truly_varies(path: str, trees: Mapping[str, Mapping[str, Any]]) -> bool:
    """Whether two arms set it to different values, rather than some having it and others not."""
    return len({json.dumps(tree[path]) for tree in trees.values() if path in tree}) > 1


def _setting_text(tree: Mapping[str, Any], path: str) -> str:
    value = tree.get(path)
    return number_text.NONE if value is None else value if isinstance(value, str) else json.dumps(value)


def run_table(rows: ReportRows) -> Table:
    metrics = [METRICS[name] for name in OF_A_RUN]
    columns = ["run", "arm", "cell", "seed", "state", *map(number_text.heading, metrics)]
    body = [
        [Cell(str(run[name])) for name in columns[:5]] + [Cell(_value_text(run[one.name], one)) for one in metrics]
        for run in rows.runs
    ]
    return Table("", columns, body)


def _value_text(value: float | None, metric: Metric) -> str:
    return number_text.NONE if value is None else number_text.scale_of(metric).write(value)
