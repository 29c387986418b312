"""Numbers as a reader meets them: takes figures in SQL's units, gives text in per cent, millions, images/s, MB."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from store.metrics import Metric

NONE = "\u2013"  # an en dash, as printed tables have it


def accuracy(mean: float | None, half: float | None, n: int, widest: float | None = None) -> str:
    """Return a fraction as per cent, `60.31 ± 0.12 (n=3)`: ± half of its interval.

    One decimal where the `widest` half of the table is >= 0.3 points, or not known.
    """
    if mean is None or n == 0:
        return NONE
    places = 1 if widest is None or 100 * widest >= 0.3 else 2
    spread = "" if half is None else f" ± {100 * half:.{places}f}"
    return f"{100 * mean:.{places}f}{spread} (n={n})"


def points(difference: float | None, half: float | None = None) -> str:
    """Return a difference of fractions in percentage points, with the half-width of its interval where there is one."""
    if difference is None:
        return NONE
    return f"{100 * difference:+.1f}" + ("" if half is None else f" ± {100 * half:.1f}")


def relative(value: float | None, base: float | None) -> str:
    """Return the change from `base` to `value` in per cent of `base`."""
    return NONE if value is None or not base else f"{100 * (value / base - 1):+.1f} %"


def spread(mean: float | None, half: float | None, write: Callable[[float], str]) -> str:
    """Return `mean ± half` as `write` puts them, in the same decimals; the mean alone where there is no interval."""
    if mean is None:
        return NONE
    text = write(mean)
    if half is not None and half > abs(mean) > 0:  # the interval of two unlike values: its digits say nothing
        return f"{text} ± > {text.removeprefix('-')}"
    if half is None or half == 0:
        return text
    if text[-1:].isalpha():  # 21.4 M ± 0.1 M reads better than two decimals that do not match
        return f"{text} ± {write(half)}"
    places = len(text.partition(".")[2])
    factor = float(text.replace(",", "")) / mean if mean else 1.0
    return f"{text} ± {half * factor:,.{places}f}"


def count(value: float | None) -> str:
    """Return a number of parameters or operations in k, M or G."""
    if value is None:
        return NONE
    for size, sign in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.2f} {sign}"
    return f"{value:.0f}"


def speed(value: float | None) -> str:
    """Return images per second in at least three digits."""
    return NONE if value is None else significant(value)


def megabytes(value: float | None) -> str:
    """Return bytes as MB of 2^20 bytes."""
    return NONE if value is None else significant(value / (1 << 20))


def percent(fraction: float | None) -> str:
    return NONE if fraction is None else f"{100 * fraction:.1f} %"


def significant(value: float, digits: int = 3) -> str:
    """Return a number in `digits` digits, never in powers of ten, and whole where it is large."""
    if not math.isfinite(value) or value == 0:
        return f"{value:.0f}"
    places = max(0, digits - 1 - math.floor(math.log10(abs(value))))
    return f"{value:,.{places}f}"


def duration(seconds: float) -> str:
    """Return `1 h 4 min`, `3 min 20 s` or `12 s`."""
    whole = round(seconds)
    if whole >= 3600:
        return f"{whole // 3600} h {whole % 3600 // 60} min"
    return f"{whole // 60} min {whole % 60} s" if whole >= 60 else f"{whole} s"


@dataclass(frozen=True)
class Scale:
    """How readers see a unit of SQL: its sign in a heading, one number of it as text, and the axis of a chart."""

    sign: str
    write: Callable[[float], str]
    axis: str
    factor: float = 1.0


def scale_of(metric: Metric) -> Scale:
    """Return how readers see a metric: as it is in SQL, in three digits, where its unit has no other scale."""
    return SCALES.get(metric.unit, Scale(metric.unit, significant, metric.unit))


def heading(metric: Metric) -> str:
    """Return what stands over a column of this metric, with its unit."""
    sign = scale_of(metric).sign
    return f"{metric.heading} [{sign}]" if sign else metric.heading


SCALES: Mapping[str, Scale] = {
    "fraction": Scale("%", lambda value: f"{100 * value:.2f}", "%", 100.0),
    "nats": Scale("", significant, ""),
    "s": Scale("", duration, "s"),
    "bytes": Scale("MB", megabytes, "MB", 1 / (1 << 20)),
    "count": Scale("", count, "millions", 1e-6),
    "ratio": Scale("", significant, ""),
}
