"""Offline runs of W&B: what its client wrote, and files by the rules of the format."""

from __future__ import annotations

import math
from pathlib import Path

import pytest

from engine.errors import DataError
from engine.exchange.wandb_folder import HEAD, read_wandb, wandb_files
from tests.exchange.sources import MADE, write_wandb_run


def test_run_of_the_client_comes_with_all_that_it_tells() -> None:
    (run,) = read_wandb(MADE / "wandb").runs
    assert (run.group, run.id, run.name, run.status, run.note) == ("proj", "rfv1anu1", "trial", "finished", "my note")
    assert run.params == {"lr": 0.1, "seed": 3, "model": {"name": "vit", "dims": [1, 2]}}
    assert run.tags == {"tags": ["t1"], "group": "g1"}
    assert run.started is not None
    assert run.ended is not None
    assert 0 < run.ended - run.started < 60


def test_every_value_of_the_client_comes_in() -> None:
    values = read_wandb(MADE / "wandb").runs[0].read_values()
    assert values.series["val_acc"].steps == [0, 2, 4]
    assert values.series["val_acc"].values == [0.0, 0.1, 0.2]
    assert values.series["train.loss"].values == [1.0, 0.5, 1 / 3]
    assert values.series["odd"].values[:2] == [0.0, 1.0]
    assert math.isnan(values.series["odd"].values[2])
    assert values.series["big"].values == [math.inf]
    assert values.series["best"].values == [0.99], "what the summary alone has"
    assert sorted(values.series) == ["best", "big", "odd", "train.loss", "val_acc"]
    assert values.left == {"histogram objects": 1, "texts": 1, "truth values": 1}


def test_values_without_a_time_or_of_one_step_stay(tmp_path: Path) -> None:
    write_wandb_run(tmp_path, "a", [{"_step": 3, "x": 1}, {"_step": 3, "x": 2, "y": {"z": 5, "t": "no"}}])
    values = read_wandb(tmp_path).runs[0].read_values()
    assert (values.series["x"].steps, values.series["x"].times) == ([3, 3], [None, None])
    assert values.series["y.z"].values == [5.0]
    assert values.left == {"texts": 1}


def test_run_that_did_not_end_says_so(tmp_path: Path) -> None:
    write_wandb_run(tmp_path, "a", [], exit_code=None)
    write_wandb_run(tmp_path, "b", [], exit_code=1)
    assert [run.status for run in read_wandb(tmp_path).runs] == ["running", "failed"]


def test_killed_run_has_all_before_its_torn_end(tmp_path: Path) -> None:
    path = write_wandb_run(tmp_path, "a", [{"_step": at, "x": at} for at in range(5)], exit_code=None)
    path.write_bytes(path.read_bytes()[:-4])
    values = read_wandb(tmp_path).runs[0].read_values()
    assert values.series["x"].values == [0, 1, 2, 3]
    assert "cut off" in values.notes[0]


@pytest.mark.parametrize("data", [b"", b"text", HEAD[:-1] + b"\x07" + bytes(40), HEAD + b"\x01" * 60])
def test_other_bytes_are_left_out_and_told(tmp_path: Path, data: bytes) -> None:
    write_wandb_run(tmp_path, "a", [])
    write_wandb_run(tmp_path, "b", []).write_bytes(data)
    found = read_wandb(tmp_path)
    assert [run.id for run in found.runs] == ["a"]
    assert "run-b.wandb" in found.left_out[0]


def test_link_to_the_latest_run_counts_once(tmp_path: Path) -> None:
    path = write_wandb_run(tmp_path / "wandb", "a", [])
    (tmp_path / "wandb" / "latest-run").symlink_to(path.parent.name)
    assert wandb_files(tmp_path) == wandb_files(tmp_path / "wandb") == wandb_files(path.parent) == [path]


def test_folder_without_runs_says_so(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no runs of W&B"):
        read_wandb(tmp_path)
