"""Runs in groups: takes runs and what they are grouped by, gives each group's size, states, means and intervals.

A figure's interval is Student's t over runs, where its quantity stays: shares on the logit scale, all else above 0 on
the log scale, as in the view `cells`. What one job says of several runs is one sample.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from engine.analysis.statistics import Interval, t_interval
from engine.serve.filtering import Cell, to_number
from engine.serve.run_rows import Column, RunLine
from store.metrics import Metric

MOST_EXPONENT = 700.0


@dataclass(frozen=True)
class Group:
    """Runs that have the same value of what they are grouped by."""

    key: Cell
    lines: tuple[RunLine, ...]

    @property
    def states(self) -> Mapping[str, int]:
        return Counter(line.state for line in self.lines)

    @property
    def arm(self) -> str:
        """EXPERIMENT/ARM where all are of one arm, else nothing."""
        arms = {f"{line.experiment}/{line.arm}" for line in self.lines}
        return arms.pop() if len(arms) == 1 else ""

    @property
    def arms(self) -> int:
        return len({(line.experiment, line.arm) for line in self.lines})


@dataclass(frozen=True)
class Summary:
    """What a column says of a group: the interval of a figure, else the one value or how many there are."""

    interval: Interval | None
    text: str

    @property
    def value(self) -> Cell:
        """By what groups are sorted."""
        return self.interval.mean if self.interval else self.text


def make_groups(lines: Sequence[RunLine], value: Callable[[RunLine], Cell]) -> list[Group]:
    """Return the groups in the order in which their first runs come."""
    found: dict[Cell, list[RunLine]] = {}
    for line in lines:
        found.setdefault(value(line), []).append(line)
    return [Group(key, tuple(held)) for key, held in found.items()]


def summarise(group: Group, column: Column, value: Callable[[RunLine], Cell]) -> Summary:
    """Return what a column says of a group."""
    if not column.is_number:
        values = list(dict.fromkeys(map(value, group.lines)))
        return Summary(None, column.write(values[0]) if len(values) == 1 else f"{len(values)} values")
    interval = _interval(group, column.metric, value)
    if interval is None:
        return Summary(None, column.write(None))
    # Where all are the same there is nothing that an interval could say.
    between = f" [{column.write(interval.low)}, {column.write(interval.high)}]" if interval.std else ""
    return Summary(interval, f"{column.write(interval.mean)}{between} (n={interval.n})")


def _interval(group: Group, metric: Metric | None, value: Callable[[RunLine], Cell]) -> Interval | None:
    samples: dict[str, float] = {}
    for line in group.lines:
        number = to_number(value(line))
        if number is not None and math.isfinite(number):
            samples.setdefault(_source(line, metric), number)
    if not samples:
        return None
    over = t_interval(list(samples.values()))
    if metric is not None and metric.is_signed:
        return over
    return bend(over, is_share=metric is not None and metric.unit == "fraction")


def _source(line: RunLine, metric: Metric | None) -> str:
    """The job that a figure comes from: runs that share it are one sample."""
    is_once = metric is not None and metric.measured == "once"
    return (line.measure_job if is_once else line.final_job) or line.run


def bend(over: Interval, *, is_share: bool) -> Interval:
    """Return the interval where its quantity stays (delta method); what is at the very edge or below 0 is left."""
    mean, half = over.mean, over.half
    if half is None or mean <= 0 or (is_share and mean >= 1):
        return over
    if is_share:
        away, odds = min(half / (mean * (1 - mean)), MOST_EXPONENT), (1 - mean) / mean
        low, high = 1 / (1 + odds * math.exp(away)), 1 / (1 + odds * math.exp(-away))
    else:
        away = min(half / mean, MOST_EXPONENT)
        low, high = mean * math.exp(-away), mean * math.exp(away)
    return Interval(mean, over.std, low, high, over.n)
