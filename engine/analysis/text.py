"""Comparisons in words: takes a comparison between two arms, gives the lines that a person reads."""

from __future__ import annotations

from collections.abc import Iterator

from engine.analysis.claims import interval_text, left_out_text, p_text
from engine.analysis.compare import Comparison
from engine.analysis.fairness import mismatch_lines


def comparison_lines(comparison: Comparison) -> Iterator[str]:
    """Yield means, difference, relative change, p over seeds, interval over images, and what could have been seen."""
    first, second = comparison.arms
    where = "" if comparison.cell == "default" else f" at {comparison.cell}"
    yield f"{comparison.metric}{where}: {first} {_mean_text(comparison, 0)}, {second} {_mean_text(comparison, 1)}"
    low, high = comparison.difference.low, comparison.difference.high
    about = "the same for every seed" if comparison.is_exact else f"95 % interval over {over_text(comparison)}"
    is_told = comparison.is_exact or low is not None
    yield f"  difference {interval_text(comparison)}" + (f" ({about})" if is_told else "")
    if low is not None and high is not None and low <= 0 <= high and not comparison.is_exact:
        yield "  undecided: the interval spans 0"
    if comparison.relative is not None:
        yield f"  relative {comparison.relative:+.2f} %"
    if not comparison.is_exact:
        yield from _test_lines(comparison)
    if comparison.left_out:
        yield f"  {left_out_text(comparison)}"
    if comparison.unfair:
        yield "  note: these were not held equal"
        yield from (f"  {line}" for line in mismatch_lines(comparison.unfair))
    yield from (f"  footnote: {note}" for note in comparison.notes)


def _test_lines(comparison: Comparison) -> Iterator[str]:
    factor, unit = (100.0, " points") if comparison.is_share else (1.0, "")
    if comparison.p is None:
        yield f"  {comparison.untested}"
    elif comparison.adjusted_p is not None:
        over = f" over {comparison.speed.of}" if comparison.speed else ""
        yield f"  {p_text(comparison.p)}{over}; {p_text(comparison.adjusted_p)} after Holm over this table"
    if comparison.speed is not None:
        low, high = comparison.speed.edges
        yield f"  side by side {comparison.speed.ratio:.4g} times as much [{low:.4g}, {high:.4g}]"
    if comparison.images is not None and comparison.images.mcnemar is not None:
        yield f"  exact McNemar {p_text(comparison.images.mcnemar)}"
    if comparison.smallest is not None:
        share = 100 * comparison.difference.image_share
        images = f"; {share:.0f} % of the error is of the test images, which no seed takes away" if share >= 1 else ""
        yield f"  could detect {comparison.smallest * factor:.3g}{unit} (power 80 %, {level_text(comparison)}){images}"


def over_text(comparison: Comparison) -> str:
    """Return what the interval of a difference is over, in words."""
    n, images = comparison.difference.n, comparison.images
    if comparison.speed is not None:
        return f"{comparison.speed.of} side by side"
    if comparison.difference.over == "seeds" or images is None:
        return "common seeds"
    if comparison.difference.over == "images":
        networks = "these two networks" if n == 1 else f"the {2 * n} networks of {n} seeds"
        return f"{images.n} test images alone, for {networks}"
    return f"{n} common seeds and {images.n} test images"


def level_text(comparison: Comparison) -> str:
    return "at p < 0.05" if comparison.tests == 1 else f"at p < 0.05 after Holm over {comparison.tests}"


def _mean_text(comparison: Comparison, side: int) -> str:
    return f"{100 * comparison.means[side]:.2f} %" if comparison.is_share else f"{comparison.means[side]:.6g}"
