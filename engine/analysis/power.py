"""What a design can show: takes seeds, spread and the number of tests, gives detectable differences, power, seeds.

All at the level that a verdict uses: Holm's first step over m tests is Bonferroni's alpha / m, and a difference that is
alone in a table has to pass that. Power is of the interval that judges (engine/analysis/crossed.py): the mean is normal
around the true difference, the measured variance over seeds is chi-square around its own, and the critical value goes
with the share that seeds then have. Without images that is the non-central t (Cohen, Statistical Power Analysis for the
Behavioral Sciences, 1988, chapter 2).
"""

from __future__ import annotations

import math
from bisect import bisect_left
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from engine.analysis.critical import Floats, bisect, critical_values, spread_quantiles
from engine.analysis.crossed import least_share
from engine.analysis.statistics import Interval

ALPHA, POWER = 0.05, 0.8
MOST_SEEDS = 1000
ASSUMED_SEED_SD = 0.005
"""Of the paired difference between two seeds' accuracies, where nothing is measured yet: half a point."""
ASSUMED_DISCORDANCE, ASSUMED_SHARED = 0.15, 0.3
"""Share of images that two networks of unlike arms tell differently, and how much of that every seed repeats."""

POINTS = 400
"""Measured spreads over which power is averaged: a difference of many errors is found from a certain spread on."""


@dataclass(frozen=True)
class Design:
    """Paired arms before they are compared: `seed_sd` is the spread of one seed's difference, luck of images included;
    `image_error` what the test images alone leave of uncertainty, however many seeds there are. Both as fractions.
    `rest_share` is how much of seed_sd^2 is luck of one training with one image: what holds a measured spread up."""

    seeds: int
    seed_sd: float
    image_error: float = 0.0
    tests: int = 1
    rest_share: float = 0.0

    @property
    def error(self) -> float:
        return math.hypot(self.seed_sd / math.sqrt(self.seeds), self.image_error)

    @property
    def image_share(self) -> float:
        """How much of error^2 the test images make: more seeds do not take it away."""
        return (self.image_error / self.error) ** 2 if self.error else 0.0

    def power_of(self, difference: float) -> float:
        """Return how often a true difference is found, on either side of 0 (the right side alone is counted)."""
        from scipy.special import ndtr

        if self.seeds < 2 or not self.error:
            return 0.0 if self.seeds < 2 else 1.0
        edges, weights = self._edges
        return float(ndtr((abs(difference) - edges) / self.error) @ weights)

    @cached_property
    def _edges(self) -> tuple[Floats, Floats]:
        """Return how large a mean has to be to be found, for each spread that seeds may show, and their weights."""
        df = self.seeds - 1
        spreads, weights = spread_quantiles(df, POINTS)
        of_seeds = np.maximum(spreads, least_share(df) * self.rest_share) * self.seed_sd**2 / self.seeds
        variance = of_seeds + self.image_error**2
        reach = critical_values(df, self.image_error**2 / variance, 1 - ALPHA / self.tests)
        edges: Floats = reach * np.sqrt(variance)
        return edges, weights

    def detectable(self, power: float = POWER) -> float:
        """Return the difference that is found with this power, infinite for one seed."""
        if self.seeds < 2 or not self.error:
            return math.inf if self.seeds < 2 else 0.0
        # Beyond the largest edge by ten errors, nothing is missed.
        return bisect(lambda gap: self.power_of(gap) >= power, 0.0, float(self._edges[0].max()) + 10 * self.error)

    def seeds_needed(self, difference: float, power: float = POWER) -> int | None:
        """Return the least number of seeds that finds this difference; None where the images do not allow it."""
        sizes = range(2, MOST_SEEDS + 1)
        found = bisect_left(sizes, power, key=lambda n: replace(self, seeds=n).power_of(difference))
        return sizes[found] if found < len(sizes) else None


def design_of(interval: Interval, tests: int = 1) -> Design | None:
    """Return the design behind a measured difference; None where its seeds say nothing."""
    if interval.error is None or interval.over == "images" or interval.n < 2:
        return None
    variance = interval.error**2
    of_seeds, of_images = (share * variance for share in (1 - interval.image_share, interval.image_share))
    return Design(interval.n, math.sqrt(of_seeds * interval.n), math.sqrt(of_images), tests)


def assumed_design(seeds: int, test_images: int | None, tests: int) -> Design:
    """Return the design of a plan whose arms nobody has measured; without known images, of their luck nothing."""
    if not test_images:
        return Design(seeds, ASSUMED_SEED_SD, 0.0, tests)
    told = ASSUMED_DISCORDANCE / test_images
    rest = told * (1 - ASSUMED_SHARED)
    luck = math.hypot(ASSUMED_SEED_SD, math.sqrt(rest))
    return Design(seeds, luck, math.sqrt(told * ASSUMED_SHARED), tests, rest / luck**2)
