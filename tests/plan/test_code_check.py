"""Code is tried in one child: it is told by its answers, by its silence and by its end, and nothing is tried twice."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from engine.home.paths import Home, open_home
from engine.plan import code_check
from engine.plan.code_check import check_all

# A child as quick as this one need not load torch: it does what each question names.
CHILD = """
import json, os, sys, time
def say(**told): print(json.dumps(told), flush=True)
for place, one in enumerate(json.load(sys.stdin)):
    open({log!r}, "a").write(f"{{os.getpid()}} {{one['do']}}\\n")
    say(begins=place, room=5e8)
    if one["do"] == "hang": time.sleep(60)
    if one["do"] == "hoard": held = bytearray(b"x") * (1 << 29); time.sleep(60)
    if one["do"] == "end": os._exit(3)
    if one["do"] == "die": os.kill(os.getpid(), 9)
    say(wrong=[] if one["do"] == "well" else [{{"what": one["do"]}}])
"""


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Let a child of this test's answer; return what it writes down of each question."""
    path = tmp_path / "log"
    (tmp_path / "quick_child.py").write_text(CHILD.format(log=str(path)))
    monkeypatch.setattr(code_check, "COMMAND", (sys.executable, str(tmp_path / "quick_child.py")))
    monkeypatch.setattr(code_check, "SECONDS", 1.0)
    monkeypatch.setattr(code_check, "SLOWER", 0.0)
    return path


def ask(tmp_path: Path, *doings: str) -> list[list[Mapping[str, Any]]]:
    home: Home = open_home(tmp_path / "home", create=True)
    return check_all(home, [{"do": one} for one in doings])


def tried(log: Path) -> list[str]:
    return [line.split()[1] for line in log.read_text().splitlines()] if log.exists() else []


def test_all_are_asked_of_one_child(tmp_path: Path, log: Path) -> None:
    assert ask(tmp_path, "well", "badly", "well") == [[], [{"what": "badly"}], []]
    assert len({line.split()[0] for line in log.read_text().splitlines()}) == 1


def test_good_code_is_not_tried_again(tmp_path: Path, log: Path) -> None:
    ask(tmp_path, "well", "badly")
    assert ask(tmp_path, "badly", "well") == [[{"what": "badly"}], []]
    assert tried(log) == ["well", "badly", "badly"]


@pytest.mark.parametrize(
    ("doing", "says"),
    [
        ("hang", "did not answer within 1 s: importing or calling it hangs"),
        ("hoard", "takes more than 0.4 GB of memory"),
        ("end", "ends the process (exit status 3)"),
        ("die", "ends the process (signal SIGKILL)"),
    ],
)
def test_silence_is_of_the_code_that_was_tried(
    tmp_path: Path, log: Path, monkeypatch: pytest.MonkeyPatch, doing: str, says: str
) -> None:
    if doing != "hang":  # on a busy machine half a gigabyte is not there within a second
        monkeypatch.setattr(code_check, "SECONDS", 60.0)
    first, second, third = ask(tmp_path, "badly", doing, "worse")
    assert (first, third) == ([{"what": "badly"}], [{"what": "worse"}])
    assert says in second[0]["what"]
    assert tried(log) == ["badly", doing, "worse"]


def test_child_that_cannot_begin_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(code_check, "COMMAND", (sys.executable, "-c", "raise ImportError"))
    (wrong,) = ask(tmp_path, "well")
    assert "could not begin" in wrong[0]["what"]
    assert json.dumps(wrong)
