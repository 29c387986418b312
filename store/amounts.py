"""Amounts in words: takes a count and what is counted, gives both as a person says them."""

from __future__ import annotations


def counted(count: int, word: str) -> str:
    """Return `1 trial`, `2 trials`, `1,200 trials`; of words that take an `s`."""
    return f"{count:,} {word}" if count == 1 else f"{count:,} {word}s"
