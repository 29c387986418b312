"""Pages of a searched experiment in a browser: fit to be looked at, and renewed without losing its place."""

from __future__ import annotations

import pytest

from engine.home.paths import Home
from tests.serve.browser.conftest import Axe, PageAt
from tests.serve.browser.test_every_page import look
from tests.serve.test_searched_pages import run_of

LOOKS = [("/", 400, True), ("/e/study", 400, True), ("/e/front", 1400, False)]


@pytest.mark.parametrize(("path", "width", "dark"), LOOKS)
def test_a_search_is_fit_to_be_looked_at(
    page_at: PageAt, axe: Axe, searched_home: Home, path: str, width: int, dark: bool
) -> None:
    look(page_at, axe, searched_home, path, width, dark)


def test_a_trial_is_fit_to_be_looked_at(page_at: PageAt, axe: Axe, searched_home: Home) -> None:
    look(page_at, axe, searched_home, f"/run/{run_of(searched_home, 'study', 'sought-t002')}", 400, dark=False)


def test_its_trials_lead_to_runs_and_back(page_at: PageAt, searched_home: Home) -> None:
    page = page_at("/e/study", home=searched_home)
    page.locator("#trial-sought-t003 a").click()
    page.locator("#tried a").click()
    assert page.url.endswith("/e/study#search")
    assert page.locator("#search h2").inner_text() == "Search"
