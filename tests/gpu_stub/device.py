"""Inside a process on the stub: reads the stub's counters; puts stand-ins in the place of cuDNN, which needs a card.

As cuDNN does, the stand-ins give results of the right shape, dtype and layout, and
count one launch each; an input and a weight of two dtypes are an error, as on a card.
"""

from __future__ import annotations

import ctypes
import os
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache

import torch
from torch import Tensor

COUNTERS = (
    "launches", "gemms", "uploads", "downloads", "copies", "fills", "syncs", "allocations", "pinned", "events", "waits",
    "graphs", "replayed",
)  # fmt: skip


@cache
def _stub() -> ctypes.CDLL:
    return ctypes.CDLL(os.environ["XP_STUB"])


@dataclass
class Seen:
    """What a piece of work did: how often, and which lines of code made the host wait."""

    counts: dict[str, int] = field(default_factory=dict)
    kernels: dict[str, int] = field(default_factory=dict)
    waits: list[str] = field(default_factory=list)


@contextmanager
def watch() -> Iterator[Seen]:
    """Count what happens inside; `waits` names each operation that waited for the card, by torch's own warning."""
    seen = Seen()
    _stub().stub_reset()
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            yield seen
    finally:
        torch.cuda.set_sync_debug_mode("default")
    seen.counts, seen.kernels = read_counts(), read_kernels()
    seen.waits = [f"{one.filename}:{one.lineno}" for one in told if "synchroniz" in str(one.message)]


def count_launch() -> None:
    """Count a kernel that was launched by other ways than the runtime's."""
    _stub().stub_launch()


def read_counts() -> dict[str, int]:
    """Return every counter since the last reset."""
    values = (ctypes.c_long * len(COUNTERS))()
    _stub().stub_counts(values)
    return dict(zip(COUNTERS, values, strict=True))


def read_kernels() -> dict[str, int]:
    """Return the launches of each kernel, by its mangled name."""
    with tempfile.NamedTemporaryFile("r") as file:
        _stub().stub_names(file.name.encode())
        lines = [line.rstrip("\n").partition("\t") for line in file]
    return {name: int(times) for times, _, name in lines}


def _layout(*tensors: Tensor) -> torch.memory_format:
    last = any(
        tensor.is_contiguous(memory_format=torch.channels_last) and not tensor.is_contiguous() for tensor in tensors
    )
    return torch.channels_last if last else torch.contiguous_format


def _side(side: int, kernel: int, padding: int, stride: int, dilation: int) -> int:
    return (side + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


def _output_size(images: Tensor, weight: Tensor, *words: list[int]) -> list[int]:
    """Return the shape that a convolution gives; `words` are padding, stride and dilation, one for each axis."""
    sides = [_side(*sizes) for sizes in zip(images.shape[2:], weight.shape[2:], *words, strict=True)]
    return [images.shape[0], weight.shape[0], *sides]


def _convolve(
    images: Tensor, weight: Tensor, padding: list[int], stride: list[int], dilation: list[int], groups: int,
    benchmark: bool, deterministic: bool, allow_tf32: bool,
) -> Tensor:  # fmt: skip
    if images.dtype != weight.dtype:
        raise RuntimeError(f"Input type ({images.dtype}) and weight type ({weight.dtype}) should be the same")
    layout = _layout(images, weight)
    for tensor in (images, weight):
        if not tensor.is_contiguous(memory_format=layout):
            _stub().stub_launch()  # a copy into the layout
    _stub().stub_launch()
    size = _output_size(images, weight, padding, stride, dilation)
    return torch.empty(size, dtype=images.dtype, device=images.device, memory_format=layout)


def _convolve_back(
    grad: Tensor, images: Tensor, weight: Tensor, bias_sizes: list[int] | None, stride: list[int], padding: list[int],
    dilation: list[int], transposed: bool, output_padding: list[int], groups: int, mask: list[bool],
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:  # fmt: skip
    layout = _layout(images, weight)
    found: list[Tensor | None] = [None, None, None]
    for place, tensor in enumerate((images, weight)):
        if mask[place]:
            _stub().stub_launch()
            found[place] = torch.empty_like(tensor, memory_format=layout)
    if mask[2]:
        _stub().stub_launch()
        found[2] = grad.sum((0, 2, 3))
    return found[0], found[1], found[2]


def _normalise(
    images: Tensor, weight: Tensor, bias: Tensor | None, mean: Tensor | None, variance: Tensor | None, training: bool,
    momentum: float, epsilon: float,
) -> tuple[Tensor, Tensor, Tensor, Tensor]:  # fmt: skip
    _stub().stub_launch()
    centre, spread = torch.empty(2, images.shape[1], device=images.device)
    return torch.empty_like(images), centre, spread, torch.empty(0, device=images.device, dtype=torch.uint8)


def _normalise_back(
    images: Tensor, grad: Tensor, weight: Tensor, mean: Tensor | None, variance: Tensor | None,
    saved_mean: Tensor | None, saved_variance: Tensor | None, epsilon: float, reserve: Tensor,
) -> tuple[Tensor, Tensor, Tensor]:  # fmt: skip
    _stub().stub_launch()
    return torch.empty_like(images), torch.empty_like(weight), torch.empty_like(weight)


STAND_INS: dict[str, Callable[..., object]] = {
    "cudnn_convolution": _convolve,
    "convolution_backward": _convolve_back,
    "cudnn_batch_norm": _normalise,
    "cudnn_batch_norm_backward": _normalise_back,
}


@cache
def install_stand_ins() -> torch.library.Library:
    """Put the stand-ins in place; what they are registered with lives as long as the process."""
    library = torch.library.Library("aten", "IMPL")  # type: ignore[no-untyped-call]
    for name, stand_in in STAND_INS.items():
        library.impl(name, stand_in, "CUDA")  # type: ignore[no-untyped-call]
    return library
