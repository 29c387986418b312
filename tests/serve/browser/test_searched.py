"""Pages of a searched experiment in a browser: fit to be looked at, and renewed without losing its place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.home.paths import Home, open_home
from engine.home.records import read_record
from engine.schedule.worker.lock import take_lock
from engine.search.advance import advance
from tests.search.objective import finish_open, make_spec, submit_study
from tests.serve.browser.conftest import Axe, PageAt
from tests.serve.browser.test_every_page import look
from tests.serve.test_searched_pages import run_of

playwright = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")
from playwright.sync_api import expect  # noqa: E402  # absent where the line above skips

SEEN = 20_000  # ms that a busy machine may take
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


@pytest.fixture
def open_study(tmp_path: Path) -> Iterator[Home]:
    """A search of eight trials, of which two are done, and a scheduler of its home that does nothing."""
    home = open_home(tmp_path / "home", create=True)
    submit_study(home, make_spec(trials=8, parallel=2))
    advance(home, "study")
    finish_open(home)
    advance(home, "study")
    lock = take_lock(home)
    assert lock is not None
    yield home
    lock.release()


def test_a_search_is_stopped_and_extended_by_clicking(page_at: PageAt, axe: Axe, open_study: Home) -> None:
    page, other = page_at("/e/study", home=open_study), page_at("/e/study", width=400, dark=True, home=open_study)
    page.on("dialog", lambda dialog: dialog.accept())
    axe(page)
    page.locator("#search-stop").click()
    expect(page.locator("#said")).to_contain_text("no more trials of study are asked for", timeout=SEEN)
    assert advance(open_study, "study")
    for one in (page, other):
        expect(one.locator("#search-stop")).to_have_count(0, timeout=SEEN)
        expect(one.locator("#search")).to_contain_text("No more are asked for", timeout=SEEN)
    finish_open(open_study)
    while open_study.search_mark("study").exists():
        assert advance(open_study, "study")
    for one in (page, other):
        expect(one.locator("#search")).not_to_contain_text("No more are asked for", timeout=SEEN)
    field = other.get_by_label("Extend to")
    field.fill("12")
    field.press("Enter")
    expect(other.locator("#said")).to_contain_text("up to 12 trials of each arm of study", timeout=SEEN)
    assert read_record(open_study.records("study")[-1])["search"]["asked"] == 12
    advance(open_study, "study")
    for one in (page, other):
        expect(one.locator("#searched-study")).to_contain_text("of 12", timeout=SEEN)
        expect(one.locator("#search-stop")).to_be_visible(timeout=SEEN)
    axe(other)
