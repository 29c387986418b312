"""Comparisons in words: takes a comparison between two arms, gives the lines that a person reads."""

from __future__ import annotations

from collections.abc import Iterator

from engine.analysis.claims import interval_text, left_out_text, missing_text, p_text
from engine.analysis.compare import Comparison
from engine.analysis.fairness import apart_text, mismatch_lines
from engine.analysis.sentences import say
from engine.analysis.trainings import unknown_text


def comparison_lines(comparison: Comparison) -> Iterator[str]:
    """Yield means, difference, relative change, p over seeds, interval over images, and what could have been seen."""
    first, second = comparison.arms
    where = "" if comparison.cell == "default" else f" at {comparison.cell}"
    yield f"{comparison.metric}{where}: {first} {_mean_text(comparison, 0)}, {second} {_mean_text(comparison, 1)}"
    low, high = comparison.difference.low, comparison.difference.high
    about = say("every_seed") if comparison.is_exact else say("interval_over", over=over_text(comparison))
    is_told = comparison.difference.n > 1 if comparison.is_exact else low is not None
    yield f"  difference {interval_text(comparison)}" + (f" ({about})" if is_told else "")
    apart = apart_text(comparison.unfair, comparison.metric)
    if low is not None and high is not None and low <= 0 <= high and not (apart or comparison.is_exact):
        yield f"  {say('undecided')}"
    if comparison.relative is not None:
        yield f"  relative {comparison.relative:+.2f} %"
    if not (apart or comparison.is_exact):
        yield from _test_lines(comparison)
    if comparison.left_out:
        yield f"  {left_out_text(comparison)}"
    if comparison.missing:
        yield f"  {missing_text(comparison)}"
    if apart:  # of other images: no test of the difference says anything of the arms
        yield f"  {apart}"
    if comparison.unfair:
        yield f"  {say('note_not_held')}"
        yield from (f"  {line}" for line in mismatch_lines(comparison.unfair))
    yield from (f"  footnote: {note}" for note in (*comparison.notes, *map(unknown_text, comparison.unknown)))


def _test_lines(comparison: Comparison) -> Iterator[str]:
    factor, unit = (100.0, " points") if comparison.is_share else (1.0, "")
    if comparison.p is None:
        yield f"  {comparison.untested}"
    elif comparison.adjusted_p is not None:
        over = f" over {comparison.speed.of}" if comparison.speed else ""
        yield f"  {p_text(comparison.p)}{over}; {say('after_holm', p=p_text(comparison.adjusted_p))}"
    if comparison.speed is not None:
        low, high = comparison.speed.edges
        yield f"  {say('side_by_side', ratio=comparison.speed.ratio, low=low, high=high)}"
    if comparison.images is not None and comparison.images.mcnemar is not None:
        yield f"  {say('mcnemar', p=p_text(comparison.images.mcnemar))}"
    if comparison.smallest is not None:
        share = 100 * comparison.difference.image_share
        images = f"; {say('error_of_images', share=share)}" if share >= 1 else ""
        least = say("could_detect", smallest=comparison.smallest * factor, unit=unit, level=level_text(comparison))
        yield f"  {least}{images}"


def over_text(comparison: Comparison) -> str:
    """Return what the interval of a difference is over, in words."""
    n, images = comparison.difference.n, comparison.images
    if comparison.speed is not None:
        return say("over_rounds", of=comparison.speed.of)
    if comparison.difference.over == "seeds" or images is None:
        return say("over_seeds")
    if comparison.difference.over == "images":
        return say("over_two_networks" if n == 1 else "over_networks", images=images.n, networks=2 * n, n=n)
    return say("over_both", n=n, images=images.n)


def level_text(comparison: Comparison) -> str:
    return say("level_alone") if comparison.tests == 1 else say("level_of_table", tests=comparison.tests)


def _mean_text(comparison: Comparison, side: int) -> str:
    return f"{100 * comparison.means[side]:.2f} %" if comparison.is_share else f"{comparison.means[side]:.6g}"
