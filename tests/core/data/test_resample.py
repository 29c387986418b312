"""Crops resized many at a time have the bits of torch's kernel for bytes, whatever their sizes."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from engine.core.data.resample import Boxes, resize_boxes
from engine.spec.base import Interpolation


@pytest.mark.parametrize("kind", ["bicubic", "bilinear"])
@pytest.mark.parametrize("size", [8, 33, 64, 224])
def test_boxes_have_the_bits_of_torchs_kernel(size: int, kind: Interpolation) -> None:
    noise = np.random.default_rng(size)
    shapes = [(1, 1), (size, size), (300, 2), (size, 90), *noise.integers(1, 300, (8, 2)).tolist()]
    images = [noise.integers(0, 256, (height, width, 3), dtype=np.uint8) for height, width in shapes]
    starts = np.cumsum([0, *(image.size for image in images)])
    lines, expected = [], []
    for image, start in zip(images, starts, strict=False):
        height, width = image.shape[:2]
        tall, wide = (int(noise.integers(1, length + 1)) for length in (height, width))
        top, left = int(noise.integers(0, height - tall + 1)), int(noise.integers(0, width - wide + 1))
        lines.append((int(start), width, left, top, wide, tall))
        cut = torch.from_numpy(image)[top : top + tall, left : left + wide].permute(2, 0, 1)[None]
        expected.append(F.interpolate(cut, (size, size), mode=kind, antialias=True)[0])
    boxes = Boxes.of(lines, torch.device("cpu"))
    flat = torch.from_numpy(np.concatenate([image.ravel() for image in images]))
    for at_once in (12, 5, 1):
        assert torch.equal(resize_boxes(flat, boxes, size, kind, at_once), torch.stack(expected))
