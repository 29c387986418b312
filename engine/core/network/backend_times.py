"""Times of attention backends as measured on a device: takes a file of a cache folder, gives the cases triton wins.

The file is JSON, `{device: {case: {triton_ms, other_ms, torch}}}`. Whoever measures writes it (`python
benchmarks/kernels.py --measure FILE` on a GPU); a time of another torch is none.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

import torch

from engine.core.network.triton_path import Attends
from engine.home.files import write_json

MARGIN = 0.95
"""Another path is left for one that takes at most this share of its time: less is within the noise of a clock."""


@dataclass(frozen=True)
class Pair:
    """Milliseconds of a forward and a backward pass of one attention, by the kernels and by what ran before them."""

    triton_ms: float
    other_ms: float
    torch: str = str(torch.__version__)

    @property
    def wins(self) -> bool:
        return self.torch == str(torch.__version__) and 0.0 < self.triton_ms <= MARGIN * self.other_ms


def case_of(module: Attends, precision: str) -> str:
    """Name an attention by all that decides its speed but the number of windows."""
    geometry, count = module.kernel_geometry(), 0 if module.sparse is None else module.sparse.globals
    who = "all" if geometry.reach < 0 else f"{'row' if geometry.raster else 'near'}{geometry.reach}"
    size = f"window {geometry.window} tile {geometry.side} heads {geometry.heads}x{module.head_dim}"
    return f"{size} {who} globals {count} {precision}"


def read_wins(path: Path, device: str) -> frozenset[str]:
    """Return the cases in which the kernels win on a device; none where nothing was measured or the file is damaged."""
    try:
        told = json.loads(path.read_text())
        pairs = {case: Pair(**pair) for case, pair in told.get(device, {}).items()}
        return frozenset(case for case, pair in pairs.items() if pair.wins)
    except (OSError, ValueError, TypeError, AttributeError):
        return frozenset()


def write_times(path: Path, device: str, pairs: Mapping[str, Pair]) -> None:
    """Add times of a device to the file; those of others stay."""
    told = json.loads(path.read_text()) if path.exists() else {}
    told.setdefault(device, {}).update({case: asdict(pair) for case, pair in pairs.items()})
    write_json(path, told)
