"""Event files of ours: as TensorBoard reads them; tests with its own reader are in test_clients.py."""

from __future__ import annotations

import math
from dataclasses import replace
from pathlib import Path

from engine.exchange.foreign import Series
from engine.exchange.tensorboard_files import read_tensorboard
from engine.exchange.to_tensorboard import write_tensorboard
from tests.exchange.test_to_mlflow import RUN


def test_run_is_read_as_it_was(tmp_path: Path) -> None:
    run = replace(RUN, params={"lr": 0.1, "deep": True, "layers": [1]}, series={"x": Series([-3], [5.5], [math.inf])})
    (folder,) = write_tensorboard([run, replace(run, cell="split=80/20", seed=1)], "paper", tmp_path, tmp_path)
    assert folder == tmp_path / "paper"
    first, second = read_tensorboard(folder).runs
    assert (first.id, second.id) == ("a/seed_0", "a/split=80_20/seed_1")
    assert first.params == {"lr": 0.1, "deep": True, "layers": "[1]"}
    assert first.tags == {"xp.arm": "a"}
    told = first.read_values().series["x"]
    assert (told.steps, told.times, told.values) == ([-3], [5.5], [math.inf])
