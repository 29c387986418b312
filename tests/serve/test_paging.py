"""Long lists in pages: the first, one between, the last, and words that name none."""

from __future__ import annotations

import pytest

from engine.home.paths import Home
from engine.serve.paging import Paging, make_paging
from engine.serve.site import Site
from engine.serve.view import Asked


@pytest.mark.parametrize(
    ("words", "total", "paging"),
    [
        ({}, 0, Paging(0, 0, 0)),
        ({"state": ("done",)}, 25, Paging(0, 10, 25, "", "state=done&page=2")),
        ({"page": ("2",), "part": ("listed",)}, 25, Paging(10, 20, 25, "page=1", "page=3")),
        ({"page": ("99",)}, 25, Paging(20, 25, 25, "page=2", "")),
        ({"page": ("-1",)}, 25, Paging(0, 10, 25, "", "page=2")),
    ],
)
def test_a_page_knows_its_rows_and_the_pages_beside(
    empty_home: Home, words: dict[str, tuple[str, ...]], total: int, paging: Paging
) -> None:
    assert make_paging(Asked(Site(empty_home), words=words), total, 10) == paging
