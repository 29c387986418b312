"""Where a foreign run stands here: takes runs of one experiment, gives each its arm, cell and seed.

Runs of one name are the seeds of an arm, which is what seeds are called for elsewhere; `--arm KEY` takes the arm from a
param or a tag instead. What xp itself exported finds its own place again by its tags.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

from engine.errors import DataError, closest_hint
from engine.exchange.foreign import ForeignRun
from engine.home.paths import LONGEST_NAME, OWN_NAME
from engine.spec.dotted import flatten_settings

SEEDS = ("seed", "random_seed", "rng_seed", "train.seed", "trainer.seed", "training.seed")
LONGEST_ARM = 80
ODD = re.compile(r"[^A-Za-z0-9._+=-]+")
LARGEST_SEED = (1 << 63) - 1
Place = tuple[str, str, int]


@dataclass(frozen=True)
class Placed:
    """A run and its place."""

    run: ForeignRun
    arm: str
    cell: str
    seed: int


def arm_name(text: str) -> str:
    """Return a text as the name of an arm: what an address has a meaning for, becomes `_`."""
    return ODD.sub("_", text).strip("_.-")[:LONGEST_ARM] or "run"


def experiment_name(text: str) -> str:
    """Return a text as the name of an experiment, which is a folder too."""
    name = re.sub(r"[^A-Za-z0-9._-]+", "_", text).strip("._-")[: LONGEST_NAME // 2]
    return name if OWN_NAME.fullmatch(name) else "imported"


def place_runs(
    runs: Sequence[ForeignRun], key: str | None = None, known: Mapping[tuple[str, str], Place] | None = None
) -> list[Placed]:
    """Return the runs with a place each, the oldest first. Raises DataError for an unknown key.

    `known` are the places that runs have here, by the tool's experiment and id: they keep them, and the others take
    those that are free.
    """
    known = known or {}
    ordered = sorted(runs, key=lambda run: (run.started or 0.0, run.id))
    taken, arms = defaultdict[tuple[str, str], set[int]](set), defaultdict[tuple[str, str], list[ForeignRun]](list)
    for arm, cell, seed in known.values():
        taken[arm, cell].add(seed)
    for run in ordered:
        if (run.group, run.id) not in known:
            arms[_arm_of(run, key, runs), _cell_of(run)].append(run)
    places = dict(known)
    for (arm, cell), own in arms.items():
        for run, seed in zip(own, _seeds_of(own, taken[arm, cell]), strict=True):
            places[run.group, run.id] = (arm, cell, seed)
    return [Placed(run, *places[run.group, run.id]) for run in ordered]


def _arm_of(run: ForeignRun, key: str | None, runs: Iterable[ForeignRun]) -> str:
    if key is None:
        return arm_name(str(run.tags.get("xp.arm") or run.name))
    words = _words(run)
    if key not in words:
        known = sorted({word for one in runs for word in _words(one)})
        what = f"{run.name} has no param or tag {key!r} to name its arm by"
        raise DataError(what, where="--arm", fix=closest_hint(key, known) if known else "leave --arm away")
    return arm_name(str(words[key]))


def _words(run: ForeignRun) -> Mapping[str, Any]:
    return {**flatten_settings(run.tags), **flatten_settings(run.params)}


def _cell_of(run: ForeignRun) -> str:
    return str(run.tags.get("xp.cell") or "default")


def _seeds_of(runs: Sequence[ForeignRun], taken: Container[int]) -> list[int]:
    """Return the seeds that the runs tell, where each tells another; else free numbers, the oldest run first."""
    told = [_seed_of(run) for run in runs]
    known = [seed for seed in told if seed is not None and seed not in taken]
    if len(set(known)) == len(runs):
        return known
    free = (number for number in count() if number not in taken)
    return [next(free) for _ in runs]


def _seed_of(run: ForeignRun) -> int | None:
    words = _words(run)
    for name in ("xp.seed", *SEEDS):
        try:
            seed = int(str(words[name]))
        except (KeyError, ValueError):
            continue
        return seed if -LARGEST_SEED <= seed <= LARGEST_SEED else None
    return None
