"""Images enter a network normalised by its own figures, in the asked precision; logits leave in fp32."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from engine.core.train.forward import Forward, autocast

MEAN, STD = (0.4, 0.5, 0.6), (0.2, 0.25, 0.3)


class Seen(nn.Module):
    """Keeps what it was given, and the dtype of what its linear layer made of it."""

    def __init__(self) -> None:
        super().__init__()
        self.linear = nn.Linear(48, 5)

    def forward(self, images: Tensor) -> Tensor:
        self.images = images
        answer: Tensor = self.linear(images.flatten(1))
        self.dtype = answer.dtype
        return answer


@pytest.mark.parametrize(
    ("precision", "dtype"), [("fp32", torch.float32), ("bf16", torch.bfloat16), ("fp16", torch.float16)]
)
def test_precision_is_that_of_the_work_and_logits_are_fp32(precision: str, dtype: torch.dtype) -> None:
    network, images = Seen(), torch.arange(96, dtype=torch.uint8).view(2, 3, 4, 4)
    logits = Forward(torch.device("cpu"), precision, MEAN, STD)(network, images)
    assert network.dtype == dtype
    assert logits.dtype == torch.float32
    middle, spread = torch.tensor(MEAN).view(1, 3, 1, 1), torch.tensor(STD).view(1, 3, 1, 1)
    torch.testing.assert_close(network.images, (images / 255 - middle) / spread, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("precision", "dtype"),
    [("fp32", torch.float32), ("tf32", torch.float32), ("bf16", torch.bfloat16), ("fp16", torch.float16)],
)
def test_only_half_precisions_run_under_autocast(precision: str, dtype: torch.dtype) -> None:
    with autocast(torch.device("cpu"), precision):
        assert torch.is_autocast_enabled("cpu") == (dtype != torch.float32)
        assert (torch.ones(2, 2) @ torch.ones(2, 2)).dtype == dtype
