"""Where the objects lie in the images that a job explains: takes an attempt and rows, gives their pixels, and counts.

Boxes are of the original images, which a pack does not hold: they are read again, those of the rows alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray

from engine.core.data.objects import Mask, see_object, view_grid
from engine.core.data.sources import Listing, list_images
from engine.core.data.views import center_crop
from engine.core.pointing import PointingFigures, play_pointing
from engine.errors import DataError, JobError
from engine.inputs.box_files import Annotation
from engine.inputs.boxes import index_found, match_images
from engine.inputs.folders import ImageFile
from engine.run.attempt import Attempt
from engine.run.inputs import Images, Rows
from engine.spec.job_settings import ExplainSettings, PackedData


@dataclass(frozen=True)
class SeenObjects:
    """`masks` (B, S, S): the pixels of each image that are of its objects; `absent` have no box, `cropped` no pixel."""

    masks: NDArray[np.bool_]
    absent: int
    cropped: int

    @property
    def counted(self) -> NDArray[np.int64]:
        """The places of the images whose objects are seen."""
        return np.flatnonzero(self.masks.any(axis=(1, 2)))


@dataclass(frozen=True)
class Pointing:
    """What the maps of the counted images came to, None where no image counts."""

    objects: SeenObjects
    figures: PointingFigures | None

    def as_fact(self) -> dict[str, int | float]:
        """Return counts, sums and tests as they are journaled."""
        seen, counted = self.objects, len(self.objects.counted)
        counts = {"explained": len(seen.masks), "counted": counted, "absent": seen.absent, "cropped": seen.cropped}
        if self.figures is None:
            return {**counts}
        found = self.figures
        sums = {"hits": int(found.hits.sum()), "chance": float(found.chance.sum())}
        tests = {"others": float(found.others.sum()), "chance_p": found.chance_p, "others_p": found.others_p}
        return {**counts, **sums, **tests}


@dataclass(frozen=True)
class Originals:
    """The images as they lie under data.root: listed, their places there by key, and what is annotated of them."""

    listing: Listing
    places: Mapping[str, int]
    annotations: Mapping[str, Annotation]


def judge_maps(objects: SeenObjects, maps: torch.Tensor) -> Pointing:
    """Return how the maps (B, H, W) point at the objects, of the images that have any in view."""
    counted = objects.counted
    if not len(counted):
        return Pointing(objects, None)
    return Pointing(objects, play_pointing(maps[counted], objects.masks[counted]))


def find_objects(attempt: Attempt, images: Images, rows: Rows) -> SeenObjects | None:
    """Return the objects of the pack's rows as the centre crop shows them, None where no boxes were asked for.

    Raises JobError when images or boxes are gone, DataError when they have changed or are wrong.
    """
    settings = attempt.settings(ExplainSettings)
    if settings.boxes is None:
        return None
    originals = _open_originals(attempt, settings)
    masks = [_see_row(images, int(row), originals) for row in rows]
    blank = np.zeros((images.data.image_size, images.data.image_size), dtype=bool)
    absent = sum(mask is None for mask in masks)
    held = np.stack([blank if mask is None else mask for mask in masks])
    return SeenObjects(held, absent, int((~held.any(axis=(1, 2))).sum()) - absent)


def _place_of(attempt: Attempt, word: str) -> Path:
    path: str | None = getattr(attempt.details, word)
    if path is None or not Path(path).exists():
        what = f"boxes are of the original images, and data.{word} is not here"
        fix = "bring it back, or submit the experiment again with the path where it lies now"
        raise JobError(what, where=str(path), fix=fix)
    return Path(path)


def _open_originals(attempt: Attempt, settings: ExplainSettings) -> Originals:
    root, boxes = (_place_of(attempt, word) for word in ("root", "boxes"))
    located = PackedData.of(settings.data).located(str(root))
    listing = list_images(located, cache=attempt.home.digests, progress=attempt.watcher("list"))
    keys = [sample.key for sample in listing.samples]
    found = match_images(boxes, root, _listed_files(listing))
    index = index_found(boxes, found, keys, attempt.home.digests)
    if index.digest != settings.boxes:
        fix = "submit the experiment again: it is then planned with the boxes that are there now"
        raise DataError("the boxes have changed since the experiment was submitted", where=str(boxes), fix=fix)
    return Originals(listing, {key: at for at, key in enumerate(keys)}, index.annotations)


def _listed_files(listing: Listing) -> list[ImageFile]:
    names = listing.class_names
    return [
        ImageFile(sample.path, names[sample.label], sample.member, sample.part)
        for sample in listing.samples
        if sample.path is not None  # a built-in set takes no boxes
    ]


def _see_row(images: Images, row: int, originals: Originals) -> Mask | None:
    """Return the object's pixels in the centre crop of a row, None where it has no annotation."""
    pack, data, key = images.pack, images.data, images.pack.keys[row]
    annotation = originals.annotations.get(key)
    if annotation is None:
        return None
    original = originals.listing.read(originals.places[key]).shape[:2]
    packed = pack.size(row)
    grid = view_grid(original, packed, center_crop(*packed, data.crop_share), data.image_size)
    return see_object(annotation, original, grid)
