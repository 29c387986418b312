"""The best trial beside others: takes what was tried and what was trained anew, gives its neighbours and its luck.

Chosen as the highest of many, the figure of a trial is too good by what it owes to its seed (the winner's curse). Seeds
that chose nothing say by how much.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import median

from engine.analysis.neighbours import nearest
from engine.analysis.searches import Final, SearchedArm, Searches, Tried, directions
from engine.analysis.snapshot import Row
from engine.report import number_text
from engine.report.charts.data.searches import Anew
from engine.report.search_text import drawn_text, figure_text, gap_text, trial_name
from engine.report.sentences import say
from engine.report.sheet import Sheet, half_of
from engine.report.tables import Cell, Table
from store.amounts import counted
from store.metrics import METRICS

MOST_FRONT = 30  # rows of a front


@dataclass(frozen=True)
class Luck:
    """What a trial came to, and the row of `cells` of the same settings on fresh seeds."""

    final: Final
    trial: Tried
    metric: str
    way: str
    fresh: Row

    @property
    def gap(self) -> float:
        return self.trial.values[self.metric] - float(self.fresh["mean"])

    @property
    def edges(self) -> tuple[float, float] | None:
        """The 95 % interval of the gap, over fresh seeds: the trial's figure is as it stands."""
        if self.fresh["low"] is None or not self.fresh["std"]:
            return None
        value = self.trial.values[self.metric]
        return value - float(self.fresh["high"]), value - float(self.fresh["low"])

    @property
    def word(self) -> str:
        """The sentence that its interval allows."""
        if self.edges is None:
            return "search_one_seed" if self.fresh["n"] == 1 else "search_same"
        low, high = self.edges if self.way == "max" else (-self.edges[1], -self.edges[0])
        return "search_flattered" if low > 0 else "search_humble" if high < 0 else "search_luck_open"


# Neighbours ----------------------------------------------------------------------------------------------------------


def near_tables(found: Searches) -> list[Table]:
    """Return for each arm its best trial and those nearest to it; of several metrics the front."""
    return [_front_table(arm) if len(arm.search.metrics) > 1 else _near_table(arm) for arm in found.arms if arm.best]


def _near_table(arm: SearchedArm) -> Table:
    best = arm.best[0]
    rows = [(0.0, best), *nearest(arm, best)]
    body = [_row(arm, one, [f"{away:.3f}" if one is not best else "best"]) for away, one in rows]
    columns = ["trial", "distance", *_heads(arm)]
    notes = [say("search_near")] if len(rows) > 1 else []
    return Table(f"Near the best: {arm.arm}", columns, body, notes)


def _front_table(arm: SearchedArm) -> Table:
    name = arm.search.metrics[0]
    ranked = sorted(arm.best, key=lambda one: one.values[name], reverse=directions(arm.search)[0] == "max")
    body = [_row(arm, one, []) for one in ranked[:MOST_FRONT]]
    left = len(ranked) - len(body)
    notes = [say("search_front_rest", count=counted(left, "trial"))] if left else []
    return Table(f"Front: {arm.arm}", ["trial", *_heads(arm)], body, notes)


def _heads(arm: SearchedArm) -> list[str]:
    return [*(number_text.heading(METRICS[name]) for name in arm.search.metrics), *arm.space]


def _row(arm: SearchedArm, one: Tried, first: Sequence[str]) -> list[Cell]:
    figures = [number_text.scale_of(METRICS[name]).write(one.values[name]) for name in arm.search.metrics]
    drawn = [drawn_text(one.drawn[path]) if path in one.drawn else "" for path in arm.space]
    return [Cell(text, one.name) for text in (trial_name(one), *first, *figures, *drawn)]


def near_sentences(sheet: Sheet, found: Searches) -> Iterator[str]:
    """Yield by how much each best is above those nearest to it, and how far seeds alone are apart."""
    for arm in found.arms:
        if len(arm.search.metrics) > 1 or not arm.best:
            continue
        name, best = arm.search.metrics[0], arm.best[0]
        near = [one.values[name] for _, one in nearest(arm, best)]
        if not near:
            continue
        gap = abs(best.values[name] - median(near))
        about = {"arm": arm.arm, "metric": name, "gap": _size_text(name, gap), "count": counted(len(near), "trial")}
        spread = next((one.fresh["std"] for one in find_luck(sheet, found) if one.final.searched == arm.arm), None)
        luck = say("search_spread", spread=_size_text(name, float(spread))) if spread else ""
        yield say("search_gap", luck=luck, **about)


def _size_text(name: str, size: float) -> str:
    return gap_text(name, size).removeprefix("+")


# The winner's curse --------------------------------------------------------------------------------------------------


def find_luck(sheet: Sheet, found: Searches) -> list[Luck]:
    """Return each trial that was trained anew beside its fresh seeds, by each metric that is another for each seed.

    What is measured once for a network is one measurement for both.
    """
    arms, ways = {arm.arm: arm for arm in found.arms}, directions(found.search)
    return [
        Luck(final, trial, name, way, fresh)
        for final in found.finals
        for name, way in zip(found.search.metrics, ways, strict=True)
        if METRICS[name].measured == "per_seed" and not METRICS[name].exact
        if (trial := _trial_of(arms.get(final.searched), final)) is not None and name in trial.values
        and (fresh := _fresh(sheet, final.arm, name)) is not None
    ]  # fmt: skip


def find_anew(sheet: Sheet, found: Searches) -> list[Anew]:
    """Return the best of each search as they were trained anew, those that have every figure."""
    rows = [
        (final.searched, [_fresh(sheet, final.arm, name) for name in found.search.metrics]) for final in found.finals
    ]
    return [
        Anew(arm, [(float(row["mean"]), row["low"], row["high"]) for row in figures if row is not None])
        for arm, figures in rows
        if None not in figures
    ]


def _trial_of(arm: SearchedArm | None, final: Final) -> Tried | None:
    """Return a final's trial, on the rung by which it was chosen."""
    rungs = [one for one in arm.tried if one.trial == final.trial] if arm is not None else []
    return max(rungs, key=lambda one: one.rung, default=None)


def _fresh(sheet: Sheet, arm: str, metric: str) -> Row | None:
    rows = [sheet.cells.get((arm, point, metric)) for point in sheet.points]
    return next((row for row in rows if row is not None and row["n"]), None)


def anew_table(sheet: Sheet, found: Searches) -> Table | None:
    """Return the trials that were trained anew beside their fresh seeds; None where none is done."""
    rows = find_luck(sheet, found)
    if not rows:
        return None
    columns = ["arm", "trial", "figure", "as a trial", "fresh seeds", "difference", "95 % interval"]
    return Table("The best, trained anew", columns, [_luck_row(one) for one in rows], [say("search_luck")], words=3)


def _luck_row(one: Luck) -> list[Cell]:
    write = number_text.scale_of(METRICS[one.metric]).write
    fresh = number_text.spread(float(one.fresh["mean"]), half_of(one.fresh), write)
    edges = "" if one.edges is None else f"{gap_text(one.metric, one.edges[0])} to {gap_text(one.metric, one.edges[1])}"
    figure = number_text.heading(METRICS[one.metric])
    texts = [
        one.final.arm,
        one.trial.name,
        figure,
        write(one.trial.values[one.metric]),
        f"{fresh} (n={one.fresh['n']})",
    ]
    return [Cell(text, one.final.arm) for text in (*texts, gap_text(one.metric, one.gap), edges)]


def anew_sentences(sheet: Sheet, found: Searches) -> Iterator[str]:
    """Yield whether the choice flattered each best, and what is not trained anew or is no best any more."""
    for one in find_luck(sheet, found):
        low, high = (gap_text(one.metric, edge) for edge in one.edges or (0.0, 0.0))
        yield say(
            one.word, trial=one.trial.name, metric=one.metric, gap=gap_text(one.metric, one.gap), low=low, high=high,
            seeds=counted(one.fresh["n"], "fresh seed"), value=figure_text(one.metric, one.trial.values[one.metric]),
        )  # fmt: skip
    arms = {arm.arm: arm for arm in found.arms}
    for final in found.finals:
        if final.is_again:
            yield say("search_again", arm=final.arm)
        best = arms[final.searched].best if final.searched in arms else []
        if best and final.trial not in [one.trial for one in best]:
            yield say("search_moved", arm=final.arm, trial=final.trial, best=", ".join(one.name for one in best[:3]))
    bare = [arm.arm for arm in found.arms if arm.best and arm.arm not in {one.searched for one in found.finals}]
    if bare:
        yield say("search_not_anew", arms=", ".join(bare))
