"""Orders by clicking in a browser, with a scheduler at work: they do what commands do, and two browsers see them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.home.paths import Home
from tests.helpers.queueing import Probe, make_home, states, submit_probes, until
from tests.schedule.worker.working import outcomes, start_worker
from tests.serve.browser.conftest import Axe, PageAt

playwright = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")
from playwright.sync_api import Page, expect  # noqa: E402  # absent where the line above skips

SEEN = 20_000  # ms that a busy machine may take


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """A job that runs until there is `go`, saving as it goes, two that wait behind it, and a scheduler."""
    made = make_home(tmp_path)
    go = {"go": str(made.root / "go")}
    long = Probe("train-long", does={"do": "sleep", **go}, cost=100.0)
    submit_probes(made, "one", [long, Probe("train-next", does={"do": "sleep", **go}, cost=50.0), Probe("train-last")])
    submit_probes(made, "two", [Probe("prune-other", does={"do": "sleep", **go}, kind="prune")])
    worker = start_worker(made)
    yield made
    (made.root / "go").touch()
    worker.terminate()
    worker.wait(60)


def press(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).first.click()


@pytest.mark.slow  # a scheduler, its jobs and two browsers at once
def test_orders_by_clicking_are_those_of_the_commands_and_two_browsers_see_them(
    page_at: PageAt, axe: Axe, home: Home
) -> None:
    page, other = page_at("/queue", home=home), page_at("/queue", width=400, dark=True, home=home)
    for one in (page, other):
        one.on("dialog", lambda dialog: dialog.accept())
        expect(one.locator("tr#run-train-long")).to_be_visible(timeout=SEEN)
    axe(page)

    # A priority, by keyboard: the other experiment is next.
    field = page.get_by_role("spinbutton", name="Priority of two")
    field.fill("7")
    field.press("Enter")
    expect(page.locator("#said")).to_contain_text("two has 7 now", timeout=SEEN)
    expect(other.get_by_role("spinbutton", name="Priority of two")).to_have_value("7", timeout=SEEN)
    expect(other.locator("#listed tbody tr").first).to_contain_text("prune-other", timeout=SEEN)

    # A pause of what runs: what is next runs.
    page.locator("tr#run-train-long").get_by_role("button", name="Pause").click()
    expect(page.locator("#said")).to_contain_text("asked to stop", timeout=SEEN)
    expect(other.locator("tr#run-prune-other")).to_be_visible(timeout=SEEN)
    until(lambda: states(home)["train-long"] == "paused")
    assert outcomes(home, "train-long") == ["preempted"]

    # A cancel in the other browser is seen here.
    other.locator("tr#run-prune-other").get_by_role("button", name="Cancel").click()
    expect(page.locator("tr#run-train-next")).to_be_visible(timeout=SEEN)
    until(lambda: states(home)["prune-other"] == "cancelled")

    # Several at once, whose choice outlives a part that is put anew.
    page.goto(page.url.split("#")[0] + "?state=queued")
    page.locator("tr[id^='train-last-'] input[type=checkbox]").check()
    page.locator("#experiments input[type=checkbox]").first.check()
    page.evaluate("htmx.trigger(document.body, 'queue')")
    page.wait_for_timeout(300)
    expect(page.locator("#chosen-count")).to_have_text("2 chosen")
    press(page, "Pause what is chosen")
    until(lambda: states(home) == {**states(home), "train-last": "paused", "train-next": "paused"})

    # What was paused goes on, and what was cancelled is there again.
    page.goto(page.url.split("?")[0] + "?state=paused")
    page.locator("tr[id^='train-long-']").get_by_role("button", name="Resume").click()
    until(lambda: states(home)["train-long"] in ("queued", "running"))
    page.goto(page.url.split("?")[0] + "?state=cancelled")
    page.locator("tr[id^='prune-other-']").get_by_role("button", name="Retry").click()
    until(lambda: states(home)["prune-other"] in ("queued", "running"))
    axe(page)
