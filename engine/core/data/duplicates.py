"""Near-duplicates: takes small hashes of images, gives groups that a split must keep on one side.

Two images are near when their difference hashes (64 bits) differ in at most 6 bits and their 16 x 16 grey thumbnails by
less than 8 levels in the mean. Groups are what chains of such pairs connect.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.core.data.sources import Pixels

# By these two bounds: imagenette none of 13,394 images, Caltech-101 95 groups, flowers 8. Copies that were encoded anew
# or resized are found, mirrored and cropped ones are not.
HASH_BITS = 6
GREY_LEVELS = 8.0
THUMB_SIDE = 16
PRINT_SIDE = 32
"""Below this short side (pixels) a print says too little: only equal content is a duplicate there."""
COMPARED = 1 << 22  # codes at once: 32 MiB
PAIRS = 1 << 16  # thumbnails at once: 32 MiB

Codes = NDArray[np.uint64]
Numbers = NDArray[np.int64]


@dataclass(frozen=True)
class PerceptualHash:
    """What is compared: the difference hash, and the grey thumbnail of THUMB_SIDE squared uint8 pixels."""

    code: int
    thumb: Pixels


def hash_image(pixels: Pixels) -> PerceptualHash | None:
    """Return the print of an image (H x W x 3 uint8), None where it is too small for one."""
    if min(pixels.shape[:2]) < PRINT_SIDE:
        return None
    grey = Image.fromarray(pixels).convert("L")
    slopes = np.asarray(grey.resize((9, 8), Image.Resampling.BOX))
    bits = slopes[:, 1:] > slopes[:, :-1]
    thumb = np.asarray(grey.resize((THUMB_SIDE, THUMB_SIDE), Image.Resampling.BOX)).ravel()
    return PerceptualHash(int.from_bytes(np.packbits(bits).tobytes(), "big"), thumb)


def group_hashes(hashes: list[PerceptualHash | None]) -> Numbers:
    """Return for each image the number of the first image of its group; its own where it is alone."""
    parent = np.arange(len(hashes), dtype=np.int64)
    rows = np.array([row for row, one in enumerate(hashes) if one is not None], dtype=np.int64)
    if not len(rows):
        return parent
    held = [one for one in hashes if one is not None]
    codes = np.array([one.code for one in held], dtype=np.uint64)
    # Signed, because bytes are subtracted.
    thumbs = np.stack([one.thumb for one in held]).astype(np.int16)
    # Union-find: every image points to an earlier one of its group, or to itself.
    groups = np.arange(len(held), dtype=np.int64)
    for first, second in _near_codes(codes):
        _join_near(groups, thumbs, first, second)
    parent[rows] = rows[groups]
    return parent


def _join_near(groups: Numbers, thumbs: NDArray[np.int16], first: Numbers, second: Numbers) -> None:
    """Join in `groups` the pairs whose thumbnails are near, some at a time; those of one group are not looked at."""
    for start in range(0, len(first), PAIRS):
        some = slice(start, start + PAIRS)
        apart = groups[first[some]] != groups[second[some]]
        one, other = first[some][apart], second[some][apart]
        near = np.abs(thumbs[one] - thumbs[other]).mean(axis=1) < GREY_LEVELS
        for left, right in zip(one[near].tolist(), other[near].tolist(), strict=True):
            _join(groups, left, right)
        if near.any():
            _flatten(groups)


def _near_codes(codes: Codes) -> Iterator[tuple[Numbers, Numbers]]:
    """Yield pairs (as two arrays) whose codes differ in at most HASH_BITS bits; a pair may come more than once.

    Of HASH_BITS + 1 slices of the code at least one is equal in such a pair, so only images with an equal slice meet.
    """
    # Seven slices of about nine bits.
    edges = np.linspace(0, 64, HASH_BITS + 2).astype(int)
    for low, high in pairwise(edges):
        part = (codes >> np.uint64(low)) & np.uint64((1 << int(high - low)) - 1)
        order = np.argsort(part, kind="stable")
        for bucket in np.split(order, np.flatnonzero(np.diff(part[order])) + 1):
            yield from _near_in_bucket(codes, bucket)


def _near_in_bucket(codes: Codes, bucket: Numbers) -> Iterator[tuple[Numbers, Numbers]]:
    step = max(1, COMPARED // len(bucket))
    for start in range(0, len(bucket) - 1, step):
        block = bucket[start : start + step]
        # With all that come after the block's start, so that each pair is met once.
        distances = np.bitwise_count(codes[block][:, None] ^ codes[bucket[start:]][None, :])
        left, right = np.nonzero(distances <= HASH_BITS)
        apart = left < right
        if apart.any():
            yield block[left[apart]], bucket[start:][right[apart]]


def _root(parent: Numbers, row: int) -> int:
    while parent[row] != row:
        # Halves the way for whoever comes next.
        parent[row] = parent[parent[row]]
        row = int(parent[row])
    return row


def _flatten(parent: Numbers) -> None:
    """Let every number point to its root at once."""
    while (parent[parent] != parent).any():
        parent[:] = parent[parent]


def _join(parent: Numbers, one: int, other: int) -> None:
    """The smaller number becomes the root, so that groups do not depend on the order of the pairs."""
    first, second = sorted((_root(parent, one), _root(parent, other)))
    parent[second] = first
