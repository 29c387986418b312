"""The first page: which experiments there are, how far they are, and what the machine does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from engine.home.paths import Home, open_home
from engine.serve.pages import home as home_page
from store.queue import Queue
from tests.serve.conftest import Browse

RUN = {"run": "run-1", "arm": "a", "cell": "default", "seed": 0, "jobs": {"student": "train-1"}}
JOB = {"job": "train-1", "kind": "train", "needs": [], "details": {}, "cost": 60.0, "chain": 60.0}


def names_on(text: str) -> list[str]:
    return re.findall(r'<tr id="row-([^"]*)"', text)


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Thirty experiments of one job, later ones with higher numbers."""
    home = open_home(tmp_path_factory.mktemp("many"), create=True)
    with Queue(home.queue_db) as queue:
        for at in range(30):
            about = {"name": f"study_{at:02d}", "title": f"Study number {at}", "submitted_at": 1e9 + at, "priority": 0}
            queue.add_experiment({**about, "runs": [RUN], "jobs": [JOB]})
    return home


def test_the_newest_experiment_comes_first(browse: Browse, many: Home) -> None:
    assert names_on(browse(many).get("/").text)[:2] == ["study_29", "study_28"]


def test_a_filter_reads_names_and_titles(browse: Browse, many: Home) -> None:
    client = browse(many)
    assert names_on(client.get("/?q=STUDY+number+7").text) == ["study_27", "study_17", "study_07"]
    assert "No experiment has" in client.get("/?q=nothing").text


def test_pages_follow_each_other(browse: Browse, many: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(home_page, "AT_ONCE", 20)
    client = browse(many)
    assert len(names_on(client.get("/").text)) == 20
    assert names_on(client.get("/?page=2").text)[-1] == "study_00"
    assert names_on(client.get("/?page=99").text)[-1] == "study_00"


def test_an_empty_home_says_how_to_begin(browse: Browse, empty_home: Home) -> None:
    text = browse(empty_home).get("/").text
    assert "xp submit specs/quickstart.yaml" in text
    assert "none works here" in text


def test_work_without_a_scheduler_is_trouble(browse: Browse, many: Home) -> None:
    assert "no scheduler works here" in browse(many).get("/").text


def test_failed_runs_are_counted(browse: Browse, tmp_path: Path) -> None:
    home = open_home(tmp_path, create=True)
    with Queue(home.queue_db) as queue:
        queue.add_experiment(
            {"name": "bad", "title": "", "submitted_at": 1e9, "priority": 0, "runs": [RUN], "jobs": [JOB]}
        )
        queue.request_cancel(experiment="bad")
    text = browse(home).get("/").text
    assert 'class="standing cancelled"' in text
    assert "</data> cancelled" in text
