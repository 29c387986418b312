"""Offline runs of ours: as W&B lays them out; a test with its own messages is in test_clients.py."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

from engine.exchange.foreign import Series
from engine.exchange.to_wandb import write_wandb
from engine.exchange.wandb_folder import read_wandb
from tests.exchange.test_to_mlflow import RUN


def test_run_is_read_as_it_was(tmp_path: Path) -> None:
    series = {"x": Series([0, 2, 2], [10.0, 20.0, 30.0], [1.0, math.nan, -math.inf]), "y": Series([2], [25.0], [0.5])}
    run = replace(RUN, params={"train.lr": 0.1, "train": 3}, series=series)
    (folder,) = write_wandb([run], "paper", tmp_path, tmp_path)
    assert folder.name.startswith("offline-run-20231114_221320-")
    (back,) = read_wandb(tmp_path).runs
    assert (back.group, back.name, back.status) == ("paper", "a@0", "failed")
    assert back.params == {"train.lr": 0.1, "train": 3}, "a path that is another's beginning stays flat"
    assert back.tags["xp.arm"] == "a"
    told = back.read_values().series
    assert (told["x"].steps, str(told["x"].values)) == ([0, 2, 2], "[1.0, nan, -inf]")
    assert told["x"].times == [10.0, 25.0, 30.0], "values of one row have one time"
    assert told["y"].values == [0.5]


def test_settings_are_nested_as_a_config(tmp_path: Path) -> None:
    write_wandb([replace(RUN, params={"train.lr": 0.1, "train.ema.decay": 0.9})], "paper", tmp_path, tmp_path)
    assert read_wandb(tmp_path).runs[0].params == {"train": {"lr": 0.1, "ema": {"decay": 0.9}}}
