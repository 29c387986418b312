"""What a set of images is like: takes a listing, gives counts, sizes, modes, what is broken and what is there twice.

Every file is decoded once. Nothing is changed or left out: a person decides.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from engine.core.data.duplicates import Print, group_prints, take_print
from engine.core.data.sources import Listing
from engine.errors import DataError

CHUNK = 64


@dataclass(frozen=True)
class Survey:
    """`classes` images by class; `widths` and `heights` (least, median, most) in pixels; `broken` messages.

    `duplicates` groups of places that show the same or nearly the same image, `across` those of more than one class.
    """

    classes: dict[str, int]
    widths: tuple[int, int, int]
    heights: tuple[int, int, int]
    suffixes: dict[str, int]
    grey: int
    broken: list[str]
    duplicates: list[list[str]]
    across: list[list[str]]


@dataclass(frozen=True)
class _Look:
    """What one image gives away; `print` None also for a tiny one, `error` for a broken one."""

    size: tuple[int, int] = (0, 0)
    grey: bool = False
    print: Print | None = None
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
        widths=_three_points(sizes[:, 0]),
        heights=_three_points(sizes[:, 1]),
        suffixes=dict(sorted(Counter(_suffix(listing, row) for row in range(len(looks))).items())),
        grey=sum(look.grey for look in looks),
        broken=[look.error for look in looks if look.error],
        duplicates=[[_place(listing, row) for row in group] for group in groups],
        across=[
            [_place(listing, row) for row in group]
            for group in groups
            if len({listing.samples[row].label for row in group}) > 1
        ],
    )


def _look_at_all(listing: Listing) -> Iterator[_Look]:
    def look_at(row: int) -> _Look:
        try:
            pixels = listing.read(row)
        except DataError as error:
            return _Look(error=f"{error.where}: {error.what}")
        grey = bool((pixels[..., :1] == pixels).all())
        return _Look((pixels.shape[1], pixels.shape[0]), grey, take_print(pixels))

    count = len(listing.samples)
    with ThreadPoolExecutor(max_workers=min(16, os.cpu_count() or 1)) as pool:
        for first in range(0, count, CHUNK):
            yield from pool.map(look_at, range(first, min(first + CHUNK, count)))


def _duplicate_groups(listing: Listing, looks: list[_Look]) -> list[list[int]]:
    """Return groups of rows: near by their prints, or of equal content."""
    near = group_prints([look.print for look in looks])
    by_key: dict[str, int] = {}
    members: dict[int, list[int]] = {}
    for row, sample in enumerate(listing.samples):
        first = by_key.setdefault(sample.key, int(near[row]))
        members.setdefault(first, []).append(row)
    return [rows for rows in members.values() if len(rows) > 1]


def _three_points(values: np.ndarray[tuple[int], np.dtype[np.int64]]) -> tuple[int, int, int]:
    return int(values.min()), int(np.median(values)), int(values.max())


def _suffix(listing: Listing, row: int) -> str:
    sample = listing.samples[row]
    name = sample.member or (sample.path.name if sample.path else "")
    return os.path.splitext(name)[1].lower() or "(none)"


def _place(listing: Listing, row: int) -> str:
    sample = listing.samples[row]
    if sample.path is None:
        return f"image {row}"
    return f"{sample.path}!{sample.member}" if sample.member else str(sample.path)
