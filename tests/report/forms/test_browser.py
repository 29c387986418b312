"""The page in a real browser (Debian's Chromium): sorted, filtered, asked, compared, dark, narrow, printed."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.analysis.snapshot import one_snapshot
from engine.collect import collect
from engine.home.paths import Home
from engine.report import make_report
from engine.report.document import Chapter, Document
from engine.report.forms.writers import write_document
from engine.report.reading import read_page
from tests.helpers.synthetic import ARMS, SyntheticHome

playwright = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")
from playwright.sync_api import Browser, Page, sync_playwright  # noqa: E402  # absent where the line above skips

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="needs Chromium, which runs the page")
CLAIM = {"id": "one", "text": "A claim in words that go on for more than one line of a narrow page, and then some.",
         "metric": "test_top1", "arm": "proposed", "against": "original", "expect": "greater"}  # fmt: skip
FIRST = "section table.results >> nth=0"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    made = SyntheticHome(tmp_path_factory.mktemp("home"))
    made.experiment("paper", {**ARMS, "a_twin": ARMS["original"]}, seeds=(0, 1), claims=(CLAIM,))
    collect(made.home)
    return made.home


@pytest.fixture(scope="module")
def bare(home: Home, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page without its charts, which take the time: where tables are all that is asked."""
    with one_snapshot(home) as snapshot:
        shown = read_page(snapshot, "paper")
    document = Document(shown.title, [Chapter(shown)])
    return write_document(document, ("html",), tmp_path_factory.mktemp("bare"))[0].as_uri()


@pytest.fixture(scope="module")
def whole(home: Home, tmp_path_factory: pytest.TempPathFactory) -> str:
    return make_report(home, "paper", ("html",), tmp_path_factory.mktemp("whole"))[0].as_uri()


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as started:
        # The sandbox needs rights that a container's root lacks; the page is our own.
        opened = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture
def page(browser: Browser, request: pytest.FixtureRequest) -> Iterator[Page]:
    """The page, opened without a network as a test's `window` asks; nothing it does may fail or ask for an address."""
    mark = request.node.get_closest_marker("parametrize")
    more = request.node.callspec.params if mark else {}
    address: str = request.getfixturevalue("whole" if request.node.get_closest_marker("slow") else "bare")
    context = browser.new_context(
        viewport={"width": more.get("width", 1400), "height": 900}, color_scheme=more.get("scheme", "light"),
        java_script_enabled=more.get("script", True), offline=True,
    )  # fmt: skip
    shown, wrong, asked = context.new_page(), list[str](), list[str]()
    shown.on("pageerror", lambda error: wrong.append(str(error)))
    shown.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
    shown.on("request", lambda request: asked.append(request.url))
    shown.goto(address)
    yield shown
    assert wrong == []
    assert [url for url in asked if not url.startswith(("data:", address))] == [], "the page needs no other file"
    context.close()


def arms(page: Page) -> list[str]:
    names = page.locator(f"{FIRST} >> tbody th").all_inner_texts()
    return [name.strip() for name, row in zip(names, page.locator(f"{FIRST} >> tbody tr").all(), strict=True)
            if row.is_visible()]  # fmt: skip


def test_a_table_sorts_filters_and_tells_origins_by_keyboard_alone(page: Page) -> None:
    """The short form of all below: one page, no pointer."""
    head = page.locator(f"{FIRST} >> thead th", has_text="test top-1")
    whole = arms(page)
    head.get_by_role("button").focus()
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "ascending"
    assert arms(page)[0] == "proposed_pruned", "the least accurate"
    page.keyboard.press("Enter")
    assert head.get_attribute("aria-sort") == "descending"
    assert arms(page)[-1] == "proposed_pruned"
    page.keyboard.press("Enter")
    assert (head.get_attribute("aria-sort"), arms(page)) == ("none", whole)

    page.get_by_label("Filter rows").first.fill("PRUNED")
    assert arms(page) == ["proposed_pruned"]
    assert page.get_by_role("status").first.inner_text() == "1 of 4"
    page.get_by_label("Filter rows").first.fill("")

    page.locator(f"{FIRST} >> td[data-origin]").first.focus()
    for key in ("ArrowDown", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    card = page.get_by_role("dialog")
    assert "proposed: change [points]" in card.inner_text()
    assert all(word in card.inner_text() for word in ("SQL", "runs", "commit", "95 % interval", "test", "n"))
    page.keyboard.press("Escape")
    assert card.count() == 0
    assert page.evaluate("document.activeElement.dataset.label") == "change [points]", "back where one was"


def test_chosen_arms_stand_side_by_side(page: Page) -> None:
    page.get_by_label("Choose original").first.check()
    region = page.get_by_role("region", name="Chosen arms side by side")
    assert region.count() == 0, "one arm differs from nothing"
    page.get_by_label("Choose proposed", exact=True).first.check()
    text = region.inner_text()
    assert re.search(r"student\.attention\.kind\s+window\s+longformer", text)
    assert re.search(r"params\s+21.00 M\s+21.40 M", text)
    assert "prune.ratio" not in text, "in what they have in common they do not differ"
    page.get_by_label("Choose original").first.uncheck()
    assert region.count() == 0


def test_a_click_shows_the_sql_and_a_click_beside_it_hides_it(page: Page) -> None:
    page.locator(f"{FIRST} >> td[data-origin]").first.click()
    assert "select n, mean, std, low, high from cells" in page.get_by_role("dialog").inner_text()
    page.locator("h1").first.click()
    assert page.get_by_role("dialog").count() == 0


def test_a_run_says_which_it_is_and_links_nowhere(page: Page) -> None:
    page.locator("details summary").click()
    row = page.locator("[data-run]").first
    assert row.get_attribute("data-run") == row.inner_text().strip()
    assert page.locator("a").count() == 0


@pytest.mark.parametrize("script", [False])
def test_without_script_everything_is_there_to_read(page: Page, script: bool) -> None:
    assert page.locator("td", has_text="21.40 M").first.is_visible()
    assert page.locator("input, button").count() == 0


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [500, 1400])
def test_nothing_is_cut_at_any_width(page: Page, width: int, scheme: str) -> None:
    """No text of a table reaches out of the window, and neither does the page itself."""
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    out = page.evaluate(
        """() => [...document.querySelectorAll('table:not(.maps) :is(th, td)')].filter((cell) => cell.offsetParent
        && (cell.getBoundingClientRect().right > innerWidth || cell.scrollWidth > cell.clientWidth + 1))
        .map((cell) => cell.textContent)"""
    )
    assert out == []
    assert page.get_by_text("and then some.").first.is_visible()


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(page: Page, scheme: str) -> None:
    """Contrast of at least 4.5 (WCAG 2.2, 1.4.3) of body, notes and heads of tables."""
    for place in ("body", ".notes li", "thead th", "td"):
        ink, ground = page.evaluate(
            """(place) => { const of = (one, name) => getComputedStyle(one)[name];
            let one = document.querySelector(place);
            const ink = of(one, 'color');
            while (of(one, 'backgroundColor').endsWith(', 0)')) one = one.parentElement;
            return [ink, of(one, 'backgroundColor')]; }""",
            place,
        )
        light, dark = sorted((luminance(ink), luminance(ground)), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, place


def luminance(colour: str) -> float:
    parts = [int(part) / 255 for part in re.findall(r"\d+", colour)[:3]]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.slow
def test_it_prints_without_tools(page: Page, tmp_path: Path) -> None:
    page.emulate_media(media="print")
    assert page.get_by_label("Filter rows").count() == 0 or not page.get_by_label("Filter rows").first.is_visible()
    assert page.pdf(path=tmp_path / "page.pdf", format="A4").startswith(b"%PDF")
