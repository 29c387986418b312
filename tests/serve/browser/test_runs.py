"""The pages of runs in a browser: typing, choosing, curves that are read by keys, and a log that follows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from engine.home.files import write_json
from engine.home.paths import Home, open_home
from store.queue import Queue
from tests.helpers.queueing import Probe, make_record
from tests.serve.pages.test_run import run_of

playwright = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")
from playwright.sync_api import expect  # noqa: E402  # absent where the line above skips

if TYPE_CHECKING:
    from tests.serve.browser.conftest import Axe, PageAt


def test_typing_filters_and_what_is_ticked_stays(page_at: PageAt) -> None:
    page = page_at("/runs")
    rows = page.locator("#table tbody tr")
    rows.nth(20).wait_for()
    page.get_by_label("choose alone, seed 1 to compare").check()
    page.get_by_label("filter").fill("proposed seed=2")
    page.wait_for_function("() => document.querySelectorAll('#table tbody tr').length === 4")
    assert page.get_by_label("filter").evaluate("box => box === document.activeElement"), "typing goes on"
    assert "q=proposed+seed%3D2" in page.url
    page.get_by_label("choose proposed, seed 2 to compare").first.check()
    assert page.locator(".chosen-count").inner_text() == "2 chosen"
    page.get_by_role("link", name="test top-1 [%]").click()
    page.wait_for_url(re.compile("sort=-test_top1"))
    expect(page.locator("#table tbody input:checked")).to_have_count(1)
    page.get_by_role("button", name="Compare the chosen ones").click()
    page.wait_for_url(re.compile("/compare"))
    expect(page.locator("#compare-form input[name=a]:checked")).to_have_count(2)


def test_a_curve_is_read_by_keys_and_as_a_table(page_at: PageAt, axe: Axe, done_home: Home) -> None:
    page = page_at(f"/run/{run_of(done_home, 'proposed_pruned')}", 400, True)
    figure = page.locator("figure.curve").first
    figure.scroll_into_view_if_needed()
    figure.locator("canvas").wait_for()
    slider = figure.get_by_role("slider")
    slider.focus()
    page.keyboard.press("End")
    assert re.fullmatch(r"epoch 6: proposed_pruned, seed 0 [\d.]+", slider.get_attribute("aria-valuetext") or "")
    page.keyboard.press("ArrowLeft")
    assert (slider.get_attribute("aria-valuetext") or "").startswith("epoch 5:")
    figure.get_by_text("Values as a table").click()
    expect(figure.locator("tbody tr")).to_have_count(6)  # filled after it is opened
    axe(page)


def test_smoothing_is_in_the_address_and_the_raw_stays(page_at: PageAt, axe: Axe) -> None:
    page = page_at("/compare?a=study/original&a=study/proposed&cell=data.split%3D60/20/20&smooth=0.5")
    figure = page.locator("figure.curve").first
    figure.scroll_into_view_if_needed()
    figure.locator("canvas").wait_for()
    page.get_by_label("smooth").fill("0.8")
    page.wait_for_url(re.compile("smooth=0.8"))
    expect(figure.locator(".legend button")).to_have_count(2)
    figure.locator(".legend button").first.click()
    assert figure.locator(".legend button").first.get_attribute("aria-pressed") == "false"
    axe(page)


@pytest.fixture(scope="module")
def moving_home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A job that runs, as far as queue and folders say."""
    home = open_home(tmp_path_factory.mktemp("moving"), create=True)
    record = make_record("one", [Probe("train-1")])
    home.experiment("one").mkdir(parents=True)
    write_json(home.experiment("one") / "1.json", record)
    with Queue(home.queue_db) as queue:
        queue.add_experiment(record)
        queue.lease("train-1", 1, "cpu:0", boot_id="boot", expires=1e12, now=1.0)
    attempt = home.job("train-1").attempt(1)
    attempt.root.mkdir(parents=True)
    attempt.log.write_text("".join(f"line {at}\n" for at in range(500)))
    return home


def test_a_log_follows_and_goes_back(page_at: PageAt, moving_home: Home) -> None:
    page = page_at("/run/run-train-1", home=moving_home)
    log = page.locator("#log-lines")
    assert log.inner_text().startswith("line 300\n")
    page.get_by_text("earlier lines").click()
    page.wait_for_function("() => document.getElementById('log-lines').textContent.startsWith('line 100\\n')")
    with open(moving_home.job("train-1").attempt(1).log, "a") as handle:
        handle.write("\x1b[31m<b>new</b>\n")
    page.wait_for_function(
        "() => document.getElementById('log-lines').textContent.endsWith('line 499\\n<b>new</b>\\n')"
    )
    assert log.locator("b").count() == 0
    assert page.get_by_role("button", name="Pause").is_visible()
