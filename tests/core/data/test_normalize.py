"""Pixels reach a network with its own mean and standard deviation."""

from __future__ import annotations

import torch

from engine.core.data import normalize as module
from engine.core.data.normalize import normalize

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def test_normalisation_is_per_channel() -> None:
    images = torch.randint(0, 256, (2, 3, 4, 4), dtype=torch.uint8)
    expected = (images.double() / 255 - torch.tensor(MEAN).view(3, 1, 1)) / torch.tensor(STD).view(3, 1, 1)
    answer = normalize(images, MEAN, STD)
    assert answer.dtype == torch.float32
    torch.testing.assert_close(answer.double(), expected, atol=2e-6, rtol=2e-6)


def test_images_that_were_first_seen_in_an_evaluation_can_have_a_gradient_later() -> None:
    mean, std = [0.1, 0.2, 0.3], [0.4, 0.5, 0.6]
    with torch.inference_mode():
        normalize(torch.zeros((1, 3, 2, 2), dtype=torch.uint8), mean, std)
    images = torch.ones((1, 3, 2, 2), requires_grad=True)
    normalize(images, mean, std).sum().backward()  # type: ignore[no-untyped-call]
    assert images.grad is not None
    assert torch.allclose(images.grad[0, :, 0, 0], 1 / (255 * torch.tensor(std)))


def test_the_table_of_all_levels_has_the_bits_of_the_plain_operators() -> None:
    levels = torch.arange(256, dtype=torch.uint8).view(1, 1, 16, 16).repeat(1, 3, 1, 1)
    table = module._table(MEAN, STD, torch.device("cpu"))
    assert torch.equal(table.view(1, 3, 16, 16), normalize(levels, MEAN, STD))
