"""The command status: on stdout, one experiment with its runs, JSON with its old words, watched with keys or not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from engine.cli import app
from engine.home.paths import Home
from store.queue import Queue, Verdict
from tests.helpers.queueing import Probe, make_home, submit_probes

WORDS = {"experiment", "runs", "jobs", "share", "seconds_left", "running", "waiting", "failures", "is_searching"}


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """Two experiments, one of which has a failed job with a log."""
    home = make_home(tmp_path)
    submit_probes(home, "one", [Probe("train-1"), Probe("train-2")])
    submit_probes(home, "two", [Probe("train-3")])
    with Queue(home.queue_db) as queue:
        assert queue.lease("train-1", 1, "cpu:0", boot_id="b", expires=9.0, now=1.0)
        queue.finish("train-1", 1, Verdict("crashed", "failed", "no such file"), 2.0)
    log = home.job("train-1").attempt(1)
    log.root.mkdir(parents=True)
    log.log.write_text("".join(f"line {number}\n" for number in range(20)) + "no such file\n")
    return home


def status(home: Home, *words: str) -> Result:
    return CliRunner().invoke(app, ["status", *words, "--home", str(home.root)])


def test_a_status_is_on_stdout_and_trouble_beside_it(home: Home) -> None:
    answer = status(home)
    assert answer.exit_code == 0
    assert answer.stdout.splitlines()[0].split()[0] == "experiment"
    assert "  failed: one: role0 arm cell seed 0 (train-1): no such file" in answer.stdout
    assert "no scheduler works here" in answer.stderr


def test_one_experiment_is_told_with_runs_log_and_what_to_type(home: Home) -> None:
    lines = status(home, "one").stdout.splitlines()
    rows = [words for line in lines if (words := line.split()) and words[0] == "arm"]
    assert [(row[1], row[2]) for row in rows[1:]] == [("0", "failed"), ("1", "queued")]
    assert [line for line in lines if line.startswith("  | ")] == [f"  | line {number}" for number in range(16, 20)], (
        "what the reason says is not told twice"
    )
    assert "next: xp logs train-1 · xp retry one · xp status one --watch" in lines


def test_an_address_or_a_run_shows_its_runs_alone(home: Home) -> None:
    for name in ("one/arm/cell@1", "run-train-2"):
        told = status(home, name).stdout
        assert "run-train-2" in told
        assert "run-train-1" not in told


def test_a_screen_is_kept_to_unless_all_is_asked_for(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    submit_probes(home, "many", [Probe(f"train-m{number}") for number in range(60)])
    monkeypatch.setenv("LINES", "24")
    monkeypatch.setenv("COLUMNS", "80")
    lines = status(home, "many").stdout.splitlines()
    assert len(lines) <= 21
    assert any("more runs: xp status many --all" in line for line in lines)
    assert len(status(home, "many", "--all").stdout.splitlines()) > 60


def test_json_keeps_its_words_and_tells_runs_of_one(home: Home) -> None:
    told = json.loads(status(home, "--json").stdout)
    assert told.keys() == {"experiments", "trouble"}
    assert all(view.keys() == WORDS for view in told["experiments"])
    told = json.loads(status(home, "one", "--json").stdout)
    assert [(run["seed"], run["state"]) for run in told["runs"]] == [(0, "failed"), (1, "queued")]


@pytest.mark.parametrize("is_terminal", [True, False])
def test_keys_are_for_a_terminal_alone(home: Home, monkeypatch: pytest.MonkeyPatch, is_terminal: bool) -> None:
    asked: list[str] = []
    monkeypatch.setattr("engine.cli.status._is_terminal", lambda: is_terminal)
    monkeypatch.setattr("engine.cli.watch.watch_with_keys", lambda *_: asked.append("keys"))
    monkeypatch.setattr("engine.cli.progress.watch_status", lambda *_: asked.append("lines"))
    assert status(home, "--watch").exit_code == 0
    assert asked == ["keys" if is_terminal else "lines"]
