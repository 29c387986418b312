"""A report's page is made once for a published file, and the last one is shown meanwhile."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.collect import rebuild
from engine.errors import QueryError
from engine.home.paths import Home
from engine.serve import readings
from engine.serve.readings import look, look_now, read_whole
from engine.serve.site import Site
from tests.analysis.answering import note_queries
from tests.helpers.synthetic import ARMS, SyntheticHome

PATIENT = 60.0


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = SyntheticHome(tmp_path)
    made.experiment("study", {"alone": ARMS["original"]}, seeds=(0,))
    rebuild(made.home)
    return made.home


def test_a_page_is_made_once(home: Home) -> None:
    site = Site(home)
    assert look_now(site, "study").reading is None
    first = look(site, "study", PATIENT)
    assert first.again is None
    assert look(site, "study").reading is first.reading is read_whole(site, "study")


def test_nothing_that_was_logged_is_looked_through(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """The page draws its curves itself, from the points of the jobs."""
    asked = note_queries(monkeypatch)
    look(Site(home), "study", PATIENT)
    assert "report_runs" in asked
    assert "report_curves" not in asked


def test_a_new_publication_waits_its_rest(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    site = Site(home)
    first = look(site, "study", PATIENT)
    os.utime(home.results_db)  # published anew
    monkeypatch.setattr(readings, "REST", 1e6)
    rested = look(site, "study", PATIENT)
    assert rested.reading is first.reading
    assert rested.again is not None
    monkeypatch.setattr(readings, "REST", 0.0)
    assert look(site, "study", PATIENT).reading is not first.reading


def test_an_unknown_experiment_is_said_each_time(home: Home) -> None:
    site = Site(home)
    for _ in range(2):
        with pytest.raises(QueryError, match="no experiment"):
            look(site, "stody", PATIENT)


def test_nothing_published_is_nothing_to_wait_for(empty_home: Home) -> None:
    assert look(Site(empty_home), "study", PATIENT) == readings.Look(None, None)
