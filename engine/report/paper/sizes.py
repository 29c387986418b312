"""Sizes that decide what a paper says of networks: counted from their shapes, nothing is trained or written down."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise
from math import ceil

from engine.spec import Student
from engine.spec.shapes import network_shape

CLASSES, IMAGE_SIZE = 100, 224
BYTES = 6
"""Of one attention probability kept for the backward pass: fp32 out of the softmax, and its copy in half precision."""
HUGE = ((352, 704, 1408, 2816), (3, 3, 27, 3))
"""Dims and depths of ConvNeXt V2 Huge (Woo et al. 2023)."""
LARGE_CLIP = (1024, 24, 14, 224, 768)
"""Width, blocks, patch, image side and width of the answer of CLIP's ViT-L/14 (Radford et al. 2021)."""


@dataclass(frozen=True)
class Size:
    params: int
    macs: int


@lru_cache
def tiny_vit_size(arch: str, windows: tuple[int, ...], is_sparse: bool) -> Size:
    """Return parameters and MACs of a TinyViT at the paper's image size and class count.

    Sparse is the paper's: a two-dimensional neighbourhood, globals on a grid, a second set of projections.
    """
    # Only the page of a paper counts networks, and nothing else of a report waits for torch.
    from engine.core.describe import count_sizes

    attention = {"kind": "longformer", "pattern": "slide", "select": "grid"} if is_sparse else {"kind": "window"}
    words = Student.model_validate({"arch": arch, "windows": list(windows), "attention": attention})
    return Size(*count_sizes(words, CLASSES, IMAGE_SIZE))


def probability_bytes(arch: str, windows: Sequence[int], batch: int) -> int:
    """Return the bytes of all blocks' attention probabilities, kept for the backward pass of one batch."""
    words = Student.model_validate({"arch": arch, "windows": list(windows)})
    shape = network_shape(words, IMAGE_SIZE)
    entries = sum(
        stage.depth * stage.heads * ceil(stage.side / stage.window) ** 2 * stage.tokens**2
        for stage in shape.stages
        if stage.window
    )
    return BYTES * batch * entries


def stage_side(arch: str, stage: int) -> int:
    """Return the side of the map that a stage works on, in tokens."""
    return network_shape(Student.model_validate({"arch": arch}), IMAGE_SIZE).stages[stage].side


def convnextv2_params(dims: Sequence[int], depths: Sequence[int], classes: int = 1000) -> int:
    """Return the parameters of a ConvNeXt V2: stem, downsampling, blocks with GRN, norm and head."""
    stem = 3 * 16 * dims[0] + dims[0] + 2 * dims[0]
    between = sum(2 * a + 4 * a * b + b for a, b in pairwise(dims))
    blocks = sum(depth * _convnextv2_block(dim) for dim, depth in zip(dims, depths, strict=True))
    return stem + between + blocks + 2 * dims[-1] + dims[-1] * classes + classes


def _convnextv2_block(dim: int) -> int:
    depthwise, norm, grn = 49 * dim + dim, 2 * dim, 2 * 4 * dim
    return depthwise + norm + (dim * 4 * dim + 4 * dim) + grn + (4 * dim * dim + dim)


def vit_params(width: int, blocks: int, patch: int, side: int, out: int) -> int:
    """Return the parameters of CLIP's picture tower: patches and the last projection without bias, norms around."""
    tokens = (side // patch) ** 2 + 1
    block = 4 * width * width + 4 * width + 8 * width * width + 5 * width + 4 * width
    return 3 * patch * patch * width + width + tokens * width + 2 * width + blocks * block + 2 * width + width * out
