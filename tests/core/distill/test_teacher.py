"""Pixels reach a network with its own mean and standard deviation."""

from __future__ import annotations

import pytest
import torch

from engine.core.distill.teacher import normalize, require_skill
from engine.errors import JobError


def test_normalisation_is_per_channel() -> None:
    images = torch.randint(0, 256, (2, 3, 4, 4), dtype=torch.uint8)
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    expected = (images.double() / 255 - torch.tensor(mean).view(3, 1, 1)) / torch.tensor(std).view(3, 1, 1)
    answer = normalize(images, mean, std)
    assert answer.dtype == torch.float32
    torch.testing.assert_close(answer.double(), expected, atol=2e-6, rtol=2e-6)


def test_a_teacher_at_chance_is_stopped_and_a_good_one_is_not() -> None:
    require_skill(0.2, 10, 500)
    require_skill(0.05, 100, 5000)
    require_skill(1.0, 2, 2)
    for top1, classes, images in ((0.1, 10, 500), (0.13, 10, 500), (0.012, 100, 5000), (0.0, 10, 10)):
        with pytest.raises(JobError, match="guessing"):
            require_skill(top1, classes, images)


def test_images_that_were_first_seen_in_an_evaluation_can_have_a_gradient_later() -> None:
    mean, std = [0.1, 0.2, 0.3], [0.4, 0.5, 0.6]
    with torch.inference_mode():
        normalize(torch.zeros((1, 3, 2, 2), dtype=torch.uint8), mean, std)
    images = torch.ones((1, 3, 2, 2), requires_grad=True)
    images = torch.ones((1, 3, 2, 2), requires_grad=True)
    normalize(images, mean, std).sum().backward()  # type: ignore[no-untyped-call]
    assert images.grad is not None
    assert torch.allclose(images.grad[0, :, 0, 0], 1 / (255 * torch.tensor(std)))
