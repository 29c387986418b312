"""The average, groups of batches, optimizers of timm, schedules, scaled losses: exact on resume, and what they say."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from engine.core.data.loader import TrainLoader
from engine.core.data.pack import Pack
from engine.core.distill.encoding import Answers
from engine.core.train.ema import MovingAverage
from engine.core.train.evaluate import evaluate
from engine.core.train.loop import Loop, Stopped
from engine.core.train.soundness import Diverged
from engine.spec import Distill, Train

from .test_loop import same_weights, without_speed
from .toy import CPU, DATA, KilledHere, Notes, make_loop

BASE: dict[str, Any] = {"epochs": 2, "batch_size": 64, "lr": 1e-2, "precision": "fp32", "threads": 1}
WORDS: dict[str, dict[str, Any]] = {
    "ema": {"ema": 0.9, "checkpoint": "best_val"},
    "accumulate": {"accumulate": 4},
    "accumulate and ema": {"accumulate": 5, "ema": 0.5, "ema_warmup": False},
    "fp16": {"precision": "fp16", "ema": 0.9, "accumulate": 2},
    "fp16 with lamb": {"precision": "fp16", "optimizer": "lamb", "schedule": "linear"},
    "muon": {"optimizer": "muon", "schedule": "poly"},
    "mars": {"optimizer": "mars", "schedule": "tanh"},
    "adamuon": {"optimizer": "nadamuon", "betas": [0.9, 0.9]},
    "lion, corrected": {"optimizer": "clionc", "lr": 1e-3, "schedule": "step", "decay_epochs": 1},
    "adafactor": {"optimizer": "adafactorbv", "schedule": "constant"},
}


def words_loop(pack: Pack, notes: Notes, words: dict[str, Any], **more: Any) -> Loop:
    train = Train.model_validate(BASE | words)
    return make_loop(pack, notes, train=train, forward=replace(CPU, precision=train.precision), **more)


def lives(pack: Pack, words: dict[str, Any], every: int) -> Iterator[tuple[Loop, Notes]]:
    """Yield each life of a training that saves at every chance and dies some steps after its start."""
    state: dict[str, Any] | None = None
    for life in range(100):
        start = state["progress"]["step"] if state else 0
        notes = Notes(kill_at=start + every)
        loop = words_loop(pack, notes, words, save_seconds=-1.0)
        torch.manual_seed(1 if state is None else 100 + life)
        if state is not None:
            loop.restore(state)
        try:
            loop.run()
        except KilledHere:
            yield loop, notes
            state = notes.saved[-1][1]
        else:
            yield loop, notes
            return


@pytest.mark.parametrize("name", WORDS)
def test_killed_again_and_again_it_ends_with_the_same_bits(pack: Pack, name: str) -> None:
    straight, every = Notes(), 2 if "accumulate" in WORDS[name] else 5
    loop = words_loop(pack, straight, WORDS[name])
    torch.manual_seed(1)
    loop.run()
    *before, (last, _) = lives(pack, WORDS[name], every)
    assert len(before) >= 1
    assert same_weights(last, loop)
    assert last.load_tested() == loop.load_tested()
    assert same_weights(last, loop), "what is tested"
    assert straight.values("train_loss")[-1] < straight.values("train_loss")[0]


@pytest.mark.parametrize("at", [1, 2])
def test_a_stop_waits_for_the_end_of_a_group_and_goes_on_to_the_same_figures(pack: Pack, at: int) -> None:
    straight, first, second = Notes(), Notes(stop_at=at), Notes()
    words = {"accumulate": 4, "ema": 0.9}
    whole, stopped, resumed = (words_loop(pack, notes, words) for notes in (straight, first, second))
    torch.manual_seed(1)
    whole.run()
    torch.manual_seed(1)
    with pytest.raises(Stopped):
        stopped.run()
    assert first.saved[-1][1]["progress"]["batch"] in (4, 6), "no gradient is in a checkpoint"
    resumed.restore(first.saved[-1][1])
    resumed.run()
    assert same_weights(resumed, whole)
    assert without_speed(first.metrics + second.metrics) == without_speed(straight.metrics)


def test_a_stop_while_the_average_is_validated_saves_the_networks_own_weights(pack: Pack) -> None:
    straight, first, second = Notes(), Notes(), Notes()

    def stop_in_validation(phase: str) -> None:
        if phase == "validate":
            first.stop_at = 0

    first.on_beat = stop_in_validation
    whole, stopped, resumed = (words_loop(pack, notes, {"ema": 0.99}) for notes in (straight, first, second))
    torch.manual_seed(1)
    whole.run()
    torch.manual_seed(1)
    with pytest.raises(Stopped):
        stopped.run()
    resumed.restore(first.saved[-1][1])
    resumed.run()
    assert same_weights(resumed, whole)
    assert without_speed(second.metrics) == without_speed(straight.metrics)


class Plain(nn.Module):
    """A network in fp64 without BatchNorm or dropout, to which batches are sums of images."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv, self.head = nn.Conv2d(3, 4, 3, stride=2), nn.Linear(36, 10)

    def forward(self, images: Tensor) -> Tensor:
        answer: Tensor = self.head(self.conv(images.double()).flatten(1).tanh())
        return answer


@pytest.mark.parametrize(("loss", "micro_batch"), [("ce", None), ("hinton", 7), ("dkd", None)])
def test_batches_that_are_gathered_are_one_large_batch(pack: Pack, loss: str, micro_batch: int | None) -> None:
    """361 images: groups of 3 batches of 24 have 72, the last one the single image over is left out of both."""
    table = torch.randn(len(pack.labels), 10, generator=torch.Generator().manual_seed(1))
    distill = Distill.model_validate({"loss": loss})
    loops = []
    plain = {"optimizer": "sgd", "lr": 0.1, "clip_grad": None}  # whose steps are as long as its gradients
    for words in ({"batch_size": 24, "accumulate": 3}, {"batch_size": 72}):
        base = words_loop(
            pack, Notes(), plain | words, distill=distill, teacher=lambda batch: Answers(table[batch.rows])
        )
        loop = Loop(Plain().double(), replace(base.recipe, micro_batch=micro_batch), base.hooks)
        loop.run()
        loops.append(loop)
    for one, other in zip(*(loop.network.parameters() for loop in loops), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)
    gathered, large = (loop.hooks.metrics for loop in loops)  # type: ignore[attr-defined]
    assert [row[2:] for row in gathered] == [row[2:] for row in large], "steps are those of the optimizer"
    pairs = [(one, other) for one, other in zip(gathered, large, strict=True) if one[0] != "train_images_per_second"]
    for one, other in pairs:
        assert one[1] == pytest.approx(other[1], rel=1e-4), one[0]


def test_a_coupled_loss_in_pieces_is_scaled_as_a_whole_one_is(pack: Pack) -> None:
    table = torch.randn(len(pack.labels), 10, generator=torch.Generator().manual_seed(1))
    words = {"optimizer": "sgd", "lr": 0.1, "precision": "fp16", "clip_grad": None, "accumulate": 2, "epochs": 1}
    loops = []
    for micro_batch in (None, 24):
        distill = Distill.model_validate({"loss": "dist"})
        base = words_loop(pack, Notes(), words, distill=distill, teacher=lambda batch: Answers(table[batch.rows]))
        loop = Loop(Plain().double(), replace(base.recipe, micro_batch=micro_batch), base.hooks)
        loop.run()
        loops.append(loop)
    for one, other, start in zip(*(loop.network.parameters() for loop in loops), Plain().parameters(), strict=True):
        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-6)
        assert not torch.allclose(one, start.double(), atol=1e-4)


def test_the_last_group_of_an_epoch_takes_the_batches_that_are_left(pack: Pack) -> None:
    notes = Notes()
    loop = words_loop(pack, notes, {"accumulate": 4})
    loop.run()
    assert loop.recipe.loader.steps_per_epoch == 6
    assert [step for step, _ in notes.saved] == [2, 4]
    assert loop.progress.step == 4
    assert len(notes.phases) - notes.phases.count("validate") == 2 * 6, "a heartbeat for each batch"


def test_the_schedule_of_temperatures_and_rates_counts_optimizer_steps(pack: Pack) -> None:
    notes, rates = Notes(), []
    loop = words_loop(pack, notes, {"accumulate": 3, "warmup_epochs": 1, "lr": 1.0, "optimizer": "sgd"})
    step = loop.update.step

    def note(rate: float) -> None:
        rates.append(rate)
        step(1e-3)

    loop.update.step = note  # type: ignore[method-assign]
    loop.run()
    assert rates == pytest.approx([0.5, 1.0, 1.0, 0.5 * (1.0 + 1e-6)])
    assert notes.values("lr") == pytest.approx([rates[1], rates[3]])


def test_what_is_validated_kept_and_tested_is_the_average(pack: Pack) -> None:
    notes = Notes()
    loop = words_loop(pack, notes, {"ema": 0.999, "ema_warmup": False, "checkpoint": "best_val", "epochs": 3})
    start = {name: value.clone() for name, value in loop.network.state_dict().items()}
    shadow = MovingAverage(loop.network, 0.999, warms_up=False)
    step, seen = loop.update.step, []

    def note(rate: float) -> None:
        step(rate)
        seen.append(1)
        shadow.update(len(seen))

    loop.update.step = note  # type: ignore[method-assign]
    torch.manual_seed(1)
    loop.run()
    assert loop.average is not None
    assert all(torch.equal(value, shadow.values[name]) for name, value in loop.average.values.items())
    trained = {name: value.clone() for name, value in loop.network.state_dict().items()}
    with loop.average.shown():
        assert loop.recipe.val_loader is not None
        found = evaluate(loop.network, loop.recipe.val_loader, CPU, lambda seen, total: None)
    assert (found.loss, found.top1) == (notes.values("val_loss")[-1], notes.values("val_top1")[-1])
    assert max(notes.values("val_top1")) == pytest.approx(loop.progress.best_top1)
    assert loop.load_tested() == loop.progress.best_epoch
    tested = loop.network.state_dict()
    assert all(torch.equal(value, loop.best[name]) for name, value in tested.items())
    far, near = ((tested["5.weight"] - other["5.weight"]).norm() for other in (trained, start))
    assert near < 0.1 * far, "an average this slow stays near its first step"


def test_what_is_tested_last_is_the_average_of_the_last_step(pack: Pack) -> None:
    loop = words_loop(pack, Notes(), {"ema": 0.9, "epochs": 1, "warmup_epochs": 0})
    loop.run()
    assert loop.average is not None
    assert not torch.equal(loop.average.values["5.weight"], loop.network.state_dict()["5.weight"])
    assert loop.load_tested() == 0
    assert all(torch.equal(value, loop.average.values[name]) for name, value in loop.network.state_dict().items())


@dataclass
class Spoilt:
    """A network whose gradients overflow in the first steps, its loss being finite."""

    steps: int
    done: int = 0

    def __call__(self, grad: Tensor) -> Tensor:
        self.done += 1
        return grad * math.inf if self.done <= self.steps else grad


def test_steps_whose_gradients_overflow_are_left_out_and_no_divergence(pack: Pack) -> None:
    notes = Notes()
    loop = words_loop(pack, notes, {"precision": "fp16", "epochs": 3})
    next(loop.network.parameters()).register_hook(Spoilt(3))  # type: ignore[no-untyped-call]
    loop.run()
    assert loop.update.scaler is not None
    assert loop.update.scaler.get_scale() == 2.0**13
    assert notes.values("train_loss")[-1] < notes.values("train_loss")[0]
    assert notes.saved[-1][1]["scaler"]["scale"] == 2.0**13


def test_gradients_that_overflow_at_any_scale_end_it(pack: Pack) -> None:
    loop = words_loop(pack, Notes(), {"precision": "fp16", "epochs": 9})
    next(loop.network.parameters()).register_hook(Spoilt(10**6))  # type: ignore[no-untyped-call]
    with pytest.raises(Diverged, match="overflow fp16 at any scale"):
        loop.run()


def test_the_same_gradient_in_fp32_is_a_divergence(pack: Pack) -> None:
    loop = words_loop(pack, Notes(), {"clip_grad": None})
    next(loop.network.parameters()).register_hook(Spoilt(1))  # type: ignore[no-untyped-call]
    with pytest.raises(Diverged):
        loop.run()


def test_a_loader_that_drops_an_image_is_counted_as_it_runs(pack: Pack) -> None:
    loader = TrainLoader(pack, list(range(65)), DATA, 8, 32, 0, None)  # type: ignore[arg-type]
    base = words_loop(pack, Notes(), {"batch_size": 32, "accumulate": 3})
    loop = Loop(base.network, replace(base.recipe, loader=loader), base.hooks)
    assert (loop.groups.steps, loop.groups.images) == (1, 64)
    assert [loop.groups.share(batch) for batch in (0, 1)] == [0.5, 0.5]
