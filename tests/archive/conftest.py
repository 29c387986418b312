"""One small home and its archive for all tests of the room: a report takes seconds to draw."""

from __future__ import annotations

import pytest

from engine.archive.making import Made, make_archive
from tests.helpers.synthetic import Arm, SyntheticHome

ARMS = {"original": Arm(images=40), "proposed": Arm(0.7, 560.0, kind="longformer", images=40)}


@pytest.fixture(scope="session")
def lived(tmp_path_factory: pytest.TempPathFactory) -> SyntheticHome:
    """A home with a damaged nothing: two arms, two seeds, a network's file, a changed code."""
    home = SyntheticHome(tmp_path_factory.mktemp("lived"), sealed=True)
    home.experiment("other", {"original": Arm(images=10)}, seeds=(0,))
    home.experiment("paper", ARMS, seeds=(0, 1))
    return home


@pytest.fixture(scope="session")
def made(lived: SyntheticHome, tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make_archive(lived.home, ["paper"], tmp_path_factory.mktemp("made") / "paper.zip")
