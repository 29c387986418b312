"""`xp targets verify`: which targets are asked about, what is left out, and the exit code."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from engine.cli import app
from engine.errors import QueryError, XpError
from engine.home.files import write_json
from engine.home.paths import Home
from tests.helpers.queueing import Probe, make_home, submit_probes


@dataclass(frozen=True)
class Verdict:
    job: str
    is_right: bool

    def lines(self) -> list[str]:
        return [f"{self.job} {'right' if self.is_right else 'wrong'}"]


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = make_home(tmp_path)
    submit_probes(home, "taught", [Probe(f"targets-{number}") for number in (1, 2, 3)])
    submit_probes(home, "plain", [Probe("train-1")])
    return home


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[Any, ...]]:
    """Whom the teacher was asked about; targets-2 are wrong."""
    made: list[tuple[Any, ...]] = []

    def verify(_home: Home, job: str, samples: int, seed: int | None) -> Verdict:
        made.append((job, samples, seed))
        return Verdict(job, job != "targets-2")

    monkeypatch.setattr("engine.verify.targets.verify_targets", verify)
    return made


def finish(home: Home, *jobs: str) -> None:
    for job in jobs:
        write_json(home.job(job).result, {"attempt": 1})


def run(home: Home, *words: str) -> Result:
    return CliRunner().invoke(app, ["targets", "verify", *words, "--home", str(home.root)])


def test_right_targets_end_with_0(home: Home, asked: list[tuple[Any, ...]]) -> None:
    finish(home, "targets-1", "targets-3")
    answer = run(home, "taught", "--samples", "9", "--seed", "4")
    assert (answer.exit_code, answer.stdout) == (0, "targets-1 right\ntargets-3 right\n")
    assert asked == [("targets-1", 9, 4), ("targets-3", 9, 4)]
    assert answer.stderr == "targets-2: not made yet, so nothing to compare\n2 of 2 are right\n"


def test_wrong_targets_are_named_with_the_way_out(home: Home, asked: list[tuple[Any, ...]]) -> None:
    finish(home, "targets-1", "targets-2", "targets-3")
    answer = run(home, "taught")
    assert answer.exit_code == 1
    assert answer.stderr.splitlines()[0] == "2 of 3 are right; wrong: targets-2"
    assert f"fix: remove their folders in {home.targets('targets-2').parent}" in answer.stderr
    assert asked[0] == ("targets-1", 256, None)


def test_without_targets_nobody_is_asked(home: Home, asked: list[tuple[Any, ...]]) -> None:
    none, early = run(home, "plain").exception, run(home, "taught").exception
    assert isinstance(none, XpError)
    assert none.what == "plain has no targets"
    assert isinstance(early, QueryError)
    assert early.what == "no targets of taught are made yet"
    assert asked == []
