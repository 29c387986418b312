"""Making targets: takes a teacher as a function, gives the files of a cache, going on where a killed attempt stopped.

The teacher is always asked in the same batches: BATCH neighbours in the order of the rows, view by view. So neither an
interruption nor what else is made beside changes a bit. The next batches are rendered meanwhile, on threads, and on a
GPU the next one is there before the teacher has answered.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.core.data.loader import HOST, render_rows, resolve_view_seed
from engine.core.data.prefetch import finish_ahead, pin_images, render_ahead
from engine.core.data.views import render_center
from engine.core.distill.encoding import RowFormat, row_format
from engine.core.distill.feature_rows import FeatureForm, TaughtRows
from engine.core.distill.shards import TargetShards
from engine.core.distill.targets import CENTRE, LOGITS, Origin, write_manifest
from engine.inputs.looks import Look
from engine.inputs.splits import Rows
from engine.spec.identity import digest_of

# A shard of 1024 images is what a kill can cost. The batch is part of the digest, as another one may round otherwise.
BATCH, SHARD_BATCHES = 64, 16
CENTRE_VIEW = -1
Predict = Callable[[Tensor], Tensor]
Said = tuple[Tensor, tuple[Tensor, ...]]
Listen = Callable[[Tensor], Said]
Progress = Callable[[int, int], None]
Check = Callable[[Path, RowFormat], None]


@dataclass(frozen=True)
class Maker:
    """A teacher that is asked about the images of `origin`, rendered as it looks.

    `predict` takes uint8 (B, 3, size, size) and returns logits (B, classes); `classes` are those of its answers.
    `workers` threads render ahead for a teacher on `device`. `listen`, where features of the teacher are kept too,
    returns logits with them, as `features` says.
    """

    origin: Origin
    predict: Predict
    look: Look
    classes: int
    batch: int = BATCH
    workers: int = 0
    device: torch.device = HOST
    listen: Listen | None = None
    features: tuple[FeatureForm, ...] = ()

    @property
    def form(self) -> RowFormat:
        return row_format(self.classes)

    def rows(self, view: int) -> TaughtRows:
        """Return how the answers on a view are kept: features on those that students see."""
        return TaughtRows(self.form, () if view == CENTRE_VIEW else self.features)

    def say(self, images: Tensor) -> Said:
        """Return logits (B, classes) for uint8 (B, 3, size, size), and the features that are kept."""
        return (self.predict(images), ()) if self.listen is None else self.listen(images)

    def encode(self, view: int, images: Tensor) -> NDArray[Any]:
        """Return the rows of what the teacher says of images on a view."""
        if view == CENTRE_VIEW:
            return self.form.encode(self.predict(images))
        return self.rows(view).encode(*self.say(images))

    def rows_of(self, view: int) -> Rows:
        """Return the pack rows that are asked about on a view, CENTRE_VIEW for the centre crops."""
        return np.arange(len(self.origin.pack)) if view == CENTRE_VIEW else self.origin.rows

    def render(self, view: int, rows: Rows) -> Tensor:
        """Return what the teacher sees of `rows`: uint8 (B, 3, size, size)."""
        origin = self.origin
        if view == CENTRE_VIEW:
            return torch.stack([self._centre(row) for row in rows.tolist()])
        view_seed = resolve_view_seed(origin.data, origin.seed)
        look = self.look
        return render_rows(origin.pack, rows, view, view_seed, origin.data.augment, look.image_size, look.interpolation)

    def render_batches(self, view: int, rows: Rows) -> Iterator[Tensor]:
        """Yield what the teacher sees of `rows`, `batch` images at a time, on its device."""

        def render(part: Rows) -> Tensor:
            return pin_images(self.render(view, part), self.device)

        def bring(images: Tensor) -> Tensor:
            return images.to(self.device, non_blocking=True)

        parts = [rows[first : first + self.batch] for first in range(0, len(rows), self.batch)]
        return finish_ahead(render_ahead(parts, render, self.workers), bring, lambda images: images, self.device)

    def _centre(self, row: int) -> Tensor:
        look = self.look
        return render_center(self.origin.pack.image(row), look.image_size, look.crop_share, look.interpolation)


def write_targets(maker: Maker, folder: Path, progress: Progress, check: Check | None = None) -> int:
    """Write targets into `folder`, which may hold what an earlier attempt finished; return how many images it had.

    `check(folder, form)` is called when the centre crops are done and may raise, before the many views are made.
    `progress(done, all)` counts images. Raises JobError when a logit is not finite.
    """
    origin = maker.origin
    of = [origin.head(), *astuple(maker.look), maker.classes, maker.batch]
    writer = TargetShards(folder, digest_of([*of, *map(astuple, maker.features)]))
    total = len(origin.pack) + origin.views * len(origin.rows)
    sizes = {CENTRE: maker.rows(CENTRE_VIEW).dtype.itemsize, LOGITS: maker.rows(0).dtype.itemsize}
    found = sum(writer.size(name) // size for name, size in sizes.items())
    done = 0
    for view in (CENTRE_VIEW, *range(origin.views)):
        for count in _write_view(maker, writer, view):
            done += count
            progress(done, total)
        if view == CENTRE_VIEW and check is not None:
            check(folder, maker.form)
    writer.finish()
    write_manifest(folder, origin, maker.rows(0))
    return found


def _write_view(maker: Maker, writer: TargetShards, view: int) -> Iterator[int]:
    """Write the shards of a view that are not there yet; yield the count of images of each batch."""
    file, rows = (CENTRE, maker.rows_of(view)) if view == CENTRE_VIEW else (LOGITS, maker.rows_of(view))
    # Views lie one after another: what is held beyond those before this one.
    held = writer.size(file) // maker.rows(view).dtype.itemsize - max(view, 0) * len(rows)
    start = min(max(held, 0), len(rows))
    if start:
        yield start
    shard: list[NDArray[Any]] = []
    batches = maker.render_batches(view, rows[start:])
    for number, images in enumerate(batches, start=1):
        shard.append(maker.encode(view, images))
        yield len(images)
        if number % SHARD_BATCHES == 0 or start + number * maker.batch >= len(rows):
            writer.append(file, np.concatenate(shard))
            shard.clear()
