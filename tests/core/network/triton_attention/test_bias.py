"""Two backward passes give the bias table the same bits: sums have one order, and nothing is added atomically."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import engine.core.network.triton_attention

FOLDER = Path(engine.core.network.triton_attention.__file__).parent


def test_two_runs_give_every_gradient_the_same_bits(walked: dict[str, Any]) -> None:
    assert len(walked["repeated"]) > 8
    assert all(walked["repeated"])


def test_no_kernel_adds_atomically() -> None:
    assert [file.name for file in FOLDER.glob("*.py") if "atomic_" in file.read_text()] == []
