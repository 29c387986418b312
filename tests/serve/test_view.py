"""What a page is asked: words of an address, which anybody may have typed."""

from __future__ import annotations

import pytest

from engine.home.paths import Home
from engine.serve.site import Site
from engine.serve.view import Asked


def asked(home: Home, **words: tuple[str, ...]) -> Asked:
    return Asked(Site(home), words=words)


def test_the_last_of_a_word_counts(empty_home: Home) -> None:
    assert asked(empty_home, sort=("a", "b")).word("sort") == "b"
    assert asked(empty_home, sort=("a", "b")).all("sort") == ("a", "b")
    assert asked(empty_home).word("sort", "name") == "name"


@pytest.mark.parametrize(
    ("text", "number"), [("7", 7), ("0", 1), ("99999", 50), ("-3", 5), ("x", 5), ("", 5), ("9" * 5000, 5), ("٣", 5)]
)
def test_a_number_is_within_its_bounds(empty_home: Home, text: str, number: int) -> None:
    assert asked(empty_home, page=(text,)).number("page", 5, 1, 50) == number
