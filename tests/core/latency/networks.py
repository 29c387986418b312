"""Networks of these tests, and a clock that is made up: seconds by how many elements a piece touches."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from typing import Any

from engine.core.latency.pieces import TENSOR
from engine.core.latency.table import Times, Whole
from engine.spec import Student

SMALL: dict[str, Any] = {
    "arch": "tiny_vit", "dims": [16, 32, 64, 64], "depths": [1, 1, 2, 1], "heads": [2, 2, 4, 4], "windows": [4, 4, 2, 1]
}  # fmt: skip
SPARSE = {**SMALL, "attention": {"kind": "longformer", "radius": 1, "globals": 1}}
WHOLES = {f"net {number}": Whole(seconds=1.0 + number / 10, summed=1.0) for number in range(3)}


def small(**words: Any) -> Student:
    return Student.model_validate({**SMALL, **words})


def made_up(piece: str) -> float:
    """Return a microsecond, and a nanosecond for each element."""
    return 1e-6 + 1e-9 * _elements(json.loads(piece))


def _elements(words: Any) -> int:
    if isinstance(words, dict) and TENSOR in words:
        return math.prod(words[TENSOR][0])
    inner = words.values() if isinstance(words, dict) else words if isinstance(words, list) else ()
    return sum(map(_elements, inner))


def made_up_times(pieces: Iterable[str]) -> Times:
    return Times(pieces={piece: made_up(piece) for piece in pieces}, wholes=WHOLES)
