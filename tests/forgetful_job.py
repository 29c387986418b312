"""The real jobs, but a resumed one does not put its random generators back: preloaded instead of engine.run."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine import run
from engine.core.train import loop


def main(order: Mapping[str, Any]) -> int:
    loop.restore_random = lambda state: None  # type: ignore[attr-defined]
    return run.main(order)
