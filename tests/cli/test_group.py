"""Commands are made when they are wanted, a slip in a name is understood, versions are told without torch."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from engine.cli import app
from engine.cli.group import OTHERS, suggest_command
from engine.cli.guide import GUIDE

ROOT = Path(__file__).parents[2]
HEAVY = ("torch", "timm", "torchvision", "duckdb", "numpy", "scipy", "sklearn", "matplotlib", "starlette", "PIL",
         "sqlalchemy", "prompt_toolkit", "jinja2", "huggingface_hub", "pandas")  # fmt: skip
# What a start may load, by what is asked; `pydantic` is the price of a spec, not of a help.
PROBE = """
import sys
from engine.cli import main
sys.argv = ["xp", *sys.argv[1:]]
try:
    main()
except SystemExit as end:
    assert not end.code, end.code
print(*sorted(name for name in sys.modules if "." not in name or name.startswith("engine.")), file=sys.stderr)
"""


def loaded_by(*words: str) -> set[str]:
    given = {**os.environ, "PYTHONPATH": str(ROOT), "XP_HOME": "/nowhere/home"}
    done = subprocess.run(
        [sys.executable, "-c", PROBE, *words], capture_output=True, text=True, env=given, cwd=ROOT, check=False
    )
    assert done.returncode == 0, done.stderr
    return set(done.stderr.splitlines()[-1].split())


@pytest.mark.parametrize(
    ("words", "also"),
    [(("--help",), ("pydantic", "ruamel", "filelock", "engine.cli.submit", "engine.spec", "engine.home.paths")),
     (("--version",), ("pydantic", "engine.cli.submit")),
     (("validate", "specs/quickstart.yaml"), ("engine.plan", "engine.cli.submit", "engine.cli.jobs"))],
    ids=["help", "version", "validate"],
)  # fmt: skip
def test_a_start_loads_nothing_heavy(words: tuple[str, ...], also: tuple[str, ...]) -> None:
    assert loaded_by(*words) & {*HEAVY, *also} == set()


def test_versions_are_told_on_stdout() -> None:
    answer = CliRunner().invoke(app, ["--version"])
    assert (answer.exit_code, answer.stderr) == (0, "")
    assert [line.partition(" ")[0] for line in answer.stdout.splitlines()] == ["xp", "torch", "timm", "Python"]


@pytest.mark.parametrize(
    ("word", "meant"),
    [("sumbit", "submit"), ("run", "submit"), ("delete", "rm"), ("stauts", "status"), ("Kill", "cancel")],
)  # fmt: skip
def test_a_slip_in_a_command_is_understood(word: str, meant: str) -> None:
    answer = CliRunner().invoke(app, [word, "more"], env={"COLUMNS": "100"})
    assert (answer.exit_code, answer.stdout) == (2, "")
    assert f"Did you mean {meant}" in answer.stderr


def test_a_word_like_no_command_is_told_where_they_are_listed() -> None:
    assert suggest_command("zzzz") == "xp --help lists them."


def test_other_words_lead_to_commands_that_there_are() -> None:
    assert {*OTHERS.values()} <= {*GUIDE}
    assert {*OTHERS} & {*GUIDE} == set()


def test_a_command_is_made_once_and_unknown_ones_never() -> None:
    commands = get_command(app).commands  # type: ignore[attr-defined]  # of a group
    assert commands["ls"] is commands["ls"]
    assert "nothing" not in commands
    assert [*commands][: len(GUIDE)] == [*GUIDE]


def test_a_slip_in_a_command_of_a_group_is_understood() -> None:
    answer = CliRunner().invoke(app, ["data", "preveiw"], env={"COLUMNS": "100"})
    assert answer.exit_code == 2
    assert "preview" in answer.stderr
