"""Whether a device makes and normalises batches by the kernels: Triton is there, and a small one has the host's bytes.

Where not, the log says why and the plain operators of augment.py, resample.py and mixing.py do it, with the same bits.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor

from engine.core.data.augment import Draws, augment_views
from engine.core.data.mixing import draw_pairs, mix_pairs
from engine.core.data.resample import Boxes, Cut, resize_boxes
from engine.spec import Augment
from engine.spec.base import Interpolation

HOST = torch.device("cpu")
TRIED_LEVELS = torch.arange(256, dtype=torch.uint8)
TRIED_TABLE = torch.linspace(-2.0, 2.0, 256)[None]  # of one channel
TRIED, SIDE = 32, 90  # images and their side: together they go through every operation
HARD = Augment(rand_augment="rand-m9-mstd0.5-n3-p1.0-inc1", color_jitter=0.4, erasing=0.5, mixup=0.8, cutmix=1.0)


@cache
def has_kernels(device: torch.device, size: int, kind: Interpolation) -> bool:
    """Return whether the kernels make batches of `size` pixels on this device; tried once, which waits for it."""
    if device.type != "cuda":
        return False
    reason = find_problem(device, size, kind)
    if reason:
        print(f"batches are made by plain operators, no Triton kernels: {reason}", flush=True)
    return not reason


@cache
def can_look_up(device: torch.device) -> bool:
    """Return whether the kernel normalises pixels on this device; tried once, which waits for it."""
    if device.type != "cuda":
        return False
    reason = _reason(lambda: look_up_there(device), lambda: TRIED_TABLE[0])
    if reason:
        print(f"pixels are normalised by plain operators, no Triton kernel: {reason}", flush=True)
    return not reason


def find_problem(device: torch.device, size: int, kind: Interpolation) -> str:
    """Return why the kernels cannot be used, empty where they can."""
    return _reason(lambda: make_there(device, size, kind), lambda: make_here(size, kind))


def _reason(there: Callable[[], Tensor], here: Callable[[], Tensor]) -> str:
    """Return why what is made there cannot take the place of what is made here."""
    try:
        made = there()
    except Exception as error:  # whatever a compiler or a driver may say
        return f"{type(error).__name__}: {error}".splitlines()[0]
    return "" if is_alike(made, here()) else "their bytes are not those of the host"


def is_alike(there: Tensor, here: Tensor) -> bool:
    return torch.equal(there.to(HOST), here)


def _images() -> tuple[Tensor, Cut]:
    """Return a flat tensor of noise that is smooth enough to be an image, and the boxes in it."""
    noise = torch.randint(0, 256, (TRIED, SIDE // 9, SIDE // 9, 3), generator=torch.Generator().manual_seed(0))
    flat = noise.repeat_interleave(9, dim=1).repeat_interleave(9, dim=2).to(torch.uint8).flatten()
    places = range(TRIED)
    lines = [(place * 3 * SIDE * SIDE, SIDE, place, place // 2, SIDE - 2 * place, SIDE - place) for place in places]
    return flat, Cut(lines, [place % 2 == 1 for place in places], list(places), [], None, 0, "bicubic")


def _keys() -> list[str]:
    return [f"{place:064x}" for place in range(TRIED)]


def make_there(device: torch.device, size: int, kind: Interpolation) -> Tensor:
    """Return the batch as the kernels make it. Raises what Triton does where it is absent or fails."""
    from engine.core.data.kernels.batch import Wishes, make_batch, order_batch

    flat, cut = _images()
    keys = _keys()
    wishes = Wishes(keys, Draws(0, 0), HARD, draw_pairs(keys, 0, 0, HARD, size))
    return make_batch(order_batch(cut.at(size, kind), wishes, size, device), flat.to(device))


def look_up_there(device: torch.device) -> Tensor:
    """Return every level as the kernel normalises it. Raises what Triton does where it is absent or fails."""
    from engine.core.data.kernels.look_up import look_up

    return look_up(TRIED_LEVELS.view(1, 1, 16, 16).to(device), TRIED_TABLE.to(device)).flatten()


def make_here(size: int, kind: Interpolation) -> Tensor:
    """Return the batch as the host makes it."""
    flat, cut = _images()
    images = resize_boxes(flat, Boxes.of(cut.lines, HOST), size, kind, TRIED)
    images[1::2] = images[1::2].flip(3)
    return mix_pairs(augment_views(images, _keys(), 0, 0, HARD), _keys(), 0, 0, HARD)[0]
