"""What a person reads of verdicts: the share, survivors with their diffs, faults with the test that kills them."""

from __future__ import annotations

import json
from pathlib import Path

from tests.mutants.choosing import Choice
from tests.mutants.judging import Verdict
from tests.mutants.texts import textual_mutant
from tests.mutants.wording import as_json, fault_table, progress_line, share_killed, summary_line, survivor_table

SOURCE = "x = 1\nif x < 1:\n    y = 2\n"
KILLED = Verdict(textual_mutant(SOURCE, "a.py", 1, "1", "2"), "killed", "tests/test_a.py::test_x", 1.25)
ALIVE = Verdict(textual_mutant(SOURCE, "a.py", 2, "<", "<="), "survived", "", 2.0)
LATE = Verdict(textual_mutant(SOURCE, "a.py", 3, "2", "3"), "timeout", "", 9.0)
CHOICE = Choice([], [KILLED.mutant] * 3, [])


def test_a_timeout_counts_as_killed() -> None:
    assert summary_line([KILLED, ALIVE, LATE], CHOICE) == "killed 2 of 3 (67 %), 3 equivalent left out"
    assert summary_line([ALIVE], Choice([], [], [])) == "killed 0 of 1 (0 %)"
    assert share_killed([]) == 100


def test_survivors_show_their_diff(tmp_path: Path) -> None:
    (tmp_path / "a.py").write_text(SOURCE)
    assert survivor_table(tmp_path, [KILLED, ALIVE]) == "1 survived:\n\na.py:2 (given)\n-if x < 1:\n+if x <= 1:"
    assert survivor_table(tmp_path, [KILLED]) == "none survived"


def test_progress_tells_place_and_change() -> None:
    line = progress_line(3, 60, ALIVE)
    assert line == "3 of 60  survived    2.0 s  a.py:2  if x < 1:  ->  if x <= 1:"


def test_faults_name_their_killers() -> None:
    lines = fault_table([KILLED, ALIVE, LATE]).splitlines()
    assert lines[1::2] == ["    killed by tests/test_a.py::test_x", "    SURVIVED", "    out of time"]


def test_json_counts_what_it_lists() -> None:
    whole = json.loads(as_json("engine/a", [KILLED, ALIVE], CHOICE))
    assert (whole["killed"], whole["judged"], whole["left_out"]) == (1, 2, 3)
    assert [row["outcome"] for row in whole["mutants"]] == ["killed", "survived"]
