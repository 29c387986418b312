"""What a set of images is like: takes a listing, gives counts, sizes, modes, what is broken and what is there twice.

Every file is decoded once. Nothing is changed or left out: a person decides.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field

import numpy as np

from engine.core.data.decode import BUDGET
from engine.core.data.duplicates import Thumb, group_thumbs, make_thumb
from engine.core.data.sources import Listing, Sample
from engine.errors import DataError

CHUNK = 64


@dataclass(frozen=True)
class Survey:
    """`classes` images by class; `parts` by train, val, test folder; `widths` and `heights` (least, median, most) in
    pixels; `modes` images by how files keep them; `broken` messages.

    `duplicates` groups of places that show the same or nearly the same image, `across` those of more than one class,
    `astride` those of more than one part; `passed_over` what was not read, by suffix.
    """

    classes: dict[str, int]
    parts: dict[str, int]
    widths: tuple[int, int, int]
    heights: tuple[int, int, int]
    suffixes: dict[str, int]
    modes: dict[str, int]
    grey: int
    broken: list[str]
    duplicates: list[list[str]]
    across: list[list[str]]
    astride: list[list[str]]
    passed_over: dict[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class _Look:
    """What was found of one image; `thumb` None also for a tiny one, `error` for a broken one."""

    size: tuple[int, int] = (0, 0)
    mode: str = ""
    grey: bool = False
    thumb: Thumb | None = None
    error: str = ""


def survey_images(listing: Listing, progress: Callable[[int, int], None] = lambda done, count: None) -> Survey:
    """Look at every image of the listing; `progress(done, all)` is called after each."""
    looks: list[_Look] = []
    for look in _look_at_all(listing):
        looks.append(look)
        progress(len(looks), len(listing.samples))
    sizes = np.array([look.size for look in looks if not look.error] or [(0, 0)])
    labels = Counter(sample.label for sample in listing.samples)
    groups = _duplicate_groups(listing, looks)
    return Survey(
        classes={name: labels[label] for label, name in enumerate(listing.class_names)},
        parts=_counts(sample.part for sample in listing.samples if sample.part),
        widths=_three_points(sizes[:, 0]),
        heights=_three_points(sizes[:, 1]),
        suffixes=_counts(_suffix(sample) for sample in listing.samples),
        modes=_counts(look.mode for look in looks if not look.error),
        grey=sum(look.grey for look in looks),
        broken=[look.error for look in looks if look.error],
        duplicates=[[sample.place for sample in group] for group in groups],
        across=[[sample.place for sample in group] for group in groups if len({one.label for one in group}) > 1],
        astride=[[sample.place for sample in group] for group in groups if len({one.part for one in group}) > 1],
    )


def _counts(words: Iterable[str]) -> dict[str, int]:
    return dict(sorted(Counter(words).items()))


def _look_at_all(listing: Listing) -> Iterator[_Look]:
    def look_at(row: int) -> _Look:
        try:
            with BUDGET.scope():
                pixels = listing.read(row)
                grey = bool((pixels[..., :1] == pixels).all())
                thumb = make_thumb(pixels)
        except DataError as error:
            return _Look(error=f"{error.where}: {error.what}")
        return _Look((pixels.shape[1], pixels.shape[0]), listing.mode(row), grey, thumb)

    count = len(listing.samples)
    with ThreadPoolExecutor(max_workers=min(16, os.cpu_count() or 1)) as pool:
        for first in range(0, count, CHUNK):
            yield from pool.map(look_at, range(first, min(first + CHUNK, count)))


def _duplicate_groups(listing: Listing, looks: list[_Look]) -> list[list[Sample]]:
    """Return groups of samples: near by their thumbnails, or of equal content."""
    near = group_thumbs([look.thumb for look in looks])
    by_key: dict[str, int] = {}
    members: dict[int, list[Sample]] = {}
    for row, sample in enumerate(listing.samples):
        first = by_key.setdefault(sample.key, int(near[row]))
        members.setdefault(first, []).append(sample)
    return [samples for samples in members.values() if len(samples) > 1]


def _three_points(values: np.ndarray[tuple[int], np.dtype[np.int64]]) -> tuple[int, int, int]:
    return int(values.min()), int(np.median(values)), int(values.max())


def _suffix(sample: Sample) -> str:
    return os.path.splitext(sample.member or sample.place)[1].lower() or "(none)"
