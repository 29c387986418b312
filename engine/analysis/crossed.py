"""Two arms on the same images with several seeds: takes gains, gives one interval that knows of seeds and of images.

A gain is 1 where the first arm alone is right, -1 where the second alone is, else 0. Seeds and images are crossed
random effects, gain = difference + seed + image + rest, so the variance of the mean is that of a balanced two-way
layout without replication (Searle, Casella and McCulloch, Variance Components, 1992, chapter 4):

    error^2 = (MS_seeds + max(MS_images - MS_rest, 0)) / (seeds * images)

How many of these errors the interval reaches lies between Student's quantile for seeds - 1 and the normal's, by the
share of error^2 that seeds make (engine/analysis/critical.py). MS_seeds is expected to be MS_rest at least, whatever
seeds do, so it is held to what seeds without a spread of their own fall below one time in twenty (`least_share`): few
seeds that agree by luck are not taken for certain. To hold it to MS_rest itself would make the interval of three such
seeds miss next to never. Two seeds cannot tell their own luck: their interval is of the images alone, for these
networks.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache

import numpy as np

from engine.analysis.critical import Floats, critical_value
from engine.analysis.statistics import LEAST_SPREAD, Interval, t_quantile

LEAST_SEEDS = 3
LUCKY = 0.05
"""How often seeds that differ by the luck of single images alone may agree better than is believed of them."""


def agreeing_interval(crossed: Interval | None, over_seeds: Interval) -> Interval:
    """Return the interval over images where the predictions are those that the accuracies were counted from, else the
    one over seeds: then the accuracies alone are judged. So they are where every image gains alike in every seed: a
    table without any spread has an error of 0, and would call what a few seeds and images happen to show certain."""
    is_of = crossed is not None and abs(crossed.mean - over_seeds.mean) < LEAST_SPREAD
    return crossed if crossed is not None and is_of and (crossed.error or 0.0) > LEAST_SPREAD else over_seeds


@dataclass(frozen=True)
class Parts:
    """The variance of a mean gain by where it comes from: `seeds` shrinks with more seeds, `images` with more images.

    Both are variances of the mean over all seeds and images; `df` is of the part that makes the interval wide: seeds,
    or images where they stand alone.
    """

    seeds: float
    images: float
    df: float


def crossed_interval(gains: Sequence[Sequence[float]] | Floats, level: float = 0.95) -> Interval:
    """Return the mean gain of `gains[seed][image]` with its interval: over both, or over images for fewer than 3 seeds.

    Raises ValueError for anything but one row for each seed over the same images, two of them at least.
    """
    table = np.asarray(gains, dtype=np.float64)
    if table.ndim != 2 or table.shape[1] < 2:
        raise ValueError("gains are one row for each seed over the same images, two of them at least")
    count, by_seed = len(table), table.mean(axis=1)
    std = float(by_seed.std(ddof=1)) if count > 1 else None
    if count < LEAST_SEEDS:
        return _interval(float(table.mean()), std, count, _image_parts(table), "images", level)
    return _interval(float(table.mean()), std, count, variance_parts(table), "seeds and images", level)


def variance_parts(table: Floats) -> Parts:
    """Return the parts of the variance of the mean of (seeds, images), three seeds at least."""
    seeds, _ = table.shape
    of_seeds, of_images, rest = mean_squares(table)
    luck = max(of_seeds, least_share(seeds - 1.0) * rest)
    shared = max(of_images - rest, 0.0)
    return Parts(luck / table.size, shared / table.size, seeds - 1.0)


@cache
def least_share(df: float) -> float:
    """Return the least MS_seeds that is believed, over MS_rest: chi-square's quantile at LUCKY, over its df."""
    from scipy.special import gammaincinv

    return float(gammaincinv(df / 2, LUCKY)) * 2 / df


def mean_squares(table: Floats) -> tuple[float, float, float]:
    """Return the mean squares of seeds, images and what is left of a table of (seeds, images)."""
    seeds, images = table.shape
    mean, by_seed, by_image = table.mean(), table.mean(axis=1), table.mean(axis=0)
    of_seeds = images * float(((by_seed - mean) ** 2).sum())
    of_images = seeds * float(((by_image - mean) ** 2).sum())
    rest = max(float(((table - mean) ** 2).sum()) - of_seeds - of_images, 0.0)
    return of_seeds / (seeds - 1), of_images / (images - 1), rest / ((seeds - 1) * (images - 1))


def _image_parts(table: Floats) -> Parts:
    """Of the images alone: the networks are as they are, and others would have been drawn."""
    by_image = table.mean(axis=0)
    return Parts(0.0, float(by_image.var(ddof=1)) / len(by_image), len(by_image) - 1.0)


def _interval(mean: float, std: float | None, n: int, parts: Parts, over: str, level: float) -> Interval:
    """A difference of accuracies lies in [-1, 1], whatever its error."""
    variance = parts.seeds + parts.images
    error = float(np.sqrt(variance))
    share = parts.images / variance if variance else 0.0
    reach = t_quantile(parts.df, level) if over == "images" else critical_value(parts.df, share, level)
    low, high = max(mean - reach * error, -1.0), min(mean + reach * error, 1.0)
    return Interval(mean, std, low, high, n, error=error, df=parts.df, over=over, image_share=share)
