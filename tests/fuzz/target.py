"""A target: takes bytes, feeds them to one reader; an error of ours is an answer, anything else is a crash."""

from __future__ import annotations

import tempfile
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from engine.errors import XpError

CRASHES = Path(__file__).parent / "crashes"


@dataclass(frozen=True)
class Target:
    """`open` takes a folder of its own, and gives what is fed with each input; `seeds` are inputs that are right."""

    name: str
    open: Callable[[Path], Callable[[bytes], object]]
    seeds: Callable[[], list[bytes]]

    def kept(self) -> list[Path]:
        """Return the inputs that once crashed it."""
        folder = CRASHES / self.name
        return sorted(folder.iterdir()) if folder.is_dir() else []


class Feeder:
    """A target in a temporary folder."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self._folder = tempfile.TemporaryDirectory(prefix="xp-fuzz-")

    def __enter__(self) -> Feeder:
        return self

    def __exit__(self, *_: object) -> None:
        self._folder.cleanup()

    @cached_property
    def _feed(self) -> Callable[[bytes], object]:
        return self.target.open(Path(self._folder.name))

    def feed(self, content: bytes) -> None:
        """Feed one input; raises what the reader raises beside our own errors."""
        try:
            self._feed(content)
        except XpError as error:
            # What a person reads must be text that any terminal and file takes.
            str(error).encode()

    def crash_of(self, content: bytes) -> str:
        """Return the traceback of a crash, empty where the reader answered."""
        try:
            self.feed(content)
        except Exception:
            return traceback.format_exc()
        return ""
