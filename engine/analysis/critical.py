"""How far an interval reaches whose error is partly known and partly estimated: takes df and shares, gives quantiles.

The variance of a mean is a + b: `a`, what seeds make of it, is estimated from few degrees of freedom; `b`, what test
images make, is known well. No interval is exact for that (Behrens' and Fisher's problem with one variance known).
Welch's condition (Biometrika 34, 1947) asks of the reach c(u), where u = a / (a + b) as it is measured, that the
interval misses the truth with a chance of alpha whatever the true share of a. Here

    c(u)^2 = z^2 + u^e * (t^2 - z^2)

between the normal's quantile z, where images make all of the error, and Student's t, where seeds do. Exponent 1 weighs
squares as Cochran and Cox weigh quantiles (Experimental Designs, 1957), and misses too seldom; 2 is how Welch's series
begins, and misses too often where seeds are few. `exponent` solves for the largest between them that keeps Welch's
condition at its worst share, as Trickett and Welch (Biometrika 41, 1954) solved for their tables: never more misses
than alpha, and as few less as one number allows. At 95 % that covers 95 to 96.7 % with 3 seeds, 95 to 95.5 % with 5,
95 % with 10. An estimated df (Satterthwaite's, Kenward's and Roger's) misses 7.8 % with 3 seeds where 5 % are meant.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
LEAST_ALPHA = 1e-300  # where p stops
ALPHAS = (1e-4, 7e-4, 3e-3, 0.0125, 0.05, 0.1, 0.2, 0.4)
"""Levels at which the exponent is solved for; between them it is interpolated along log alpha."""
CERTAIN_ALPHA = 1e-5
"""From here down the exponent is 1, which misses less than alpha at any share: no need to solve."""
LOGS = np.log([CERTAIN_ALPHA, *ALPHAS])
LEAST_EXPONENT, MOST_EXPONENT = 1.0, 2.0
EXCESS = 1.01
"""Misses over alpha that count as kept: at shares of 0 and 1 every exponent has 1, and quadrature errs a little."""
NODES = 96
TRUE_SHARES = 1 - np.geomspace(0.003, 0.5, 20)
"""Shares of seeds where an interval may miss too often: the worst is above a half, for small alpha near 1."""


def critical_value(df: float, image_share: float, level: float = 0.95) -> float:
    """Return how many standard errors an interval reaches, two-sided, where images make `image_share` of error^2."""
    return _critical(df, image_share, 1 - level)


def critical_values(df: float, image_shares: Floats, level: float = 0.95) -> Floats:
    """Return `critical_value` for each share, float64 of their shape."""
    normal, student = _squares(df, 1 - level)
    found: Floats = np.sqrt(normal + (1 - image_shares) ** exponent(df, 1 - level) * (student - normal))
    return found


def alpha_of(ratio: float, df: float, image_share: float) -> float:
    """Return the two-sided p of a mean that lies `ratio` standard errors away: the alpha with this critical value.

    Not below 1e-300 where images have a share.
    """
    from scipy.special import stdtr

    if not image_share:
        return float(2 * stdtr(df, -ratio))
    if ratio == 0:
        return 1.0
    found = bisect(lambda log: _critical(df, image_share, math.exp(log)) <= ratio, math.log(LEAST_ALPHA), 0.0)
    return math.exp(found)


def exponent(df: float, alpha: float) -> float:
    """Return how fast the squared reach turns from the normal's to Student's as seeds make more of the error."""
    return float(np.interp(math.log(alpha), LOGS, _exponents(df)))


def miss_rates(df: float, alpha: float, power: float, true_shares: Floats = TRUE_SHARES) -> Floats:
    """Return how often the interval with this exponent misses the truth, by the true share that seeds have of error^2.

    By normal theory: the mean is normal with variance 1, and what is measured of seeds is chi-square around its share.
    """
    from scipy.special import ndtr

    spreads, weights = spread_quantiles(df)
    of_seeds, of_images = true_shares[:, None] * spreads, 1 - true_shares[:, None]
    normal, student = _squares(df, alpha)
    variance = of_seeds + of_images
    reach = np.sqrt((normal + (of_seeds / variance) ** power * (student - normal)) * variance)
    missed: Floats = 2 * ndtr(-reach) @ weights
    return missed


@cache
def _exponents(df: float) -> tuple[float, ...]:
    """Return the exponents at LOGS, each the largest that keeps its level."""
    return (LEAST_EXPONENT, *(_solve_exponent(df, alpha) for alpha in ALPHAS))


def _solve_exponent(df: float, alpha: float) -> float:
    def exceeds(power: float) -> bool:
        return float(miss_rates(df, alpha, power).max()) > EXCESS * alpha

    return bisect(exceeds, LEAST_EXPONENT, MOST_EXPONENT, rounds=12)


@cache
def spread_quantiles(df: float, nodes: int = NODES) -> tuple[Floats, Floats]:
    """Return values of a measured variance over its true one (chi-square over df) and their weights, which sum to 1.

    A Gauss rule over q, where q^3 is how often a spread is smaller: denser at small ones, which few seeds show by luck.
    """
    from scipy.special import gammaincinv

    places, weights = _gauss_rule(nodes)
    q = (places + 1) / 2
    spreads: Floats = gammaincinv(df / 2, q**3) * 2 / df
    return spreads, 1.5 * q * q * weights


@cache
def _gauss_rule(nodes: int) -> tuple[Floats, Floats]:
    places, weights = np.polynomial.legendre.leggauss(nodes)
    return places, weights


def _critical(df: float, image_share: float, alpha: float) -> float:
    normal, student = _squares(df, alpha)
    return math.sqrt(normal + (1 - image_share) ** exponent(df, alpha) * (student - normal))


def _squares(df: float, alpha: float) -> tuple[float, float]:
    from scipy.special import ndtri, stdtrit

    return float(ndtri(alpha / 2)) ** 2, float(stdtrit(df, alpha / 2)) ** 2


def bisect(holds: Callable[[float], bool], low: float, high: float, rounds: int = 50) -> float:
    """Return the least number between `low` and `high` from which on `holds`, to 2^-rounds of their distance."""
    for _ in range(rounds):
        middle = (low + high) / 2
        low, high = (low, middle) if holds(middle) else (middle, high)
    return high
