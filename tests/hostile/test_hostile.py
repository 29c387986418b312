"""Every hostile input is answered: no traceback, no file outside of the home, bounded memory, the words of its row."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.hostile.cases import Case
from tests.hostile.runner import GROUPS, Answer, ask, problems

ROWS = [
    pytest.param(case, id=f"{group}: {case.name}", marks=[pytest.mark.slow] if case.slow else [])
    for group, cases in GROUPS.items()
    for case in cases
]


@pytest.mark.parametrize("case", ROWS)
def test_a_hostile_input_is_answered(case: Case, tmp_path: Path) -> None:
    assert problems(case, ask(case, tmp_path)) == []


def test_no_two_cases_have_one_name() -> None:
    names = [case.name for cases in GROUPS.values() for case in cases]
    assert len(set(names)) == len(names) >= 200


NOTHING = Case("nothing", lambda folder: None, ("data", "report", "none"), 2, ("none",))


def test_the_command_is_run_as_a_person_would(tmp_path: Path) -> None:
    answer = ask(NOTHING, tmp_path)
    assert (answer.code, answer.strays) == (2, ())
    assert "fix: " in answer.text


@pytest.mark.parametrize(
    ("answer", "wrong"),
    [
        (Answer(2, "none\nfix: x"), ""),
        (Answer(1, "none\nfix: x"), "exit code 1"),
        (Answer(None, "none\nfix: x\nTraceback (most recent call last)"), "it ends with Traceback"),
        (Answer(2, "one\nfix: x"), "does not say 'none'"),
        (Answer(2, "none"), "it names no fix"),
        (Answer(2, "none\x1b[2J\nfix: x"), "it says '\\x1b'"),
        (Answer(2, "none\nfix: x", ("slip.png",)), "it left slip.png"),
    ],
)
def test_each_fault_of_an_answer_is_seen(answer: Answer, wrong: str) -> None:
    found = problems(NOTHING, answer)
    assert any(wrong in line for line in found) if wrong else not found


def test_what_is_written_beside_the_home_is_seen(tmp_path: Path) -> None:
    case = Case("a home", lambda folder: None, ("init", "specs"), 0, ())
    answer = ask(case, tmp_path)
    assert any(name.endswith("case/specs") for name in answer.strays)
