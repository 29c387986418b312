"""The rows of the shipped published.csv as the store gives them, without a store."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

FILE = Path(__file__).parents[3] / "specs" / "published.csv"
NUMBERS = ("phase", "prune", "batch_size", "value", "change")


def printed_rows() -> list[dict[str, Any]]:
    with FILE.open() as file:
        return [_row(row) for row in csv.DictReader(file)]


def _row(text: dict[str, str]) -> dict[str, Any]:
    row: dict[str, Any] = {name: value or None for name, value in text.items()}
    row |= {name: float(row[name]) for name in NUMBERS if row[name] is not None}
    value, change = row["value"], row["change"]
    base = value / (1 + change / 100) if value and change and row["change_unit"] == "percent" else None
    return {**row, "relative_change": change, "absolute_change": change, "relative_baseline": base}
