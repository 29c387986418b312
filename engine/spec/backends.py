"""Which attention a backend carries out: takes the words of a spec, gives what it does not claim. Loads no torch.

`bands` computes slide and row in bands of rows on the CPU, and is `auto` elsewhere. From windows of BANDED_FROM tokens
a side on `auto` means it: settled when a job is planned, so that the job's id says so, as sums are rounded otherwise.

`auto`, `reference` and `sdpa` carry out every word. `triton` (fused kernels for a GPU) claims what stands in CLAIMS and
no more: each entry is held to the reference by a test.
"""

from __future__ import annotations

from typing import TypeVar

from engine.spec.network import LongformerAttention, Network
from engine.spec.shapes import network_shape

N = TypeVar("N", bound=Network)
BANDED_FROM = 20
"""Measured on two CPU threads against dense products: 1.6 times as fast at 28 (2.5 with gradients); at 14 as fast."""

CLAIMS: dict[str, tuple[str, ...]] = {
    "kind": ("window", "longformer"),
    "pattern": ("slide", "block", "row"),
    "select": ("grid", "previous", "norm", "learned", "none"),
    "projections": ("dual", "shared"),
    "bias": ("shared", "separate", "none"),
    "combine": ("joint",),
    "padding": ("mask", "timm"),
}
"""What `backend: triton` computes, by the words of a spec. Rows of global tokens keep their absorbed products."""


def unclaimed(words: object) -> list[str]:
    """Return which settings of an attention `triton` does not carry out, as `word: value`."""
    asked = {word: getattr(words, word, None) for word in CLAIMS}
    return [f"{word}: {value}" for word, value in asked.items() if value is not None and value not in CLAIMS[word]]


def settle_backend(network: N, image_size: int) -> N:
    """Return `network` with backend `bands` in the place of `auto` where some window is large and no tiles are cut."""
    attention = network.attention
    if not isinstance(attention, LongformerAttention) or attention.backend != "auto":
        return network
    stages = [
        stage for stage in network_shape(network, image_size).stages if stage.sparse and not stage.sparse.is_tiled
    ]
    if not any(stage.window >= BANDED_FROM for stage in stages):
        return network
    return network.model_copy(update={"attention": attention.model_copy(update={"backend": "bands"})})
