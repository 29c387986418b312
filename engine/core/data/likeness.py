"""How alike two images are: takes grey thumbnails, gives low frequencies of their crops, and one number for a pair.

A crop of a thumbnail is one matrix for each axis (means over intervals), and so are the first cosines of what is left:
the low frequencies of every crop of an image come without making any of these crops. They are weighted by their
frequency, because the spectra of photographs fall with it: then none of them decides alone, and pairs of strangers
with a sky above a meadow are not alike. Without their mean they do not change with brightness or contrast.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import scipy.fft
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

THUMB_SIDE = 32
COSINES = 8
"""Frequencies of each axis that candidates are found by, the mean among them."""
FINE_COSINES, FINE_REACH = 16, 8.0
"""Frequencies that two thumbnails are laid over each other by, and the width of the bell that fades the highest out."""
# By turns about a pixel, half of one, a quarter; both crops and grids of them are coarser than that.
STEPS = (0.03, 0.015, 0.0075)
GAIN = 0.05  # the most that a smaller step is hoped to add
# In pixels of the thumbnail: what is between these two widths is detail; its strength is evened out over the third.
FINE, COARSE, AROUND = 0.8, 2.5, 3.0
FAINT = 8.0
"""Grey levels of detail below which there is none: noise of a blank wall is not made equal to a face."""
TINY = 1e-9

Thumbs = NDArray[np.uint8]  # (n, THUMB_SIDE, THUMB_SIDE)
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Span:
    """The part of an axis that a crop keeps: from `start`, `size` long, as shares of the whole."""

    start: float
    size: float


@dataclass(frozen=True)
class Crop:
    """What of an image another one may show; `mirrored` says left for right."""

    down: Span
    across: Span
    mirrored: bool


@dataclass
class Placement:
    """Where in each of n thumbnails its fellow lies: starts and sizes on both axes (n,), mirrored or not."""

    top: Floats
    height: Floats
    left: Floats
    width: Floats
    mirrored: NDArray[np.bool_]

    @classmethod
    def of(cls, crops: list[Crop]) -> Placement:
        spans = [(crop.down.start, crop.down.size, crop.across.start, crop.across.size) for crop in crops]
        top, height, left, width = np.array(spans, dtype=np.float64).reshape(-1, 4).T
        return cls(top, height, left, width, np.array([crop.mirrored for crop in crops], dtype=bool))

    def moved(self, down: float, across: float, larger: float) -> Placement:
        """Return it moved and made larger about its centre, by shares of the whole."""
        half = larger / 2
        return Placement(
            self.top + down - half, self.height + larger, self.left + across - half, self.width + larger, self.mirrored
        )

    def replace(self, better: NDArray[np.bool_], other: Placement) -> Placement:
        pairs = zip(self._axes(), other._axes(), strict=True)
        top, height, left, width = (np.where(better, new, old) for old, new in pairs)
        return Placement(top, height, left, width, self.mirrored)

    def pick(self, rows: NDArray[np.bool_]) -> Placement:
        top, height, left, width = (axis[rows] for axis in self._axes())
        return Placement(top, height, left, width, self.mirrored[rows])

    def _axes(self) -> tuple[Floats, Floats, Floats, Floats]:
        return self.top, self.height, self.left, self.width


def interval_means(start: Floats, size: Floats) -> Floats:
    """Return matrices (n, S, S) from a line of S pixels to S means over equal pieces of start .. start + size.

    What reaches beyond the line is taken from its ends.
    """
    edges = THUMB_SIDE * (start[:, None] + size[:, None] * np.arange(THUMB_SIDE + 1) / THUMB_SIDE)
    edges = edges.clip(0, THUMB_SIDE)
    low, high = edges[:, :-1, None], edges[:, 1:, None]
    middle = ((low + high) / 2).clip(0.5, THUMB_SIDE - 0.5)
    # An interval of no width is the pixel it lies in.
    low, high = np.minimum(low, middle - TINY), np.maximum(high, middle + TINY)
    pixel = np.arange(THUMB_SIDE)
    overlap = (np.minimum(high, pixel + 1) - np.maximum(low, pixel)).clip(0)
    means: Floats = overlap / overlap.sum(2, keepdims=True)
    return means


def cosines(count: int) -> Floats:
    """Return the first `count` rows of the orthonormal cosine transform (DCT-II) of a line, (count, S)."""
    rows: Floats = scipy.fft.dct(np.eye(THUMB_SIDE), axis=0, norm="ortho")[:count]
    return rows


def crop_waves(thumbs: Floats, crop: Crop) -> Floats:
    """Return the weighted low frequencies of a crop of each thumbnail, as unit vectors (n, COSINES^2)."""
    down, across = (
        cosines(COSINES) @ interval_means(np.array([span.start]), np.array([span.size]))[0]
        for span in (crop.down, crop.across)
    )
    return _unit_waves(down @ thumbs @ (_mirror(COSINES, crop.mirrored) * across.T))


def _mirror(count: int, mirrored: bool) -> Floats:
    """Return what a mirror does to the frequencies of a line: odd ones change their sign."""
    return np.where((np.arange(count) % 2 == 1) & mirrored, -1.0, 1.0)


def _unit_waves(waves: Floats, reach: float = np.inf) -> Floats:
    count = waves.shape[-1]
    frequency = np.hypot(*np.meshgrid(np.arange(count), np.arange(count)))
    weights = frequency * np.exp(-((frequency / reach) ** 2) / 2)
    return _unit((waves * weights).reshape(len(waves), count**2))


def _unit(rows: Floats) -> Floats:
    unit: Floats = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), TINY)
    return unit


def align_thumbs(ones: Thumbs, others: Thumbs, start: Placement, least: float) -> tuple[Placement, NDArray[np.bool_]]:
    """Find for each pair where in the one the other lies, from about there on; say which are alike by `least` or more.

    The best of 27 moves (down, across, larger) is taken at each of STEPS; pairs that are hopeless after a step are
    not looked at any longer.
    """
    one, other = ones.astype(np.float64), others.astype(np.float64)
    transform = cosines(FINE_COSINES)
    wanted = _unit_waves(transform @ other @ transform.T, FINE_REACH)
    place, best = start, _overlaps(one, start, wanted)
    alive = np.ones(len(one), dtype=bool)
    for step in STEPS:
        centre = place
        for down, across, larger in itertools.product((-step, 0.0, step), repeat=3):
            tried = centre.moved(down, across, larger)
            score = np.full(len(one), -1.0)
            score[alive] = _overlaps(one[alive], tried.pick(alive), wanted[alive])
            place, best = place.replace(score > best, tried), np.maximum(best, score)
        alive = best >= least - GAIN
    return place, best >= least


def _overlaps(thumbs: Floats, place: Placement, wanted: Floats) -> Floats:
    """Return the cosine (n,) between the waves of the places and those wanted."""
    down = cosines(FINE_COSINES) @ interval_means(place.top, place.height)
    across = cosines(FINE_COSINES) @ interval_means(place.left, place.width)
    waves = down @ thumbs @ across.transpose(0, 2, 1)
    waves = np.where(place.mirrored[:, None, None], waves * _mirror(FINE_COSINES, True), waves)
    return np.asarray((_unit_waves(waves, FINE_REACH) * wanted).sum(1))


def detail_likeness(ones: Thumbs, others: Thumbs, place: Placement) -> Floats:
    """Return the correlation (n,) of local detail between the places of the ones and the whole of the others."""
    one = interval_means(place.top, place.height) @ ones.astype(np.float64)
    one = one @ interval_means(place.left, place.width).transpose(0, 2, 1)
    one[place.mirrored] = one[place.mirrored][:, :, ::-1]
    return np.asarray((_unit(_detail(one)) * _unit(_detail(others.astype(np.float64)))).sum(1))


def _detail(thumbs: Floats) -> Floats:
    """Return detail of even strength, (n, pixels): one bold edge, such as a frame's, is not the whole image."""
    detail = gaussian_filter(thumbs, (0, FINE, FINE)) - gaussian_filter(thumbs, (0, COARSE, COARSE))
    strength = np.sqrt(gaussian_filter(detail**2, (0, AROUND, AROUND)).clip(0))
    even: Floats = (detail / (strength + FAINT)).reshape(len(thumbs), THUMB_SIDE**2)
    return even
