"""An mlruns folder of ours: as MLflow lays it out; tests with its own client are in test_clients.py."""

from __future__ import annotations

import math
from pathlib import Path

from engine.exchange.foreign import Series
from engine.exchange.leaving import LeavingRun
from engine.exchange.mlflow_folder import read_mlruns
from engine.exchange.to_mlflow import file_names, write_mlflow

RUN = LeavingRun("paper", "run-1", "a", "default", 0, "failed", 1_700_000_000.25, 1_700_000_060.0,
                 {"train.lr": 0.1, "arms": ["x"], "name": "net: 'a'"}, {"xp.arm": "a"},
                 {"loss": Series([0, 1], [None, 1_700_000_001.0], [math.nan, -math.inf]),
                  "loss/part": Series([0], [None], [1.0])}, "abc")  # fmt: skip


def test_run_is_read_as_it_was(tmp_path: Path) -> None:
    (folder,) = write_mlflow([RUN], "paper", tmp_path, tmp_path)
    assert folder.parent == tmp_path
    (run,) = read_mlruns(tmp_path).runs
    assert (run.group, run.name, run.status, run.started, run.ended) == (
        "paper", "a@0", "FAILED", 1_700_000_000.25, 1_700_000_060.0
    )  # fmt: skip
    assert run.params == {"train.lr": "0.1", "arms": '["x"]', "name": "net: 'a'"}
    assert run.tags["xp.arm"] == "a"
    assert run.tags["mlflow.source.git.commit"] == "abc"
    series = run.read_values().series
    assert sorted(series) == ["loss/part", "loss_"], "a name cannot be a file and a folder"
    assert math.isnan(series["loss_"].values[0])
    assert series["loss_"].values[1] == -math.inf
    assert series["loss_"].times == [1_700_000_000.25, 1_700_000_001.0]


def test_names_become_keys_that_mlflow_takes() -> None:
    named = {"a b/c-d.e": 1, "x@y": 2, "x#y": 3, "../../up": 4, "": 5, "ü": 6}
    assert file_names(named) == {"a b/c-d.e": 1, "x_y": 2, "x_y_": 3, "up": 4, "_": 5, "__": 6}
