"""SQL in a browser by keyboard: completed, asked, found again, drawn, mistaken, cancelled."""

from __future__ import annotations

import pytest

from tests.serve.browser.conftest import Axe, PageAt

playwright = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")
from playwright.sync_api import expect  # noqa: E402  # absent where the line above skips

SEEN = 20_000  # ms that a busy machine may take
ENDLESS = "select count(*) from range(100000000) a, range(100000000) b where a.range * b.range % 7 = 3"


def test_a_query_is_written_asked_drawn_and_found_again_by_keyboard(page_at: PageAt, axe: Axe) -> None:
    page = page_at("/sql")
    field = page.get_by_role("textbox")
    field.focus()
    page.keyboard.type("select arm, mea")
    expect(page.get_by_role("option").first).to_have_text("mean")
    page.keyboard.press("Tab")
    page.keyboard.type(" from cell")
    page.keyboard.press("Tab")
    expect(field).to_have_value("select arm, mean from cells")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#rows")).to_be_visible(timeout=SEEN)
    assert "q=select+arm%2C+mean+from+cells" in page.url

    page.locator("#chart-of select[name=c]").select_option("bars")
    expect(page.get_by_role("img", name="Chart of mean across arm")).to_be_visible()
    assert "c=bars&x=arm&y=mean" in page.url
    axe(page)
    page.reload()
    expect(page.get_by_role("img", name="Chart of mean across arm")).to_be_visible(timeout=SEEN)

    field.fill("select arm,\n  meann from cells")
    page.get_by_role("button", name="Run").click()
    expect(page.locator("#answer mark")).to_have_text("meann", timeout=SEEN)
    page.get_by_role("button", name="Go there").click()
    assert page.evaluate("document.activeElement.value.slice(q.selectionStart, q.selectionEnd)") == "meann"
    page.locator("#history button", has_text="select arm, mean from cells").click()
    expect(page.locator("#rows")).to_be_visible(timeout=SEEN)
    page.go_back()
    expect(page.locator("#answer mark")).to_have_text("meann", timeout=SEEN)


def test_a_query_without_end_is_cancelled_while_pages_come(page_at: PageAt) -> None:
    page, other = page_at("/sql"), page_at("/queue")
    page.get_by_role("textbox").fill(ENDLESS)
    page.get_by_role("button", name="Run").click()
    other.reload()
    expect(other.locator("h1")).to_have_text("Queue", timeout=SEEN)
    page.wait_for_timeout(500)
    page.get_by_role("button", name="Cancel", exact=True).click()
    expect(page.get_by_role("alert")).to_have_text("cancelled", timeout=SEEN)
