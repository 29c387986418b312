"""The application: pages, parts of them, files and orders, as a browser asks for them."""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
import sys
from html import unescape

import pytest

from engine.home.paths import Home
from engine.serve.routes import PAGES
from tests.serve.conftest import Browse
from tests.serve.waiting import await_part

PLACES = {"{experiment}": "study", "{run}": "run-"}


def address_of(path: str, client_home: Home) -> str:
    from store.results import open_snapshot

    with open_snapshot(client_home) as db:
        run = db.execute("select min(run) from runs").fetchall()[0][0]
    return path.replace("{experiment}", "study").replace("{run}", str(run)).replace("{form}", "csv?q=select+1")


@pytest.mark.parametrize("path", PAGES)
def test_every_page_is_there(browse: Browse, done_home: Home, path: str) -> None:
    assert browse(done_home).get(address_of(path, done_home)).status_code == 200


@pytest.mark.parametrize("path", PAGES)
def test_every_link_of_a_page_leads_somewhere(browse: Browse, done_home: Home, path: str) -> None:
    client = browse(done_home)
    found = client.get(address_of(path, done_home))
    for link in sorted(set(re.findall(r'(?:href|src)="([^"#]+)"', found.text)))[:40]:
        if "/report/" in link or "/paper/" in link:  # drawn for seconds, whoever asks: one is, below
            continue
        assert not link.startswith(("/", "http")), f"{link} would leave the prefix"
        assert client.get(str(found.url.join(link.replace("&amp;", "&")))).status_code == 200, link


def test_a_drawn_report_may_run_its_own_script(browse: Browse, done_home: Home) -> None:
    client = browse(done_home)
    text = await_part(client, "/report/other", "<svg")
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    found = client.get("/report/other")
    assert f"'sha256-{digest}'" in found.headers["content-security-policy"]
    (mean,) = re.findall(r"(\d\d\.\d)0 \[", client.get("/runs?experiment=other&group=arm&col=test_top1").text)
    assert f"{mean} ± " in unescape(text)


def test_a_part_is_its_section_alone(browse: Browse, done_home: Home) -> None:
    text = browse(done_home).get("/?part=experiments").text
    assert text.strip().startswith('<section id="experiments"')
    assert "<html" not in text


def test_an_unknown_part_is_not_found(browse: Browse, done_home: Home) -> None:
    assert browse(done_home).get("/?part=nothing").status_code == 404


def test_an_unknown_address_says_where_to_go(browse: Browse, done_home: Home) -> None:
    found = browse(done_home).get("/nowhere")
    assert found.status_code == 404
    assert "nothing at this address" in found.text


def test_an_order_that_changes_nothing_says_why(browse: Browse, done_home: Home) -> None:
    found = browse(done_home).post("/order/cancel", data={"id": "study"})
    assert found.status_code == 200
    assert "nothing changed" in found.headers["HX-Trigger"]


def test_an_order_for_an_unknown_id_is_refused(browse: Browse, done_home: Home) -> None:
    found = browse(done_home).post("/order/cancel", data={"id": "stody"})
    assert found.status_code == 422
    assert "study" in found.headers["HX-Trigger"]


def test_the_server_waits_for_no_torch() -> None:
    code = "import sys, engine.serve.app; print([name for name in ('torch', 'timm', 'sklearn') if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"
