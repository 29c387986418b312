"""Arms or runs side by side: takes names, gives where settings differ, figures, paired statistics and curves.

a=NAME, as often as wanted; b=NAME   what is compared, and against which of them (else the baseline, else the first)
metric=test_top1     of the statistics           name=val_top1, as often as wanted   whose curves
x=epoch|step|time|gpu-hours; smooth=0.6          cell=CELL   one point of the matrix
anyway=1             statistics of what is not comparable, too
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlencode

from engine.analysis.claims import interval_text, p_text
from engine.analysis.compare import ONE_SEED, Comparison, compare_arms, with_holm
from engine.analysis.fairness import apart_text, repair_text, tell_first
from engine.analysis.snapshot import Snapshot
from engine.analysis.text import comparison_lines
from engine.errors import QueryError
from engine.report.number_text import NONE, heading, scale_of
from engine.serve.chosen import Chosen, Thing, choose
from engine.serve.curves import Along
from engine.serve.growing import show_chart
from engine.serve.run_rows import RunTable
from engine.serve.trial_runs import is_of_trials
from engine.serve.view import Asked, Raw, View
from store.metrics import METRICS, metric_of

CURVES = ("val_top1", "train_loss", "val_loss")
OF_TRIALS = "nothing is tested of trials: they were trained to be chosen from, with one seed each; test what was chosen"
MOST_CURVES, MOST_FIGURES, MOST_NAMES = 12, 14, 2000
MANY_RUNS = 60
ALONG: tuple[Along, ...] = ("epoch", "step", "time", "gpu-hours")


@dataclass(frozen=True)
class Tested:
    """One comparison as a row: means, difference, p, and all that a reader must know of it, in lines."""

    first: str
    second: str
    cell: str
    means: tuple[str, str]
    difference: str
    relative: str
    p: str
    adjusted: str
    lines: tuple[str, ...]
    unfair: tuple[str, ...]
    fix: str


@dataclass(frozen=True)
class ComparePage:
    """What the page shows."""

    chosen: Chosen
    against: str
    metric: str
    metrics: tuple[tuple[str, str], ...]
    names: tuple[str, ...]
    differences: tuple[tuple[str, tuple[str, ...]], ...]
    figures: tuple[tuple[str, tuple[str, ...]], ...]
    tested: tuple[Tested, ...]
    told: tuple[str, ...]  # why there are no statistics, or not all
    is_waiting: bool  # statistics of many runs take longer than a page may: they come after it
    now: str  # the address of this page with them
    is_anyway: bool
    anyway: str  # the address of this page with statistics of what is not comparable
    along: str
    no_gpu: tuple[str, ...]
    smooth: float
    logged: tuple[str, ...]
    curves: tuple[tuple[str, str], ...]
    is_moving: bool


def show_compare(asked: Asked) -> View:
    """Return the page."""
    with asked.site.snapshot() as snapshot:
        table = RunTable(asked.home, snapshot)
        chosen = _chosen(asked, table, snapshot)
        metric = asked.word("metric") if asked.word("metric") in METRICS else "test_top1"
        against = _against(asked, chosen, snapshot)
        is_waiting = _is_waiting(asked, chosen)
        asked_of = None if is_waiting else snapshot
        tested, told = _tests(asked_of, chosen, against, metric, is_anyway=bool(asked.word("anyway")))
        figures = [name for name in METRICS if name in table.filled][:MOST_FIGURES] if chosen.things else []
        names = _curve_names(asked, table)
        page = ComparePage(
            chosen=chosen, against=against, metric=metric,
            metrics=tuple((name, heading(METRICS[name])) for name in METRICS if name in table.filled or name == metric),
            names=tuple(dict.fromkeys(f"{line.experiment}/{line.arm}" for line in table.lines))[:MOST_NAMES],
            differences=tuple(chosen.differences()), figures=tuple(chosen.figures(table, figures)),
            tested=tuple(tested), told=tuple(told), is_waiting=is_waiting,
            now=_address(asked, statistics=("1",)), is_anyway=bool(asked.word("anyway")),
            anyway=_address(asked, anyway=("1",)), along=_along(asked),
            no_gpu=tuple(chosen.gpus(asked.home, snapshot)[1]),
            smooth=_smooth(asked), logged=tuple(table.logged),
            curves=tuple((name, _curve_address(asked, name)) for name in names),
            is_moving=any(line.state in ("running", "queued") for thing in chosen.things for line in thing.lines),
        )  # fmt: skip
    return View("compare", "Compare", page)


def show_compared_curve(asked: Asked) -> Raw:
    """Return the curves of a metric of all that is compared, as charts.js takes them."""
    with asked.site.snapshot() as snapshot:
        chosen = _chosen(asked, RunTable(asked.home, snapshot), snapshot)
        along = _along(asked)
        gpus, _ = chosen.gpus(asked.home, snapshot) if along == "gpu-hours" else ({}, [])
        lines = chosen.curve_lines(gpus)
    if along == "gpu-hours":
        lines = [line for line in lines if line.chains and all(chain.gpus for chain in line.chains)]
    return show_chart(asked.site, lines, asked.word("name"), along, asked.word("cursor"))


def _chosen(asked: Asked, table: RunTable, snapshot: Snapshot | None) -> Chosen:
    chosen = choose(table, [*asked.all("a"), *asked.all("b")], asked.word("cell"))
    chosen.read(snapshot)
    return chosen


def _address(asked: Asked, **changes: tuple[str, ...]) -> str:
    words = {name: values for name, values in asked.words.items() if name != "part"} | changes
    return f"compare?{urlencode(words, doseq=True)}"


def _curve_address(asked: Asked, name: str) -> str:
    words: Mapping[str, tuple[str, ...]] = {
        "a": (*asked.all("a"), *asked.all("b")), "cell": asked.all("cell"), "name": (name,), "x": (_along(asked),),
    }  # fmt: skip
    return f"compare/curve?{urlencode(words, doseq=True)}"


def _along(asked: Asked) -> Along:
    wanted = asked.word("x", "epoch")
    return wanted if wanted in ALONG else "epoch"


def _smooth(asked: Asked) -> float:
    try:
        return min(0.98, max(0.0, float(asked.word("smooth", "0"))))
    except ValueError:
        return 0.0


def _curve_names(asked: Asked, table: RunTable) -> tuple[str, ...]:
    asked_for = [name for name in asked.all("name") if name in table.logged or name in CURVES]
    return tuple(dict.fromkeys(asked_for))[:MOST_CURVES] or CURVES


def _is_waiting(asked: Asked, chosen: Chosen) -> bool:
    is_asked = asked.word("part") == "statistics" or bool(asked.word("statistics"))
    runs = sum(len(thing.lines) for thing in chosen.things)
    return runs > MANY_RUNS and len(chosen.things) > 1 and not is_asked


def _against(asked: Asked, chosen: Chosen, snapshot: Snapshot | None) -> str:
    """Return which of the things the others are compared with: the one asked for, the baseline, else the first."""
    names = [thing.name for thing in chosen.things]
    if asked.word("b") in names:
        return asked.word("b")
    baselines = {row["name"] for row in snapshot.ask("serve_baselines")} if snapshot else set()
    return next((name for name in names if name in baselines), names[0] if names else "")


# -- statistics -------------------------------------------------------------------------------------------------------


def _tests(
    snapshot: Snapshot | None, chosen: Chosen, against: str, metric: str, *, is_anyway: bool
) -> tuple[list[Tested], list[str]]:
    """Return the comparisons of every other thing with one, after Holm over all of them, and why some are not there."""
    others = [thing for thing in chosen.things if thing.name != against]
    if snapshot is None or not others:
        return [], []
    if any(is_of_trials(thing.lines[0].experiment) for thing in chosen.things):
        return [], [OF_TRIALS]
    if not chosen.is_of_arms:
        return [], [ONE_SEED]
    compared: list[tuple[Thing, Comparison]] = []
    told: list[str] = []
    for thing in others:
        try:
            found = compare_arms(snapshot, thing.name, against, metric, anyway=True)
        except QueryError as error:
            told.append(f"{error.what}: {error.fix}" if error.fix else error.what)
            continue
        compared += [(thing, one) for one in found if chosen.cell in ("", one.cell)]
    adjusted = with_holm([one for _, one in compared])
    return [
        _tested(thing, against, one, is_anyway=is_anyway)
        for (thing, _), one in zip(compared, adjusted, strict=True)
    ], told  # fmt: skip


def _tested(thing: Thing, against: str, one: Comparison, *, is_anyway: bool) -> Tested:
    cell = "" if one.cell == "default" else one.cell
    write = scale_of(metric_of(one.metric)).write
    means = (write(one.means[0]), write(one.means[1]))
    unfair = tuple(map(str, sorted(one.unfair, key=tell_first)))
    if one.unfair and not is_anyway:
        return Tested(thing.name, against, cell, means, NONE, NONE, NONE, NONE, (), unfair, repair_text(one.unfair))
    has_p = one.p is not None and not one.is_exact and not apart_text(one.unfair, one.metric)
    p = p_text(one.p).removeprefix("p ") if one.p is not None and has_p else NONE
    adjusted = p_text(one.adjusted_p).removeprefix("p ") if one.adjusted_p is not None and has_p else NONE
    relative = NONE if one.relative is None else f"{one.relative:+.2f} %"
    lines = tuple(line.strip() for line in comparison_lines(one))
    return Tested(thing.name, against, cell, means, interval_text(one), relative, p, adjusted, lines, unfair, "")
