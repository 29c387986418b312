"""One run's curves: read from the journals of its job while they are there, else from the results."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.cli import run_curves
from engine.cli.run_curves import draw_curves, read_curves
from engine.home.paths import Home
from store.journal import JournalWriter
from tests.helpers.queueing import make_home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = make_home(tmp_path)
    first, second = (home.job("train-1").attempt(number) for number in (1, 2))
    for attempt in (first, second):
        attempt.root.mkdir(parents=True)
    with JournalWriter(first.journal) as journal:
        for epoch, value in enumerate((0.1, 0.2, 0.9)):
            journal.metric("val_top1", value, step=10 * epoch, epoch=epoch)
    with JournalWriter(second.journal) as journal:
        journal.resumed(1, 10, 2)
        journal.metric("val_top1", 0.3, step=20, epoch=2)
        journal.metric("train_loss", 2.0, step=20, epoch=2)
    return home


def test_curves_are_the_chain_of_attempts_by_epochs_from_one(home: Home) -> None:
    assert read_curves(home, "train-1") == {
        "val_top1": ((1.0, 0.1), (2.0, 0.2), (3.0, 0.3)), "train_loss": ((3.0, 2.0),),
    }  # fmt: skip


def test_without_journals_the_results_are_asked(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    told = {"val_loss": ((1.0, 0.5),), "val_top1": ()}
    monkeypatch.setattr(run_curves, "_published", lambda _home, _job, name: told.get(name, ()))
    assert read_curves(home, "train-none") == {"val_loss": ((1.0, 0.5),)}
    monkeypatch.undo()
    assert read_curves(home, "train-none") == {}


@pytest.mark.parametrize(("height", "charts"), [(24, 2), (11, 1)])
def test_losses_and_accuracy_have_a_drawing_each_where_there_is_room(height: int, charts: int) -> None:
    lines = draw_curves({"train_loss": ((1.0, 2.0), (2.0, 1.0)), "val_top1": ((1.0, 0.1), (2.0, 0.9))}, 60, height)
    heads = [line.plain for line in lines if line.plain.startswith(("loss", "accuracy"))]
    assert heads == ["loss  train_loss 1", "accuracy  val_top1 0.9"][:charts]
    assert len(lines) == height
