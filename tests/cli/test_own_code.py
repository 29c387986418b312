"""Own code at the command line: none of it runs by being looked at; what is broken is told without a traceback."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import pytest
from typer.testing import CliRunner

from engine.cli import app
from engine.errors import XpError
from engine.plan import own_code
from tests.core.own_code.broken import BROKEN, NET

SPEC = """
name: study
data: {source: digits, image_size: 32, short_side: 32}
student: {arch: ./nets.py:Thing}
"""


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "nets.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n{NET}")
    (tmp_path / "study.yaml").write_text(SPEC)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@dataclass(frozen=True)
class Answer:
    """What a command said on stdout, and in all; the exit code that it ends with."""

    stdout: str
    output: str
    code: int


def xp(*words: str) -> Answer:
    """Run a command here; an expected failure is told as `main` tells it, and any other is raised."""
    found = CliRunner().invoke(app, [*words, "--home", "home"])
    if isinstance(found.exception, XpError):
        return Answer(found.stdout, f"{found.output}{found.exception}", found.exception.exit_code)
    assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
    return Answer(found.stdout, found.output, found.exit_code)


COMMANDS = (
    ("validate", "study.yaml"), ("plan", "study.yaml"), ("submit", "study.yaml", "--no-start"),
    ("describe", "study.yaml"), ("verify-resume", "study.yaml"),
    ("data", "preview", "study.yaml"), ("check", "study.yaml"), ("status",), ("plugins",), ("ls",),
)  # fmt: skip


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_no_command_runs_code_of_strangers(lab: Path, words: tuple[str, ...]) -> None:
    answer = xp(*words)
    assert not (lab / "ran").exists()
    if "study.yaml" in words and words[0] != "check":
        assert answer.code == 2
        assert f"{lab}/nets.py" in answer.output
        assert "--trust" in answer.output


@pytest.mark.usefixtures("lab")
def test_looking_makes_no_home() -> None:
    xp("validate", "study.yaml")
    assert not Path("home").exists()


def test_trust_is_said_once(lab: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_code, "check_all", lambda _, questions: [[] for _ in questions])
    first = xp("validate", "study.yaml", "--trust")
    assert (first.code, first.stdout) == (0, "study.yaml: valid, 1 arm, 1 seed\n")
    assert f"until it is changed: {lab}/nets.py" in first.output
    assert xp("validate", "study.yaml").code == 0
    (listed,) = json.loads(xp("plugins", "--json").stdout)["allowed"]
    assert (listed["path"], listed["is_same"]) == (f"{lab}/nets.py", True)
    (lab / "nets.py").write_text(NET.replace("3,", "3 + 0,"))
    assert xp("validate", "study.yaml").code == 2
    assert "has changed since" in xp("plugins").stdout


@pytest.mark.usefixtures("lab")
def test_trust_without_code_is_told() -> None:
    answer = xp("validate", "study.yaml", "--set", "student.arch=tiny_vit_5m", "--trust")
    assert answer.code == 0
    assert "--trust does nothing here" in answer.output


@pytest.mark.slow
def test_broken_code_is_told_and_runs_nothing(lab: Path) -> None:
    """All of BROKEN as the arms of one spec, but for what is seen in the text, which stops it by itself."""
    for name, one in BROKEN.items():
        (lab / f"broken_{name}.py").write_text(one.text)
    words = {"network": "student.arch", "loss": "distill.loss", "attention": "student.attention.kind",
             "source": "data.source", "optimizer": "train.optimizer", "criterion": "prune.criterion",
             "augmentation": "data.augment.extra"}  # fmt: skip
    options = {"network": "student.options"}
    arms = {
        name: {words[one.kind]: f"./broken_{name}.py:Thing"}
        | ({"student.arch": "tiny_vit_5m"} if one.kind == "attention" else {})
        | ({options[one.kind]: dict(one.options)} if one.options else {})
        for name, one in BROKEN.items()
    }
    for is_read in (True, False):
        told = {name: arm for name, arm in arms.items() if BROKEN[name].is_read == is_read}
        tree = {"name": "broken", "data": {"source": "digits", "image_size": 32, "short_side": 32},
                "student": {"arch": "timm/resnet10t"}, "teacher": {"arch": "timm/resnet10t", "train": {"epochs": 1}},
                "arms": told}  # fmt: skip
        (lab / "broken.json").write_text(json.dumps(tree))
        answer = xp("validate", "broken.json", "--trust")
        assert answer.code == 2
        assert "Traceback" not in answer.output
        for name in told:
            # What is wrong with options is told at their place in the spec, and not in the code.
            place = ".options" if BROKEN[name].options else f"broken_{name}.py"
            about = [part for part in answer.output.split("fix: ") if place in part]
            assert any(BROKEN[name].says.replace("thing.py", f"broken_{name}.py") in part for part in about), name
    assert not list(Path("home").glob("jobs/*"))
