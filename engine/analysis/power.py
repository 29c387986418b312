"""What a design can show: takes seeds, spread and the number of tests, gives detectable differences, power, seeds.

All at the level that a verdict uses: Holm's first step over m tests is Bonferroni's alpha / m, and a difference that is
alone in a table has to pass that. Power is of the interval that judges (engine/analysis/crossed.py): the mean is normal
around the true difference, the measured variance over seeds is chi-square around its own, and the critical value goes
with the share that seeds then have. Without images that is the non-central t (Cohen, Statistical Power Analysis for the
Behavioral Sciences, 1988, chapter 2).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from functools import cache, cached_property

import numpy as np

from engine.analysis.crossed import LEAST_SHARE
from engine.analysis.statistics import BEND, Floats, Interval, bisect, critical_value

ALPHA, POWER = 0.05, 0.8
MOST_SEEDS = 1000
ASSUMED_SEED_SD = 0.005
"""Of the paired difference between two seeds' accuracies, where nothing is measured yet: half a point."""
ASSUMED_DISCORDANCE, ASSUMED_SHARED = 0.15, 0.3
"""Share of images that two networks of unlike arms tell differently, and how much of that every seed repeats."""


POINTS = 400
"""Quantiles of the measured spread over which power is averaged."""


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
        return float(ndtr((abs(difference) - self._edges) / self.error).mean())

    @cached_property
    def _edges(self) -> Floats:
        """Return how large a mean has to be to be found, float64 (POINTS,), for as many spreads that seeds may show."""
        df = self.seeds - 1
        least = LEAST_SHARE * self.rest_share
        of_seeds = np.maximum(_spreads(df), least) * self.seed_sd**2 / self.seeds
        variance = of_seeds + self.image_error**2
        level = 1 - ALPHA / self.tests
        normal, student = critical_value(df, 1.0, level) ** 2, critical_value(df, 0.0, level) ** 2
        edges: Floats = np.sqrt(variance * (normal + (of_seeds / variance) ** BEND * (student - normal)))
        return edges

    def detectable(self, power: float = POWER) -> float:
        """Return the difference that is found with this power, infinite for one seed."""
        if self.seeds < 2 or not self.error:
            return math.inf if self.seeds < 2 else 0.0
        # Beyond the largest edge by ten errors, nothing is missed.
        return bisect(lambda gap: self.power_of(gap) >= power, 0.0, float(self._edges.max()) + 10 * self.error)

    def seeds_needed(self, difference: float, power: float = POWER) -> int | None:
        """Return the least number of seeds that finds this difference; None where the images do not allow it."""
        sizes = range(2, MOST_SEEDS + 1)
        return next((n for n in sizes if replace(self, seeds=n).power_of(difference) >= power), None)


@cache
def _spreads(df: int) -> Floats:
    """Return the quantiles of a measured variance over its true one: chi-square over df, float64 (POINTS,)."""
    from scipy.special import gammaincinv

    middles = (np.arange(POINTS) + 0.5) / POINTS
    quantiles: Floats = gammaincinv(df / 2, middles) * 2 / df
    return quantiles


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
