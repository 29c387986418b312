"""What fits into a budget: takes what an experiment lacks, gives the rows that `submit --fill` would queue, in order.

The runs of a cell are one row, as a budget is thought of in cells; comparisons keep a row of their own.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from engine.analysis.fill import choose_fill
from engine.analysis.holes import Need
from engine.analysis.lacking import Lacking, Price
from engine.plan.subset import Place


@dataclass(frozen=True)
class BudgetRow:
    """Runs that are paid together: of a comparison, or of an arm at a cell; `why` says why they are wanted or left."""

    what: str
    why: str
    seeds: tuple[int, ...]
    price: Price

    def as_json(self) -> dict[str, Any]:
        return {"what": self.what, "why": self.why, "seeds": list(self.seeds), **self.price.as_json()}


@dataclass(frozen=True)
class Budget:
    """`fits` goes in this order, after what is `under_way`; seconds are of work, one job after the other."""

    seconds: float
    under_way: Price
    fits: tuple[BudgetRow, ...]
    left: tuple[BudgetRow, ...]

    def as_json(self) -> dict[str, Any]:
        rows = {"fits": [row.as_json() for row in self.fits], "left": [row.as_json() for row in self.left]}
        return {"seconds": self.seconds, "under_way": self.under_way.as_json(), **rows}


def share_budget(lacking: Lacking, seconds: float, arms: Iterable[str] = ()) -> Budget:
    """Return what `xp submit --fill` would queue for so many seconds of work, of `arms` alone if any are named."""
    wanted = set(arms)
    if wanted:
        needs = [need for need in lacking.needs if need.places and {place[0] for place in need.places} <= wanted]
        lacking = replace(lacking, needs=tuple(needs))
    fill = choose_fill(lacking, seconds)
    paid = {*fill.filling.order}
    fits = [(need, price, need.why) for need, price in fill.chosen if price.jobs]
    left = [(need, price, why or need.why) for need, price, why in fill.left]
    return Budget(seconds, fill.on_the_way, tuple(_group(lacking, fits)), tuple(_group(lacking, left, paid)))


def _group(
    lacking: Lacking, told: Iterable[tuple[Need, Price, str]], paid: set[str] | None = None
) -> Iterable[BudgetRow]:
    """Put runs of a cell together. What is left is priced without what is `paid`, each shared job once a row."""
    groups: dict[str, list[tuple[Need, Price, str]]] = {}
    for need, price, why in told:
        groups.setdefault(need.what if need.is_comparison else _cell(need.places[0]), []).append((need, price, why))
    for what, found in groups.items():
        places = [place for need, _, _ in found for place in need.places]
        price = _sum(price for _, price, _ in found)
        if paid is not None:
            price = lacking.price(lacking.jobs_of(places) - paid)
        yield BudgetRow(what, found[0][2], tuple(sorted({seed for _, _, seed in places})), price)


def _cell(place: Place) -> str:
    arm, cell, _ = place
    return arm if cell == "default" else f"{arm}, {cell}"


def _sum(prices: Iterable[Price]) -> Price:
    whole = Price()
    for one in prices:
        whole = Price(
            whole.seconds + one.seconds, whole.gpu_hours + one.gpu_hours, whole.bytes + one.bytes, whole.jobs + one.jobs
        )
    return whole
