"""A report's page -> its picture in the manual, light and dark, by a browser without a screen."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from playwright.sync_api import ViewportSize

# The top of a report with its table and first chart, at twice the points so that it is sharp
SIZE: ViewportSize = {"width": 1280, "height": 1000}


def take_picture(folder: Path, out: Path) -> None:
    """Draw the report of the tutorial that lies in `folder`, in both schemes."""
    from playwright.sync_api import sync_playwright

    page_file = folder.resolve() / "report" / "digits_sparse" / "report.html"
    with sync_playwright() as browsers:
        browser = browsers.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for scheme in ("light", "dark"):
            page = browser.new_page(viewport=SIZE, color_scheme=scheme, device_scale_factor=2)
            page.goto(page_file.as_uri())
            page.screenshot(path=out / f"report_{scheme}.png", clip={"x": 0, "y": 0, **SIZE})
        browser.close()
