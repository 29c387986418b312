"""Which numbers of a run came out again: takes the archive's home and that of the repetition, gives lines.

Weights by their sha256, logged values and answers one by one, the figures of the run's row. Speeds, times and memory
are of the machine: they are told as ratios, and no verdict rests on them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.analysis.snapshot import Snapshot, one_snapshot
from engine.home.files import read_object
from engine.home.paths import Home
from store.metrics import METRICS

WEIGHTS = "weights_sha256"
Key = tuple[Any, ...]


@dataclass(frozen=True)
class Sides:
    """What the archive says and what came out here, by the same keys."""

    there: Mapping[Key, Any]
    here: Mapping[Key, Any]

    @property
    def apart(self) -> list[Key]:
        return [key for key in (*self.there, *(self.here.keys() - self.there.keys())) if not self.is_same(key)]

    def is_same(self, key: Key) -> bool:
        return key in self.there and key in self.here and same_value(self.there[key], self.here[key])

    def largest_gap(self) -> float:
        """Return the largest relative difference of the values that both have."""
        both = [(self.there[key], self.here[key]) for key in self.there if key in self.here]
        return max((relative_gap(one, two) for one, two in both), default=0.0)


def same_value(one: Any, two: Any) -> bool:
    """Whether two values have the same bits; not a number is itself here."""
    both_nan = all(isinstance(value, float) and math.isnan(value) for value in (one, two))
    return bool(one == two) or both_nan


def relative_gap(one: Any, two: Any) -> float:
    """Return |a - b| over the larger of both, infinite where one is not finite and the other another."""
    if same_value(one, two):
        return 0.0
    if one is None or two is None or not (math.isfinite(one) and math.isfinite(two)):
        return math.inf
    return float(abs(one - two) / max(abs(one), abs(two)))


def tell_repeated(archived: Home, again: Home, run: Mapping[str, Any]) -> Iterator[str]:
    """Yield what of a run repeats, bit-equal or within what, in lines for a person."""
    jobs = sorted(run["jobs"].values())
    yield f"{run['arm']} {run['cell']} seed {run['seed']} ({run['run']}):"
    yield from (f"  {line}" for line in _weights_lines(archived, again, run["jobs"]))
    with one_snapshot(archived) as there, one_snapshot(again) as here:
        logged = Sides(*(_logged(side, jobs) for side in (there, here)))
        answers = Sides(*(_answers(side, jobs) for side in (there, here)))
        rows = [_row_of(side, run["run"]) for side in (there, here)]
    yield f"  logged values: {_count_text(logged, within=True)}"
    yield f"  answers to single images: {_count_text(answers)}"
    yield from (f"  {line}" for line in figure_lines(*rows))


def _weights_lines(archived: Home, again: Home, jobs: Mapping[str, str]) -> Iterator[str]:
    for role, job in jobs.items():
        one, two = ((read_object(home.job(job).result) or {}).get(WEIGHTS) for home in (archived, again))
        if one or two:
            yield f"weights of the {role}: {'bit-equal' if one == two else 'other bits'} ({job})"


def _logged(snapshot: Snapshot, jobs: Sequence[str]) -> dict[Key, Any]:
    bound = {name for metric in METRICS.values() if metric.device_bound for name in (metric.name, *metric.logged)}
    rows = snapshot.ask("repeat_logged", jobs=list(jobs))
    return {(row["job"], row["name"], row["step"]): row["value"] for row in rows if row["name"] not in bound}


def _answers(snapshot: Snapshot, jobs: Sequence[str]) -> dict[Key, Any]:
    rows = snapshot.ask("repeat_answers", jobs=list(jobs))
    return {(row["job"], row["part"], row["sample"]): row["predicted"] for row in rows}


def _row_of(snapshot: Snapshot, run: str) -> Mapping[str, Any]:
    return next(iter(snapshot.ask("repeat_figures", run=run)), {})


def _count_text(sides: Sides, *, within: bool = False) -> str:
    every, apart = len({*sides.there, *sides.here}), len(sides.apart)
    if not every:
        return "none"
    if not apart:
        return f"all {every:,} bit-equal"
    gap = f", by {sides.largest_gap():.2g} of their size at most" if within else ""
    return f"{apart:,} of {every:,} differ{gap}"


def figure_lines(there: Mapping[str, Any], here: Mapping[str, Any]) -> Iterator[str]:
    """Yield what the run's figures came to: those of the network by the bit, those of the machine as ratios."""
    own = [name for name in METRICS if name in there and not (there[name] is None and here.get(name) is None)]
    fixed = [name for name in own if not METRICS[name].device_bound]
    same = [name for name in fixed if same_value(there[name], here.get(name))]
    if same:
        yield f"bit-equal: {', '.join(same)}"
    yield from (_apart_line(name, there[name], here.get(name)) for name in fixed if name not in same)
    timed = [(name, there[name], here.get(name)) for name in own if METRICS[name].device_bound]
    ratios = [f"{name} {two / one:.2f}" for name, one, two in timed if one and two is not None]
    if ratios:
        yield f"of this machine, times as much as there: {', '.join(ratios)}"


def _apart_line(name: str, one: float | None, two: float | None) -> str:
    if one is None or two is None:
        return f"{name}: {one} there, {two} here"
    gap = f"{100 * (two - one):+.2f} points" if METRICS[name].is_share else f"{two - one:+.3g}"
    return f"{name}: {one:.6g} there, {two:.6g} here ({gap})"
