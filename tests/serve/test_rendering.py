"""Pages as HTML: whole and in parts, with addresses that stay below any prefix."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from engine.home.paths import Home
from engine.serve.rendering import NAVIGATION, render, show_count, show_percent, show_span, show_time
from engine.serve.routes import PAGES
from engine.serve.site import Site
from engine.serve.view import Asked, Trouble, View

VIEW = View("trouble", "<b>odd</b> title", Trouble("<script>what</script>", "a & b", ""))


def test_what_a_page_says_is_text(empty_home: Home) -> None:
    text = render(Asked(Site(empty_home)), VIEW, "/")
    assert "<script>what" not in text
    assert "&lt;script&gt;what" in text
    assert "&lt;b&gt;odd" in text


@pytest.mark.parametrize(("address", "root"), [("/", "./"), ("/runs", "./"), ("/e/study", "../"), ("/a/b/c", "../../")])
def test_addresses_lead_up_to_the_root(empty_home: Home, address: str, root: str) -> None:
    assert f'href="{root}static/serve.css"' in render(Asked(Site(empty_home)), VIEW, address)


def test_navigation_leads_to_pages() -> None:
    assert {f"/{path}" for path in NAVIGATION} <= set(PAGES)


def test_a_live_part_keeps_the_words_asked_with(empty_home: Home) -> None:
    asked = Asked(Site(empty_home), words={"sort": ("a b",), "part": ("old",)})
    assert 'hx-get="./?sort=a+b&amp;part=experiments"' in render(asked, PAGES["/"](asked), "/")  # type: ignore[arg-type]  # a View


def test_a_moment_is_written_for_machines_too() -> None:
    moment = datetime(2026, 2, 3, 4, 5, tzinfo=UTC)
    assert show_time(moment.timestamp()) == '<time datetime="2026-02-03T04:05:00+00:00">2026-02-03 04:05 UTC</time>'
    assert show_time(moment) == show_time(moment.timestamp())


def test_what_is_unknown_is_a_dash() -> None:
    assert {show_time(None), show_count(None), show_percent(None), show_span(None)} == {"\N{EN DASH}"}


def test_numbers_keep_their_value_beside_their_text() -> None:
    assert show_count(1234.5, 2) == '<data value="1234.5">1,234.50</data>'
    assert show_percent(0.1234) == "12.3 %"
    assert show_span(3840) == "1 h 4 min"
