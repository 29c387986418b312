"""Which arms are best at their speed: takes accuracies by seed and image, and log speeds, gives shares of draws.

An arm is on the front where no other is at least as right and at least as fast, and better in one of them. Both are
samples, so that the front is one too: it is drawn anew many times. Accuracies move together over the seeds that arms
share and over the test images that all were asked (crossed, as in Owen 2007, The pigeonhole bootstrap: what neither
explains alone is in both parts, so that a front is rather too uncertain than too certain); a speed moves by itself, by
Student's t over its rounds or networks. The draws of a difference of two arms of the same seeds are so those of its
paired interval, and never closer.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.analysis.critical import Floats

DRAWS = 4000
SURE = 0.95  # share of draws from which on an arm is on the front, and 1 - SURE below which it is not


@dataclass(frozen=True)
class Right:
    """What an arm's networks got right: by seed, and of each seed by image where all arms were asked the same ones."""

    by_seed: Mapping[int, float]
    by_image: Mapping[int, Floats] | None = None

    @property
    def mean(self) -> float:
        return float(np.mean(list(self.by_seed.values())))


@dataclass(frozen=True)
class Quick:
    """The log of an arm's speed (more is faster), its standard error and the freedom of that; `jobs` measured it.

    Arms of one network are measured once: they are as fast as each other in every draw.
    """

    log: float
    error: float = 0.0
    df: float = math.inf
    jobs: tuple[str, ...] = ()


def front_shares(rights: Sequence[Right], quicks: Sequence[Quick], *, draws: int = DRAWS, seed: int = 0) -> list[float]:
    """Return for each arm the share of draws in which it is on the front of accuracy and speed, 0 to 1."""
    draw = np.random.default_rng(seed)
    right = np.array([one.mean for one in rights]) + _seed_part(rights, draws, draw) + _image_part(rights, draws, draw)
    moved = {one.jobs or at: _t_draws(one.df, draws, draw) for at, one in enumerate(quicks)}
    quick = np.stack([one.log + one.error * moved[one.jobs or at] for at, one in enumerate(quicks)], axis=1)
    return [float(share) for share in np.mean(on_front(right, quick), axis=0)]


def on_front(right: Floats, quick: Floats) -> npt.NDArray[np.bool_]:
    """Return bool (draws, arms) of two float like it: whether no other arm is as right and fast, and better in one.

    From the fastest down, an arm is on the front where it is more right than all before it, or one of them is its like.
    """
    order = np.lexsort((-right, -quick), axis=1)
    ours, pace = (np.take_along_axis(values, order, axis=1) for values in (right, quick))
    before = np.full_like(ours, -np.inf)
    before[:, 1:] = np.maximum.accumulate(ours, axis=1)[:, :-1]
    ahead = ours > before
    best = np.maximum.accumulate(np.where(ahead, np.arange(ours.shape[1]), 0), axis=1)
    alike = (ours == before) & (pace == np.take_along_axis(pace, best, axis=1))
    held = np.empty(right.shape, dtype=bool)
    np.put_along_axis(held, order, ahead | alike, axis=1)
    return held


def _t_draws(df: float, draws: int, draw: np.random.Generator) -> Floats:
    return draw.standard_normal(draws) if not math.isfinite(df) or df <= 0 else draw.standard_t(df, draws)


def _seed_part(rights: Sequence[Right], draws: int, draw: np.random.Generator) -> Floats:
    """Return how far the means are off by the luck of seeds, (draws, arms): common seeds move arms together.

    A draw of an arm is t with n - 1 of freedom times its standard error; of a difference of arms with the same seeds it
    is that times the paired one. An arm of one seed does not move: nothing is known of its luck.
    """
    seeds = sorted({seed for one in rights for seed in one.by_seed})
    normal = draw.standard_normal((draws, len(seeds)))
    freedom = sorted({len(one.by_seed) - 1 for one in rights} - {0})
    spread = {df: np.sqrt(df / draw.chisquare(df, draws)) for df in freedom}
    parts = []
    for one in rights:
        n = len(one.by_seed)
        off = np.array([one.by_seed[seed] - one.mean if seed in one.by_seed else 0.0 for seed in seeds])
        parts.append(normal @ off / np.sqrt(n * (n - 1)) * spread[n - 1] if n > 1 else np.zeros(draws))
    return np.stack(parts, axis=1)


def _image_part(rights: Sequence[Right], draws: int, draw: np.random.Generator) -> Floats:
    """Return how far they are off by the luck of the test images, (draws, arms); nothing where they are not common."""
    tables = [None if one.by_image is None else np.mean(list(one.by_image.values()), axis=0) for one in rights]
    known = [table for table in tables if table is not None]
    if len(known) < len(rights) or len({len(table) for table in known}) != 1 or len(known[0]) < 2:
        return np.zeros((draws, len(rights)))
    cloud = np.cov(np.stack(known), ddof=1).reshape(len(known), len(known)) / len(known[0])
    scale, axes = np.linalg.eigh(cloud)
    moved: Floats = draw.standard_normal((draws, len(known))) @ (axes * np.sqrt(np.clip(scale, 0.0, None))).T
    return moved
