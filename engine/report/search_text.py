"""Trials as a reader meets them: takes trials and figures, gives their names and numbers as text."""

from __future__ import annotations

import json
from typing import Any

from engine.analysis.searches import SearchedArm, Tried
from engine.report import number_text
from store.metrics import METRICS


def trial_name(one: Tried) -> str:
    return one.name


def figure_text(name: str, value: float) -> str:
    """Return a figure with its unit."""
    scale = number_text.scale_of(METRICS[name])
    return f"{scale.write(value)} {scale.sign}".strip()


def figures_text(arm: SearchedArm, one: Tried) -> str:
    """Return what a trial has of each metric that is chosen by."""
    return ", ".join(f"{name} {figure_text(name, one.values[name])}" for name in arm.search.metrics)


def gap_text(name: str, gap: float) -> str:
    """Return a difference with its sign: of shares in points."""
    if METRICS[name].is_share:
        return f"{100 * gap:+.2f} points"
    return f"{'+' if gap > 0 else ''}{figure_text(name, gap)}"


def drawn_text(value: Any) -> str:
    """Return a setting that was drawn, numbers in three digits."""
    if isinstance(value, float):
        return f"{value:.3g}"
    return value if isinstance(value, str) else json.dumps(value)
