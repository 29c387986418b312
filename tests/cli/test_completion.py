"""What a shell completes: names, addresses, metrics, fields, files; in a real bash; never loudly in a broken home."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from engine.cli import app, completion
from engine.cli.completion import rejoin_words
from engine.home.paths import Home
from store.format import FORMATS
from store.metrics import METRICS
from tests.helpers.synthetic import Arm, SyntheticHome

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> SyntheticHome:
    made = SyntheticHome(tmp_path_factory.mktemp("completion") / ".xp")
    for name in ("study", "other"):
        runs = made.experiment(name, {"dense": Arm(), "sparse": Arm()}, seeds=(0, 1))
        made.record(name, runs, "dense", ())
    return made


@pytest.fixture
def home(made: SyntheticHome, monkeypatch: pytest.MonkeyPatch) -> Home:
    monkeypatch.setenv("XP_HOME", str(made.home.root))
    return made.home


class Context:
    """What typer hands on: the words so far."""

    params: dict[str, Any] = {}  # noqa: RUF012  # nobody changes it
    parent = None


@pytest.mark.parametrize(
    ("find", "begun", "found"),
    [(completion.experiments, "", ["other", "study"]), (completion.experiments, "st", ["study"]),
     (completion.addresses, "", ["other", "study"]),
     (completion.addresses, "stu", ["study", "study/dense", "study/sparse"]),
     (completion.addresses, "study/s", ["study/sparse"]),
     (completion.addresses, "study/sparse@", ["study/sparse@0", "study/sparse@1"]),
     (completion.metrics, "test_top", [name for name in sorted(METRICS) if name.startswith("test_top")]),
     (completion.metric_lists, "params,macs", [f"params,{one}" for one in sorted(METRICS) if one.startswith("macs")]),
     (completion.words, "train.lr", ["train.lr"]), (completion.words, "cells.arm", ["cells.arm"]),
     (completion.settings, "train.lr", ["train.lr="]),
     (completion.settings, "train.precision=b", ["train.precision=bf16"]),
     (completion.styles, "", sorted(FORMATS))],
)  # fmt: skip
def test_values_are_completed(home: Home, find: completion.Complete, begun: str, found: list[str]) -> None:
    assert find(Context(), begun) == found


def test_files_are_completed_with_their_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "specs").mkdir()
    for name in ("specs/one.yaml", "specs/two.yml", "specs/notes.txt", "specs/.hidden.yaml"):
        Path(name).touch()
    assert completion.spec_files(Context(), "") == ["specs/"]
    assert completion.spec_files(Context(), "specs/") == ["specs/one.yaml", "specs/two.yml"]
    assert completion.templates(Context(), "") == ["specs/"]


@pytest.mark.parametrize("damage", ["absent", "file", "record", "large"])
def test_a_broken_home_completes_nothing_and_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], damage: str
) -> None:
    monkeypatch.setenv("XP_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(completion, "MOST_BYTES", 100)
    if damage == "file":
        (tmp_path / "home").write_text("")
    elif damage in ("record", "large"):
        (tmp_path / "home" / "experiments" / "one").mkdir(parents=True)
        (tmp_path / "home" / "experiments" / "one" / "1.json").write_text(
            "{" if damage == "record" else "{" + " " * 200
        )
    for find in (completion.addresses, completion.experiments, completion.removals):
        assert find(Context(), "one/") == []
    assert capsys.readouterr() == ("", "")


def test_each_argument_that_names_something_is_completed() -> None:
    named = ("ID", "SPEC", "EXPERIMENT", "EXPERIMENT/ARM", "METRIC", "PATH=VALUE", "RUN", "RUN|FILE", "SPEC...")
    bare = [
        f"{name} {param.name}"
        for name, command in get_command(app).commands.items()  # type: ignore[attr-defined]  # of a group
        for param in command.params
        if param.metavar in named and param._custom_shell_complete is None
    ]
    assert bare == []


@pytest.mark.parametrize(
    ("words", "found", "begun"),
    [(["xp", "logs", "study/"], ["xp", "logs", "study/"], ""),
     (["xp", "logs", "study/a", "@", ""], ["xp", "logs", "study/a@"], "study/a@"),
     (["xp", "logs", "study/a", "@"], ["xp", "logs", "study/a@"], "study/a@"),
     (["xp", "logs", "study/a", "@", "1"], ["xp", "logs", "study/a@1"], "study/a@"),
     (["xp", "submit", "--set", "train.lr", "=", "0", "-"], ["xp", "submit", "--set", "train.lr=0", "-"], "")],
)  # fmt: skip
def test_what_bash_takes_apart_is_one_word_again(words: list[str], found: list[str], begun: str) -> None:
    assert rejoin_words(words) == (found, begun)


ASK = """
source "$1"
cd "$2"
for line in "${@:3}"; do
    COMP_LINE="$line"; COMP_POINT=${#line}
    # As readline takes a line apart: at blanks, and at the signs of COMP_WORDBREAKS.
    mapfile -t COMP_WORDS < <(printf '%s' "$line" | grep -oE '[@=:]+|[^ @=:]+'); [[ $line == *' ' ]] && COMP_WORDS+=("")
    COMP_CWORD=$(( ${#COMP_WORDS[@]} - 1 ))
    COMPREPLY=()
    $(complete -p xp | grep -oP '(?<=-F )\\S+') xp
    echo "${COMPREPLY[*]}"
done
"""


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not here")
def test_a_real_bash_completes(home: Home, tmp_path: Path) -> None:
    """The script that --show-completion prints, sourced, asked for several lines; the home is found upwards."""
    (tmp_path / "bin").mkdir()
    xp = tmp_path / "bin" / "xp"
    xp.write_text(f"#!{sys.executable} -P\nfrom engine.cli import main\nmain()\n")
    xp.chmod(0o755)
    given = {**os.environ, "PATH": f"{xp.parent}:{os.environ['PATH']}", "PYTHONPATH": str(ROOT), "SHELL": "/bin/bash",
             "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1"}  # fmt: skip
    given.pop("XP_HOME")
    below = home.root.parent / "below"
    below.mkdir(exist_ok=True)
    shown = subprocess.run([xp, "--show-completion", "bash"], capture_output=True, text=True, env=given, check=True)
    script = tmp_path / "complete.sh"
    script.write_text(shown.stdout)
    lines = ["xp stat", "xp logs stu", "xp logs study/sparse@", "xp compare study/dense study/sp", "xp sql --form",
             "xp submit x.yaml --set train.preci", "xp submit x.yaml --set train.precision=b",
             "xp explain train.batch"]  # fmt: skip
    words = ["bash", "--norc", "-c", ASK, "bash", str(script), str(below), *lines]
    done = subprocess.run(words, capture_output=True, text=True, env=given, check=True)
    assert done.stderr == ""
    assert done.stdout.splitlines() == [
        "status", "study study/dense study/sparse", "0 1", "study/sparse", "--format",
        "train.precision=", "bf16", "train.batch_size",
    ]  # fmt: skip
