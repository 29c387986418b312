"""Loaders: takes a pack and rows, gives batches of uint8 images; what is in a batch is decided by seed and epoch alone.

Images are rendered by the caller or, with data.workers above 0, by threads a few batches ahead (the kernels let go of
the lock). Rendered pixels that fit CACHE_BYTES are kept: finite views and evaluation's crops cost their time once.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.core.data.augment import augment_views, changes_pixels
from engine.core.data.mixing import Mix, is_mixing, mix_pairs
from engine.core.data.pack import Pack
from engine.core.data.splits import Rows
from engine.core.data.views import render_center, render_view
from engine.errors import DataError
from engine.spec import Augment, Data

CACHE_BYTES = 1 << 30
AHEAD = 4


@dataclass(frozen=True)
class Batch:
    """`images` uint8 (B, 3, S, S); `labels` and `rows` (row numbers in the pack) int64 (B,); view -1 is the centre.

    Where images are mixed, `mix` says with which of the batch and how; labels and rows are each image's own.
    """

    images: Tensor
    labels: Tensor
    rows: Tensor
    view: int
    mix: Mix | None = None


class PixelCache:
    """Rendered images by view and place among `rows`: filled as they are asked for, if all would fit `limit` bytes."""

    def __init__(self, views: int | None, count: int, size: int, limit: int = CACHE_BYTES) -> None:
        needed = (views or 0) * count * 3 * size * size
        self.held: Tensor | None = None
        if 0 < needed <= limit:
            self.held = torch.empty((views or 0, count, 3, size, size), dtype=torch.uint8)
        self.known = torch.zeros((views or 0, count), dtype=torch.bool)

    def images(self, view: int, places: list[int], render: Callable[[list[int]], Tensor]) -> Tensor:
        """Return the images at `places`, (B, 3, S, S), rendered or as kept; the caller may change them."""
        if self.held is None:
            return render(places)
        missing = [place for place in places if not self.known[view, place]]
        if missing:
            self.held[view, missing] = render(missing)
            self.known[view, missing] = True
        return self.held[view, places]


class TrainLoader:
    """Training batches of the pack's `rows`.

    Epoch e shows view e mod `views` (None: view e), in an order decided by (seed, e). The last batch may be short; one
    of a single image is left out of that epoch, because batch statistics need two. Raises DataError when images are to
    be mixed in pairs and the batch size is odd.
    """

    def __init__(
        self, pack: Pack, rows: Rows, data: Data, size: int, batch_size: int, seed: int, views: int | None
    ) -> None:
        self.pack, self.data, self.size, self.batch_size = pack, data, size, batch_size
        self.seed, self.views = seed, views
        self.rows = np.asarray(rows, dtype=np.int64)
        self.view_seed = resolve_view_seed(data, seed)
        self._cache = PixelCache(views, len(self.rows), size)
        if is_mixing(data.augment) and batch_size % 2:
            fix = "make train.batch_size even, or set mixup and cutmix to 0"
            raise DataError(
                f"images are mixed in pairs, and the batch size is {batch_size}", where="data.augment", fix=fix
            )

    @property
    def steps_per_epoch(self) -> int:
        whole, rest = divmod(len(self.rows), self.batch_size)
        return whole + (1 if rest > 1 or (rest == 1 and whole == 0) else 0)

    def view_of(self, epoch: int) -> int:
        """Return the number of the view that epoch `epoch` (from 0) shows."""
        return epoch % self.views if self.views else epoch

    def epoch(self, number: int, start: int = 0) -> Iterator[Batch]:
        """Yield the batches of epoch `number` from batch `start` on; the same ones whether or not those before ran."""
        order = epoch_order(len(self.rows), self.seed, number)
        view = self.view_of(number)
        size = self.batch_size
        chunks = [order[step * size : (step + 1) * size] for step in range(start, self.steps_per_epoch)]
        return _render_ahead(chunks, lambda places: self._make_batch(places, view, number), self.data.workers)

    def _make_batch(self, places: NDArray[np.int64], view: int, epoch: int) -> Batch:
        def render(missing: list[int]) -> Tensor:
            return render_rows(self.pack, self.rows[missing], view, self.view_seed, self.data.augment, self.size)

        images = self._cache.images(view, places.tolist(), render)
        batch = _wrap_batch(self.pack, self.rows[places], images, view)
        if not is_mixing(self.data.augment):
            return batch
        keys = [self.pack.keys[row] for row in self.rows[places]]
        mixed, mix = mix_pairs(images, keys, self.seed, epoch, self.data.augment)
        return replace(batch, images=mixed, mix=mix)


class EvalLoader:
    """Every one of `rows` once, in the order given, centre-cropped; the last batch may be short, of one image too."""

    def __init__(self, pack: Pack, rows: Rows, data: Data, size: int, batch_size: int) -> None:
        self.pack, self.data, self.size, self.batch_size = pack, data, size, batch_size
        self.rows = np.asarray(rows, dtype=np.int64)
        self._cache = PixelCache(1, len(self.rows), size)

    def __len__(self) -> int:
        return -(-len(self.rows) // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        places = np.arange(len(self.rows), dtype=np.int64)
        chunks = [places[first : first + self.batch_size] for first in range(0, len(places), self.batch_size)]
        return _render_ahead(chunks, self._make_batch, self.data.workers)

    def _make_batch(self, places: NDArray[np.int64]) -> Batch:
        def render(missing: list[int]) -> Tensor:
            images = torch.empty((len(missing), 3, self.size, self.size), dtype=torch.uint8)
            for slot, row in enumerate(self.rows[missing].tolist()):
                images[slot] = render_center(self.pack.image(row), self.size, self.data.crop_share)
            return images

        images = self._cache.images(0, places.tolist(), render)
        return _wrap_batch(self.pack, self.rows[places], images, -1)


def render_rows(pack: Pack, rows: Rows, view: int, view_seed: int, augment: Augment, size: int) -> Tensor:
    """Return view number `view` of the pack's `rows`, uint8 (B, 3, size, size): what students and teachers see."""
    images = torch.empty((len(rows), 3, size, size), dtype=torch.uint8)
    keys = [pack.keys[row] for row in rows]
    for slot, row in enumerate(rows.tolist()):
        images[slot] = render_view(pack.image(row), keys[slot], view, view_seed, augment, size)
    return augment_views(images, keys, view, view_seed, augment) if changes_pixels(augment) else images


def resolve_view_seed(data: Data, seed: int) -> int:
    """Return the seed of the views: data.view_seed, or the run's own where it says `run`."""
    return seed if data.view_seed == "run" else data.view_seed


def epoch_order(count: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """Return the order of `count` images in an epoch: places sorted by a hash (SplitMix64) of (seed, epoch, place).

    Written out, because library shuffles may change between versions and would make a resumed run another run.
    """
    with np.errstate(over="ignore"):
        start = _mix(_mix(np.array([seed], dtype=np.uint64)) + np.uint64(epoch))
        ranks = _mix(start + np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15))
    return np.argsort(ranks, kind="stable").astype(np.int64)


def _mix(state: NDArray[np.uint64]) -> NDArray[np.uint64]:
    """SplitMix64's finaliser (Steele et al. 2014): every bit of the state reaches every bit of the answer."""
    mixed = state + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    result: NDArray[np.uint64] = mixed ^ (mixed >> np.uint64(31))
    return result


def _wrap_batch(pack: Pack, rows: Rows, images: Tensor, view: int) -> Batch:
    return Batch(images, torch.from_numpy(pack.labels[rows]), torch.from_numpy(rows.copy()), view)


def _render_ahead(
    chunks: list[NDArray[np.int64]], make: Callable[[NDArray[np.int64]], Batch], workers: int
) -> Iterator[Batch]:
    """Yield the batches in order, rendered here (no workers) or on threads, a few ahead of the reader."""
    if workers == 0:
        yield from map(make, chunks)
        return
    with ThreadPoolExecutor(max_workers=workers) as pool:
        waiting: deque[Future[Batch]] = deque()
        todo = iter(chunks)
        try:
            for chunk in todo:
                waiting.append(pool.submit(make, chunk))
                if len(waiting) >= workers + AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
