"""Comparisons in words: takes a comparison between two arms, gives the lines that a person reads."""

from __future__ import annotations

from collections.abc import Iterator

from engine.analysis.claims import interval_text, left_out_text, p_text
from engine.analysis.compare import Comparison
from engine.analysis.fairness import mismatch_lines


def comparison_lines(found: Comparison) -> Iterator[str]:
    """Yield means, difference, relative change, p over seeds, interval over images, and what could have been seen."""
    first, second = found.arms
    where = "" if found.cell == "default" else f" at {found.cell}"
    yield f"{found.metric}{where}: {first} {_mean_text(found, 0)}, {second} {_mean_text(found, 1)}"
    edges = (found.difference.low, found.difference.high)
    about = "the same for every seed" if found.is_exact else "95 % t interval over common seeds"
    yield f"  difference {interval_text(found)}" + (f" ({about})" if found.is_exact or edges[0] is not None else "")
    if edges[0] is not None and edges[1] is not None and edges[0] <= 0 <= edges[1] and not found.is_exact:
        yield "  undecided: the interval spans 0"
    if found.relative is not None:
        yield f"  relative {found.relative:+.2f} %"
    if not found.is_exact:
        yield from _test_lines(found)
    if found.left_out:
        yield f"  {left_out_text(found)}"
    if found.unfair:
        yield "  note: these were not held equal"
        yield from (f"  {line}" for line in mismatch_lines(found.unfair))


def _test_lines(found: Comparison) -> Iterator[str]:
    factor, unit = (100.0, " points") if found.is_share else (1.0, "")
    if found.p is None:
        yield f"  {found.untested}"
    elif found.adjusted_p is not None:
        yield f"  {p_text(found.p)} over seeds; {p_text(found.adjusted_p)} after Holm over this table"
    if found.images is not None:
        low, high = (edge * factor for edge in (found.images.low, found.images.high))
        seeds = "seeds and " if found.difference.n > 1 else ""
        yield f"  over {seeds}{found.images.n} test images: [{low:+.2f}, {high:+.2f}]{unit} (bootstrap)"
        if found.images.mcnemar is not None:
            yield f"  exact McNemar {p_text(found.images.mcnemar)}"
    if found.smallest is not None:
        yield f"  the smallest difference these seeds could have shown: {found.smallest * factor:.3g}{unit}"


def _mean_text(found: Comparison, side: int) -> str:
    return f"{100 * found.means[side]:.2f} %" if found.is_share else f"{found.means[side]:.6g}"
