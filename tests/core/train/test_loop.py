"""A training that is stopped or killed anywhere ends with the bits, and the figures, of one that never was."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from engine.core.data.loader import Batch
from engine.core.data.pack import Pack
from engine.core.distill.encoding import Answers
from engine.core.train.checkpoint import State
from engine.core.train.loop import Loop, Stopped
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


def test_the_logged_loss_is_the_mean_over_images_however_large_their_batches(pack: Pack) -> None:
    """With a rate of next to nothing the network stays as it is: the loss of each image, by hand."""
    notes = Notes()
    train = Train(epochs=2, batch_size=64, lr=1e-30, min_lr=0.0, precision="fp32", clip_grad=None, warmup_epochs=0)
    network = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(192, 10))
    loop = Loop(network, make_loop(pack, notes, train=train).recipe, notes)
    loop.run()
    for epoch in range(2):
        losses = []
        for batch in loop.recipe.loader.epoch(epoch):
            logits = loop.network(batch.images / 127.5 - 1).detach()
            losses.append(torch.logsumexp(logits, 1) - logits.gather(1, batch.labels[:, None])[:, 0])
        assert len(torch.cat(losses)) == len(loop.recipe.loader.rows)
        assert notes.values("train_loss")[epoch] == pytest.approx(float(torch.cat(losses).double().mean()), rel=1e-5)
    assert notes.values("lr") == pytest.approx(
        [1e-30 * (1 + math.cos(math.pi * step / 12)) / 2 for step in (5, 11)], abs=0.0
    )


def test_validation_figures_are_those_of_the_network_after_the_epoch(pack: Pack) -> None:
    notes = Notes()
    loop = make_loop(pack, notes, train=Train(epochs=1, batch_size=64, lr=1e-2, precision="fp32"))
    loop.run()
    loader = loop.recipe.val_loader
    assert loader is not None
    hits, losses = [], []
    for batch in loader:
        logits = loop.network.eval()(batch.images / 127.5 - 1).detach()
        hits.append(logits.argmax(1) == batch.labels)
        losses.append(torch.logsumexp(logits, 1) - logits.gather(1, batch.labels[:, None])[:, 0])
    assert notes.values("val_top1") == [pytest.approx(float(torch.cat(hits).double().mean()))]
    assert notes.values("val_loss") == [pytest.approx(float(torch.cat(losses).double().mean()), rel=1e-5)]


@pytest.mark.parametrize(("norm", "least"), [(True, 2), (False, 1)])
def test_batch_norm_never_sees_a_single_image(pack: Pack, norm: bool, least: int) -> None:
    loop = make_loop(pack, Notes(stop_at=1))
    sizes: list[int] = []
    layers = [torch.nn.BatchNorm2d(3)] if norm else []
    network = torch.nn.Sequential(*layers, torch.nn.Flatten(), torch.nn.Linear(192, 10))
    network.register_forward_pre_hook(lambda _, inputs: sizes.append(len(inputs[0])))
    loop = Loop(network, replace(loop.recipe, micro_batch=1), loop.hooks)
    with pytest.raises(Stopped):
        loop.run()
    assert sizes == [least] * (64 // least)


def test_each_beat_says_how_far_it_is(pack: Pack) -> None:
    told: list[tuple[str, dict[str, float | int | None]]] = []

    class Heard(Notes):
        def beat(self, phase: str, **figures: float | int | None) -> None:
            told.append((phase, figures))
            super().beat(phase, **figures)

    loop = make_loop(pack, Heard(), train=Train(epochs=2, batch_size=64, lr=1e-3, precision="fp32"))
    loop.run()
    steps = [figures for phase, figures in told if phase == "train"]
    assert [one["step"] for one in steps] == list(range(1, 13))
    assert [one["epoch"] for one in steps] == [0] * 6 + [1] * 6
    assert {(one["steps"], one["epochs"]) for one in steps} == {(12, 2)}
    assert all(1.0 < float(one["loss"] or 0) < 4.0 for one in steps[:6]), "the mean loss of an image so far"
    assert all(float(one["rate"] or 0) > 0 for one in steps)
    assert [figures["step"] for phase, figures in told if phase == "validate"] == [6] * 3 + [12] * 3


class OnCard:
    """A sum that says it lies on a GPU, so that the loop looks at it now and then."""

    device = torch.device("cuda")

    def __init__(self) -> None:
        self.value = torch.zeros((), dtype=torch.float64)

    def __iadd__(self, more: torch.Tensor) -> OnCard:
        self.value += more
        return self

    def __float__(self) -> float:
        return float(self.value)

    def zero_(self) -> None:
        self.value.zero_()


def test_on_a_gpu_the_loss_that_is_told_is_a_mean_of_the_images_it_was_summed_over(
    pack: Pack, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A rate of nothing: each batch has about the same loss, and half of it or twice would be told of other images."""
    monkeypatch.setattr("engine.core.train.loop.LOOK_STEPS", 4)
    told: list[float | int | None] = []

    class Heard(Notes):
        def beat(self, phase: str, **figures: float | int | None) -> None:
            told.extend([figures["loss"]] if phase == "train" else [])
            super().beat(phase, **figures)

    loop = make_loop(pack, Heard(), train=Train(epochs=1, batch_size=64, lr=1e-30, precision="fp32"))
    loop.loss_sum = OnCard()  # type: ignore[assignment]  # all that the loop asks of it
    loop.run()
    assert told[:3] == [None] * 3
    assert all(float(one or 0) == pytest.approx(float(told[3] or 0), rel=1e-6) for one in told[3:])
    assert 2.0 < float(told[3] or 0) < 3.0, "about log 10"


@pytest.mark.parametrize(("seconds", "saves"), [(50.0, [3, 6, 6, 9, 12, 12]), (600.0, [6, 12])])
def test_it_saves_when_the_seconds_since_the_last_save_are_over(
    pack: Pack, monkeypatch: pytest.MonkeyPatch, seconds: float, saves: list[int]
) -> None:
    """A clock that goes on by 20 s at each step."""
    notes = Notes()
    monkeypatch.setattr("engine.core.train.loop.time.monotonic", lambda: 20.0 * notes.step)
    train = Train(epochs=2, batch_size=64, lr=1e-3, precision="fp32")
    make_loop(pack, notes, train=train, save_seconds=seconds).run()
    assert [step for step, _ in notes.saved] == saves


def test_speed_is_images_over_the_seconds_of_their_steps(pack: Pack, monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that ticks once a look and an hour in each save: the images over the looks of an epoch."""
    clock = [0.0]

    def tick() -> float:
        clock[0] += 1.0
        return clock[0]

    class Slow(Notes):
        def save(self, state: State, step: int) -> None:
            clock[0] += 3600.0
            super().save(state, step)

    monkeypatch.setattr("engine.core.train.loop.time.perf_counter", tick)
    notes = Slow()
    make_loop(pack, notes, save_seconds=-1.0).run()
    looks = [361 / rate for rate in notes.values("train_images_per_second")]
    assert len(set(looks)) == 1
    assert 7 <= looks[0] <= 20


def test_asked_to_stop_after_its_last_step_an_epoch_is_whole(pack: Pack) -> None:
    class Late(Notes):
        def save(self, state: State, step: int) -> None:
            super().save(state, step)
            self.stop_at = 0

    notes = Late()
    with pytest.raises(Stopped):
        make_loop(pack, notes).run()
    assert [step for step, _ in notes.saved] == [6]
    assert notes.saved[0][1]["progress"]["epoch"] == 1
    assert len(notes.values("val_top1")) == 1


def test_each_step_is_in_training_mode_and_validation_is_not(pack: Pack) -> None:
    modes: list[tuple[int, bool]] = []
    loop = make_loop(pack, Notes(), train=Train(epochs=2, batch_size=64, lr=1e-3, precision="fp32"))
    loop.network.register_forward_pre_hook(lambda module, _: modes.append((loop.progress.epoch, module.training)))
    loop.network.eval()
    loop.run()
    one = [(0, True)] * 6 + [(0, False)] * 3
    assert modes == one + [(1, mode) for _, mode in one]
