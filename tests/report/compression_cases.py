"""Each sentence of the section 'Compression': a page where it is true, one where it must not appear."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from engine.analysis.compression import Compressed, Ran
from engine.analysis.speeds import SpeedRatio
from engine.report.compression import CompressionSection
from tests.report.compressing import EAGER, change, compressed, ran, ratio, section, speed

Told = Callable[[], str]


def told(*arms: Compressed, beside: tuple[Ran, ...] = (), **trees: Any) -> Told:
    """All that the section says of these arms."""

    def text() -> str:
        found: CompressionSection = section(arms, beside, **trees)
        notes = [note for table in found.tables for note in table.notes]
        return "\n".join([*found.sentences, *notes, *found.chart_notes])

    return text


def mask(times: SpeedRatio | None) -> Told:
    return told(compressed("mask"), beside=(ran(whole=speed(100.0), mask=speed(100.0, times)),))


def small_beside(*words: str, over: str = "seeds", half: float | None = 0.01) -> Told:
    """`small` against the whole arm, with these controls."""
    changes = {"whole": change("whole", -0.02, over, half)}
    return told(compressed("small", controls=dict.fromkeys(words, "mask"), changes=changes))


def paced(one: SpeedRatio | None, n: int = 6) -> Told:
    whole = speed(100.0, n=n)
    return told(compressed("small"), beside=(ran(whole=whole, small=replace(whole, ratio=one)),))


def restless(*, is_noisy: bool) -> Told:
    whole = speed(100.0)
    return told(compressed("small"), beside=(ran(whole=whole, small=replace(whole, is_noisy=is_noisy)),))


def front(level: float = 100.0, count: int = 1, seeds: int = 3) -> Told:
    whole, small = speed(100.0), speed(100.0, level=level)
    shares = {"whole": 0.9, "small": 0.5}
    many = [ran(way=replace(EAGER, threads=at), front=shares, whole=whole, small=small) for at in range(count)]
    return lambda: "\n".join(section([compressed("small")], many, seeds=seeds).chart_notes)


BARE = told(compressed("small", None))
CLOSE, WIDE, AWAY = ratio(1.0), ratio(1.0, error=0.3), ratio(1.3)
COMPRESSION_CASES: dict[str, tuple[Told, Told]] = {
    "size_note": (told(compressed("small")), BARE),
    "gain_note": (small_beside(), BARE), "gain_edges": (small_beside(), small_beside(half=None)),
    "lacks_note": (told(compressed("small", missing=("random",))), BARE),
    "some_compared": (told(compressed("small", is_compared=False)), told(compressed("small"))),
    "over_scratch": (small_beside("scratch"), small_beside("random")),
    "over_random": (small_beside("random"), small_beside("scratch")),
    "over_none_longer": (small_beside("none_longer"), small_beside("scratch")),
    "pace_note": (paced(CLOSE), BARE), "pace_ratio": (paced(CLOSE), paced(None)),
    "pace_edges": (paced(CLOSE), paced(None, n=1)),
    "pace_rounds": (paced(CLOSE), paced(None, n=1)),
    "pace_networks": (paced(ratio(1.0, of="networks")), paced(CLOSE)),
    "pace_noisy": (restless(is_noisy=True), restless(is_noisy=False)),
    "mask_free": (mask(CLOSE), mask(AWAY)), "mask_unclear": (mask(WIDE), mask(CLOSE)),
    "mask_moved": (mask(AWAY), mask(CLOSE)), "mask_unmeasured": (mask(None), mask(CLOSE)),
    "front_note": (front(), BARE), "front_level": (front(level=90.0), front()),
    "front_luck": (front(seeds=1), front()), "more_fronts": (front(count=9), front(count=8)),
}  # fmt: skip
