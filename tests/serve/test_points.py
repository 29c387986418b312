"""Curves as a page's script asks for them."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.collect import collect
from engine.home.paths import Home
from tests.helpers.synthetic import SyntheticHome
from tests.serve.conftest import Browse

JOB = "train-a"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A job at work, whose loss was not a number once."""
    made = SyntheticHome(tmp_path / "home")
    _, journal = made.attempt(made.job(JOB, "train"), 1)
    with journal:
        for step, value in enumerate((2.0, float("nan"), 1.0)):
            journal.metrics([("loss", value), ("lr", 0.1)], step=10 * step, epoch=step)
    collect(made.home)
    return made.home


def test_curves_come_with_a_cursor(browse: Browse, home: Home) -> None:
    client = browse(home)
    first = client.get("/points", params={"job": JOB, "name": "loss"}).json()
    assert first["series"] == [{"job": JOB, "name": "loss", "new": True, "x": [0, 10, 20], "y": [2, None, 1]}]
    again = client.get("/points", params={"job": JOB, "name": "loss", "cursor": first["cursor"]}).json()
    assert again["series"] == []


def test_without_names_all_curves_come(browse: Browse, home: Home) -> None:
    series = browse(home).get("/points", params={"job": JOB, "axis": "epoch"}).json()["series"]
    assert {one["name"]: one["x"] for one in series} == {"loss": [0, 1, 2], "lr": [0, 1, 2]}


@pytest.mark.parametrize("job", ["../experiments", "", "/etc", "train-none", "a/b"])
def test_a_job_that_is_none_has_no_curves(browse: Browse, home: Home, job: str) -> None:
    assert browse(home).get("/points", params={"job": job}).json()["series"] == []


@pytest.mark.parametrize("words", [{"width": "-1"}, {"width": "9" * 30}, {"axis": "x"}, {"cursor": "nonsense"}])
def test_words_of_nonsense_are_the_default(browse: Browse, home: Home, words: dict[str, str]) -> None:
    series = browse(home).get("/points", params={"job": JOB, "name": "loss", **words}).json()["series"]
    assert [one["x"] for one in series] == [[0, 10, 20]]
