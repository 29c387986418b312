"""A browser that looks at pages of a real server: takes a home and a path, gives the page, and what is wrong with it.

    page_at(path, width=1400, dark=False, home=..., refused="")   a page that may not fail
    axe(page)                                                     nothing serious is wrong for a screen reader
    served(home)                                                  where the server of a home answers

Both the server and the browser are started once for all files here. A page fails its test by an error of its script,
an error on its console (what `refused` matches is expected), or a request that leaves the machine.
"""

from __future__ import annotations

import os
import re
import select
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import pytest

from engine.home.paths import Home

playwright = pytest.importorskip("playwright.sync_api", reason="needs the package playwright")
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright  # noqa: E402  # absent: skipped above

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
AXE = Path(__file__).parent / "vendor" / "axe.min.js"
STARTING = 60.0  # seconds that a server on a busy machine may take
# What axe calls by these names keeps somebody from the page; the rest is advice.
GRAVE = ("serious", "critical")
ASK_AXE = "async () => (await axe.run({resultTypes: ['violations']})).violations"


@dataclass(frozen=True)
class Served:
    """A server that answers: its address without a slash at the end, and the token that it printed, if any."""

    address: str
    token: str


class PageAt(Protocol):
    def __call__(
        self, path: str, width: int = 1400, dark: bool = False, home: Home | None = None, refused: str = ""
    ) -> Page: ...


Serve = Callable[[Home], Served]
Axe = Callable[[Page], None]


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("needs Chromium, which shows the pages")
    with sync_playwright() as started:
        # The sandbox needs rights that a container's root lacks; the pages are our own.
        opened = started.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        yield opened
        opened.close()


@pytest.fixture(scope="package")
def served() -> Iterator[Serve]:
    """Give what serves a home by a process of its own, one for each home, until the last test here."""
    running: dict[Path, tuple[subprocess.Popen[bytes], Served]] = {}

    def serve(home: Home) -> Served:
        if home.root not in running:
            running[home.root] = start_server(home)
        return running[home.root][1]

    yield serve
    for process, _ in running.values():
        process.terminate()
        process.communicate(timeout=30)


def start_server(home: Home, *words: str) -> tuple[subprocess.Popen[bytes], Served]:
    """Start `xp serve` on any free port, and return it when it has said where it answers."""
    line = [sys.executable, "-m", "engine.cli", "serve", "--port", "0", "--home", str(home.root), *words]
    process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert process.stdout is not None
    told, end = b"", time.monotonic() + STARTING
    while not (found := re.search(rb"(http://[^\s/]+)(/\S*)\s", told)):
        if not select.select([process.stdout], [], [], max(0.0, end - time.monotonic()))[0]:
            process.kill()
            raise TimeoutError(f"the server said in {STARTING} s: {told!r}")
        more = os.read(process.stdout.fileno(), 1 << 16)
        assert more, f"the server ended with {process.wait()}: {told!r}"
        told += more
    address, rest = (part.decode() for part in found.groups())
    return process, Served(address, rest.partition("token=")[2])


@pytest.fixture
def shown_home(done_home: Home) -> Home:
    """The home that pages are of where a test names none; a file may say another."""
    return done_home


@pytest.fixture
def page_at(browser: Browser, served: Serve, shown_home: Home) -> Iterator[PageAt]:
    """Give what opens a path in a window of its own; see the head of this file."""
    opened: list[BrowserContext] = []
    wrong: list[str] = []

    def show(path: str, width: int = 1400, dark: bool = False, home: Home | None = None, refused: str = "") -> Page:
        server = served(home or shown_home)
        context = browser.new_context(
            viewport={"width": width, "height": 900}, color_scheme="dark" if dark else "light", reduced_motion="reduce"
        )
        opened.append(context)
        page = context.new_page()
        watch(page, server.address, wrong, refused)
        page.goto(f"{server.address}{path}" + (f"#token={server.token}" if server.token else ""))
        return page

    yield show
    for context in opened:
        context.close()
    assert wrong == []


def watch(page: Page, address: str, wrong: list[str], refused: str) -> None:
    """Note what a page does that none may do."""

    def told(message: Any) -> None:
        if message.type == "error" and not (refused and re.search(refused, message.text)):
            wrong.append(f"{page.url}: console: {message.text}")

    def asked(request: Any) -> None:
        if not request.url.startswith((f"{address}/", "data:", "blob:")):
            wrong.append(f"{page.url}: asks for {request.url}")

    page.on("pageerror", lambda error: wrong.append(f"{page.url}: {error}"))
    page.on("console", told)
    page.on("request", asked)


@pytest.fixture(scope="package")
def axe() -> Axe:
    script = AXE.read_text()

    def check(page: Page) -> None:
        page.evaluate(script)
        found = [one for one in page.evaluate(ASK_AXE) if one["impact"] in GRAVE]
        told = [f"{one['id']}: {one['help']}: {[node['html'][:200] for node in one['nodes'][:5]]}" for one in found]
        assert told == [], f"{page.url}: " + "\n".join(told)

    return check
