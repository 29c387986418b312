"""The command: what a person mistypes ends in words and 2; a table of faults is read; too few kills end in 1."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.mutants import __main__ as command
from tests.mutants.judging import Verdict
from tests.mutants.texts import Mutant
from tests.mutants.trees import write_tree


@pytest.fixture(autouse=True)
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(command, "ROOT", write_tree(tmp_path, **{"engine/b.py": "x = 1\ny = 2\n"}))
    return tmp_path


def judge_as(monkeypatch: pytest.MonkeyPatch, outcomes: list[str]) -> list[Mutant]:
    judged: list[Mutant] = []

    def judge_all(mutants: list[Mutant], workers: int) -> list[Verdict]:
        judged.extend(mutants)
        return [Verdict(mutant, outcome, "t", 1.0) for mutant, outcome in zip(mutants, outcomes, strict=True)]

    monkeypatch.setattr(command, "judge_all", judge_all)
    return judged


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nothing"], "no room is called 'nothing'"),
        (["both"], "may be any of"),
        (["--apply", "engine/b.py:1", "z", "y"], "engine/b.py:1 does not hold 'z'"),
        (["--apply", "engine/none.py:1", "z", "y"], "no path:line"),
        (["--table", "/nowhere"], "/nowhere"),
    ],
)
def test_a_mistake_ends_in_words(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.main(words) == 2
    assert said in capsys.readouterr().err


@pytest.mark.parametrize(("least", "status"), [("50", 0), ("51", 1)])
def test_too_few_kills_end_in_one(least: str, status: int, monkeypatch: pytest.MonkeyPatch) -> None:
    judged = judge_as(monkeypatch, ["killed", "survived"])
    assert command.main(["engine/b", "--most", "2", "--least", least]) == status
    assert [mutant.new for mutant in judged] == ["x = 2", "y = 3"]


def test_a_table_names_each_fault(
    tree: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tree / "faults.txt").write_text("# a note\n\nengine/b.py:1\tx = 1\\ny\tx = 3\\ny\nengine/b.py:2\t2\t4\n")
    judged = judge_as(monkeypatch, ["killed", "survived"])
    assert command.main(["--table", str(tree / "faults.txt")]) == 1
    assert [(mutant.line, mutant.put) for mutant in judged] == [(1, "x = 3\ny"), (2, "4")]
    assert "killed by t" in capsys.readouterr().out
