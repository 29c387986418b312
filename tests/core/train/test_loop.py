"""A training that is stopped or killed anywhere ends with the bits, and the figures, of one that never was."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping

import pytest
import torch
from torch import Tensor

from engine.core.data.loader import Batch
from engine.core.data.pack import Pack
from engine.core.distill.encoding import Answers
from engine.core.train.checkpoint import State
from engine.core.train.loop import Diverged, Loop, Stopped
from engine.spec import Distill, Train

from .toy import KilledHere, Notes, make_loop

Row = tuple[str, float, int, int]


def same_weights(one: Loop, other: Loop) -> bool:
    left, right = one.network.state_dict(), other.network.state_dict()
    return all(torch.equal(left[name], right[name]) for name in left)


def without_speed(rows: list[Row]) -> list[Row]:
    return [row for row in rows if row[0] != "train_images_per_second"]


@pytest.fixture(scope="module")
def straight(pack: Pack) -> tuple[Loop, Notes]:
    notes = Notes()
    loop = make_loop(pack, notes)
    torch.manual_seed(1)
    loop.run()
    return loop, notes


def test_it_learns_and_logs_each_epoch_once(straight: tuple[Loop, Notes]) -> None:
    loop, notes = straight
    steps = loop.recipe.loader.steps_per_epoch
    for name in ("train_loss", "val_loss", "val_top1", "lr", "train_images_per_second"):
        assert [(step, epoch) for known, _, step, epoch in notes.metrics if known == name] == [
            (steps * (epoch + 1), epoch) for epoch in range(3)
        ]
    assert notes.values("train_loss")[-1] < notes.values("train_loss")[0]
    assert notes.values("val_top1")[-1] > 0.5
    assert [step for step, _ in notes.saved] == [steps, 2 * steps, 3 * steps]


@pytest.mark.parametrize("at", [1, 4, 5, 6, 11, 17])
def test_stopped_between_any_steps_it_goes_on_to_the_same_bits(
    pack: Pack, straight: tuple[Loop, Notes], at: int
) -> None:
    first, second = Notes(stop_at=at), Notes()
    stopped = make_loop(pack, first)
    torch.manual_seed(1)
    with pytest.raises(Stopped):
        stopped.run()
    torch.manual_seed(999)
    resumed = make_loop(pack, second)
    resumed.restore(first.saved[-1][1])
    resumed.run()
    assert same_weights(resumed, straight[0])
    assert without_speed(first.metrics + second.metrics) == without_speed(straight[1].metrics)


def test_killed_again_and_again_it_ends_with_the_same_bits(pack: Pack, straight: tuple[Loop, Notes]) -> None:
    """Saves after every step; each life dies three steps after its start."""
    state: Mapping[str, object] | None = None
    for life in range(100):
        start = state["progress"]["step"] if state else 0  # type: ignore[index]
        notes = Notes(kill_at=start + 3)
        loop = make_loop(pack, notes, save_seconds=-1.0)
        torch.manual_seed(1 if state is None else life)
        if state is not None:
            loop.restore(dict(state))
        try:
            loop.run()
            break
        except KilledHere:
            state = notes.saved[-1][1]
    assert life >= 6
    assert same_weights(loop, straight[0])


def test_a_stop_during_validation_keeps_the_epoch_and_logs_it_once(pack: Pack, straight: tuple[Loop, Notes]) -> None:
    first, second = Notes(), Notes()

    def stop_in_validation(phase: str) -> None:
        if phase == "validate":
            first.stop_at = 0

    first.on_beat = stop_in_validation
    stopped = make_loop(pack, first)
    torch.manual_seed(1)
    with pytest.raises(Stopped):
        stopped.run()
    assert first.metrics == []
    resumed = make_loop(pack, second)
    resumed.restore(first.saved[-1][1])
    resumed.run()
    assert same_weights(resumed, straight[0])
    assert without_speed(second.metrics) == without_speed(straight[1].metrics)


def test_a_finished_state_restores_to_no_more_steps(pack: Pack, straight: tuple[Loop, Notes]) -> None:
    notes = Notes()
    loop = make_loop(pack, notes)
    loop.restore(straight[1].saved[-1][1])
    assert loop.run().epoch == 3
    assert (notes.metrics, notes.saved) == ([], [])
    assert same_weights(loop, straight[0])


def test_a_loss_that_is_not_finite_ends_it_and_no_bad_state_is_saved(pack: Pack) -> None:
    notes = Notes()
    loop = make_loop(pack, notes)

    def poison(phase: str) -> None:
        if notes.step == 8:
            with torch.no_grad():
                next(loop.network.parameters()).fill_(math.nan)

    notes.on_beat = poison
    with pytest.raises(Diverged):
        loop.run()
    assert all(torch.isfinite(value).all() for _, state in notes.saved for value in state["network"].values())
    assert notes.saved[-1][0] <= 8


def test_bad_weights_behind_a_finite_loss_are_not_saved(pack: Pack) -> None:
    notes = Notes(stop_at=2)
    loop = make_loop(pack, notes)

    def poison(phase: str) -> None:
        with torch.no_grad():
            next(loop.network.parameters()).fill_(math.inf)

    notes.on_beat = poison
    with pytest.raises(Diverged):
        loop.run()
    assert notes.saved == []


def test_speed_counts_neither_saving_nor_validation(pack: Pack) -> None:
    class Slow(Notes):
        def save(self, state: State, step: int) -> None:
            time.sleep(0.2)
            super().save(state, step)

        def beat(self, phase: str, **figures: float | int | None) -> None:
            time.sleep(0.2 if phase == "validate" else 0.0)
            super().beat(phase, **figures)

    notes = Slow()
    started = time.perf_counter()
    loop = make_loop(pack, notes, save_seconds=-1.0)
    loop.run()
    took = time.perf_counter() - started
    counted = sum(len(loop.recipe.loader.rows) / rate for rate in loop.progress.rates)
    assert counted < took - 0.2 * len(notes.saved)


def test_best_val_takes_the_best_epoch_and_of_equals_the_earlier(pack: Pack, monkeypatch: pytest.MonkeyPatch) -> None:
    notes = Notes()
    train = Train(epochs=4, batch_size=64, lr=1e-2, precision="fp32", checkpoint="best_val")
    loop = make_loop(pack, notes, train=train)
    scores = iter([0.3, 0.8, 0.8, 0.1])
    after: list[Tensor] = []
    kept = loop._keep_best

    def keep(top1: float) -> None:
        after.append(next(loop.network.parameters()).detach().clone())
        kept(next(scores))

    monkeypatch.setattr(loop, "_keep_best", keep)
    loop.run()
    restored = make_loop(pack, Notes(), train=train)
    restored.restore(notes.saved[-1][1])
    for each in (loop, restored):
        assert each.load_tested() == 1
        assert torch.equal(next(each.network.parameters()).detach(), after[1])


def test_last_takes_the_last_epoch(straight: tuple[Loop, Notes]) -> None:
    assert straight[0].load_tested() == 2


def test_the_teacher_is_asked_for_the_epochs_view_until_its_share_is_over(pack: Pack) -> None:
    asked: list[int] = []

    def teacher(batch: Batch) -> Answers:
        asked.append(batch.view)
        return Answers(torch.zeros(len(batch.rows), 10))

    train = Train(epochs=4, batch_size=128, lr=1e-3, precision="fp32")
    make_loop(pack, Notes(), train=train, distill=Distill(until=0.5), teacher=teacher).run()
    assert sorted(set(asked)) == [0, 1]


def test_a_taught_step_minimises_the_distillation_loss(pack: Pack) -> None:
    """Taught by noise alone, a student stays far behind one that has labels."""
    noise = torch.Generator().manual_seed(0)

    def teacher(batch: Batch) -> Answers:
        return Answers(torch.randn(len(batch.rows), 10, generator=noise))

    taught, plain = Notes(), Notes()
    make_loop(pack, taught, distill=Distill(weight=1.0, label_weight=0.0), teacher=teacher).run()
    make_loop(pack, plain).run()
    assert taught.values("val_top1")[-1] < 0.4 < plain.values("val_top1")[-1]
