"""An experiment in a browser: results come by themselves, figures say where they are from, choices have addresses."""

from __future__ import annotations

import os

from engine.home.paths import Home
from tests.serve.browser.conftest import Axe, PageAt

LONG = 60_000  # milliseconds that a busy machine may take


def test_results_origins_and_choices_by_keyboard(page_at: PageAt, axe: Axe) -> None:
    page = page_at("/e/study")
    page.wait_for_selector("#arms", timeout=LONG)
    axe(page)
    figure = page.locator("a.figure").first
    figure.focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("#origin[open]", timeout=LONG)
    assert "select n, mean, std, low, high" in page.locator("#origin").inner_text()
    page.keyboard.press("Escape")
    assert figure.evaluate("one => one === document.activeElement")
    page.locator("select[name=metric]").select_option("train_loss")
    page.wait_for_url("**metric=train_loss**", timeout=LONG)
    page.locator("figure.curve").scroll_into_view_if_needed()  # what is not in sight is not read
    page.wait_for_selector("figure.curve canvas", timeout=LONG)


def test_ticked_arms_go_to_the_comparison(page_at: PageAt) -> None:
    page = page_at("/e/study", width=400, dark=True)
    page.wait_for_selector("#arms", timeout=LONG)
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    for at in (0, 1):
        page.locator("input[name=a]").nth(at).check()
    page.get_by_role("button", name="Compare the ticked arms").first.click()
    page.wait_for_url("**/compare?**")
    assert "a=study%2Foriginal" in page.url


def test_a_tick_outlives_a_publication(page_at: PageAt, done_home: Home) -> None:
    page = page_at("/e/study")
    page.wait_for_selector("#arms", timeout=LONG)
    page.locator("input[name=a]").first.check()
    page.wait_for_selector("#link:text('live')", timeout=LONG)
    before = page.locator("#results").get_attribute("data-read")
    os.utime(done_home.results_db)  # published anew
    page.wait_for_function(
        "before => document.querySelector('#results').dataset.read !== before && document.querySelector('#arms')",
        arg=before, timeout=LONG,
    )  # fmt: skip
    assert page.locator("input[name=a]").first.is_checked()
