"""What is here is listed with what was written about it; figures are there once they are published."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.collect import collect
from engine.errors import XpError
from engine.home.notes import change_tags, write_note
from engine.home.paths import Home, open_home
from engine.inspect.listing import list_experiments, list_job_lines, list_run_lines
from tests.helpers.keeping import make_two
from tests.helpers.synthetic import ARMS, SyntheticHome


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> Home:
    made = SyntheticHome(tmp_path_factory.mktemp("homes") / "home")
    made.experiment("paper", ARMS, seeds=(0, 1))
    collect(made.home)
    return made.home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    found = open_home(tmp_path / "home", create=True)
    make_two(found)
    return found


def test_experiments_come_with_tags_and_notes(home: Home) -> None:
    change_tags(home, "one", ["draft"])
    write_note(home, "one", "seen")
    two, one = list_experiments(home)
    assert (two.name, one.name) == ("two", "one"), "the newest submission first"
    assert (one.notes.tags, one.notes.note, one.submissions) == (("draft",), "seen", 1)
    assert one.as_json()["runs"] == {"done": 2}
    assert [line.name for line in list_experiments(home, "draft")] == ["one"]
    with pytest.raises(XpError, match=r"(?s)no experiment here has the tag 'draf'.*did you mean 'draft'"):
        list_experiments(home, "draf")


def test_runs_come_with_place_state_and_figures(paper: Home) -> None:
    lines = list_run_lines(paper, "paper", ["test_top1", "params"])
    assert [(line.arm, line.seed) for line in lines][:3] == [("original", 0), ("original", 1), ("proposed", 0)]
    assert {line.cell for line in lines} == {"data.split=60/20/20"}
    assert {line.state for line in lines} == {"unknown"}, "there is no queue"
    assert all(0 < (line.figures["test_top1"] or 0) < 1 for line in lines)
    assert lines[0].as_json()["metrics"]["params"] == 21_000_000


def test_runs_are_listed_before_any_result(home: Home) -> None:
    lines = list_run_lines(home, "one")
    assert [(line.arm, line.state, line.figures) for line in lines] == [
        ("a", "done", {"test_top1": None}), ("b", "done", {"test_top1": None}),
    ]  # fmt: skip


def test_an_unknown_metric_brings_the_nearest(paper: Home) -> None:
    with pytest.raises(XpError, match=r"(?s)no metric 'test_top'.*did you mean 'test_top1'"):
        list_run_lines(paper, "paper", ["test_top"])


def test_an_unknown_experiment_brings_the_nearest(home: Home) -> None:
    for ask in (list_run_lines, list_job_lines):
        with pytest.raises(XpError, match=r"(?s)no experiment 'onee'.*did you mean 'one'"):
            ask(home, "onee")


def test_jobs_say_what_they_are_to_whom(home: Home) -> None:
    titles = {line.job: line.title for line in list_job_lines(home, "one")}
    assert titles == {
        "pack-p": "pack of one", "train-a": "student of one/a@0", "targets-t": "role1 of one/b@0",
        "train-b": "student of one/b@0",
    }  # fmt: skip
