"""What must be known to read the tables of results: takes a sheet, gives the notes that all of them share.

A note stands there only where it is true of a number that is shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise

from engine.analysis.fairness import Surroundings, apart_text, judge_pair
from engine.analysis.power import ALPHA
from engine.analysis.snapshot import Row
from engine.analysis.statistics import Interval
from engine.report import number_text
from engine.report.sentences import say
from engine.report.sheet import Sheet, half_of
from store.metrics import METRICS, Metric

METRIC = "test_top1"
LEADING = ("accuracy", "epochs")  # columns with a place of their own
COLUMNS = tuple(dict.fromkeys(one.column for one in METRICS.values() if one.column not in ("", *LEADING)))

# Left out where no run has a figure, as in results of older versions, or without a mask.
NEWER = ("params_nonzero", "macs_algorithm", "speed-up")


def shown_columns(sheet: Sheet) -> list[Metric]:
    """Return the metrics that the tables of results have a column for, beside accuracy and epochs; chosen ones all."""
    if sheet.columns:
        return [METRICS[name] for name in sheet.columns if name != METRIC]
    shown = {column: sheet.shown(column) for column in COLUMNS}
    # The baseline alone is no comparison: it is 1 beside itself even where nothing was measured beside it.
    known = {name for arm, _, name in sheet.cells if arm != sheet.baseline}
    return [metric for column, metric in shown.items() if column not in NEWER or metric.name in known]


def shows_accuracy(sheet: Sheet) -> bool:
    """Whether the tables have the columns of test accuracy and of its change."""
    return not sheet.columns or METRIC in sheet.columns


def shared_notes(sheet: Sheet) -> list[str]:
    """Return how the columns of the results are to be read."""
    parts = (_accuracy_notes, _added_notes, _change_notes, _batch_notes, _speed_notes, _measured_notes, _table_notes)
    return [note for part in parts for note in part(sheet)]


def _accuracy_notes(sheet: Sheet) -> Iterator[str]:
    sizes = [row["n"] for (_, _, metric), row in sheet.cells.items() if metric == METRIC and row["n"]]
    told = [say("accuracy_note" if max(sizes) > 1 else "one_run_note")] if sizes else []
    told += [say("bold_note", alpha=ALPHA), say("second_note")] if sheet.changes.leaders else []
    if told and shows_accuracy(sheet):
        yield " ".join(told)
    if shows_accuracy(sheet) and any(sheet.lone_run(*place) is not None for place in sheet.runs):
        yield say("wilson_note")


def _added_notes(sheet: Sheet) -> Iterator[str]:
    """Yield that seeds were added to those that the spec asks for, which what tests say depends on."""
    runs = [run for place in sheet.runs.values() for run in place]
    added = [run for run in runs if sheet.asked_seeds is not None and run["seed"] not in _asked_of(sheet, run["arm"])]
    if added:
        yield say("added_note", count=len(added), all=len(runs))


def _asked_of(sheet: Sheet, arm: str) -> list[int]:
    """Return the seeds that the spec asks of an arm: of the best of a search those of `final`."""
    final = sheet.search.get("final") or {}
    return list((final.get("seeds") if arm in sheet.winners else sheet.asked_seeds) or ())


def _change_notes(sheet: Sheet) -> Iterator[str]:
    """Yield what the changes are and what their intervals are over; of images alone, their own note says it."""
    changes = _changes(sheet)
    if not changes or not shows_accuracy(sheet):
        return
    edged = {arm for arm, one in changes if one.half is not None}
    sides = ("seeds and images", "seeds")
    over = {name: [arm for arm, one in changes if one.over == name and one.half is not None] for name in sides}
    told = [say("change_note")]
    for name, note in (("seeds and images", "both_note"), ("seeds", "seeds_note")):
        arms = list(dict.fromkeys(over[name]))
        if arms:
            told.append(say(note, of="" if set(arms) == edged else f" of {', '.join(arms)}"))
    yield " ".join(told)


def _changes(sheet: Sheet) -> list[tuple[str, Interval]]:
    found = [(arm, sheet.change(arm, point)) for arm, point in sheet.runs if arm != sheet.baseline]
    return [(arm, one) for arm, one in found if one is not None]


def _batch_notes(sheet: Sheet) -> Iterator[str]:
    """Yield how many images at once the speeds of inference are of; nothing where none is shown."""
    runs = [run for runs in sheet.runs.values() for run in runs if run.get("infer_batch_size") is not None]
    sizes: dict[str, list[int]] = {}
    for run in runs:
        sizes.setdefault(run["arm"], []).append(run["infer_batch_size"])
    told = {arm: " and ".join(map(str, sorted(set(own)))) for arm, own in sizes.items()}
    if len(set(told.values())) == 1 and len(set(next(iter(sizes.values())))) == 1:
        yield say("batch_note", batch=next(iter(told.values())))
    elif told:
        yield say("batches_note", arms=", ".join(f"{arm} on {size}" for arm, size in told.items()))
    unfit = {run["arm"]: run["infer_oom_batch_size"] for run in runs if run.get("infer_oom_batch_size") is not None}
    yield from (say("unfit_note", arm=arm, batch=batch) for arm, batch in unfit.items())


def _speed_notes(sheet: Sheet) -> Iterator[str]:
    if any(run.get("speedup_low") is not None for runs in sheet.runs.values() for run in runs):
        yield say("speed_note")
    if any(sheet.round_edges(*place) is not None for place in sheet.runs):
        yield say("rounds_note")
    if sheet.noisy and any(metric.name.startswith("infer_") for metric in shown_columns(sheet)):
        told = [f"{arm} {number_text.percent(spread)}" for arm, spread in sheet.noisy.items()]
        yield say("noise_note", arms=", ".join(told))


def _measured_notes(sheet: Sheet) -> Iterator[str]:
    """Yield what a spread of the other columns is, and which of them have none because they were measured once."""
    shown = [metric.name for metric in shown_columns(sheet)]
    rows = [row for (_, _, metric), row in sheet.cells.items() if metric in shown]
    if any(row["std"] for row in rows):
        yield say("spreads_note")
    if any((half := half_of(row)) is not None and half > abs(row["mean"]) for row in rows):
        yield say("wide_note")
    bare = [row for row in rows if METRICS[row["metric"]].measured == "once" and row["n"] == 1]
    held = {name: [_seeds_held(sheet, row) for row in bare if row["metric"] == name] for name in shown}
    once = [METRICS[name].heading for name, counts in held.items() if counts and min(counts) > 1]
    if once:
        yield say("once_note", what=", ".join(once))


def _seeds_held(sheet: Sheet, row: Row) -> int:
    """Return for how many seeds the figure of a cell stands: 1 where others are still to be measured."""
    values = [run.get(row["metric"]) for run in sheet.runs[row["arm"], row["cell"]]]
    return 1 if None in values else len(values)


def _table_notes(sheet: Sheet) -> Iterator[str]:
    if sheet.epochs_differ and any(map(sheet.is_pruned, sheet.arms)):
        yield say("epochs_note")
    if _are_apart(sheet):
        yield say("across_note")


def _are_apart(sheet: Sheet) -> bool:
    """Whether the tables of an arm are of other test images, as far as its settings decide them."""
    trees = [sheet.settings.get((sheet.arms[0], point), {}) for point in sheet.points] if sheet.arms else []
    pairs = ((Surroundings(one), Surroundings(other)) for one, other in pairwise(trees))
    return any(apart_text(judge_pair(*pair, METRIC).unfair, METRIC) for pair in pairs)
