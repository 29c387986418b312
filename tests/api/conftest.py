"""A home with results for the tests of `import xp`, and no scheduler that starts."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.collect import collect
from engine.home.paths import Home
from tests.helpers.synthetic import Arm, SyntheticHome


@pytest.fixture(autouse=True)
def started(monkeypatch: pytest.MonkeyPatch) -> list[Home]:
    """Note whom a scheduler would be started for, and start none."""
    begun: list[Home] = []
    monkeypatch.setattr("engine.schedule.worker.start_detached", begun.append)
    return begun


@pytest.fixture(scope="package")
def results(tmp_path_factory: pytest.TempPathFactory) -> Home:
    made = SyntheticHome(tmp_path_factory.mktemp("home"))
    odd = {"train": {"epochs": 3, "batch_size": 128, "checkpoint": "last"}}
    sparse = Arm(0.8, kind="longformer")
    made.experiment("paper", {"a": Arm(0.4), "b": sparse, "odd": replace(sparse, settings=odd)}, (0, 1, 2))
    made.experiment("more", {"a": Arm(0.5)}, (0,))
    collect(made.home)
    return made.home
