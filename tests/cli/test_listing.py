"""ls, history, tag and note: tables on stdout, JSON on stdout, and what is unknown told with the nearest."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from engine.cli import app
from engine.cli.listing import _submission_text, number_text, time_text
from engine.errors import XpError
from engine.home.paths import Home, open_home
from engine.inspect.history import SubmissionLine
from tests.helpers.keeping import make_two


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    found = open_home(tmp_path_factory.mktemp("homes") / "home", create=True)
    make_two(found)
    return found


def ask(home: Home, *words: str) -> Result:
    return CliRunner().invoke(app, [*words, "--home", str(home.root)])


def test_experiments_are_listed(home: Home) -> None:
    lines = ask(home, "ls").stdout.splitlines()
    assert lines[0].split() == ["experiment", "submitted", "times", "runs", "about"]
    assert [line.split()[0] for line in lines[1:]] == ["two", "one"]
    assert [one["experiment"] for one in json.loads(ask(home, "ls", "--json").stdout)] == ["two", "one"]


def test_an_empty_home_says_what_to_do(tmp_path: Path) -> None:
    told = ask(open_home(tmp_path / "home", create=True), "ls")
    assert (told.stdout, told.exit_code) == ("", 0)
    assert "xp submit SPEC" in told.stderr


def test_runs_and_jobs_of_one_are_listed(home: Home) -> None:
    lines = ask(home, "ls", "one").stdout.splitlines()
    assert lines[1].split() == ["a", "default", "0", "done", "-", "run-one-a-0"]
    told = json.loads(ask(home, "ls", "one", "--metric", "params", "--json").stdout)
    assert told[0] == {"run": "run-one-a-0", "arm": "a", "cell": "default", "seed": 0, "state": "done",
                       "metrics": {"params": None}}  # fmt: skip
    assert "student of one/a@0" in ask(home, "ls", "one", "--jobs").stdout
    assert json.loads(ask(home, "ls", "one", "--jobs", "--json").stdout)[0]["job"] == "pack-p"


@pytest.mark.parametrize(
    ("words", "what"),
    [
        (["--jobs"], "are of one experiment"),
        (["--metric", "params"], "are of one experiment"),
        (["one", "--tag", "x"], "--tag chooses among experiments"),
        (["one", "--jobs", "--metric", "params"], "jobs have no metrics"),
        (["onee"], "no experiment 'onee'"),
        (["one", "--metric", "parms"], "did you mean 'params'"),
    ],
)
def test_words_that_do_not_go_together_are_told(home: Home, words: list[str], what: str) -> None:
    assert what in str(ask(home, "ls", *words).exception)


def test_history_is_a_table_or_json(home: Home) -> None:
    assert "test_top1 a: - (0 of 1 runs)" in ask(home, "history", "one").stdout
    assert json.loads(ask(home, "history", "one", "--json").stdout)[0]["submission"] == 1
    assert isinstance(ask(home, "history", "none").exception, XpError)


def test_history_says_how_many_trials_it_leaves_out() -> None:
    line = SubmissionLine(1, 0.0, 3, (), (), (), unseen=2)
    assert _submission_text(line, "test_top1")[-1] == "  test_top1 of 2 trials: left out"


def test_tags_and_notes_are_kept_and_shown(home: Home) -> None:
    assert ask(home, "tag", "two", "paper").stdout == "paper\n"
    assert json.loads(ask(home, "note", "two", "a note", "--json").stdout) == {"tags": ["paper"], "note": "a note"}
    assert ask(home, "note", "two").stdout == "a note\n"
    assert "[paper] a note" in ask(home, "ls").stdout
    assert [line.split()[0] for line in ask(home, "ls", "--tag", "paper").stdout.splitlines()[1:]] == ["two"]
    assert ask(home, "tag", "two", "--remove", "paper").stdout == ""
    assert "no tags" in ask(home, "tag", "two").stderr
    assert "no experiment 'twoo'" in str(ask(home, "tag", "twoo", "x").exception)


def test_numbers_and_times_are_short() -> None:
    assert [number_text(one) for one in (None, 0.98765, 21_000_000.0)] == ["-", "0.9877", "21,000,000"]
    assert time_text(None) == "-"
    assert len(time_text(1e9)) == 16
