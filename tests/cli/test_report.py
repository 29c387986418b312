"""The command report hands its words on as they are, prints what it gets, and writes nothing where it lists."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engine.home.paths import open_home
from tests.cli.test_results import COLLECT, run

ALL = (("template", None), ("columns", None))


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return open_home(tmp_path / "home", create=True).root


def test_report_takes_in_new_rows_and_names_its_files(home: Path, calls: list[tuple[Any, ...]]) -> None:
    assert run(home, "report", "paper").stdout == "a.md\nb.html\n"
    assert calls == [COLLECT, ("make_report", ["paper"], None, None, *ALL)]
    calls.clear()
    run(home, "report", "paper", "--format", "tex", "--format", "md", "-o", "there")
    assert calls[1] == ("make_report", ["paper"], ["tex", "md"], Path("there"), *ALL)


def test_missing_lists_the_holes_and_writes_nothing(home: Path, calls: list[tuple[Any, ...]]) -> None:
    assert run(home, "report", "paper", "--missing").stdout == "a hole\nanother\npaper: a cost\n"
    assert calls == [COLLECT, ("list_missing", "paper"), ("recorded_lacking", "paper")]


def test_missing_for_programs_has_holes_and_why_no_cost_is_known(home: Path, calls: list[tuple[Any, ...]]) -> None:
    told = json.loads(run(home, "report", "paper", "--missing", "--json").stdout)
    holes = {"experiment": "paper", "holes": ["a hole", "another"]}
    assert told == [{**holes, "unknown": "paper: a cost", "needs": None, "total": None}]


def test_report_against_frozen_numbers_names_each_change(
    home: Path, calls: list[tuple[Any, ...]], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "every number is as in old\n" in run(home, "report", "paper", "--against", "old").stderr
    assert ("list_changes", "paper", "old") in calls
    monkeypatch.setattr("engine.analysis.freeze.list_changes", lambda *_: ["x: 1 -> 2", "y: 3 -> 4"])
    answer = run(home, "report", "paper", "--against", "old", ends=4)
    assert answer.stderr.splitlines() == [
        "changed: x: 1 -> 2", "changed: y: 3 -> 4", "2 numbers are not as in old",
    ]  # fmt: skip
    assert answer.stdout == "a.md\nb.html\n"
