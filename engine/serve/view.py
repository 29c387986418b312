"""What a page asks and what it gives: takes an address with its words, gives a View to be filled into a template."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from engine.home.paths import Home
from engine.serve.site import Site


@dataclass(frozen=True)
class Asked:
    """A request for a page: the names in its path, and the words after the question mark, each with its values."""

    site: Site
    path: Mapping[str, str] = field(default_factory=dict)
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def home(self) -> Home:
        return self.site.home

    def word(self, name: str, default: str = "") -> str:
        """The last value of a word, as in a form that was sent twice."""
        return self.words.get(name, (default,))[-1]

    def all(self, name: str) -> tuple[str, ...]:
        return self.words.get(name, ())

    def number(self, name: str, default: int, least: int, most: int) -> int:
        """A whole number from the address, within its bounds; what is none is the default."""
        text = self.word(name)
        return min(most, max(least, int(text))) if text.isascii() and text.isdigit() and len(text) < 10 else default


@dataclass(frozen=True)
class View:
    """A page as data: `template` below templates/serve/, its title, and `data`, which the template knows as `view`."""

    template: str
    title: str
    data: object
    status: int = 200


@dataclass(frozen=True)
class Trouble:
    """What is wrong, where, and what to do, as the page `trouble` shows it."""

    what: str
    where: str
    fix: str


@dataclass(frozen=True)
class Raw:
    """An answer that is no page: a file to download, a picture, JSON for a chart."""

    body: bytes
    kind: str  # its media type
    name: str = ""  # under which it is saved; empty: shown
    headers: Mapping[str, str] = field(default_factory=dict)
    file: Path | None = None  # sent in the place of the body, as it is read


@dataclass(frozen=True)
class Answer:
    """What an order came to, in a sentence that stands on the page afterwards."""

    text: str
    is_good: bool = True


Page = Callable[[Asked], View | Raw]
Action = Callable[[Asked], Answer]
