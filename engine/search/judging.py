"""Which trial is best: takes a study's trials, gives the order, the front, and what their constraints say."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

from engine.analysis.searches import directions
from engine.analysis.trial_fronts import front_places
from engine.search.decisions import Trial
from engine.spec.search import Bound, Search
from store.metrics import METRICS


def goals(trial: Trial, search: Search) -> list[float] | None:
    """Return a trial's figures, more being better, None where one of them is not known."""
    found = [trial.values.get(name, math.nan) for name in search.metrics]
    if any(map(math.isnan, found)):
        return None
    return [value if way == "max" else -value for value, way in zip(found, directions(search), strict=True)]


def broken_bound(values: Mapping[str, float], bounds: Mapping[str, Bound]) -> str | None:
    """Return the first bound that figures break, in words; a figure that is not known breaks none."""
    for name, bound in bounds.items():
        value = values.get(name)
        if value is not None and not bound.allows(value):
            unit = METRICS[name].unit
            shown = "" if unit in ("count", "fraction") else f" {unit}"
            limit = f"not below {bound.below:g}" if bound.below is not None and value > bound.below else (
                f"not above {bound.above:g}"
            )  # fmt: skip
            return f"{name} is {value:.6g}{shown}, {limit}"
    return None


def excess(values: Mapping[str, float], bounds: Mapping[str, Bound]) -> dict[str, float]:
    """Return by how much each bound is broken: above 0 it is; what is not known is not told."""
    found: dict[str, float] = {}
    for name, bound in bounds.items():
        if name in values:
            over = values[name] - bound.below if bound.below is not None else -math.inf
            under = bound.above - values[name] if bound.above is not None else -math.inf
            found[name] = max(over, under)
    return found


def feasible(trials: Iterable[Trial], search: Search) -> list[Trial]:
    """Return the trials that ended, have their figures, and keep every bound."""
    return [
        one
        for one in trials
        if one.is_judged and goals(one, search) is not None and broken_bound(one.values, search.constraint) is None
    ]


def best_trials(trials: Iterable[Trial], search: Search) -> list[Trial]:
    """Return the best trial, or the front of several metrics: those that no other beats in one and equals in all.

    Of equal ones the earlier counts.
    """
    fair = feasible(trials, search)
    return [fair[at] for at in front_places([goals(one, search) or [] for one in fair])]
