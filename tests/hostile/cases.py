"""What a hostile case is, and all of them: modules give their CASES, the runner asks them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

MOST_MEMORY = 2_000_000_000
"""Bytes that a command may take for an input under 10 MB where torch is loaded: the promise."""
MOST_WITHOUT_TORCH = 1_000_000_000


@dataclass(frozen=True)
class Case:
    """An input, what is asked of it and what must be answered.

    `make` writes the input into a folder; `ask` is the command line, run in that folder, with {folder} for its path.
    `says` are words that the answer must hold, and `never` words that it must not. Where `memory` is set, the case runs
    in a process of its own, which may take so many bytes at most.
    """

    name: str
    make: Callable[[Path], object]
    ask: tuple[str, ...]
    code: int
    says: tuple[str, ...]
    never: tuple[str, ...] = ()
    memory: int | None = None
    slow: bool = False
