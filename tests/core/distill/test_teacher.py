"""Pixels reach a network with its own mean and standard deviation."""

from __future__ import annotations

import torch

from engine.core.distill.teacher import normalize


def test_normalisation_is_per_channel() -> None:
    images = torch.randint(0, 256, (2, 3, 4, 4), dtype=torch.uint8)
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    expected = (images.double() / 255 - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)
    answer = normalize(images, mean, std)
    assert answer.dtype == torch.float32
    torch.testing.assert_close(answer.double(), expected, atol=2e-6, rtol=2e-6)
