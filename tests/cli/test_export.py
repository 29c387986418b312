"""`xp export` and `xp predict` from a terminal: mistakes that people make end with 2 and say the fix."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.testing import CliRunner

from engine.cli import app
from engine.errors import XpError
from engine.home.paths import open_home
from engine.run import exporting
from engine.schedule.lookup import find_run
from tests.helpers.trained import Trainer

ARMS = "arms={one: {}, two: {train.lr: 1.0e-3}}"


@pytest.fixture(scope="module")
def trainer(tmp_path_factory: pytest.TempPathFactory) -> Trainer:
    folder = tmp_path_factory.mktemp("trainer")
    trainer = Trainer(folder, open_home(folder / "home", create=True))
    trainer.train(ARMS, "seeds=[0, 1]")
    return trainer


def invoke(trainer: Trainer, *words: str) -> str:
    answer = CliRunner().invoke(app, ["--home", str(trainer.home.root), *words])
    assert answer.exception is not None
    return str(answer.exception)


def test_formats_and_names_are_refused_with_the_fix(trainer: Trainer) -> None:
    assert "fix: did you mean 'onnx'" in invoke(trainer, "export", "first/one@0", "--format", "onx")
    assert "litert needs litert_torch" in invoke(trainer, "export", "first/one@0", "--format", "litert")
    assert "there is no such file" in invoke(trainer, "predict", "network.safetensors", "a.png")


def test_runs_are_found_by_arm_seed_and_id(trainer: Trainer) -> None:
    found = find_run(trainer.home, "first/one@1")
    assert (found.name, found.seed, found.arm) == ("first/one@1", 1, "one")
    assert find_run(trainer.home, found.run) == found
    assert find_run(trainer.home, f"first/one/{found.cell}@1") == found


@pytest.mark.parametrize(
    ("name", "what", "fix"),
    [
        ("first/one", "is 2 runs", "first/one@0, first/one@1"),
        ("first/one@7", "has no seed '7'", ""),
        ("first/onne@0", "has no arm 'onne'", "one"),
        ("frist/one@0", "has no experiment 'frist'", "first"),
        ("first", "is an experiment", "first/one, first/two"),
    ],
)
def test_names_that_are_no_run_are_told(trainer: Trainer, name: str, what: str, fix: str) -> None:
    with pytest.raises(XpError) as caught:
        find_run(trainer.home, name)
    assert what in caught.value.what
    assert fix in caught.value.fix


def test_a_file_lands_in_a_folder_that_is_named(
    trainer: Trainer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Path] = []

    def export(home: object, job: str, form: str, path: Path, *, force: bool) -> object:
        asked.append(path)
        raise XpError("far enough")

    monkeypatch.setattr(exporting, "export_network", export)
    for folder in (tmp_path, tmp_path / "new"):
        assert "far enough" in invoke(trainer, "export", "first/one@0", "--format", "pt2", "-o", str(folder))
    assert asked == [tmp_path / "first-one-seed0.pt2", tmp_path / "new" / "first-one-seed0.pt2"]
    assert (tmp_path / "new").is_dir()
