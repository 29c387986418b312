"""Which attention a backend carries out: takes the words of a spec, gives what it does not claim. Loads no torch.

`auto`, `reference` and `sdpa` carry out every word. `triton` (fused kernels for a GPU) claims what stands in CLAIMS and
no more: each entry is held to the reference by a test.
"""

from __future__ import annotations

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
