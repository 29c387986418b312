"""mlruns folders: every value, what is deleted, what is broken."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from engine.exchange.foreign import BrokenRun
from engine.exchange.mlflow_folder import is_mlruns, read_mlruns
from tests.exchange.sources import CURVE, START, write_mlflow_run, write_mlruns


def test_run_comes_with_all_that_it_tells(tmp_path: Path) -> None:
    found = read_mlruns(write_mlruns(tmp_path, 1, more={"train/loss": [(0, START, 2.5)]}))
    (run,) = found.runs
    assert (run.group, run.id, run.name, run.status) == ("cifar", "0" * 32, "net_0", "FINISHED")
    assert (run.started, run.ended) == (START, START + 60)
    assert run.params == {"opt.lr": "0.1", "seed": "0"}
    assert run.tags == {"team": "ours"}
    assert run.artifacts == f"file:///there/{'0' * 32}"
    values = run.read_values().series
    assert values["train/loss"].values == [2.5]
    told = values["val_acc"]
    assert list(zip(told.steps, told.times, told.values, strict=True)) == list(CURVE)


def test_odd_numbers_and_repeated_steps_are_kept(tmp_path: Path) -> None:
    odd = [(1, START, float("nan")), (0, START, float("-inf")), (1, START + 1, 4.0)]
    (run,) = read_mlruns(write_mlruns(tmp_path, 1, more={"odd": odd})).runs
    told = run.read_values().series["odd"]
    assert told.steps == [0, 1, 1]
    assert told.values[0] == -math.inf
    assert math.isnan(told.values[1])
    assert told.values[2] == 4.0, "the latest of a step is its last"


def test_line_without_a_step_is_of_an_old_mlflow(tmp_path: Path) -> None:
    root = write_mlruns(tmp_path, 1)
    (root / "7" / ("0" * 32) / "metrics" / "val_acc").write_text("1700000000000 0.5\n")
    assert read_mlruns(root).runs[0].read_values().series["val_acc"].steps == [0]


def test_deleted_runs_are_left_out_and_told(tmp_path: Path) -> None:
    root = write_mlruns(tmp_path, 1)
    write_mlflow_run(root / "7", "f" * 32, "old", 0, {}, stage="deleted")
    found = read_mlruns(root)
    assert len(found.runs) == 1
    assert "1 runs that were deleted" in found.left_out[0]


def test_broken_run_is_left_out_and_named(tmp_path: Path) -> None:
    root = write_mlruns(tmp_path, 2)
    (root / "7" / f"{1:032x}" / "meta.yaml").write_text("run_id: [\n")
    found = read_mlruns(root)
    assert [run.id for run in found.runs] == ["0" * 32]
    assert f"{1:032x}" in found.left_out[0]
    assert "meta.yaml" in found.left_out[0]


def test_value_that_is_none_names_its_line(tmp_path: Path) -> None:
    root = write_mlruns(tmp_path, 1)
    (root / "7" / ("0" * 32) / "metrics" / "val_acc").write_text("1700000000000 0.5 0\n1700000000000 many 1\n")
    with pytest.raises(BrokenRun) as error:
        read_mlruns(root).runs[0].read_values()
    assert error.value.where.endswith("val_acc:2")


def test_other_folders_are_no_mlruns(tmp_path: Path) -> None:
    (tmp_path / "12").mkdir()
    assert not is_mlruns(tmp_path)
    assert is_mlruns(write_mlruns(tmp_path))
