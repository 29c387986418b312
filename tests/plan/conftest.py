"""What the tests of planning stand on: a home, the quickstart with changes, a folder of ImageNet's classes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from PIL import Image

from engine.home.paths import Home, open_home
from engine.load import load_spec
from engine.plan import Plan, make_plan

QUICKSTART = Path(__file__).parents[2] / "specs" / "quickstart.yaml"
WORDNET = ("n01440764", "n02102040", "n03028079")
Planner = Callable[..., Plan]


@pytest.fixture(autouse=True)
def _unasked(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files of these tests hold a tensor or two: whether they fit is asked in test_weights_fit.py, what else there."""
    monkeypatch.setattr("engine.plan.child.run_child", lambda module, question: [])


@pytest.fixture(autouse=True)
def _fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    """Published weights count as here, whatever the cache of whoever runs the tests holds: tests/inputs/test_hub.py."""
    monkeypatch.setattr("engine.inputs.hub.is_cached", lambda repository: True)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return open_home(tmp_path / "home", create=True)


@pytest.fixture
def plan(home: Home) -> Planner:
    """Plan the quickstart with overrides; `teacher.` words are its teacher's."""
    return lambda *overrides: make_plan(load_spec(QUICKSTART, overrides), home)


@pytest.fixture
def wordnet(tmp_path: Path) -> tuple[str, ...]:
    """Overrides that put a folder of WordNet classes in the place of the digits."""
    for label, name in enumerate(WORDNET):
        (tmp_path / "images" / name).mkdir(parents=True)
        for number in range(10):
            colour = (80 * label, 20 * number, 7 * label * number)
            Image.new("RGB", (8, 8), colour).save(tmp_path / "images" / name / f"{number}.png")
    return ("data.source=folder", f"data.root={tmp_path / 'images'}")
