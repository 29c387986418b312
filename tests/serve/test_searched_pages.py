"""Pages of a searched experiment: its own, those of its runs, the first one, and what is put side by side."""

from __future__ import annotations

import re
from html import unescape

import pytest

from engine.home.paths import Home
from engine.home.records import read_record
from engine.serve.pages.compare import OF_TRIALS
from tests.serve.conftest import Browse
from tests.serve.waiting import await_part


def run_of(home: Home, name: str, arm: str) -> str:
    return next(str(run["run"]) for run in read_record(home.records(name)[-1])["runs"] if run["arm"] == arm)


def test_an_experiment_shows_its_search_with_links_to_runs(browse: Browse, searched_home: Home) -> None:
    text = browse(searched_home).get("/e/study").text
    section = text[text.index('<section id="search"') :]
    section = section[: section.index("</section>")]
    assert re.search(r'id="searched-sought".*\n.*<data value="4">4</data> of <data value="4">4</data>', section)
    for at in range(4):
        assert f'href="../run/{run_of(searched_home, "study", f"sought-t00{at}")}"' in section
    assert 'href="../runs?experiment=study/trials"' in text
    assert browse(searched_home).get("/e/study?part=search").text.strip() == f"{section}</section>"


def test_the_front_is_shown_and_what_was_refused(browse: Browse, searched_home: Home) -> None:
    text = browse(searched_home).get("/e/front").text
    assert 'id="front-front-t' in text
    assert "refused: min_lr 0.0004 is above lr" in text.replace("<wbr>", "")


def test_one_whose_first_look_is_to_come_is_searching(browse: Browse, searched_home: Home) -> None:
    text = browse(searched_home).get("/e/fresh").text
    assert 'class="standing searching"' in text
    assert "No trial was asked for yet" in text
    assert "The queue knows nothing" not in text


def test_what_nobody_searches_has_no_such_section(browse: Browse, done_home: Home) -> None:
    client = browse(done_home)
    assert 'id="search"' not in client.get("/e/study").text
    assert client.get("/e/study?part=search").text.strip() == ""


def test_the_first_page_counts_trials_apart(browse: Browse, searched_home: Home) -> None:
    text = browse(searched_home).get("/").text
    assert re.findall(r'<tr id="row-([^"]*)"', text) == ["fresh", "front", "study"]
    assert "searched: 4 of 4 trials done" in text
    assert 'class="standing searching"' in text


def test_a_trial_leads_to_its_search_and_shows_no_test_figure(browse: Browse, searched_home: Home) -> None:
    run = run_of(searched_home, "study", "sought-t001")
    text = unescape(browse(searched_home).get(f"/run/{run}").text)
    assert "trial 1 of arm sought in the search of study" in text
    assert 'href="../e/study#search"' in text
    assert "val top-1" in text
    assert "test top-1" not in text
    assert "Figures on test images are left out" in text


def test_a_final_says_which_trial_it_trains_anew_and_is_tested(browse: Browse, searched_home: Home) -> None:
    run = run_of(searched_home, "study", "sought-best")
    text = unescape(browse(searched_home).get(f"/run/{run}").text)
    assert re.search(r"a final of the search of study: trial \d of arm sought, trained anew", text)
    assert "test top-1" in text
    assert "Figures on test images" not in text


def test_other_runs_say_nothing_of_a_search(browse: Browse, searched_home: Home) -> None:
    text = browse(searched_home).get(f"/run/{run_of(searched_home, 'study', 'plain')}").text
    assert 'id="tried"' not in text


@pytest.mark.parametrize("name", ["study/trials", "front/trials"])
def test_trials_are_listed_as_runs(browse: Browse, searched_home: Home, name: str) -> None:
    client = browse(searched_home)
    text = client.get(f"/runs?experiment={name}").text
    arm = "sought-t000" if name.startswith("study") else "front-t000"
    assert f'href="./run/{run_of(searched_home, name.split("/")[0], arm)}"' in text
    assert f'<option value="{name}" selected>' in text
    found = {word: client.get(f"/runs?experiment={name}&q={word}>0").text for word in ("val_top1", "test_top1")}
    assert ['href="./run/' in text for text in found.values()] == [True, False]


def test_nothing_is_tested_of_trials(browse: Browse, searched_home: Home) -> None:
    client = browse(searched_home)
    text = unescape(client.get("/compare?a=study/trials/sought-t001&a=study/sought-best").text)
    assert OF_TRIALS in text
    assert 'href="./e/study"' in text
    run = run_of(searched_home, "study", "sought-t001")
    told = unescape(client.get(f"/compare?a={run}&a=study/plain").text)
    row = told[told.index("test top-1 [%]</th>") :]
    assert "\N{EN DASH}" in row[: row.index("</tr>")]


def test_what_a_search_added_is_no_other_plan(browse: Browse, searched_home: Home) -> None:
    told = await_part(browse(searched_home), "/e/study?part=lacks", "<p>")
    assert "cannot be told from here" not in told
