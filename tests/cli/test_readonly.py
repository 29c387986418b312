"""A home that nobody may write in is read by every command that only reads; the others say what is the matter."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from engine.cli import app
from engine.collect import collect
from engine.errors import HomeError
from engine.home.paths import open_home
from engine.inspect import doctor
from engine.inspect.doctor import Finding
from tests.helpers.powerless import readable_only, without_power
from tests.helpers.queueing import Probe, submit_probes
from tests.helpers.synthetic import Arm, SyntheticHome

SPEC = """
name: paper
data: {source: digits, image_size: 32}
student: {arch: tiny_vit_5m}
arms: {a: {}, b: {student.attention.kind: longformer}}
claims:
  - {id: one, text: Sparse is better., metric: test_top1, arm: b, against: a, expect: greater}
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An experiment with results, and one of a single job in the queue, done."""
    made = SyntheticHome(tmp_path_factory.mktemp("readonly") / "home", sealed=True)
    arms = {"a": Arm(0.4), "b": Arm(0.8, kind="longformer")}
    made.experiment("paper", arms, (0, 1, 2))
    submit_probes(made.home, "probes", [Probe("train-1")])
    collect(made.home)
    spec = made.home.root.parent / "paper.yaml"
    spec.write_text(SPEC)
    (made.home.root.parent / "out").mkdir()
    (made.home.root.parent / "out").chmod(0o777)
    return made.home.root


def run(home: Path, *words: str) -> Result:
    return CliRunner().invoke(app, [*words, "--home", str(home)])


READING: dict[str, tuple[list[str], int]] = {
    "report": (["report", "paper", "--format", "md", "-o", "{out}/report"], 0),
    "missing": (["report", "paper", "--missing"], 0),
    "check": (["check", "{spec}"], 0),
    "trace": (["trace", "paper/b", "test_top1"], 0),
    "freeze": (["freeze", "paper", "-o", "{out}/paper.json"], 0),
    "compare": (["compare", "paper/b", "paper/a"], 0),
    "sql": (["sql", "select count(*) from results"], 0),
    "status": (["status"], 0),
    "why": (["why", "probes"], 0),
    "why_all": (["why", "probes", "--all"], 2),  # its job has no settings, which is said
    "logs": (["logs", "probes"], 0),
    "diff": (["diff", "probes", "probes"], 2),  # two experiments cannot be compared, which is said
    "validate": (["validate", "{spec}"], 0),
    "plan": (["plan", "{spec}", "--json"], 0),
    "describe": (["describe", "{spec}"], 0),
    "doctor": (["doctor", "--deep"], 1),  # that it cannot be written is bad
}


def ask_all(place: str) -> None:
    """Ask each command, and write down what it said."""
    home, out = Path(place), Path(place).parent / "out"
    doctor._imports = lambda: Finding("torch with timm", True, "loads")
    os.chdir(out)
    said: dict[str, list[object]] = {}
    for name, (words, _) in READING.items():
        filled = [word.format(out=out, spec=home.parent / "paper.yaml") for word in words]
        answer = run(home, *filled)
        said[name] = [answer.exit_code, answer.output, repr(answer.exception)]
    assert not os.access(home, os.W_OK)
    (out / "answers.json").write_text(json.dumps(said))


def try_to_write(place: str) -> None:
    for words in (["worker", "--until-idle"], ["rebuild"], ["submit", str(Path(place).parent / "paper.yaml")]):
        answer = run(Path(place), *words)
        assert isinstance(answer.exception, HomeError | OSError), (words, answer.output, answer.exception)


def collect_nothing(place: str) -> None:
    with pytest.raises(HomeError, match="nothing was published here, and the home cannot be written"):
        collect(open_home(place))


@pytest.fixture(scope="module")
def answers(home: Path) -> dict[str, list[object]]:
    """What each command said, asked one after the other in one process."""
    out = home.parent / "out"
    with readable_only(home):
        without_power(ask_all, home)
    found: dict[str, list[object]] = json.loads((out / "answers.json").read_text())
    return found


@pytest.mark.parametrize("name", READING)
def test_who_only_reads_needs_no_right_to_write(answers: dict[str, list[object]], name: str) -> None:
    code, output, error = answers[name]
    if READING[name][1] < 2:
        assert code == READING[name][1], output
        assert error in ("None", "SystemExit(1)")
    else:
        assert "PermissionError" not in str(error), error
        assert "HomeError" in str(error) or "XpError" in str(error) or "VersionError" in str(error), error


def test_that_results_are_as_they_were_published_is_said(answers: dict[str, list[object]]) -> None:
    assert "the home cannot be written: these are the results as they were published last" in str(answers["compare"][1])


def test_doctor_names_nothing_but_that_it_cannot_be_written(answers: dict[str, list[object]]) -> None:
    bad = [line for line in str(answers["doctor"][1]).splitlines() if line.startswith("BAD")]
    assert [line.endswith(", and it cannot be written") for line in bad] == [True], bad


def test_who_would_write_says_that_it_cannot(home: Path) -> None:
    with readable_only(home):
        without_power(try_to_write, home)


def test_a_read_only_home_without_results_says_so(tmp_path: Path) -> None:
    made = SyntheticHome(tmp_path / "home")
    made.train("train-a", Arm(), 0)
    with readable_only(made.home.root):
        without_power(collect_nothing, made.home.root)
