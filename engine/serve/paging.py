"""Long lists in pages: takes what was asked and how many rows there are, gives which to show, and the pages beside."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from engine.serve.view import Asked

MOST_PAGES = 999_999_999


@dataclass(frozen=True)
class Paging:
    """Rows `start` to `end` of `total` are shown; `before` and `after` are the words of the pages beside, or ""."""

    start: int
    end: int
    total: int
    before: str = ""
    after: str = ""


def make_paging(asked: Asked, total: int, per: int) -> Paging:
    """Return the page that the word `page` names, the last one where it names none that is there."""
    pages = max(1, -(-total // per))
    page = min(asked.number("page", 1, 1, MOST_PAGES), pages)
    words = {name: values for name, values in asked.words.items() if name not in ("page", "part")}

    def at(number: int) -> str:
        return urlencode({**words, "page": number}, doseq=True) if 1 <= number <= pages else ""

    start = (page - 1) * per
    return Paging(start, min(total, start + per), total, at(page - 1), at(page + 1))
