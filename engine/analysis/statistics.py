"""Statistics of experiments: takes plain numbers, gives intervals, tests and corrections; scipy's where it has them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from engine.analysis.critical import Floats, alpha_of

ROUNDS = 10_000  # resamples of a bootstrap
LEAST_SPREAD = 1e-9  # of accuracies: below the share of one image in any test set; less is rounding
BLOCK = 2_000_000  # drawn indices at a time, so that a bootstrap needs megabytes and not gigabytes


@dataclass(frozen=True)
class Interval:
    """A mean or a difference with its two-sided interval; std is of the sample (ddof 1).

    None where n is too small, or where the spread says nothing (`paired_shares`). `error` and `df` are the standard
    error and the degrees of freedom of its part that seeds make, `over` says of what the interval is, and `image_share`
    how much of error^2 more test images would take away: the interval and any p are made of them (`critical_value`).
    """

    mean: float
    std: float | None
    low: float | None
    high: float | None
    n: int
    error: float | None = None
    df: float | None = None
    over: str = "seeds"
    image_share: float = 0.0

    @property
    def half(self) -> float | None:
        return None if self.low is None or self.high is None else (self.high - self.low) / 2


@dataclass(frozen=True)
class Paired:
    """The difference of two classifiers on the same images; `p` is two-sided."""

    difference: float
    low: float
    high: float
    p: float
    n: int
    only_first: int
    only_second: int


def t_interval(values: Sequence[float], level: float = 0.95) -> Interval:
    """Return mean +- t * std / sqrt(n). Raises ValueError for no values; one value has no interval."""
    if not values:
        raise ValueError("an interval needs at least one value")
    sample = np.asarray(values, dtype=np.float64)
    n, mean = len(sample), float(np.mean(sample))
    if n == 1:
        return Interval(mean, None, None, None, 1)
    std = float(np.std(sample, ddof=1))
    error = std / math.sqrt(n)
    half = t_quantile(n - 1, level) * error
    return Interval(mean, std, mean - half, mean + half, n, error=error, df=n - 1.0)


@dataclass(frozen=True)
class MeanTest:
    """A mean over `n` values with the half-width of its t interval and the two-sided p of `it is zero`."""

    mean: float
    half: float
    p: float
    n: int


def mean_test(mean: float, std: float, n: int, level: float = 0.95) -> MeanTest | None:
    """Return what a mean and a standard deviation (ddof 1) of `n` values say of zero; None of a single value."""
    if n < 2:
        return None
    error = std / math.sqrt(n)
    p = alpha_of(abs(mean) / error, n - 1.0, 0.0) if error else float(mean == 0)
    return MeanTest(mean, t_quantile(n - 1, level) * error, p, n)


def p_of(interval: Interval | None, threshold: float = 0.0) -> float | None:
    """Return the two-sided p of `the true value is threshold`; None where the interval is not over seeds.

    It is below alpha where the interval at level 1 - alpha leaves the threshold out: the alpha whose critical value is
    |mean - threshold| / error.
    """

    if interval is None or interval.error is None or interval.df is None or interval.over == "images":
        return None
    away = abs(interval.mean - threshold)
    if interval.error == 0:
        return 1.0 if away == 0 else 0.0
    return alpha_of(away / interval.error, interval.df, interval.image_share)


def t_quantile(df: float, level: float = 0.95) -> float:
    """Return the two-sided quantile of Student's t."""
    from scipy.special import stdtrit

    return float(stdtrit(df, 0.5 + level / 2))


def paired_interval(first: Mapping[int, float], second: Mapping[int, float], level: float = 0.95) -> Interval | None:
    """Return the t interval of first - second over the seeds that both have; None without a common seed."""
    seeds = sorted(first.keys() & second.keys())
    return t_interval([first[seed] - second[seed] for seed in seeds], level) if seeds else None


def paired_shares(first: Mapping[int, float], second: Mapping[int, float], level: float = 0.95) -> Interval | None:
    """Return the paired interval of accuracies, without edges where all seeds differ by exactly as much.

    Accuracies move in steps of one image, so that two or three seeds often differ by the same number of images. Their
    spread is then 0, and the t interval and its p would call a difference of two images certain.
    """
    interval = paired_interval(first, second, level)
    if interval is None or interval.std is None or interval.std > LEAST_SPREAD:
        return interval
    return Interval(interval.mean, 0.0, None, None, interval.n)


def paired_p(first: Mapping[int, float], second: Mapping[int, float]) -> float | None:
    """Return the two-sided p of the paired t test over common seeds; None with fewer than two."""
    return p_of(paired_interval(first, second))


def mcnemar_p(only_first: int, only_second: int) -> float:
    """Return the exact two-sided p of McNemar's test: 2 * min tail of Binomial(b + c, 1/2), at most 1."""
    from scipy.special import bdtr

    n = only_first + only_second
    return 1.0 if n == 0 else min(1.0, 2 * float(bdtr(min(only_first, only_second), n, 0.5)))


def compare_images(first: Sequence[bool], second: Sequence[bool], *, seed: int = 0, rounds: int = ROUNDS) -> Paired:
    """Compare one run with one other on the same images: bootstrap interval over images, p by McNemar."""
    one, two = np.asarray(first, dtype=bool), np.asarray(second, dtype=bool)
    if one.shape != two.shape or not len(one):
        raise ValueError(f"paired images are of one number, not {len(one)} and {len(two)}")
    gain = one.astype(np.float64) - two
    low, high = _quantiles(bootstrap_means(gain, seed, rounds))
    ahead, behind = int(np.sum(one & ~two)), int(np.sum(two & ~one))
    return Paired(float(np.mean(gain)), low, high, mcnemar_p(ahead, behind), len(one), ahead, behind)


def bootstrap_means(values: Floats, seed: int = 0, rounds: int = ROUNDS) -> Floats:
    """Return the means of `rounds` resamples of `values` with replacement, float64 (rounds,)."""
    return _resampled_means(values, np.random.default_rng(seed), rounds)


def _resampled_means(values: Floats, draw: np.random.Generator, rounds: int) -> Floats:
    """Draw how often each distinct value comes, not each index: the same distribution, and gains have few values."""
    distinct, counts = np.unique(values, return_counts=True)
    at_once = max(1, BLOCK // len(distinct))
    parts = [
        draw.multinomial(len(values), counts / len(values), min(at_once, rounds - start)) @ distinct / len(values)
        for start in range(0, rounds, at_once)
    ]
    return np.concatenate(parts)


def _quantiles(means: Floats, level: float = 0.95) -> tuple[float, float]:
    low, high = np.quantile(means, [0.5 - level / 2, 0.5 + level / 2])
    return float(low), float(high)


def holm(ps: Sequence[float]) -> list[float]:
    """Return Holm's adjusted p values, in the order given."""
    order = sorted(range(len(ps)), key=lambda at: ps[at])
    adjusted, largest = [0.0] * len(ps), 0.0
    for rank, at in enumerate(order):
        # Holm: none is smaller than the one before it.
        largest = max(largest, min(1.0, (len(ps) - rank) * ps[at]))
        adjusted[at] = largest
    return adjusted
