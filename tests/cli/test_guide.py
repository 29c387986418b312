"""Every command's help: what it does, an example, its exit codes; its line in the list of all."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command
from typer.testing import CliRunner

from engine.cli import app
from engine.cli.guide import GUIDE, Entry
from engine.launch.places import LAUNCHERS

CLI = Path(__file__).parents[2] / "engine" / "cli"
LONGEST_LINE = 62  # beside the longest name, in a terminal of 80 columns


def entries() -> Iterator[tuple[tuple[str, ...], Entry]]:
    for name, entry in GUIDE.items():
        if entry.inner:
            yield from (((name, inner), one) for inner, one in entry.inner.items())
        else:
            yield (name,), entry


ALL = dict(entries())


def find_command(words: tuple[str, ...]) -> Any:
    command: Any = get_command(app)
    for word in words:
        command = command.commands[word]
    return command


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_each_help_has_examples_and_exit_codes_and_no_types(words: tuple[str, ...]) -> None:
    shown = CliRunner().invoke(app, [*words, "-h"], env={"COLUMNS": "200"}).stdout
    assert "Examples:" in shown
    assert re.search(r"Ends with \d", shown)
    assert not re.findall(r"<(?:bool|str|int|float|path)[^>]*>", shown)
    for param in find_command(words).params:
        assert param.help, f"{param.name} is not explained"
        if getattr(param, "multiple", False):
            assert "repeatable" in param.help


@pytest.mark.parametrize("words", ALL, ids=" ".join)
def test_each_example_uses_what_the_command_takes(words: tuple[str, ...]) -> None:
    command = find_command(words)
    options = {name for param in command.params for name in param.opts}
    for example in ALL[words].examples:
        said = shlex.split(example.partition(">")[0] if "> " in example else example)
        assert said[: 1 + len(words)] == ["xp", *words]
        used = {word for word in said[1 + len(words) :] if word.startswith("-")}
        assert used <= options, example


def test_each_command_stands_in_the_guide_with_its_file() -> None:
    written = {
        (file.stem, (name or function).replace("_", "-"))
        for file in CLI.glob("*.py")
        for owner, name, function in re.findall(
            r'^@(\w+)\.command\((?:"([\w-]+)")?[^)]*\)\ndef (\w+)', file.read_text(), re.MULTILINE
        )
        if owner == "app"
    }
    told = {(entry.module, name) for name, entry in GUIDE.items() if not entry.inner}
    assert written == told, "a command needs its entry in GUIDE, engine/cli/guide.py"
    for name in (name for name, entry in GUIDE.items() if entry.inner):
        assert {*find_command((name,)).commands} == {*GUIDE[name].inner}


def test_the_list_is_grouped_and_a_line_is_one_line() -> None:
    shown = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "80"}).stdout
    heads = [match for match in re.findall(r"╭─ (.+?) ─", shown) if match != "Options"]
    assert heads == list(dict.fromkeys(entry.panel for entry in GUIDE.values()))
    for name, entry in GUIDE.items():
        assert len(entry.line) <= LONGEST_LINE, name
        assert re.search(rf"│ {name} +{re.escape(entry.line)} +│", shown), name


def test_where_jobs_can_run_is_told_in_full() -> None:
    told = find_command(("submit",))
    executor = next(param for param in told.params if param.name == "executor")
    assert re.findall(r"jobs run: ([\w, -]+);", executor.help) == [", ".join(LAUNCHERS)]
