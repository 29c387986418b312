"""Charts that grow: what is sent behind what is drawn draws what the whole chart draws."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.collect import collect
from engine.serve.curves import Along, Chain, Line
from engine.serve.growing import read_drawn, show_chart
from engine.serve.site import Site
from store.journal import JournalWriter
from tests.collect.reading import log_steps
from tests.helpers.synthetic import SyntheticHome

TRAINED, PRUNED = "train-a", "prune-a"
ONE = Line("one", (Chain((TRAINED, PRUNED)),))
METRIC = "train_loss"


@pytest.fixture
def made(tmp_path: Path) -> SyntheticHome:
    made = SyntheticHome(tmp_path / "home")
    made.job(TRAINED, "train")
    made.job(PRUNED, "prune")
    return made


@pytest.fixture
def journal(made: SyntheticHome) -> Iterator[JournalWriter]:
    _, journal = made.attempt(TRAINED, 1)
    log_steps(journal, 1, 2)
    yield journal
    journal.close()


def ask(site: Site, along: Along = "step", cursor: str = "", lines: tuple[Line, ...] = (ONE,)) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(show_chart(site, lines, METRIC, along, cursor).body)
    return told


@pytest.mark.parametrize("along", ["step", "epoch", "time"])
def test_only_what_is_new_is_sent(made: SyntheticHome, journal: JournalWriter, along: Along) -> None:
    site = Site(made.home)
    whole = ask(site, along)
    log_steps(journal, 3, 4)
    (more,) = (grown := ask(site, along, whole["cursor"]))["more"]
    drawn = [x for x in whole["series"][0]["x"] if x < more["x"][0]] + more["x"]
    assert drawn == ask(site, along)["series"][0]["x"]
    assert ask(site, along, grown["cursor"])["more"] == []


def test_a_publication_is_no_reason_to_send_it_again(made: SyntheticHome, journal: JournalWriter) -> None:
    site = Site(made.home)
    whole = ask(site)
    collect(made.home)
    log_steps(journal, 3)
    assert ask(site, cursor=whole["cursor"])["more"][0]["x"] == [3]


def test_the_next_job_of_a_network_brings_the_chart_anew(made: SyntheticHome, journal: JournalWriter) -> None:
    site = Site(made.home)
    whole = ask(site)
    _, pruned = made.attempt(PRUNED, 1)
    log_steps(pruned, 1)
    anew = ask(site, cursor=whole["cursor"])
    assert anew["series"][0]["x"] == [1, 2, 3]
    assert anew["marks"] == [{"x": 2, "name": "prune"}]
    log_steps(pruned, 2)
    assert ask(site, cursor=anew["cursor"])["more"] == [{"at": 0, "x": [4], "y": [2.0]}]
    pruned.close()


def test_a_cursor_of_another_axis_draws_anew(made: SyntheticHome, journal: JournalWriter) -> None:
    site = Site(made.home)
    assert "series" in ask(site, "time", ask(site, "step")["cursor"])


def test_a_mean_over_seeds_has_no_cursor(made: SyntheticHome, journal: JournalWriter) -> None:
    told = ask(Site(made.home), lines=(Line("both", (Chain((TRAINED,)), Chain((PRUNED,)))),))
    assert "cursor" not in told


@pytest.mark.parametrize("text", ["", "é", "AAAA", "e30=", "W10=", "bnVsbA=="])
def test_what_nobody_wrote_is_no_cursor(made: SyntheticHome, journal: JournalWriter, text: str) -> None:
    assert "series" in ask(Site(made.home), cursor=text)
    assert read_drawn(text) is None
