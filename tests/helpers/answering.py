"""Questions that only torch can answer, answered in this process: a child takes five seconds to load it."""

from __future__ import annotations

from importlib import import_module
from typing import Any


def answer_here(module: str, question: dict[str, Any], seconds: float | None = 0.0) -> Any:
    """Return what the child of a plan (engine/plan/child.py) would print."""
    return import_module(module).answer(question)
