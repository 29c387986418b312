"""The tables of a report: take a sheet of figures, give finished text."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.analysis.claims import Judged, interval_text, tested_text
from engine.analysis.factors import Varied, varied_factors
from engine.analysis.power import ALPHA
from engine.analysis.snapshot import Row
from engine.analysis.things import HEADS as THING_HEADS
from engine.analysis.things import value_text
from engine.analysis.trainings import unknown_arms, unknown_text
from engine.report import number_text
from engine.report.origins import Origin, change_origin, mean_origin
from engine.report.reading_notes import shared_notes, shown_columns, shows_accuracy
from engine.report.sentences import say
from engine.report.sheet import ReportRows, Sheet, half_of
from store.metrics import METRICS, Metric

HEADS = ("kind", "arch", "ratio", "loss", "radius", "globals", "pattern", "select", "epochs", "weights")
MOST_FACTORS = 3
NOTES_OF = {"unstructured": ("mask_note", "mask_open"), "2:4": ("semi_note", "mask_open")}
PRUNED_OF = {
    "params": " of the parameters",
    "macs": " of the MACs",
    "units": " of the units",
    "latency": " of the latency",
}
OF_A_RUN = ("test_top1", "val_top1", "train_seconds")


@dataclass(frozen=True)
class Cell:
    """One finished entry of a table; `source` names the runs behind it, `origin` all that is to be known of it.

    The next after a best one is its second.
    """

    text: str
    source: str = ""
    is_best: bool = False
    is_second: bool = False
    origin: Origin | None = None


@dataclass(frozen=True)
class Table:
    """A finished table: the first `words` columns are text, the others are numbers."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    notes: Sequence[str] = ()
    words: int = 1


def result_table(sheet: Sheet, point: str) -> Table:
    """Return the table of one point: arms, what they are, and the columns of the page in its order."""
    factors = _told_factors(sheet, point)
    epochs = [METRICS["epochs_spent"]] if sheet.epochs_differ else []
    shape = [factor.name for factor in factors] + [number_text.heading(metric) for metric in epochs]
    columns = ["arm", *shape, *(head for metric in _metrics_of(sheet) for head in _headings(metric))]
    arms = [arm for arm in sheet.arms if (arm, point) in sheet.runs]
    rows = [[*_shape_cells(sheet, arm, point, factors, epochs), *_figure_cells(sheet, arm, point)] for arm in arms]
    title, words = "" if point == "default" else point, 1 + len(factors)
    return Table(title, columns, rows, _result_notes(sheet, point), words)


def _metrics_of(sheet: Sheet) -> list[Metric]:
    """Return what the tables have columns of, accuracy first unless the page has an order of its own."""
    rest = shown_columns(sheet)
    return [METRICS[name] for name in sheet.columns] if sheet.columns else [METRICS["test_top1"], *rest]


def _headings(metric: Metric) -> list[str]:
    """Return the headings of a metric's columns: accuracy has its change beside it."""
    own = number_text.heading(metric)
    return [own, "change [points]", "relative"] if metric.name == "test_top1" else [own]


def _told_factors(sheet: Sheet, point: str) -> list[Varied]:
    """Return what the arms differ in, where that is few things: else the table of differences has to say it."""
    factors = varied_factors({arm: tree for (arm, at), tree in sheet.settings.items() if at == point})
    return factors if len(factors) <= MOST_FACTORS else []


def _shape_cells(
    sheet: Sheet, arm: str, point: str, factors: Sequence[Varied], epochs: Sequence[Metric]
) -> Iterator[Cell]:
    """Yield an arm's name, what it is, and how long it is trained where arms differ in that."""
    source = _source(sheet, arm, point)
    yield Cell(f"{arm} (baseline)" if arm == sheet.baseline else arm, source)
    yield from (Cell(factor.texts.get(arm, number_text.NONE), source) for factor in factors)
    yield from (_metric_cell(sheet, arm, point, metric, source) for metric in epochs)


def _figure_cells(sheet: Sheet, arm: str, point: str) -> Iterator[Cell]:
    source = _source(sheet, arm, point)
    for metric in _metrics_of(sheet):
        if metric.name == "test_top1":
            yield _accuracy_cell(sheet, arm, point, source)
            yield from _change_cells(sheet, arm, point, source)
        else:
            yield _metric_cell(sheet, arm, point, metric, source)


def _source(sheet: Sheet, arm: str, point: str) -> str:
    return ", ".join(run["run"] for run in sheet.runs[arm, point])


def _metric_cell(sheet: Sheet, arm: str, point: str, metric: Metric, source: str) -> Cell:
    mean, half = sheet.mean(arm, point, metric.name), sheet.half(arm, point, metric.name)
    text = number_text.spread(mean, half, number_text.scale_of(metric).write)
    origin = mean_origin(sheet, arm, point, metric)
    return Cell(text + _rounds_text(sheet, arm, point, metric), f"{metric.name} of {source}", origin=origin)


def _rounds_text(sheet: Sheet, arm: str, point: str, metric: Metric) -> str:
    """The interval of a ratio that one measurement in rounds stands for; networks of several have their spread."""
    edges = sheet.round_edges(arm, point)
    if metric.name != "infer_speedup" or edges is None:
        return ""
    return f" [{number_text.significant(edges[0])}, {number_text.significant(edges[1])}]"


def _accuracy_cell(sheet: Sheet, arm: str, point: str, source: str) -> Cell:
    row = sheet.cells.get((arm, point, "test_top1"))
    if row is None or not row["n"]:
        return Cell(number_text.NONE, source)
    text = number_text.accuracy(row["mean"], half_of(row), row["n"], _widest_half(sheet, point))
    if row["n"] == 1:
        text = _one_run(sheet, arm, point) or text
    leader = sheet.changes.leaders.get(point)
    is_second = leader is not None and arm == _second_arm(sheet, point, leader)
    origin = mean_origin(sheet, arm, point, METRICS["test_top1"])
    return Cell(text, f"test_top1 of {source}", leader == arm, is_second, origin)


def _second_arm(sheet: Sheet, point: str, leader: str) -> str | None:
    """Return the arm of the next highest mean; of equal ones the first."""
    means = {arm: sheet.mean(arm, point, "test_top1") for arm in sheet.arms if arm != leader}
    known = {arm: mean for arm, mean in means.items() if mean is not None}
    return max(known, key=lambda arm: known[arm], default=None)


def _one_run(sheet: Sheet, arm: str, point: str) -> str:
    """One run has no spread over seeds; it has Wilson's interval over its test images."""
    run = sheet.lone_run(arm, point)
    if run is None:
        return ""
    return f"{100 * run['test_top1']:.1f} [{100 * run['test_low']:.1f}, {100 * run['test_high']:.1f}] (n=1)"


def _widest_half(sheet: Sheet, point: str) -> float | None:
    """Return the widest half of an interval in a table, so that all its rows have the same decimals."""
    rows = [sheet.cells.get((arm, point, "test_top1")) for arm in sheet.arms]
    return max((half for row in rows if row and (half := half_of(row)) is not None), default=None)


def _change_cells(sheet: Sheet, arm: str, point: str, source: str) -> list[Cell]:
    """The change against the baseline over the seeds that both arms have, with the interval of their comparison."""
    if sheet.baseline is None or arm == sheet.baseline:
        return [Cell(""), Cell("")]
    ours, base = (sheet.seeds(name, point, "test_top1") for name in (arm, sheet.baseline))
    change = sheet.change(arm, point)
    pair = f"paired over seeds against {sheet.baseline}: {source}"
    if change is None:
        return [Cell(number_text.NONE, pair), Cell(number_text.NONE, pair)]
    common = [base[seed] for seed in base if seed in ours]
    before = sum(common) / len(common)
    origin = change_origin(sheet, arm, point)
    return [
        Cell(number_text.points(change.mean, change.half) + sheet.changes.mark(arm, point), pair, origin=origin),
        Cell(number_text.relative(before + change.mean, before), pair, origin=origin),
    ]


def _result_notes(sheet: Sheet, point: str) -> list[str]:
    """Return what must be known to read a table; what all tables share is said once, under the last."""
    return [*_own_notes(sheet, point), *(shared_notes(sheet) if point == sheet.points[-1] else [])]


def _own_notes(sheet: Sheet, point: str) -> list[str]:
    pruned = [note for arm in sheet.arms for note in _pruning_notes(sheet, arm, point)]
    searched = [*(_searched_note(sheet, row) for row in sheet.searched), *_effort_notes(sheet)]
    pieces = [_pieces_note(row) for row in sheet.splits if row["cell"] == point]
    unknown = [f"{unknown_text(arm)}." for arm in unknown_arms(sheet.trainings, point)]
    changes = sheet.changes.notes(point) if shows_accuracy(sheet) else []
    return [*searched, *pruned, *pieces, *unknown, *changes]


def _pruning_notes(sheet: Sheet, arm: str, point: str) -> Iterator[str]:
    asked, reached = (sheet.mean(arm, point, f"prune_{name}") for name in ("asked", "achieved"))
    if not asked:
        return
    tree = sheet.settings.get((arm, point), {})
    of, method = PRUNED_OF.get(str(tree.get("prune.of")), ""), str(tree.get("prune.method"))
    about = {"arm": arm, "asked": number_text.percent(asked), "of": of, "reached": number_text.percent(reached)}
    told, unknown = NOTES_OF.get(method, ("pruning_note", "pruning_open"))
    yield say(told if reached is not None else unknown, **about)


def _searched_note(sheet: Sheet, row: Row) -> str:
    """Say what an arm was chosen from."""
    metric = sheet.search.get("metric", "val_top1")
    by = ", ".join([metric] if isinstance(metric, str) else metric)
    finals = _finals_of(sheet, row)
    refused = say("searched_refused", count=row["refused"]) if row["refused"] else ""
    about = {"trials": row["trials"], "paths": row["paths"], "by": by, "refused": refused}
    if not finals:
        return say("searched_open", arm=row["arm"], **about)
    return say("searched_note", arms=", ".join(finals), **about)


def _finals_of(sheet: Sheet, row: Row) -> list[str]:
    """Return the arms that were chosen from the trials of an arm."""
    return [arm for arm in sheet.arms if sheet.winners.get(arm) == row["arm"]]


def _effort_notes(sheet: Sheet) -> list[str]:
    """Say which arms were chosen from fewer trials than another, or from none."""
    trials = {arm: row["trials"] for row in sheet.searched for arm in _finals_of(sheet, row)}
    most = max(trials.values(), default=0)
    less = [arm for arm in sheet.arms if trials.get(arm, 0) < most]
    return [say("unequal_effort", arms=", ".join(less))] if less else []


def _pieces_note(row: Row) -> str:
    """Say that a training went on in micro-batches, and what that changed beyond rounding."""
    split = json.loads(row["split"])
    about = {"images": split["images"], "batch": split["batch_size"]}
    changed = [say("pieces_masks")] if split["masks"] else []
    changed += [say("pieces_norm", **about)] if split["batch_norm"] else []
    seeds = ", ".join(map(str, row["seeds"]))
    what = ", and ".join(changed) or say("pieces_same")
    return say("pieces_note", arm=row["arm"], seeds=seeds, role=row["role"], what=what, **about)


def claim_table(judged: Sequence[Judged]) -> Table | None:
    """What the spec claims, and what the data say of it; a column that would be empty is left out."""
    if not judged:
        return None
    columns = ["claim", "where", "tested", "verdict", "difference", "remark"]
    body = [_claim_row(one) for one in judged]
    kept = [at for at in range(len(columns)) if any(row[at].text for row in body)]
    return Table("", [columns[at] for at in kept], [[row[at] for at in kept] for row in body], _claim_notes(judged))


def _claim_notes(judged: Sequence[Judged]) -> list[str]:
    """Return what must be known to read the differences and verdicts: only what is true of these."""
    found = [one.comparison for one in judged if one.comparison is not None]
    edged = [one for one in found if not one.is_exact and one.difference.low is not None]
    notes = [say("claims_difference", more=say("claims_edges") if edged else "")] if found else []
    over = {one.difference.over for one in edged if one.is_share}
    notes += [say("claims_both")] if "seeds and images" in over and "seeds" not in over else []
    notes += [say("claims_rounds")] if any(one.speed is not None for one in edged) else []
    notes += [say("claims_decided", alpha=ALPHA)] if any(one.p is not None for one in judged) else []
    notes += [say("claims_exact")] if any(one.is_exact for one in found) else []
    return [" ".join(notes)] if notes else []


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
    varied = _varied_paths(trees)
    told = {*THING_HEADS.values(), "distill.loss"}  # what is studied is named, wherever the spec says it
    said = {path for path in varied if path in told or _is_said(path, sheet) or _truly_varies(path, trees)}
    for factor in varied_factors(trees):  # the factor under study is there, however the spec varies it
        said |= set() if said.intersection(factor.paths) else {factor.paths[0]}
    shown = [path for path in varied if path in said]
    if not shown:
        return None
    body = [[Cell(path), *(Cell(_setting_text(trees[arm], path)) for arm in sheet.arms)] for path in shown]
    left = len(varied) - len(shown)
    return Table("", ["setting", *sheet.arms], body, [say("differences_note", left=left)] if left else [])


def varied_settings(sheet: Sheet) -> dict[str, dict[str, str]]:
    """Return all settings in which arms differ at the first point, by arm: also those that come with another."""
    point = sheet.points[0] if sheet.points else ""
    trees = {arm: sheet.settings.get((arm, point), {}) for arm in sheet.arms}
    varied = _varied_paths(trees)
    return {arm: {path: _setting_text(tree, path) for path in varied} for arm, tree in trees.items()}


def _varied_paths(trees: Mapping[str, Mapping[str, Any]]) -> list[str]:
    paths = sorted({path for tree in trees.values() for path in tree})
    return [path for path in paths if len({json.dumps(tree.get(path)) for tree in trees.values()}) > 1]


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
    if value is None or isinstance(value, str):
        return number_text.NONE if value is None else value
    return value_text(value)


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
