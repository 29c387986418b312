"""The numbers of a search's charts: takes what was tried, gives how the best grew, lines of trials, weights, fronts."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from engine.analysis.importance import TOP, Importance, importances, is_top
from engine.analysis.neighbours import place_on
from engine.analysis.orders import ORDERS, best_so_far, order_band
from engine.analysis.searches import SearchedArm, Searches, Tried, directions
from engine.analysis.statistics import holm
from engine.analysis.trial_fronts import growing_volumes
from engine.report import number_text
from engine.report.charts.best_so_far import BestSoFar
from engine.report.charts.importance import Weight, Weights
from engine.report.charts.parallel import Coordinate, Line, Parallel
from engine.report.charts.trial_front import TrialFront, Whiskers
from engine.report.search_text import drawn_text
from engine.report.sentences import say
from store.amounts import counted
from store.metrics import METRICS, Metric

ALPHA = 0.05
MOST_ARMS = 6  # that have charts of their own
LEAST_LINES, MOST_LINES = 2, 500
LEAST_TRIALS = 10  # for importances
LEAST_TOP = 5  # trials among the best, as PED-ANOVA's authors want them


@dataclass(frozen=True)
class SearchCharts:
    """The charts of a search."""

    best: BestSoFar | None
    front: TrialFront | None
    parallels: Sequence[Parallel]
    weights: Sequence[Weights]


@dataclass(frozen=True)
class Anew:
    """The best of an arm's search, trained anew: of each metric the mean over fresh seeds and its interval, if any."""

    arm: str
    figures: Sequence[tuple[float, float | None, float | None]]


def search_charts(found: Searches, anew: Sequence[Anew] = ()) -> SearchCharts:
    """Return the charts of a search, those that have something to show."""
    is_front = len(found.search.metrics) > 1
    shown = list(enumerate(found.arms))[:MOST_ARMS]
    parallels = [_parallel(arm, at, found) for at, arm in shown if len(arm.compared) >= LEAST_LINES]
    weights = [one for at, arm in shown for one in _weights(arm, at, found)]
    return SearchCharts(
        None if is_front else _best(found), _front(found, anew) if is_front else None, parallels, weights
    )


def few_text(found: Searches) -> str:
    """Say which arms have too few trials for importances."""
    arms = [arm.arm for arm in found.arms if 0 < len(arm.compared) < LEAST_TRIALS]
    return say("search_too_few", arms=", ".join(arms), least=LEAST_TRIALS) if arms else ""


def _of(arm: SearchedArm, found: Searches) -> str:
    return f": {arm.arm}" if len(found.arms) > 1 else ""


# Over training time --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Clock:
    """The unit of an axis of training time."""

    label: str
    seconds: float

    @classmethod
    def of(cls, found: Searches) -> _Clock:
        work = [one for arm in found.arms for one in arm.work]
        most = max((sum(arm.costs) for arm in found.arms), default=0.0)
        seconds, unit = next((each for each in ((3600.0, "hours"), (60.0, "minutes")) if most >= each[0]), (1.0, "s"))
        where = "GPU-" if work and all(one.gpus for one in work) else ""
        return cls(f"training time [{where}{unit}]", seconds)


def _best(found: Searches) -> BestSoFar | None:
    """Return the best of one metric over training time; None where no trial has a figure."""
    metric, clock = METRICS[found.search.metrics[0]], _Clock.of(found)
    way = _scale(metric) if directions(found.search)[0] == "max" else -_scale(metric)
    lines, bands, ends = {}, {}, {}
    for arm in [arm for arm in found.arms if arm.compared]:
        goals = [_goal(arm, one) for one in arm.tried]
        steps = best_so_far(goals, arm.costs)
        lines[arm.arm] = [(spent / clock.seconds, way * best) for spent, best in steps]
        ends[arm.arm] = sum(arm.costs) / clock.seconds
        band = order_band(*_by_trial(arm, goals))
        if band and tuple(band.low) != tuple(band.high):  # of trials that are all alike it would be the line itself
            bands[arm.arm] = [
                (spent / clock.seconds, way * low, way * middle, way * high)
                for spent, low, middle, high in zip(band.spent, band.low, band.middle, band.high, strict=True)
            ]
    if not lines or not any(ends.values()):
        return None
    notes = [say("search_path")] + ([say("search_orders", orders=f"{ORDERS:,}")] if bands else [])
    title = f"Best so far: {number_text.heading(metric)}"
    return BestSoFar("trials_best", title, clock.label, lines, bands, ends, notes)


def _goal(arm: SearchedArm, one: Tried) -> float | None:
    """Return the figure of a trial that counts, more being better."""
    found = arm.goals(one) if one.rung == arm.top and arm.is_fair(one) else None
    return None if found is None else found[0]


def _by_trial(arm: SearchedArm, goals: Sequence[float | None]) -> tuple[list[float | None], list[float]]:
    """Return each trial's figure and all that it cost, its rungs together."""
    figures, costs = dict[int, float | None](), dict[int, float]()
    for one, goal, cost in zip(arm.tried, goals, arm.costs, strict=True):
        figures[one.trial] = figures.get(one.trial) if goal is None else goal
        costs[one.trial] = costs.get(one.trial, 0.0) + cost
    return list(figures.values()), list(costs.values())


def _scale(metric: Metric) -> float:
    return number_text.scale_of(metric).factor


# Trials as lines -----------------------------------------------------------------------------------------------------


def _parallel(arm: SearchedArm, at: int, found: Searches) -> Parallel:
    metrics = [METRICS[name] for name in arm.search.metrics]
    axes = [Coordinate(path, _ticks(arm, path)) for path in arm.space]
    spans = [_span(arm, metric) for metric in metrics]
    axes += [Coordinate(_axis_label(metric), _ends(span)) for metric, span in zip(metrics, spans, strict=True)]
    lines = [Line(_places(arm, one, metrics, spans), _shown(one, metrics[0])) for one in _some(arm)]
    is_less = directions(arm.search)[0] == "min"
    is_alike = spans[0][0] == spans[0][1]
    notes = [say("search_lines_alike" if is_alike else "search_lines", metric=metrics[0].name)]
    left = len(arm.compared) - len(lines)
    notes += [say("search_some_lines", shown=len(lines), all=len(arm.compared))] if left else []
    notes += [say("search_absent")] if any(None in line.places for line in lines) else []
    return Parallel(
        f"trials_lines_{at + 1}", f"Trials{_of(arm, found)}", _axis_label(metrics[0]), axes, lines, is_less, notes
    )


def _some(arm: SearchedArm) -> list[Tried]:
    """Return the trials that are drawn: of too many as many from each part of their order, the best among them."""
    if len(arm.compared) <= MOST_LINES:
        return arm.compared
    ranked = sorted(arm.compared, key=lambda one: (arm.goals(one) or ())[0], reverse=True)
    return [ranked[at * len(ranked) // MOST_LINES] for at in range(MOST_LINES)]


def _axis_label(metric: Metric) -> str:
    axis = number_text.scale_of(metric).axis
    return f"{metric.heading} [{axis}]" if axis else metric.heading


def _shown(one: Tried, metric: Metric) -> float:
    return _scale(metric) * one.values[metric.name]


def _span(arm: SearchedArm, metric: Metric) -> tuple[float, float]:
    figures = [_shown(one, metric) for one in arm.compared]
    return min(figures), max(figures)


def _places(
    arm: SearchedArm, one: Tried, metrics: Sequence[Metric], spans: Sequence[tuple[float, float]]
) -> list[float | None]:
    places = [place_on(axis, one.drawn[path]) if path in one.drawn else None for path, axis in arm.space.items()]
    figures = [
        (_shown(one, metric) - low) / (high - low) if high > low else 0.5
        for metric, (low, high) in zip(metrics, spans, strict=True)
    ]
    return [*places, *figures]


def _ticks(arm: SearchedArm, path: str) -> list[tuple[float, str]]:
    """Return the ends of a range, or every choice."""
    axis = arm.space[path]
    return [(place_on(axis, value), drawn_text(value)) for value in axis.values]


def _ends(span: tuple[float, float]) -> list[tuple[float, str]]:
    if span[0] == span[1]:
        return [(0.5, number_text.significant(span[0]))]
    return [(place, number_text.significant(value)) for place, value in zip((0.0, 1.0), span, strict=True)]


# What decides --------------------------------------------------------------------------------------------------------


def _weights(arm: SearchedArm, at: int, found: Searches) -> Iterator[Weights]:
    """Yield the importance of an arm's settings for each metric."""
    draws, several = [one.drawn for one in arm.compared], len(arm.search.metrics) > 1
    if len(draws) < LEAST_TRIALS:
        return
    for place, name in enumerate(arm.search.metrics):
        goals = [(arm.goals(one) or ())[place] for one in arm.compared]
        told = importances(arm.space, draws, goals)
        by = f" for {METRICS[name].heading}" if several else ""
        notes = list(_weight_notes(told, sum(map(bool, is_top_of(goals))), len(goals)))
        title, ending = f"Importance{by}{_of(arm, found)}", f"_{place + 1}" if several else ""
        yield Weights(f"trials_weights_{at + 1}{ending}", title, _bars(told), at, notes)


def is_top_of(goals: Sequence[float]) -> list[bool]:
    """Return which of the trials are among the best."""
    import numpy as np

    return [bool(one) for one in is_top(np.asarray(goals, dtype=np.float64))]


def _bars(told: Sequence[Importance]) -> list[Weight]:
    adjusted = holm([one.p for one in told])
    return [
        Weight(one.path, 100 * one.share, number_text.significant(one.p, 2), p < ALPHA)
        for one, p in zip(told, adjusted, strict=True)
    ]


def _weight_notes(told: Sequence[Importance], top: int, count: int) -> Iterator[str]:
    if top < LEAST_TOP:
        yield say("search_few", top=counted(top, "trial"), count=count, least=LEAST_TOP)
    yield say("search_weights", share=f"{100 * TOP:g}")
    is_any = any(bar.is_told for bar in _bars(told))
    yield say("search_chance" if is_any else "search_no_weight", alpha=ALPHA)


# Fronts --------------------------------------------------------------------------------------------------------------


def _front(found: Searches, anew: Sequence[Anew]) -> TrialFront | None:
    """Return the front of several metrics and the volume below it; None where some metric has no two figures."""
    points = [arm.goals(one) or () for arm in found.arms for one in arm.compared]
    worst, ideal = ([edge(column) for column in zip(*points, strict=True)] for edge in (min, max))
    if not points or any(low == high for low, high in zip(worst, ideal, strict=True)):
        return None
    metrics, clock = [METRICS[name] for name in found.search.metrics], _Clock.of(found)
    lines = {arm.arm: _volume(arm, worst, ideal, clock) for arm in found.arms if arm.compared}
    ends = {arm.arm: sum(arm.costs) / clock.seconds for arm in found.arms}
    volume = BestSoFar("", "Hypervolume of the front", clock.label, lines, {}, ends)
    ways = directions(found.search)
    reference = ", ".join(_reference(metric, way, edge) for metric, way, edge in zip(metrics, ways, worst, strict=True))
    notes = [say("search_volume", reference=reference)]
    if len(metrics) > 2:
        return TrialFront("trials_front", "Hypervolume", "", "", {}, {}, volume, notes=notes)
    up, across = metrics
    spots = {arm.arm: [(_shown(one, across), _shown(one, up)) for one in arm.compared] for arm in found.arms}
    fronts = {arm.arm: sorted((_shown(one, across), _shown(one, up)) for one in arm.best) for arm in found.arms}
    return TrialFront(
        "trials_front", "Front of the trials", _axis_label(across), _axis_label(up), spots, fronts, volume,
        ways[1] == "max", [say("search_spots"), *([say("search_anew")] if anew else []), *notes],
        [_whiskers(one, across, up) for one in anew],
    )  # fmt: skip


def _whiskers(one: Anew, across: Metric, up: Metric) -> Whiskers:
    """Return the mark of what was trained anew; figures stand in the order of the metrics: up, then across."""
    (y, low, high), (x, left, right) = (
        [None if value is None else value * _scale(metric) for value in figures]
        for figures, metric in zip(one.figures, (up, across), strict=True)
    )
    assert x is not None, "every figure has a mean"
    assert y is not None, "every figure has a mean"
    return Whiskers(one.arm, (x, y), (left, right), (low, high))


def _volume(
    arm: SearchedArm, worst: Sequence[float], ideal: Sequence[float], clock: _Clock
) -> list[tuple[float, float]]:
    """Return the share of the box from the worst to the ideal that the front has, after each trial."""
    points = [arm.goals(one) if arm.is_fair(one) else None for one in arm.tried]
    edges = list(zip(worst, ideal, strict=True))
    scaled = [
        None if point is None
        else [(value - low) / (high - low) for value, (low, high) in zip(point, edges, strict=True)]
        for point in points
    ]  # fmt: skip
    spent, done = 0.0, []
    for cost, volume in zip(arm.costs, growing_volumes(scaled, [0.0] * len(worst)), strict=True):
        spent += cost
        done.append((spent / clock.seconds, volume))
    return done


def _reference(metric: Metric, way: str, edge: float) -> str:
    scale = number_text.scale_of(metric)
    return f"{metric.name} {scale.write(edge if way == 'max' else -edge)} {scale.sign}".strip()
