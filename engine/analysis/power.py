"""What a design can show: takes seeds, spread and the number of tests, gives detectable differences, power, seeds.

All at the level that a verdict uses: Holm's first step over m tests is Bonferroni's alpha / m, and a difference that is
alone in a table has to pass that. The t statistic follows a non-central t around difference / error (Cohen, Statistical
Power Analysis for the Behavioral Sciences, 1988, chapter 2).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

from engine.analysis.statistics import Interval, t_quantile

ALPHA, POWER = 0.05, 0.8
MOST_SEEDS = 1000
ASSUMED_SEED_SD = 0.005
"""Of the paired difference between two seeds' accuracies, where nothing is measured yet: half a point."""
ASSUMED_DISCORDANCE, ASSUMED_SHARED = 0.15, 0.3
"""Share of images that two networks of unlike arms tell differently, and how much of that every seed repeats."""


@dataclass(frozen=True)
class Design:
    """Paired arms before they are compared: `seed_sd` is the spread of one seed's difference, luck of images included;
    `image_error` what the test images alone leave of uncertainty, however many seeds there are. Both as fractions."""

    seeds: int
    seed_sd: float
    image_error: float = 0.0
    tests: int = 1

    @property
    def error(self) -> float:
        return math.hypot(self.seed_sd / math.sqrt(self.seeds), self.image_error)

    @property
    def df(self) -> float:
        """Satterthwaite's, as engine/analysis/crossed.py has them; what images leave is known well."""
        of_seeds = self.seed_sd**2 / self.seeds
        return self.seeds - 1.0 if not of_seeds else (self.seeds - 1) * (self.error**2 / of_seeds) ** 2

    @property
    def image_share(self) -> float:
        """How much of error^2 the test images make: more seeds do not take it away."""
        return (self.image_error / self.error) ** 2 if self.error else 0.0

    def power_of(self, difference: float) -> float:
        """Return how often a true difference is found, on either side of 0 (the right side alone is counted)."""
        from scipy.special import nctdtr

        if self.seeds < 2 or not self.error:
            return 0.0 if self.seeds < 2 else 1.0
        return 1.0 - float(nctdtr(self.df, abs(difference) / self.error, self._critical))

    def detectable(self, power: float = POWER) -> float:
        """Return the difference that is found with this power."""
        from scipy.special import nctdtrinc

        return float(nctdtrinc(self.df, 1 - power, self._critical)) * self.error

    @property
    def _critical(self) -> float:
        return t_quantile(self.df, 1 - ALPHA / self.tests)

    def seeds_needed(self, difference: float, power: float = POWER) -> int | None:
        """Return the least number of seeds that finds this difference; None where the images do not allow it."""
        sizes = range(2, MOST_SEEDS + 1)
        return next((n for n in sizes if replace(self, seeds=n).detectable(power) <= abs(difference)), None)


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
    luck = math.hypot(ASSUMED_SEED_SD, math.sqrt(told * (1 - ASSUMED_SHARED)))
    return Design(seeds, luck, math.sqrt(told * ASSUMED_SHARED), tests)
