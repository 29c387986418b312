"""One home with runs of each tool for all tests of the room: to take results in needs half a second each time."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from engine.collect import collect
from engine.exchange.folders import read_renaming
from engine.exchange.importing import Imported, Wish, import_runs
from engine.home.paths import Home, open_home
from tests.exchange.sources import MADE, START, write_mlruns, write_neptune


@pytest.fixture(scope="session")
def brought(tmp_path_factory: pytest.TempPathFactory) -> tuple[Home, list[Imported]]:
    """Experiments `cifar` (MLflow), `old` (the same, renamed), `proj`, `tensorboard`, `team_proj`."""
    folder = tmp_path_factory.mktemp("brought")
    home = open_home(folder / "home", create=True)
    odd = [(0, START, float("nan")), (0, START, float("inf")), (1, START + 1, 2.0)]
    mlruns = write_mlruns(folder / "mlruns", 4, more={"odd": odd})
    done = import_runs(home, "mlflow", mlruns, Wish())
    done += import_runs(home, "mlflow", mlruns, Wish(name="old", renamings=(read_renaming("val_acc=val_top1"),)))
    done += import_runs(home, "wandb", MADE / "wandb", Wish())
    done += import_runs(home, "tensorboard", MADE / "tensorboard", Wish())
    done += import_runs(home, "neptune", write_neptune(folder / "neptune"), Wish())
    collect(home, wait=60.0)
    return home, done


@pytest.fixture
def home(brought: tuple[Home, list[Imported]], tmp_path: Path) -> Home:
    """A copy of it that a test may change."""
    shutil.copytree(brought[0].root, tmp_path / "home")
    return open_home(tmp_path / "home")
