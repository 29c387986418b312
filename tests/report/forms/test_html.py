"""The page in HTML: its policy allows its own script alone, and each number carries where it comes from."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from html import unescape
from pathlib import Path

from engine.report.document import Chapter, Document
from engine.report.forms.html import write_html
from engine.report.page import make_page
from tests.report.rows import cell_rows, make_rows, run_row

HOSTILE = "</script><b>'\"&"


def page_of(folder: Path) -> str:
    """Two arms that differ in a setting with letters that mean something to HTML and to scripts."""
    trees = {arm: {"data": {"split": "60/20/20", "root": root}} for arm, root in (("a", HOSTILE), ("b", "plain"))}
    runs = [
        run_row(arm, seed, settings=tree, test_top1=0.5 + seed / 10, experiment="paper")
        for arm, tree in trees.items()
        for seed in (0, 1)
    ]
    page = make_page("paper", make_rows(runs, "a", cells=cell_rows(runs)))
    return write_html(Document("paper", [Chapter(page)]), folder).read_text()


def test_the_policy_allows_the_one_script_that_is_there(tmp_path: Path) -> None:
    text = page_of(tmp_path)
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)
    assert f"script-src 'sha256-{digest}'" in unescape(policy)
    assert "default-src 'none'" in unescape(policy)
    assert "http" not in script


def test_settings_of_arms_are_data_whatever_they_hold(tmp_path: Path) -> None:
    text = page_of(tmp_path)
    (data,) = re.findall(r'<script type="application/json" class="settings">(.*?)</script>', text, re.DOTALL)
    assert json.loads(data)["a"]["data.root"] == HOSTILE
    assert HOSTILE not in text


def test_a_number_carries_its_sql_and_runs(tmp_path: Path) -> None:
    told = [json.loads(unescape(one)) for one in re.findall(r'data-origin="([^"]*)"', page_of(tmp_path))]
    assert {"SQL", "n", "runs"} <= told[0].keys()
    assert "arm = 'a'" in told[0]["SQL"]
    assert told[0]["runs"] == "run-a-0-default, run-a-1-default"


def test_the_script_stays_small_and_is_ours() -> None:
    script = (Path(__file__).parents[3] / "templates" / "report.js").read_text()
    assert len(script.splitlines()) <= 160
    assert not re.search(r"\beval\(|innerHTML|fetch\(|XMLHttp|import\(", script), "texts are never read as HTML"
