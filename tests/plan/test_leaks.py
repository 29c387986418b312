"""What a check of a spec says of its plan: a leak refuses, a run that is not here is a warning, all else is silent."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.home.paths import Home, open_home
from engine.inputs.leaks import LeakError
from engine.inputs.missing import names_weights
from engine.load import load_spec
from engine.plan.leaks import find_leaks
from tests.helpers.trained import Trainer

OTHER = ("name=second", "data.split=20/10/70", "data.split_seed=5")


@pytest.fixture
def trainer(tmp_path: Path) -> Trainer:
    return Trainer(tmp_path, open_home(tmp_path / "home", create=True))


def find(trainer: Trainer, home: Home | None, *words: str) -> tuple[LeakError | None, tuple[str, ...]]:
    refusal, warnings = find_leaks(load_spec(trainer.spec, words), home)
    return refusal, tuple(warnings)


def test_a_leak_is_found_with_a_home_and_by_its_header_without(trainer: Trainer) -> None:
    words = (*OTHER, f"student.weights={trainer.train()}")
    for home in (trainer.home, None):
        assert "were trained on" in str(find(trainer, home, *words)[0])


@pytest.mark.parametrize("is_there", [True, False])
def test_a_run_that_is_not_here_is_a_warning(is_there: bool, trainer: Trainer) -> None:
    refusal, (line,) = find(trainer, trainer.home if is_there else None, "teacher={run: first/first}")
    assert refusal is None
    assert line.startswith("teacher.run: this home has no experiment 'first'\nfix: submit")
    assert find(trainer, trainer.home, "teacher={run: first/first}", "prune={ratio: 0.99}")[1] == (line,), "told first"


def test_a_run_that_is_here_is_none(trainer: Trainer) -> None:
    trainer.train()
    assert find(trainer, trainer.home, "name=second", "teacher={run: first/first}") == (None, ())
    _, (line,) = find(trainer, trainer.home, "name=second", "teacher={run: first/frist}")
    assert "first has no arm 'frist'" in line


def test_what_else_a_plan_refuses_is_not_said_twice(trainer: Trainer) -> None:
    trainer.train()
    words = ("teacher={run: first/first}", "data.source=folder", f"data.root={trainer.folder}")
    assert find(trainer, trainer.home, *words) == (None, ())
    assert not names_weights(load_spec(trainer.spec, ["train.batch_size=5000"])), "nothing is asked of such a spec"
