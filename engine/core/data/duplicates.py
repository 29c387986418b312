"""Near-duplicates: takes grey thumbnails of images, gives groups that a split must keep on one side.

Found are copies that were mirrored, cropped, made brighter or darker, encoded anew, resized, or several of these. Three
sieves, each finer and dearer than the one before:
1. candidates: the signs of an image's low frequencies are its code, one of CODE_BITS for each of TABLES; every crop and
   mirror image of an image (CROPS) is looked up there, also under the codes that differ in its least certain signs
   (multi-probe hashing: Lv et al. 2007);
2. the low frequencies of the crop are close to those of the other image (ALIKE);
3. laid over each other as well as they can be (likeness.py), the two agree (ALIGNED), local detail too (SAME).
Groups are what chains of such pairs connect.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.linalg import hadamard

from engine.core.data.decode import Pixels
from engine.core.data.likeness import (
    COSINES,
    THUMB_SIDE,
    Crop,
    Floats,
    Placement,
    Span,
    Thumbs,
    align_thumbs,
    crop_waves,
    detail_likeness,
)

# What these bounds find and what they take for the same is measured in benchmarks/duplicates.py.
ALIKE, ALIGNED, SAME = 0.85, 0.90, 0.86
LEAST_SIDE = 32
"""Below this short side (pixels) a thumbnail says too little: only equal content is a duplicate there."""
TABLES, CODE_BITS, UNSURE_BITS = 3, 20, 6
BITS_APART = 20  # of 64: of pairs that are ALIKE the signs of 9 differ in the mean
NEIGHBOURS = 16
"""At most so many images are met under one code, those of the most similar signs: a bound for sets of one scene."""
ROWS = 1024  # images whose crops are looked up at once
PAIRS = 1024  # pairs that are laid over each other at once

_WHOLE = Span(0.0, 1.0)
_NINE_TENTHS = (_WHOLE, Span(0.0, 0.9), Span(0.05, 0.9), Span(0.1, 0.9))
_EIGHT_TENTHS = (Span(0.0, 0.8), Span(0.1, 0.8), Span(0.2, 0.8))
CROPS = tuple(
    Crop(down, across, mirrored)
    for mirrored in (False, True)
    for spans in (_NINE_TENTHS, _EIGHT_TENTHS)
    for down in spans
    for across in spans
)
"""Those that are looked up, the whole image first; what lies between them is alike enough to one of them."""

Thumb = NDArray[np.uint8]  # (THUMB_SIDE, THUMB_SIDE)
Numbers = NDArray[np.int64]
Codes = NDArray[np.uint64]


def make_thumb(pixels: Pixels) -> Thumb | None:
    """Return the grey thumbnail of an image (H x W x 3 uint8), None where the image is too small for one."""
    if min(pixels.shape[:2]) < LEAST_SIDE:
        return None
    grey = Image.fromarray(pixels).convert("L")
    return np.asarray(grey.resize((THUMB_SIDE, THUMB_SIDE), Image.Resampling.BOX))


def group_thumbs(thumbs: list[Thumb | None]) -> Numbers:
    """Return for each image the number of the first image of its group; its own where it is alone."""
    parent = np.arange(len(thumbs), dtype=np.int64)
    rows = np.array([row for row, one in enumerate(thumbs) if one is not None], dtype=np.int64)
    if not len(rows):
        return parent
    held = np.stack([one for one in thumbs if one is not None])
    # Equal ones first: a thousand blank images are one.
    _, firsts, same = np.unique(held.reshape(len(held), -1), axis=0, return_index=True, return_inverse=True)
    order = np.argsort(firsts)
    groups = np.arange(len(firsts), dtype=np.int64)
    for one, other in near_pairs(held[firsts[order]]):
        _join(groups, one, other)
    _flatten(groups)
    place = np.empty_like(order)
    place[order] = np.arange(len(order))
    parent[rows] = rows[firsts[order][groups[place[same.ravel()]]]]
    return parent


def near_pairs(thumbs: Thumbs) -> Iterator[tuple[int, int]]:
    """Yield pairs of thumbnails (n, S, S) that show the same; those that other pairs connect are left out."""
    chunks = (thumbs[first : first + ROWS].astype(np.float64) for first in range(0, len(thumbs), ROWS))
    waves = np.concatenate([crop_waves(chunk, CROPS[0]) for chunk in chunks])
    index, groups = CodeIndex(waves), np.arange(len(thumbs), dtype=np.int64)
    # Whole images first. Crops of a crowd are not looked up: whoever shows one of its images in part finds the crowd.
    for crops in (CROPS[:1], CROPS[1:]):
        for first in range(0, len(thumbs), ROWS):
            rows = np.arange(first, min(first + ROWS, len(thumbs)))
            rows = rows[np.bincount(groups)[groups[rows]] < NEIGHBOURS]
            ones, others, which = _candidates(thumbs, rows, crops, waves, index, groups)
            for start in range(0, len(ones), PAIRS):
                some = slice(start, start + PAIRS)
                apart = groups[ones[some]] != groups[others[some]]
                one, other = ones[some][apart], others[some][apart]
                same = _are_same(thumbs[one], thumbs[other], [crops[number] for number in which[some][apart]])
                for pair in zip(one[same].tolist(), other[same].tolist(), strict=True):
                    _join(groups, *pair)
                    yield pair
                _flatten(groups)


def _candidates(
    thumbs: Thumbs, rows: Numbers, crops: Sequence[Crop], waves: Floats, index: CodeIndex, groups: Numbers
) -> tuple[Numbers, Numbers, Numbers]:
    """Return pairs (one of `rows`, any image) of two groups, each once, with the crop that is most ALIKE."""
    found: list[tuple[Numbers, Numbers, Numbers, Floats]] = []
    some = thumbs[rows].astype(np.float64)
    for number, crop in enumerate(crops):
        asked = crop_waves(some, crop)
        ones, others = index.meet(asked)
        apart = groups[rows[ones]] != groups[others]
        ones, others = ones[apart], others[apart]
        likeness = np.einsum("nw,nw->n", asked[ones], waves[others])
        near = likeness >= ALIKE
        found.append((rows[ones[near]], others[near], np.full(int(near.sum()), number), likeness[near]))
    ones, others, which, alike = (np.concatenate(column) for column in zip(*found, strict=True))
    order = np.lexsort((-alike, others, ones))
    _, best = np.unique(ones[order] * len(waves) + others[order], return_index=True)
    kept = order[best]
    return ones[kept], others[kept], which[kept]


def _are_same(ones: Thumbs, others: Thumbs, crops: list[Crop]) -> NDArray[np.bool_]:
    if not len(ones):
        return np.zeros(0, dtype=bool)
    place, aligned = align_thumbs(ones, others, Placement.of(crops), ALIGNED)
    same: NDArray[np.bool_] = aligned & (detail_likeness(ones, others, place) >= SAME)
    return same


@dataclass(frozen=True)
class Table:
    """Images sorted by `keys` (code, then all other signs), and the first of each code; `bits` make the code."""

    bits: Numbers
    keys: Codes
    rows: Numbers
    starts: Numbers


class CodeIndex:
    """Finds images whose low frequencies (n, COSINES^2) have nearly the same signs.

    The signs are those after a Hadamard turn, which spreads every frequency over all of them: signs of single ones
    agree between half the landscapes of the world.
    """

    def __init__(self, waves: Floats) -> None:
        turned = _turn(waves)
        self._signs = _pack_bits(turned > 0)
        self._tables = [_make_table(turned, table) for table in range(TABLES)]

    def meet(self, asked: Floats) -> tuple[Numbers, Numbers]:
        """Return pairs (row of `asked`, image) that are worth a look, each once or more."""
        turned = _turn(asked)
        signs = _pack_bits(turned > 0)
        met = [_meet_under(table, turned) for table in self._tables]
        ones, others = (np.concatenate(column) for column in zip(*met, strict=True))
        near = np.bitwise_count(signs[ones] ^ self._signs[others]) <= BITS_APART
        return ones[near], others[near]


def _meet_under(table: Table, turned: Floats) -> tuple[Numbers, Numbers]:
    """Meet the images of each row's code, and of those with some of its least certain signs turned round."""
    values = turned[:, table.bits]
    unsure = np.argsort(np.abs(values[:, :CODE_BITS]), axis=1, kind="stable")[:, :UNSURE_BITS]
    bits = np.uint64(1) << (63 - unsure).astype(np.uint64)
    keys = _pack_bits(values > 0)[:, None] ^ np.stack(
        [np.bitwise_xor.reduce(bits[:, list(flips)], axis=1) for flips in _FLIPS], axis=1
    )
    low, high = _bucket(table, keys.ravel())
    ones = np.repeat(np.repeat(np.arange(len(turned)), len(_FLIPS)), high - low)
    return ones, table.rows[_ranges(low, high)]


def _bucket(table: Table, keys: Codes) -> tuple[Numbers, Numbers]:
    """Return from where to where in the table the images of each key's code lie, NEIGHBOURS at most."""
    codes = (keys >> np.uint64(64 - CODE_BITS)).astype(np.int64)
    low, high = table.starts[codes], table.starts[codes + 1]
    crowded = high - low > NEIGHBOURS
    if crowded.any():
        middle = np.searchsorted(table.keys, keys[crowded])
        low[crowded] = np.clip(middle - NEIGHBOURS // 2, low[crowded], high[crowded] - NEIGHBOURS)
        high[crowded] = low[crowded] + NEIGHBOURS
    return low, high


_FLIPS = tuple(flips for count in range(UNSURE_BITS + 1) for flips in combinations(range(UNSURE_BITS), count))


# Random, and the same on every machine: a turn without them would only add up whole rows of frequencies.
_SIGNS = 1.0 - 2.0 * np.unpackbits(np.frombuffer(hashlib.sha256(b"duplicates").digest()[: COSINES**2 // 8], np.uint8))


def _make_table(turned: Floats, table: int) -> Table:
    """Take every TABLES-th sign for the code, the others to sort by."""
    own = np.arange(table, COSINES**2, TABLES)[:CODE_BITS]
    bits = np.concatenate([own, np.setdiff1d(np.arange(COSINES**2), own)])
    keys = _pack_bits(turned[:, bits] > 0)
    rows = np.argsort(keys, kind="stable")
    codes = np.arange((1 << CODE_BITS) + 1, dtype=np.uint64)
    held = keys[rows] >> np.uint64(64 - CODE_BITS)
    return Table(bits, keys[rows], rows, np.searchsorted(held, codes))


def _turn(waves: Floats) -> Floats:
    turned: Floats = (waves * _SIGNS) @ hadamard(COSINES**2)
    return turned


def _pack_bits(bits: NDArray[np.bool_]) -> Codes:
    """Return (n,) of bits (n, 64), the first the highest."""
    return np.ascontiguousarray(np.packbits(bits, axis=1)).view(">u8")[:, 0].astype(np.uint64)


def _ranges(low: Numbers, high: Numbers) -> Numbers:
    """Return all numbers from each low to its high, one after the other."""
    counts = high - low
    total = np.arange(counts.sum())
    ranges: Numbers = total - np.repeat(np.cumsum(counts) - counts, counts) + np.repeat(low, counts)
    return ranges


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
