"""The command submit queues, starts a scheduler unless it is told not to, and waits with the experiment's code."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.cli import submit
from engine.errors import XpError
from engine.home.files import write_json
from engine.home.paths import Home
from engine.home.records import read_record
from engine.launch.places import LAUNCHERS, read_executor
from tests.cli.test_jobs import QUICKSTART, run
from tests.helpers.queueing import Probe, make_home, states, submit_probes

pytestmark = pytest.mark.usefixtures("started")


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = make_home(tmp_path)
    submit_probes(home, "one", [Probe("train-1a"), Probe("train-2a")])
    return home


def test_the_executor_reaches_the_home(home: Home, started: list[Home], monkeypatch: pytest.MonkeyPatch) -> None:
    """Its next scheduler, whoever starts it, reads it there; one that works already is not changed, which is said."""
    monkeypatch.setitem(LAUNCHERS, "paper", "tests.launch.test_places:PaperPlace")
    answer = run(home, "submit", str(QUICKSTART), "--executor", "paper", "--no-start")
    assert answer.exit_code == 0
    assert read_executor(home) == "paper"
    assert "scheduler" not in answer.stderr
    write_json(home.scheduler_file, {"executor": "paper"})
    monkeypatch.setattr("engine.schedule.worker.lock.scheduler_alive", lambda home: True)
    answer = run(home, "submit", str(QUICKSTART), "--executor", "local", "--no-start")
    assert "the scheduler that works here runs jobs on paper; the next one will on local" in answer.stderr


def test_submit_starts_a_scheduler_unless_told_not_to(home: Home, started: list[Home]) -> None:
    answer = run(home, "submit", str(QUICKSTART), "--no-start")
    assert answer.stderr.splitlines()[0] == "quickstart: 23 jobs to do, 0 done already (submission 1)"
    assert started == []
    answer = run(home, "submit", str(QUICKSTART), "--priority", "5")
    assert "(submission " in answer.stderr
    assert "watch it with `xp status quickstart --watch`" in answer.stderr
    assert started == [home]


def test_what_stays_paused_is_said_with_what_lets_it_go_on(home: Home, started: list[Home]) -> None:
    run(home, "submit", str(QUICKSTART), "--no-start")
    assert "paused" not in run(home, "submit", str(QUICKSTART), "--no-start").stderr
    run(home, "pause", "quickstart")
    told = run(home, "submit", str(QUICKSTART), "--no-start").stderr.splitlines()
    assert "23 jobs stay paused: xp resume quickstart" in told


def test_fill_queues_within_the_budget_and_says_what_it_leaves(home: Home, started: list[Home]) -> None:
    answer = run(home, "submit", str(QUICKSTART), "--fill", "--budget", "0.01s", "--no-start")
    assert answer.exit_code == 0, answer.output
    told = answer.stderr.splitlines()
    assert len([line for line in told if line.startswith("left: ") and "budget" in line]) == 8
    assert "quickstart: 0 jobs to do, 0 done already (submission 1)" in told
    assert set(states(home).values()) >= {"paused"}


@pytest.mark.parametrize(
    ("words", "says"),
    [(["--fill", "--budget", "soon"], "'soon' is no time"), (["--budget", "8h"], "a budget is for --fill"),
     (["--fill", "--budget", "-1h"], "'-1h' is no time")],
)  # fmt: skip
def test_a_budget_that_is_none_is_refused(home: Home, words: list[str], says: str) -> None:
    answer = run(home, "submit", str(QUICKSTART), *words)
    assert isinstance(answer.exception, XpError)
    assert says in str(answer.exception)


@pytest.mark.parametrize("code", [0, 1, 3])
def test_wait_ends_with_the_code_of_the_experiment(home: Home, monkeypatch: pytest.MonkeyPatch, code: int) -> None:
    monkeypatch.setattr(
        "engine.cli.progress.wait_for", lambda _home, name, _console: code if name == "quickstart" else 9
    )
    assert run(home, "submit", str(QUICKSTART), "--wait").exit_code == code


def test_who_stops_waiting_is_told_how_to_come_back(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr("engine.cli.progress.wait_for", interrupted)
    answer = run(home, "submit", str(QUICKSTART), "--wait")
    assert answer.exit_code == 130
    assert "still running; come back with `xp status quickstart --watch`" in answer.stderr


def test_who_stops_waiting_for_one_of_several_waits_for_no_other(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def interrupted(_home: Home, name: str, _console: object) -> int:
        asked.append(name)
        raise KeyboardInterrupt

    monkeypatch.setattr("engine.cli.progress.wait_for", interrupted)
    assert submit._wait_all(home, ["one", "two"]) == submit.INTERRUPTED
    assert asked == ["one"]


def test_a_trial_leaves_what_is_registered_alone(home: Home) -> None:
    run(home, "submit", str(QUICKSTART), "--no-start")
    words = ["submit", str(QUICKSTART), "--set", "train.epochs=1", "--as", "trial", "--no-start"]
    answer = run(home, *words)
    assert answer.stderr.splitlines()[0].startswith("trial: ")
    assert len(home.records("quickstart")) == 1
    record = read_record(home.records("trial")[-1])
    assert (record["name"], record["trial_of"]) == ("trial", "quickstart")
    run(home, *words[:-1], "--set", "seeds=[0]", "--no-start")
    assert len(home.records("trial")) == 2, "a trial may be submitted again"


@pytest.mark.parametrize(
    ("name", "what"),
    [("one", "one is another experiment here"), ("quickstart", "is the name that the spec has itself"),
     ("Tr ial", "'Tr ial' is no name for an experiment")],
)  # fmt: skip
def test_a_trial_takes_no_name_that_is_taken(home: Home, name: str, what: str) -> None:
    answer = run(home, "submit", str(QUICKSTART), "--as", name, "--no-start")
    assert what in str(answer.exception)
    assert len(home.records("one")) == 1
    assert not home.records("quickstart")


def test_a_paper_is_no_trial(home: Home) -> None:
    answer = run(home, "submit", str(QUICKSTART.with_name("paper.yaml")), "--as", "trial", "--no-start")
    assert "a trial is of one spec" in str(answer.exception)
