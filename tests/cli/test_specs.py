"""Commands about specs: every file is looked at, what is wrong is told apart from what is absent, JSON is alone."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from engine.cli import app, main
from engine.home.paths import open_home
from tests.helpers.trained import Trainer

BARE = "name: bare\ndata: {source: digits, image_size: 32}\nstudent: {arch: tiny_vit_5m}\n"


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "bare.yaml"
    path.write_text(BARE + "seeds: [0, 1, 2]\narms: {a: {}, b: {train.lr: 0.1}}\n")
    return path


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


def test_each_valid_spec_says_its_arms_and_seeds(spec: Path) -> None:
    answer = run("validate", spec)
    assert (answer.exit_code, answer.stdout, answer.stderr) == (0, f"{spec}: valid, 2 arms, 3 seeds\n", "")


def test_one_wrong_spec_does_not_hide_the_others(spec: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(BARE + "bogus: 1\n")
    answer = run("validate", wrong, spec)
    assert answer.exit_code == 2
    assert answer.stdout == f"{spec}: valid, 2 arms, 3 seeds\n"
    assert f"{wrong}:4" in answer.stderr


ALIASES = "".join(f"b{n}: &b{n} [{', '.join([f'*b{n - 1}'] * 10)}]\n" for n in range(1, 9))
NO_SPECS = {
    "tag": BARE + "title: !!python/object:os.system x\n",
    "brackets": BARE + f"title: {'[' * 3000}{']' * 3000}\n",
    "aliases": BARE + f"b0: &b0 [x, x]\n{ALIASES}",
    "digits": BARE + f"seeds: [{'9' * 5000}]\n",
    "cells": BARE + "matrix: {train.lr: &v [" + ", ".join(map(str, range(1, 400))) + "], train.epochs: *v}\n",
}


@pytest.mark.parametrize("command", ["validate", "plan"])
@pytest.mark.parametrize("case", NO_SPECS)
def test_what_no_spec_may_hold_ends_with_2_at_its_line(
    case: str, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Through `main`, as from a terminal: any error that is not ours would come out as it is."""
    (tmp_path / "wrong.yaml").write_text(NO_SPECS[case])
    monkeypatch.setattr("sys.argv", ["xp", command, str(tmp_path / "wrong.yaml")])
    monkeypatch.setenv("XP_HOME", str(tmp_path / "home"))
    with pytest.raises(SystemExit) as ended:
        main()
    lines = capsys.readouterr().err.splitlines()
    assert ended.value.code == 2
    assert re.match(rf"{re.escape(str(tmp_path))}/wrong\.yaml:\d+:\d+: ", lines[0])
    assert any(line.startswith("fix: ") for line in lines)


def test_what_is_absent_is_a_warning_with_its_file(spec: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.inputs.missing.absent_inputs", lambda _: ["no images there"])
    answer = run("validate", spec)
    assert (answer.exit_code, answer.stderr) == (0, f"warning: {spec}: no images there\n")


def test_each_warning_is_told_once(spec: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.inputs.missing.absent_inputs", lambda _: ["it looks small", "no images"])
    monkeypatch.setattr("engine.inputs.missing.names_weights", lambda _: True)
    monkeypatch.setattr("engine.plan.leaks.find_leaks", lambda *_: (None, ("it looks small", "unknown")))
    told = ("it looks small", "no images", "unknown")
    assert run("validate", spec).stderr == "".join(f"warning: {spec}: {line}\n" for line in told)


@pytest.mark.parametrize("command", [pytest.param("validate", marks=pytest.mark.slow), "plan", "submit"])
def test_a_leak_through_weights_ends_with_2(command: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trainer = Trainer(tmp_path, open_home(tmp_path / "home", create=True))
    file, home = trainer.train(), ["--home", str(trainer.home.root)]
    words = ["name=second", "data.split=20/10/70", "data.split_seed=5", f"student.weights={file}"]
    told = [word for one in words for word in ("--set", one)]
    assert _main([command, str(trainer.spec), *told, *home]) == 2
    err = capsys.readouterr().err
    assert (
        f"student.weights <- weights.safetensors, job {file.parents[3].name} (digits 80/10/10, split seed 0): " in err
    )
    assert "1007 of 1257 test images of this run were trained on" in err
    assert "\nfix: " in err
    assert len(trainer.home.records("second")) == 0


@pytest.mark.parametrize("command", [pytest.param("validate", marks=pytest.mark.slow), "plan", "submit"])
def test_weights_of_unknown_training_are_a_warning(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Also where there is no home yet: a spec is checked without one, and none is made."""
    trainer = Trainer(tmp_path, open_home(tmp_path / "home", create=True))
    carried = trainer.copy(trainer.train(says=False))
    monkeypatch.setenv("XP_HOME", str(tmp_path / "new"))
    more = ["--no-start"] if command == "submit" else []
    _main([command, str(trainer.spec), "--set", f"student.weights={carried}", *more])
    said = "student.weights <- carried.safetensors: of unknown training: it may have been trained on"
    assert f"{said} this run's test images" in capsys.readouterr().err.replace("\n", " ")
    assert (tmp_path / "new").exists() == (command != "validate")


def _main(words: list[str]) -> int:
    """Through `main`, as from a terminal."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("sys.argv", ["xp", *words])
        with pytest.raises(SystemExit) as caught:
            main()
    return int(caught.value.code or 0)


def test_overrides_and_overlays_are_laid_over_a_spec(spec: Path, tmp_path: Path) -> None:
    overlay = tmp_path / "more.yaml"
    overlay.write_text("seeds: [7]\n")
    assert "2 arms, 1 seed" in run("validate", spec, "--overlay", overlay).stdout
    assert run("validate", spec, "--set", "train.epochs=none").exit_code == 2


@pytest.mark.parametrize("as_json", [False, True])
def test_a_plan_is_a_table_or_json_alone_on_stdout(spec: Path, tmp_path: Path, as_json: bool) -> None:
    answer = run("plan", spec, "--home", tmp_path / "home", *(["--json"] if as_json else []))
    assert answer.exit_code == 0
    if as_json:
        assert len(json.loads(answer.stdout)["runs"]) == 6
        assert answer.stderr == ""
    else:
        assert "6 runs, " in answer.stdout
        assert answer.stderr == ""


def test_a_schema_is_that_of_a_spec() -> None:
    told = json.loads(run("schema").stdout)
    assert told["title"] == "Spec"
    assert {"name", "data", "student", "arms", "claims"} <= told["properties"].keys()


def test_init_names_what_it_laid_out_and_what_comes_next(tmp_path: Path) -> None:
    answer = run("init", tmp_path)
    laid = [Path(line) for line in answer.stdout.splitlines()]
    assert tmp_path / "specs" / "quickstart.yaml" in laid
    assert all(path.is_file() for path in laid)
    assert answer.stderr == "next: xp submit specs/quickstart.yaml --wait && xp report quickstart\n"


def test_describe_shows_a_network_once_with_its_arms(
    spec: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tables: list[Any] = [
        SimpleNamespace(arm=arm, num_classes=count, rows=(), as_json=lambda arm=arm: {"arm": arm})
        for arm, count in (("a", 10), ("b", 3), ("c", 10))
    ]
    monkeypatch.setattr("engine.inspect.layers.describe_arms", lambda *_: tables)
    plain = run("describe", spec, "--home", tmp_path / "home")
    assert plain.stderr == ""
    assert "a, c (10 classes)" in plain.stdout
    assert "b (3 classes)" in plain.stdout
    told = run("describe", spec, "--json", "--home", tmp_path / "home")
    assert json.loads(told.stdout) == [{"arm": "a"}, {"arm": "b"}, {"arm": "c"}]
