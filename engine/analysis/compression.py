"""What compressing a network gave: takes an experiment, gives each compressed arm beside its whole one and controls.

Compressed: pruned, masked or quantised. Accuracies are compared as everywhere (compare.py); speeds by rounds side by
side (speeds.py), for every way in which networks were run (eager, compiled, a runtime's name) and
number of threads: another runtime needs nothing here.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from engine.analysis.compare import Comparison, compare_arms
from engine.analysis.controls import Arms, is_compressed, read_settings
from engine.analysis.fronts import Quick, Right, front_shares
from engine.analysis.snapshot import Judged, Row, Snapshot
from engine.analysis.speeds import Measured, SpeedRatio, level_rates, rate_of, ratio_between, read_jobs
from engine.errors import QueryError
from engine.spec.prune import Control

METRIC = "test_top1"
Place = tuple[str, str]
MOST_COMPARED = 400
"""Compressed arms of a point whose accuracies are compared with whole arms and controls: it is some seconds' work, and
a table of more is read by nobody. A report says how many those were."""


@dataclass(frozen=True)
class Compressed:
    """A compressed arm at a point: the whole arm it is held against, its controls, and what it lacks of them.

    `changes` compares its accuracy with each of them that has a seed in common.
    """

    arm: str
    cell: str
    whole: str | None
    controls: Mapping[Control, str]
    missing: Sequence[Control]
    changes: Mapping[str, Comparison] = field(default_factory=dict)
    is_compared: bool = True


@dataclass(frozen=True, order=True)
class Way:
    """How networks were run: in which runtime ('' for how other tables show speeds), where, and on how many threads."""

    runtime: str
    device: str
    precision: str
    threads: int
    shown: str = field(default="", compare=False)
    """What '' is: eager, or a replayed graph."""

    @property
    def name(self) -> str:
        return self.runtime or self.shown


@dataclass(frozen=True)
class Speed:
    """How fast an arm's networks are under one load: images/s as measured, and `level`: as if all had been measured at
    one time. `ratio`: how many times as fast as the whole ones, None where that is not known, or the arm is whole.
    `is_noisy`: the calls of one of its networks, or of those it took turns with, spread widely."""

    rate: SpeedRatio
    level: SpeedRatio
    ratio: SpeedRatio | None
    jobs: tuple[str, ...]
    is_noisy: bool = False


@dataclass(frozen=True)
class Ran:
    """What was measured of one point's arms in one way: speeds by arm at the smallest and the largest batch, and the
    share of draws in which an arm is on the front of accuracy and latency."""

    cell: str
    way: Way
    smallest: int
    largest: int
    at_smallest: Mapping[str, Speed]
    at_largest: Mapping[str, Speed]
    front: Mapping[str, float]


@dataclass(frozen=True)
class Compression:
    """All that an experiment tells of compressing."""

    arms: Sequence[Compressed]
    ran: Sequence[Ran]
    measured: Sequence[Row] = ()

    def at(self, cell: str) -> list[Compressed]:
        return [one for one in self.arms if one.cell == cell]


def read_compression(
    snapshot: Snapshot, name: str, baseline: str | None, known: Mapping[Place, Comparison] | None = None
) -> Compression | None:
    """Return what compressing gave in an experiment; None where no arm is compressed.

    `known` are comparisons of accuracy with the baseline by (arm, cell), which are not made again.
    """
    settings = read_settings(snapshot, name)
    if not any(map(is_compressed, settings.values())):
        return None
    cells = list(dict.fromkeys(cell for _, cell in settings))
    found: list[Compressed] = []
    for cell in cells:
        here = Arms({arm: tree for (arm, at), tree in settings.items() if at == cell})
        arms = [_find_arm(here, arm, cell, baseline) for arm in here.settings if is_compressed(here.settings[arm])]
        found += [_with_changes(snapshot, name, one, baseline, known or {}) for one in arms[:MOST_COMPARED]]
        found += [replace(one, is_compared=False) for one in arms[MOST_COMPARED:]]
    return Compression(found, _read_ways(snapshot, name, found), snapshot.ask("report_measured", name=name))


def _find_arm(here: Arms, arm: str, cell: str, baseline: str | None) -> Compressed:
    return Compressed(arm, cell, here.whole(arm, baseline), here.controls(arm), here.missing(arm))


def _with_changes(
    snapshot: Snapshot, name: str, one: Compressed, baseline: str | None, known: Mapping[Place, Comparison]
) -> Compressed:
    changes = {}
    for other in dict.fromkeys([one.whole, *one.controls.values()]):
        found = known.get((one.arm, one.cell)) if other == baseline else None
        if other is not None:
            found = found or _compare(snapshot, f"{name}/{one.arm}", f"{name}/{other}", one.cell)
        if other is not None and found is not None:
            changes[other] = found
    return Compressed(one.arm, one.cell, one.whole, one.controls, one.missing, changes)


def _compare(snapshot: Snapshot, arm: str, other: str, cell: str) -> Comparison | None:
    try:
        compared = compare_arms(snapshot, arm, other, METRIC, anyway=True)
    except QueryError:  # no common seed yet
        return None
    return next((one for one in compared if one.cell == cell), None)


# Speeds ---------------------------------------------------------------------------------------------------------------


def _read_ways(snapshot: Snapshot, name: str, arms: Sequence[Compressed]) -> list[Ran]:
    """Return what was measured at each point in each way, in the order of runtimes' names; other tables' way first."""
    groups: dict[tuple[str, Way], list[Row]] = defaultdict(list)
    for row in snapshot.ask("report_rounds", name=name):
        way = Way(row["apart"], row["device"], row["precision"], row["threads"], row["shown"])
        groups[row["cell"], way].append(row)
    rights = _read_rights(snapshot, name)
    wholes = {(one.arm, one.cell): one.whole for one in arms}
    cells = list(dict.fromkeys(cell for cell, _ in groups))
    ordered = sorted(groups, key=lambda key: (cells.index(key[0]), key[1]))
    return [_read_way(cell, way, groups[cell, way], wholes, rights) for cell, way in ordered]


def _read_way(
    cell: str, way: Way, rows: Sequence[Row], wholes: Mapping[Place, str | None], rights: Mapping[Place, Right]
) -> Ran:
    sizes = sorted({row["batch_size"] for row in rows})
    speeds = {size: _read_load(cell, [row for row in rows if row["batch_size"] == size], wholes) for size in sizes}
    slow = speeds[sizes[0]]
    placed = [arm for arm in slow if (arm, cell) in rights]
    quicks = [Quick(one.level.log, one.level.error, one.level.df, one.jobs) for one in map(slow.__getitem__, placed)]
    shares = front_shares([rights[arm, cell] for arm in placed], quicks) if len(placed) > 1 else []
    front = dict(zip(placed, shares, strict=False))
    return Ran(cell, way, sizes[0], sizes[-1], slow, speeds[sizes[-1]], front)


def _read_load(cell: str, rows: Sequence[Row], wholes: Mapping[Place, str | None]) -> dict[str, Speed]:
    of_arm: dict[str, list[str]] = {}
    for row in rows:
        of_arm.setdefault(row["arm"], []).append(row["job"])
    owner = {name: arm for arm, names in of_arm.items() for name in names}  # one network may be that of several arms
    jobs = read_jobs([row for row in rows if row["arm"] == owner[row["job"]]])
    held = {arm: sorted(set(names)) for arm, names in of_arm.items()}
    measured = {arm: [jobs[name] for name in names] for arm, names in held.items()}
    level, noisy = level_rates(measured), {row["job"] for row in rows if row["noisy"]}
    return {
        arm: Speed(
            rate_of(measured[arm]), level[arm], _ratio(jobs, held, arm, wholes.get((arm, cell))), tuple(names),
            not noisy.isdisjoint(names),
        )
        for arm, names in held.items()
    }  # fmt: skip


def _ratio(
    jobs: Mapping[str, Measured], held: Mapping[str, Sequence[str]], arm: str, whole: str | None
) -> SpeedRatio | None:
    if whole is None or whole not in held:
        return None
    found = ratio_between(jobs, held[arm], held[whole])
    return None if isinstance(found, str) else found


def _read_rights(snapshot: Snapshot, name: str) -> dict[Place, Right]:
    """Return what the networks of each arm got right, by seed and image; of those that are on a chart."""
    runs = [row for row in snapshot.ask("report_finals", name=name) if row[METRIC] is not None]
    runs = [row for row in runs if math.isfinite(row[METRIC])]
    answers = snapshot.ask_images(row["job"] for row in runs)
    found: dict[Place, list[Row]] = defaultdict(list)
    for row in runs:
        found[row["arm"], row["cell"]].append(row)
    asked = {cell: {_asked(answers.get(row["job"])) for row in runs if row["cell"] == cell} for _, cell in found}
    return {place: _right_of(rows, answers if len(asked[place[1]]) == 1 else {}) for place, rows in found.items()}


def _asked(answer: Judged | None) -> str:
    return "" if answer is None else answer.images


def _right_of(rows: Sequence[Row], answers: Mapping[str, Judged]) -> Right:
    by_seed = {row["seed"]: float(row[METRIC]) for row in rows}
    tables = {row["seed"]: answers[row["job"]].right for row in rows if row["job"] in answers}
    if len(tables) < len(by_seed):
        return Right(by_seed)
    return Right(by_seed, {seed: one.astype(np.float64) for seed, one in tables.items()})
