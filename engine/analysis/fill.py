"""Which runs to do next: takes what an experiment lacks, gives an order of its jobs within a budget.

Cheapest certainty first: of what decides a comparison the cheapest, then of what makes one testable, then the empty
cells of the spec, run by run. What was chosen already, or was queued before, is not paid again, so that arms in several
comparisons are paid once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from engine.analysis.holes import ASKED, Need
from engine.analysis.lacking import Lacking, Price
from engine.analysis.sentences import say
from engine.plan import Plan
from engine.plan.subset import Place, keep_runs, place_of
from engine.schedule.submit import Filling

MOST_FURTHER = 20
"""Seeds beyond those that are there, for one comparison, that are queued without a budget."""
ON_THE_WAY = ("queued", "blocked", "running")
Left = list[tuple[Need, Price, str]]


@dataclass(frozen=True)
class Fill:
    """What `submit --fill` does: the plan of all runs of the record, how its jobs are queued, what is told of it."""

    plan: Plan
    filling: Filling
    chosen: tuple[tuple[Need, Price], ...]
    left: tuple[tuple[Need, Price, str], ...]
    on_the_way: Price
    """What was queued before and is not done: it counts against the budget."""


@dataclass
class _Purse:
    """What is taken so far: `jobs` in their order, what they cost, and what was chosen for it."""

    lacking: Lacking
    budget: float | None
    jobs: dict[str, None]
    spent: float
    chosen: list[tuple[Need, Price]] = field(default_factory=list)

    def price(self, need: Need) -> Price:
        return self.lacking.price(self._further(need))

    def _further(self, need: Need) -> set[str]:
        return self.lacking.jobs_of(need.places) - self.jobs.keys()

    def take(self, need: Need) -> bool:
        """Choose the need if it still fits."""
        price = self.price(need)
        if self.budget is not None and self.spent + price.seconds > self.budget:
            return False
        self.jobs |= dict.fromkeys(sorted(self._further(need), key=self.lacking.position))
        self.spent += price.seconds
        self.chosen.append((need, price))
        return True


def choose_fill(lacking: Lacking, budget: float | None) -> Fill:
    """Return the needs to fill, cheapest certainty first, whose work fits into `budget` seconds; None: no limit."""
    before = [item.job.key for item in lacking.estimate.jobs if item.state in ON_THE_WAY]
    on_the_way = lacking.price(before)
    purse = _Purse(lacking, budget, dict.fromkeys(before), on_the_way.seconds)
    compared, cells, left = _split_needs(lacking, has_budget=budget is not None)
    compared = _take_cheapest(purse, compared)
    # Those that comparisons brought are chosen with them.
    cells = [need for need in cells if purse.price(need).jobs]
    # By what they cost now: to ask anew after each, as for comparisons, takes long for ten thousand runs.
    cells = [need for need in sorted(cells, key=lambda need: purse.price(need).seconds) if not purse.take(need)]
    left += [(need, purse.price(need), say("over_budget")) for need in (*compared, *cells)]
    return _make_fill(purse, left, on_the_way)


def _take_cheapest(purse: _Purse, needs: Iterable[Need]) -> list[Need]:
    """Take the cheapest again and again, as what is taken makes others cheaper; return those that do not fit."""
    waiting = list(needs)
    while waiting:
        waiting.sort(key=lambda need: (need.rank, purse.price(need).seconds))
        taken = next((need for need in waiting if purse.take(need)), None)
        if taken is None:
            break
        waiting.remove(taken)
    return waiting


def _split_needs(lacking: Lacking, *, has_budget: bool) -> tuple[list[Need], list[Need], Left]:
    """Return the comparisons and the single runs to choose from, and what is out of the question with the reason."""
    compared: list[Need] = []
    cells: list[Need] = []
    left: Left = []
    for need in lacking.needs:
        if not need.places:
            left.append((need, Price(), ""))
        elif need.rank == ASKED:
            cells += [_need_run(place) for place in need.places]
        elif not has_budget and (need.needed or 0) - need.n > MOST_FURTHER:
            left.append((need, lacking.price_of(need), say("many_seeds", most=MOST_FURTHER)))
        else:
            compared.append(need)
    return compared, cells, left


def _need_run(place: Place) -> Need:
    arm, cell, seed = place
    return Need(ASKED, say("one_run", arm=arm, point=cell, seed=seed), say("asked_for"), (place,))


def _make_fill(purse: _Purse, left: Left, on_the_way: Price) -> Fill:
    """The record has all runs of the spec, those that were added before, and those that are chosen now."""
    lacking = purse.lacking
    own = {place_of(run) for run in lacking.plan.runs if run.seed in lacking.spec.seeds}
    beyond = {place for need, _ in purse.chosen for place in need.places} | {*lacking.standing.added}
    added = tuple(sorted(beyond - own))
    plan = keep_runs(lacking.plan, own | set(added))
    done = {item.job.key for item in lacking.estimate.jobs if item.is_reused}
    held = frozenset(job.key for job in plan.jobs if job.key not in purse.jobs and job.key not in done)
    return Fill(plan, Filling(tuple(purse.jobs), held, added), tuple(purse.chosen), tuple(left), on_the_way)


def fill_lines(fill: Fill) -> list[str]:
    """Return what is queued in its order, what is left and why, and what further seeds mean."""
    before = [say("fill_under_way", price=fill.on_the_way)] if fill.on_the_way.jobs else []
    lines = [say("fill_queues", what=need.what, why=need.why, price=price) for need, price in fill.chosen if price.jobs]
    lines += [say("fill_leaves", what=need.what, why=why or need.why, price=price) for need, price, why in fill.left]
    return [*before, *lines, *([say("added_seeds", count=len(fill.filling.added))] if fill.filling.added else [])]
