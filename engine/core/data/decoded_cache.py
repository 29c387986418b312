"""A data set held whole: takes a pack, gives crops of its images from memory, on the host or rendered on the device.

`data.cache` says which, and never changes a bit of a view: jpeg decodes an image each time, raw keeps all of them
decoded in the host's memory, device keeps them in the device's and crops and resizes there.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Literal, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.core.data.decode import Pixels
from engine.core.data.kernels.ready import has_kernels
from engine.core.data.pack import Pack, pack_threads
from engine.core.data.prefetch import pin_images
from engine.core.data.resample import Boxes, Cut, Line, resize_boxes
from engine.core.data.views import SMALL_SIDE, Crop, render_crop, whole_box
from engine.launch.memory import memory_room
from engine.spec import Data
from engine.spec.base import Interpolation

Cache = Literal["jpeg", "raw", "device"]
AUTO_SHARE = 0.25  # of the device's free memory: the rest is for training
# For who asks for it outright; the training still needs some.
ASKED_SHARE = 0.9
# Images decoded at a time: more would only take more memory.
CHUNK = 256
AT_ONCE = 32  # crops that are resized together: the sums of one take about 5 MB


class DecodedCache(Protocol):
    """The images of a pack, wherever they are held; `device_bytes` is what they take of the device's memory."""

    cache: Cache
    device_bytes: int

    def render(self, rows: Sequence[int], crops: Sequence[Crop], size: int, kind: Interpolation = "bicubic") -> Tensor:
        """Return the crops of the pack's rows as uint8 (B, 3, size, size)."""
        ...


def open_decoded(pack: Pack, data: Data, device: torch.device) -> DecodedCache:
    """Return the pack's images held as data.cache says; loaders of one pack share what is held.

    auto takes the device for a GPU with room to spare, else leaves the images packed. A data set that does not fit
    into the memory that was asked for is left packed too, and the log says so. Without a GPU the
    device's memory is the host's.
    """
    cache = _choose_cache(pack, data, device)
    key = (cache, str(device))
    if key not in pack.decoded_caches:
        pack.decoded_caches[key] = DeviceCache(pack, device) if cache == "device" else HostCache(pack, cache)
    decoded: DecodedCache = pack.decoded_caches[key]
    return decoded


def _choose_cache(pack: Pack, data: Data, device: torch.device) -> Cache:
    packed: Cache = "raw" if pack.format == "raw" else "jpeg"
    # Where a word names the place, nothing about the machine changes it.
    if data.cache == "jpeg":
        return "jpeg"
    if data.cache == "raw":
        return "raw" if packed == "raw" or _fits(pack, memory_room()) else packed
    if device.type == "cpu":
        return "raw" if data.cache == "device" and not torch.cuda.is_available() else packed
    # Code of a person's own makes views on the host: what the device held would have to come back for it.
    if data.cache == "auto" and data.augment.extra is not None:
        return packed
    # Held already, for another loader of this pack.
    if ("device", str(device)) in pack.decoded_caches:
        return "device"
    free = torch.cuda.mem_get_info(device)[0]
    if decoded_bytes(pack) <= free * (AUTO_SHARE if data.cache == "auto" else ASKED_SHARE):
        return "device"
    if data.cache == "device":
        _say_too_large(pack, free)
    return packed


def _fits(pack: Pack, free: int) -> bool:
    """Return whether the decoded images leave the host some memory; a process that takes all of it is killed."""
    fits = decoded_bytes(pack) <= free * ASKED_SHARE
    if not fits:
        _say_too_large(pack, free)
    return fits


def _say_too_large(pack: Pack, free: int) -> None:
    gib = (decoded_bytes(pack) / 2**30, free / 2**30)
    print(f"data.cache: {gib[0]:.1f} GiB of images do not fit into {gib[1]:.1f} GiB of free memory", flush=True)


def decoded_bytes(pack: Pack) -> int:
    """Return what the pack's images take when they are decoded."""
    return int(_offsets(pack)[-1])


def count_held(pack: Pack, room: int) -> int:
    """Return how many of the pack's first images fit into `room` bytes when they are decoded."""
    return max(0, int(np.searchsorted(_offsets(pack), room, side="right")) - 1)


def _offsets(pack: Pack) -> NDArray[np.int64]:
    sizes = [3 * height * width for height, width in map(pack.size, range(len(pack)))]
    return np.concatenate([[0], np.cumsum(np.array(sizes, dtype=np.int64))])


def _decoded_chunks(pack: Pack, count: int) -> Iterator[tuple[int, Pixels]]:
    """Yield the bytes of the first `count` images, decoded, some images at a time, and where they begin."""
    end = 0
    with ThreadPoolExecutor(max_workers=pack_threads()) as pool:
        for first in range(0, count, CHUNK):
            images = pool.map(pack.image, range(first, min(first + CHUNK, count)))
            chunk = np.concatenate([image.reshape(-1) for image in images])
            yield end, chunk
            end += len(chunk)


class HostCache:
    """Images on the host: as packed, or all decoded into memory at once where a JPEG pack is to be raw."""

    device_bytes = 0

    def __init__(self, pack: Pack, cache: Cache) -> None:
        self.cache: Cache = cache
        self._pack = pack
        self._flat: Pixels | None = None
        # A raw pack is a mapped file, which the system keeps in memory by itself.
        if cache == "raw" and pack.format == "jpeg":
            self._starts = _offsets(pack)
            self._flat = np.empty(int(self._starts[-1]), dtype=np.uint8)
            for first, chunk in _decoded_chunks(pack, len(pack)):
                self._flat[first : first + len(chunk)] = chunk

    def image(self, row: int) -> Pixels:
        if self._flat is None:
            return self._pack.image(row)
        return self._flat[self._starts[row] : self._starts[row + 1]].reshape(*self._pack.size(row), 3)

    def render(self, rows: Sequence[int], crops: Sequence[Crop], size: int, kind: Interpolation = "bicubic") -> Tensor:
        images = torch.empty((len(rows), 3, size, size), dtype=torch.uint8)
        for slot, (row, crop) in enumerate(zip(rows, crops, strict=True)):
            images[slot] = render_crop(self.image(row), crop, size, kind)
        return images


class DeviceCache:
    """Images decoded on the device, one after another in one tensor; batches are cropped and resized there.

    `held`: how many of the pack's images are there, the first ones; all by default. The others are rendered on the
    host, and so are small ones: the kernel for them takes fractions of pixels.
    """

    cache: Cache = "device"

    def __init__(self, pack: Pack, device: torch.device, held: int | None = None) -> None:
        self._pack, self._device = pack, device
        self.held = len(pack) if held is None else held
        self._starts = _offsets(pack)
        self._host = HostCache(pack, pack.format)
        self.flat = torch.empty(int(self._starts[self.held]), dtype=torch.uint8, device=device)
        # By chunks: the host never holds a second copy of the set.
        for first, chunk in _decoded_chunks(pack, self.held):
            self.flat[first : first + len(chunk)] = torch.from_numpy(chunk).to(device)
        self.device_bytes = self.flat.numel() if device.type != "cpu" else 0

    def render(self, rows: Sequence[int], crops: Sequence[Crop], size: int, kind: Interpolation = "bicubic") -> Tensor:
        cut = self.cut(rows, crops, size, kind)
        if has_kernels(self._device, size, kind):
            return make_cut(cut, self.flat)
        return self.show(cut)

    def cut(self, rows: Sequence[int], crops: Sequence[Crop], size: int, kind: Interpolation) -> Cut:
        """Return what the host knows of the crops, those that it renders itself included."""
        small = [place for place, row in enumerate(rows) if not self._is_there(row)]
        large = sorted(set(range(len(rows))) - set(small))
        lines, flips = [self._box(rows[place], crops[place]) for place in large], [crops[at].flip for at in large]
        drawn = [rows[place] for place in small], [crops[place] for place in small]
        pixels = self._host.render(*drawn, size, kind) if small else None
        return Cut(lines, flips, large, small, pixels, size, kind)

    def show(self, cut: Cut) -> Tensor:
        """Return the crops, uint8 (B, 3, size, size), by plain operators."""
        count = len(cut.large) + len(cut.small)
        images = torch.empty((count, 3, cut.size, cut.size), dtype=torch.uint8, device=self._device)
        if cut.large:
            images[self._places(cut.large)] = self._show_large(cut)
        if cut.pixels is not None:
            # In one copy, beside what the device is doing.
            images[self._places(cut.small)] = pin_images(cut.pixels, self._device).to(self._device, non_blocking=True)
        return images

    def _show_large(self, cut: Cut) -> Tensor:
        images = resize_boxes(self.flat, Boxes.of(cut.lines, self._device), cut.size, cut.kind, AT_ONCE)
        flips = [place for place, flip in enumerate(cut.flips) if flip]
        if flips:
            mirrored = self._places(flips)
            images[mirrored] = images[mirrored].flip(3)
        return images

    def _is_there(self, row: int) -> bool:
        return row < self.held and min(self._pack.size(row)) >= SMALL_SIDE

    def _box(self, row: int, crop: Crop) -> Line:
        """Return the image's first byte and width, and the box's left, top, width and height."""
        height, width = self._pack.size(row)
        left, right, top, bottom = whole_box(crop, height, width)
        return int(self._starts[row]), width, left, top, right - left, bottom - top

    def _places(self, places: list[int]) -> Tensor:
        return torch.tensor(places).to(self._device, non_blocking=True)


def make_cut(cut: Cut, flat: Tensor) -> Tensor:
    """Return the crops by the kernels, which are imported where there is a device for them alone."""
    from engine.core.data.kernels.batch import make_batch, order_batch

    return make_batch(order_batch(cut, None, cut.size, flat.device), flat)
