"""Every page in a browser, at both widths, light and dark: no error, nothing beside the window, nothing unreadable."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.home.paths import Home
from engine.report.forms.environment import TEMPLATES
from engine.serve.routes import PAGES
from store.results import open_snapshot
from tests.helpers.large_home import make_large_home
from tests.helpers.synthetic import ARMS, SyntheticHome
from tests.serve.browser.conftest import Axe, PageAt
from tests.serve.conftest import published

PLACE = TEMPLATES / "serve"
WIDTHS = (1400, 400)
HOMES = ("empty_home", "one_home", "half_home", "done_home")
STEPS = 100  # values of a curve in a large home
# Cells that do not stand below their heads, as where a rule for something else makes boxes of them.
LOOSE_CELLS = """[...document.querySelectorAll('th, td')]
    .filter((cell) => !['table-cell', 'none'].includes(getComputedStyle(cell).display)).map((cell) => cell.outerHTML)"""
# Tables that one would have to push aside to read, though their rows are lists.
HIDDEN_TABLES = """[...document.querySelectorAll('.wide')]
    .filter((place) => !place.querySelector('.maps') && place.scrollWidth > place.clientWidth + 1)
    .map((place) => place.innerText.slice(0, 300))"""
# Not what is asked for by scripts and for downloads.
SHOWN = [path for path, make in PAGES.items() if (PLACE / f"{make.__name__.removeprefix('show_')}.html.j2").exists()]
# Of the short form: half of the pages wide and light, the others narrow and dark.
LOOKS = [(path, WIDTHS[place % 2], place % 2 == 1) for place, path in enumerate(SHOWN)]


@pytest.fixture(scope="module")
def one_home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home with one run."""
    made = SyntheticHome(tmp_path_factory.mktemp("one"))
    made.experiment("study", {"alone": ARMS["original"]}, seeds=(0,))
    return published(made.home)


@pytest.fixture(scope="module", params=(1_000, 10_000), ids=("1000 runs", "10000 runs"))
def large_home(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A home with very many runs, of which four go on."""
    return make_large_home(tmp_path_factory.mktemp("large"), request.param, STEPS).home


def address_in(home: Home, path: str) -> str:
    """Return a page's address in a home: of its first run, and of that run's experiment."""
    first = [("none", "study")]
    if Path(home.results_db).exists():
        with open_snapshot(home) as db:
            first = db.execute("select run, experiment from runs order by run limit 1").fetchall() or first
    run, experiment = map(str, first[0])
    return path.replace("{experiment}", experiment).replace("{run}", run)


def look(page_at: PageAt, axe: Axe, home: Home, path: str, width: int, dark: bool) -> None:
    # What a home has not is no fault of the page: it says so with another status than 200.
    page = page_at(address_in(home, path), width, dark, home, refused="status of 40[04]" if "{" in path else "")
    assert page.title().endswith("xp")
    assert page.locator("h1").count() == 1
    wide = page.evaluate("document.documentElement.scrollWidth")
    assert wide <= width, f"{path} is {wide} px wide in a window of {width}"
    # A narrow window has each row as a list.
    assert page.evaluate(HIDDEN_TABLES if width == min(WIDTHS) else LOOSE_CELLS) == []
    axe(page)


@pytest.mark.parametrize(("path", "width", "dark"), LOOKS)
def test_every_page_is_fit_to_be_looked_at(
    page_at: PageAt, axe: Axe, done_home: Home, path: str, width: int, dark: bool
) -> None:
    look(page_at, axe, done_home, path, width, dark)


@pytest.mark.slow  # 2 minutes
@pytest.mark.parametrize("dark", [False, True], ids=("light", "dark"))
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("name", HOMES)
@pytest.mark.parametrize("path", SHOWN)
def test_every_page_of_every_home_is_fit(
    page_at: PageAt, axe: Axe, request: pytest.FixtureRequest, path: str, name: str, width: int, dark: bool
) -> None:
    look(page_at, axe, request.getfixturevalue(name), path, width, dark)


@pytest.mark.slow  # 10,000 runs take minutes to lay out
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("dark", [False, True], ids=("light", "dark"))
@pytest.mark.parametrize("width", WIDTHS)
@pytest.mark.parametrize("path", SHOWN)
def test_every_page_of_very_many_runs_is_fit(
    page_at: PageAt, axe: Axe, large_home: Home, path: str, width: int, dark: bool
) -> None:
    look(page_at, axe, large_home, path, width, dark)
