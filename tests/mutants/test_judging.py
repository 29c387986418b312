"""Judging on a tiny tree: kills, survivors, endless mutants, nothing left behind, and the sources of the copy alone."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from tests.mutants.judging import Bench, Judge, NotGreen, Verdict, open_bench
from tests.mutants.texts import Mutant, textual_mutant
from tests.mutants.trees import write_tree

SOURCE = "def small(n):\n    while n > 2:\n        n -= 1\n    return n < 1\n"
TEST = """
import os, subprocess, sys
from pathlib import Path
from engine.b import small

def test_small():
    code = "from engine.b import small; assert small(0)"
    subprocess.run([sys.executable, "-c", code], check=True, env={}, cwd="/")

def test_large():
    assert not small(3)

def test_who_stays_behind():
    left = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    Path(os.environ["TMPDIR"], "left").write_text(str(left.pid))
"""


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    program = (Path(__file__).parent / "preload.py").read_text()
    light = re.sub(r"HEAVY = \(.*?\n\)", "HEAVY = ()", program, flags=re.DOTALL)
    more = {"engine/b.py": SOURCE, "tests/test_b.py": TEST, "tests/__init__.py": "", "tests/mutants/preload.py": light}
    red = {"tests/test_red.py": "def test_red():\n    assert 1 == 2\n"}
    root = write_tree(tmp_path_factory.mktemp("tree"), **more, **red)
    subprocess.run(["git", "init", "-q", root], check=True)
    return root


@pytest.fixture(scope="module")
def bench(tree: Path) -> Iterator[Bench]:
    subprocess.run(
        ["git", "add", "engine", "store", "tests/a"], cwd=tree, check=True
    )  # the rest is new, and copied too
    with open_bench(tree, 1) as bench:
        yield bench


def judge(bench: Bench, mutant: Mutant, seconds: float = 10.0) -> Verdict:
    (verdict,) = bench.judge([mutant], {mutant.path: [["tests/test_b.py"], []]}, {"tests/test_b.py": seconds})
    return verdict


def fault(line: int, old: str, new: str) -> Mutant:
    return textual_mutant(SOURCE, "engine/b.py", line, old, new)


@pytest.mark.parametrize(
    ("mutant", "killer"),
    [(fault(4, "n < 1", "n < 3"), "test_large"), (fault(4, "n < 1", "n < 0"), "test_small")],
    ids=["here", "in a process of a bare environment"],
)
def test_a_kill_names_its_test(bench: Bench, mutant: Mutant, killer: str) -> None:
    verdict = judge(bench, mutant)
    assert (verdict.outcome, verdict.killer) == ("killed", f"tests/test_b.py::{killer}")


def test_a_survivor_is_told_and_forgotten(bench: Bench) -> None:
    assert judge(bench, fault(4, "n < 1", "n < 3")).outcome == "killed"
    assert judge(bench, fault(4, "n < 1", "n < 2")).outcome == "survived"


def test_an_endless_mutant_is_out_of_time(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.mutants.judging.LEAST_SECONDS", 0.0)
    verdict = judge(bench, fault(3, "n -= 1", "pass"), seconds=1.0)
    assert (verdict.outcome, verdict.is_killed, verdict.seconds >= 3.0) == ("timeout", True, True)


def test_nothing_stays_behind(bench: Bench) -> None:
    def pid_left(judge: Judge) -> int:
        assert judge.run(["tests/test_b.py"], 600)["status"] == 0
        return int((judge.copy.folder / "t" / "left").read_text())

    (pid,) = bench.each(lambda judge, _: pid_left(judge), [0])
    assert not psutil.pid_exists(pid)


def test_a_red_test_stops_all(bench: Bench) -> None:
    with pytest.raises(NotGreen, match=r"tests/test_red.py::test_red fails without any mutant"):
        bench.measure(["tests/test_b.py", "tests/test_red.py"])


def test_a_mutant_without_tests_survives(bench: Bench) -> None:
    (verdict,) = bench.judge([fault(4, "1", "2")], {"engine/b.py": [[]]}, {})
    assert (verdict.outcome, verdict.killer) == ("survived", "no test is near it")
