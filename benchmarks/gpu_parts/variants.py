"""The kinds of attention: gives the words of each, 216 of them, with how memory is spent."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any, Literal

Memory = Literal["standard", "lean"]
PATTERNS = ("slide", "block", "row")
MEMORIES: tuple[Memory, ...] = ("standard", "lean")
SELECTS = ("grid", "previous", "norm", "learned", "pooled", "none")
COMBINES = ("joint", "sum", "mean")
SIDES = (("dual", "shared"), ("shared", "none"), ("dual", "separate"))  # projections, bias
SMALL: dict[str, Any] = {
    "arch": "tiny_vit",
    "dims": [16, 32, 48, 64],
    "depths": [1, 1, 1, 1],
    "heads": [1, 2, 3, 4],
    "windows": [7, 14, 7, 4],
    "drop_path": 0.0,
}
SIDE, CLASSES = 112, 10


def variants() -> Iterator[tuple[dict[str, Any], Memory]]:
    """Yield the words of every kind of attention, with how memory is spent."""
    for pattern, select, combine, memory in itertools.product(PATTERNS, SELECTS, COMBINES, MEMORIES):
        for projections, bias in SIDES if memory == "standard" else SIDES[:1]:
            words = {"kind": "longformer", "pattern": pattern, "select": select, "combine": combine}
            tile = {"tile": [7, 7, 2]} if pattern == "block" else {}
            yield {**words, **tile, "projections": projections, "bias": bias}, memory


def name_variant(words: dict[str, Any], memory: Memory) -> str:
    kinds = (words[name] for name in ("pattern", "select", "combine", "projections", "bias"))
    return " ".join((*kinds, memory))
