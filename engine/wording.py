"""Comparisons in words: takes a comparison between two arms, gives the lines that a person reads."""

from __future__ import annotations

from collections.abc import Iterator

from engine.claims import interval_text
from engine.compare import Comparison


def comparison_lines(found: Comparison) -> Iterator[str]:
    """Yield means, difference, relative change, p over seeds, interval over images, and what could have been seen."""
    factor, unit = (100.0, " points") if found.metric.endswith("top1") else (1.0, "")
    first, second = found.arms
    yield f"{found.metric} at {found.cell}: {first} {found.means[0]:.6g}, {second} {found.means[1]:.6g}"
    yield f"  difference {interval_text(found)} (95 % t interval over common seeds)"
    if found.relative is not None:
        yield f"  relative {found.relative:+.2f} %"
    if found.p is not None and found.adjusted_p is not None:
        yield f"  p {found.p:.3g} over seeds; {found.adjusted_p:.3g} after Holm over this table"
    if found.images is not None:
        low, high = (edge * factor for edge in (found.images.low, found.images.high))
        yield f"  over seeds and {found.images.n} test images: [{low:+.3g}, {high:+.3g}]{unit}"
        if found.images.mcnemar is not None:
            yield f"  exact McNemar p {found.images.mcnemar:.3g}"
    if found.smallest is not None:
        yield f"  the smallest difference these seeds could have shown: {found.smallest * factor:.3g}{unit}"
    for difference in found.unfair:
        yield f"  note: not held equal: {difference}"
