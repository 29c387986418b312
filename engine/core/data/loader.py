"""Loaders: takes a pack and rows, gives batches of uint8 images; what is in a batch is decided by seed and epoch alone.

On the host a batch is made whole by the caller or, with data.workers above 0, by threads a few batches ahead (the
kernels release the GIL). For a GPU they draw all numbers, and crop, resize and flip what it does not hold into pinned
memory; the copy and everything else is done there, one batch ahead of the training. Rendered pixels that fit
CACHE_BYTES are kept: finite views and evaluation's crops cost their time once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.core.data.augment import Draws, augment_views, changes_pixels
from engine.core.data.decoded_cache import DecodedCache, DeviceCache, HostCache, open_decoded
from engine.core.data.kernels.ready import has_kernels
from engine.core.data.mixing import Mix, describe_mix, draw_pairs, is_mixing, mix_pairs
from engine.core.data.pack import Pack
from engine.core.data.prefetch import finish_ahead, pin_images, render_ahead
from engine.core.data.resample import Cut
from engine.core.data.share import ALONE, Share
from engine.core.data.spans import Span, no_span
from engine.core.data.views import Crop, center_crop, draw_crop
from engine.errors import DataError
from engine.inputs.splits import Rows
from engine.spec import Augment, Data
from engine.spec.base import Interpolation

if TYPE_CHECKING:
    from engine.core.data.kernels.batch import BatchOrder

# Bytes of rendered pixels on the host: small sets fit, ImageNet-100 at 224 pixels (19 GB) does not.
CACHE_BYTES = 1 << 30
HOST = torch.device("cpu")


@dataclass(frozen=True)
class Batch:
    """`images` uint8 (B, 3, S, S); `labels` and `rows` (row numbers in the pack) int64 (B,); view -1 is the centre.

    Images are on the loader's device, the others on the host. Where images are mixed, `mix` says with which of the
    batch and how; labels and rows are each image's own.
    """

    images: Tensor
    labels: Tensor
    rows: Tensor
    view: int
    mix: Mix | None = None


@dataclass(frozen=True)
class Drawn:
    """A batch as the host leaves it: its images rendered, or `cut` from those that the device holds.

    `order` is what the kernels are told, None where plain operators do the rest.
    """

    batch: Batch
    cut: Cut | None = None
    order: BatchOrder | None = None


class PixelCache:
    """Rendered images by view and place among `rows`: filled as they are asked for, if all would fit `limit` bytes."""

    def __init__(self, views: int | None, count: int, size: int, limit: int = CACHE_BYTES) -> None:
        needed = (views or 0) * count * 3 * size * size
        self.held: Tensor | None = None
        # Fresh views are never seen again: nothing of them is kept.
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
        # A copy, as every indexing with a list is.
        return self.held[view, places]


class TrainLoader:
    """Training batches of the pack's `rows`, their images on `device`; `decoded` holds the pack's pixels.

    Epoch e shows view e mod `views` (None: view e), in an order decided by (seed, e). The last batch may be short; one
    of a single image is left out of that epoch, because batch statistics need two (unless it is all there is). Of each
    batch there are the images of `share`; counts of steps and images are those of whole batches. Raises DataError when
    images are to be mixed in pairs and the batch size is odd.
    """

    def __init__(
        self,
        pack: Pack,
        rows: Rows,
        data: Data,
        size: int,
        batch_size: int,
        seed: int,
        views: int | None,
        device: torch.device = HOST,
        share: Share = ALONE,
    ) -> None:
        self.pack, self.data, self.size, self.batch_size = pack, data, size, batch_size
        self.seed, self.views, self.device, self.share = seed, views, device, share
        self.rows = np.asarray(rows, dtype=np.int64)
        self.view_seed = resolve_view_seed(data, seed)
        self.decoded = open_decoded(pack, data, device)
        self.span: Span = no_span
        # Late: on the device, behind the copy, so that the host only crops and resizes.
        self._is_late = device.type != "cpu" or self.decoded.cache == "device"
        # Code of a person's own runs on the host: there its threads are ahead of the copy, unless the device crops.
        has_own = data.augment.extra is not None
        self._colours_late = self._is_late and (not has_own or self.decoded.cache == "device")
        self._cache = PixelCache(views, len(self.rows), size, 0 if self.decoded.cache == "device" else CACHE_BYTES)
        changes = self.decoded.cache == "device" or changes_pixels(data.augment) or is_mixing(data.augment)
        self._has_kernels = changes and not has_own and has_kernels(device, size, data.interpolation)
        if is_mixing(data.augment) and batch_size % 2:
            fix = "make train.batch_size even, or set mixup and cutmix to 0"
            raise DataError(
                f"images are mixed in pairs, and the batch size is {batch_size}", where="data.augment", fix=fix
            )

    @property
    def steps_per_epoch(self) -> int:
        whole, rest = divmod(len(self.rows), self.batch_size)
        return whole + (1 if rest > 1 or (rest == 1 and whole == 0) else 0)

    @property
    def keeps_views(self) -> bool:
        """Whether an image that was seen in a view is kept, so that it costs nothing when it comes again."""
        return self._cache.held is not None

    def view_of(self, epoch: int) -> int:
        """Return the number of the view that epoch `epoch` (from 0) shows."""
        return epoch % self.views if self.views else epoch

    def epoch(self, number: int, start: int = 0) -> Iterator[Batch]:
        """Yield the batches of epoch `number` from batch `start` on; the same ones whether or not those before ran."""
        order = epoch_order(len(self.rows), self.seed, number)
        size = self.batch_size
        # Cut from the whole order: a batch is the same wherever the epoch was begun.
        batches = [order[step * size : (step + 1) * size] for step in range(start, self.steps_per_epoch)]
        chunks = [batch[self.share.own(len(batch))] for batch in batches]
        if self._is_late:
            drawn = render_ahead(chunks, lambda places: self._draw(places, number), count_threads(self.data))
            return finish_ahead(drawn, lambda one: self._finish_batch(one, number), images_of, self.device)
        return render_ahead(
            chunks,
            lambda places: self._finish_batch(self._draw(places, number), number),
            count_threads(self.data),
        )

    def _draw(self, places: NDArray[np.int64], epoch: int) -> Drawn:
        with self.span("render"):
            return self._draw_batch(places, epoch)

    def _draw_batch(self, places: NDArray[np.int64], epoch: int) -> Drawn:
        """Return what the host does of a batch: all but what comes late."""
        view, rows = self.view_of(epoch), self.rows[places]
        if isinstance(self.decoded, DeviceCache):
            cut = self.decoded.cut(rows.tolist(), self._crops(rows, view), self.size, self.data.interpolation)
            return self._order(Drawn(_wrap_batch(self.pack, rows, torch.empty(0), view), cut), epoch)

        def render(missing: list[int]) -> Tensor:
            images = self._render(self.rows[missing], view)
            # Kept with its colours where they are early: a view is a pure function of its number.
            return images if self._colours_late else self._augment(images, self.rows[missing], view)

        images = self._cache.images(view, places.tolist(), render)
        with self.span("copy"):
            images = pin_images(images, self.device)
        return self._order(Drawn(_wrap_batch(self.pack, rows, images, view)), epoch)

    def _order(self, drawn: Drawn, epoch: int) -> Drawn:
        """Return the batch with what the kernels are told of it, if they make it."""
        augment = self.data.augment
        if not self._has_kernels:
            return drawn
        from engine.core.data.kernels.batch import Wishes, order_batch

        batch = drawn.batch
        keys = [self.pack.keys[row] for row in batch.rows.tolist()]
        pairs = draw_pairs(keys, self.seed, epoch, augment, self.size) if is_mixing(augment) else None
        wishes = Wishes(keys, Draws(self.view_seed, batch.view), augment, pairs)
        mix = None if pairs is None else describe_mix(pairs, len(keys), self.size)
        return replace(
            drawn, batch=replace(batch, mix=mix), order=order_batch(drawn.cut, wishes, self.size, self.device)
        )

    def _finish_batch(self, drawn: Drawn, epoch: int) -> Batch:
        """Return the batch as the network sees it, on the device."""
        batch, rows = drawn.batch, drawn.batch.rows.numpy()
        if drawn.order is not None:
            return _make_batch(drawn, self.decoded, self.device, self.span)
        # What the device holds is cropped and resized there.
        with self.span("copy" if drawn.cut is None else "render"):
            images = _plain_images(drawn, self.decoded, self.device)
        if self._colours_late:
            images = self._augment(images, rows, batch.view)
        if not is_mixing(self.data.augment):
            return replace(batch, images=images)
        # Behind the cache, because an image has another partner each epoch.
        keys = [self.pack.keys[row] for row in rows]
        with self.span("augment"):
            mixed, mix = mix_pairs(images, keys, self.seed, epoch, self.data.augment)
        return replace(batch, images=mixed, mix=mix)

    def _crops(self, rows: Rows, view: int) -> list[Crop]:
        return [view_crop(self.pack, row, view, self.view_seed, self.data.augment) for row in rows.tolist()]

    def _render(self, rows: Rows, view: int) -> Tensor:
        return self.decoded.render(rows.tolist(), self._crops(rows, view), self.size, self.data.interpolation)

    def _augment(self, images: Tensor, rows: Rows, view: int) -> Tensor:
        if not changes_pixels(self.data.augment):
            return images
        with self.span("augment"):
            return augment_views(images, [self.pack.keys[row] for row in rows], view, self.view_seed, self.data.augment)


class EvalLoader:
    """Every one of `rows` once, in the order given, centre-cropped; the last batch may be short, of one image too.

    Of several ranks each has whole batches, in turn: number r, r + ranks, ...
    """

    def __init__(
        self,
        pack: Pack,
        rows: Rows,
        data: Data,
        size: int,
        batch_size: int,
        device: torch.device = HOST,
        share: Share = ALONE,
    ) -> None:
        self.pack, self.data, self.size, self.batch_size, self.device = pack, data, size, batch_size, device
        self.share = share
        self.rows = np.asarray(rows, dtype=np.int64)
        self.decoded = open_decoded(pack, data, device)
        self._cache = PixelCache(1, len(self.rows), size, 0 if self.decoded.cache == "device" else CACHE_BYTES)
        self._has_kernels = self.decoded.cache == "device" and has_kernels(device, size, data.interpolation)

    def __len__(self) -> int:
        return -(-len(self.rows) // self.batch_size)

    def __iter__(self) -> Iterator[Batch]:
        drawn = render_ahead(self.chunks_of(self.share.rank), self._draw_batch, count_threads(self.data))
        return finish_ahead(drawn, self._finish_batch, images_of, self.device)

    def chunks_of(self, rank: int) -> list[NDArray[np.int64]]:
        """Return the places among `rows` of each batch that a rank has."""
        places = np.arange(len(self.rows), dtype=np.int64)
        firsts = range(0, len(places), self.batch_size)
        return [places[first : first + self.batch_size] for first in firsts][rank :: self.share.ranks]

    def _draw_batch(self, places: NDArray[np.int64]) -> Drawn:
        if not isinstance(self.decoded, DeviceCache):
            images = self._cache.images(0, places.tolist(), self._render)
            return Drawn(self._wrap(places, pin_images(images, self.device)))
        size, kind = self.size, self.data.interpolation
        cut = self.decoded.cut(self.rows[places].tolist(), self._crops(places.tolist()), size, kind)
        drawn = Drawn(self._wrap(places, torch.empty(0)), cut)
        if not self._has_kernels:
            return drawn
        from engine.core.data.kernels.batch import order_batch

        return replace(drawn, order=order_batch(cut, None, size, self.device))

    def _finish_batch(self, drawn: Drawn) -> Batch:
        if drawn.order is not None:
            return _make_batch(drawn, self.decoded, self.device)
        return replace(drawn.batch, images=_plain_images(drawn, self.decoded, self.device))

    def _crops(self, places: list[int]) -> list[Crop]:
        return [center_crop(*self.pack.size(row), self.data.crop_share) for row in self.rows[places].tolist()]

    def _render(self, places: list[int]) -> Tensor:
        rows = self.rows[places].tolist()
        return self.decoded.render(rows, self._crops(places), self.size, self.data.interpolation)

    def _wrap(self, places: NDArray[np.int64], images: Tensor) -> Batch:
        return _wrap_batch(self.pack, self.rows[places], images, -1)


def render_rows(
    pack: Pack,
    rows: Rows,
    view: int,
    view_seed: int,
    augment: Augment,
    size: int,
    kind: Interpolation = "bicubic",
) -> Tensor:
    """Return view number `view` of the pack's `rows`, uint8 (B, 3, size, size): what students and teachers see."""
    crops = [view_crop(pack, row, view, view_seed, augment) for row in rows.tolist()]
    # Straight from the pack: what is looked at once needs no copy in memory.
    images = HostCache(pack, pack.format).render(rows.tolist(), crops, size, kind)
    keys = [pack.keys[row] for row in rows]
    return augment_views(images, keys, view, view_seed, augment) if changes_pixels(augment) else images


def view_crop(pack: Pack, row: int, view: int, view_seed: int, augment: Augment) -> Crop:
    """Return the crop and flip that view number `view` shows of the pack's row."""
    height, width = pack.size(row)
    return draw_crop(pack.keys[row], view, view_seed, augment, width / height)


def resolve_view_seed(data: Data, seed: int) -> int:
    """Return the seed of the views: data.view_seed, or the run's own where it says `run`."""
    return seed if data.view_seed == "run" else data.view_seed


def count_threads(data: Data) -> int:
    """Return how many threads load images; a job has put a number into the place of `auto`."""
    return 0 if data.workers == "auto" else data.workers


def epoch_order(count: int, seed: int, epoch: int) -> NDArray[np.int64]:
    """Return the order of `count` images in an epoch: places sorted by a hash (SplitMix64) of (seed, epoch, place).

    Written out, because library shuffles may change between versions and would make a resumed run another run.
    """
    # SplitMix64 counts modulo 2 ** 64.
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


def images_of(batch: Batch) -> Tensor:
    return batch.images


def _plain_images(drawn: Drawn, decoded: DecodedCache, device: torch.device) -> Tensor:
    """Return the images of a batch on the device as they were cut, by plain operators."""
    if drawn.cut is None:
        return drawn.batch.images.to(device, non_blocking=True)
    assert isinstance(decoded, DeviceCache)
    return decoded.show(drawn.cut)


def _make_batch(drawn: Drawn, decoded: DecodedCache, device: torch.device, span: Span = no_span) -> Batch:
    """Return the batch as the kernels make it."""
    from engine.core.data.kernels.batch import make_batch

    assert drawn.order is not None
    with span("copy"):
        source = decoded.flat if isinstance(decoded, DeviceCache) else drawn.batch.images.to(device, non_blocking=True)
    with span("augment"):
        return replace(drawn.batch, images=make_batch(drawn.order, source))
