"""A training with features goes on to the same bits, projectors included; at weight 0 it is the one without."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch

from engine.core.data.loader import Batch
from engine.core.data.pack import Pack
from engine.core.distill.encoding import Answers
from engine.core.distill.hints import Hints
from engine.core.train.loop import Loop, Stopped
from engine.errors import JobError
from engine.spec import Distill, Train

from .toy import Notes, make_loop, make_network

ENTRIES = [
    {"student": "0", "teacher": "t", "loss": "mse"},
    {"student": "2", "teacher": "t", "loss": "smooth_l1", "projector": "orthogonal"},
    {"student": "2", "teacher": "logits", "loss": "answers"},
]
TRAIN = Train(epochs=2, batch_size=64, lr=1e-2, precision="fp32", threads=1, ema=0.9)


def teach(batch: Batch) -> Answers:
    """Answer from an image's own number, whatever batch it is in."""
    rows = batch.rows.double()[:, None]
    logits = torch.sin(rows * torch.arange(1, 11)).float()
    return Answers(
        logits - logits.amax(1, keepdim=True), None, (torch.cos(rows * torch.arange(1, 7))[:, None].float(),)
    )


def taught_loop(pack: Pack, notes: Notes, entries: list[dict[str, Any]] | None = ENTRIES, **words: Any) -> Loop:
    distill = Distill.model_validate({"features": entries or [], **words})
    base = make_loop(pack, notes, train=TRAIN, distill=distill, teacher=teach)
    network = make_network()
    hints = Hints(distill.features, network, 8, [6], 0, 10) if entries else None
    loop = Loop(network, replace(base.recipe, hints=hints), notes)
    torch.manual_seed(1)
    return loop


def weights(loop: Loop) -> dict[str, torch.Tensor]:
    state = loop.capture()
    hints = {f"hints.{name}": value for name, value in state.get("hints", {}).items()}
    return {**state["network"], **hints, **{f"ema.{name}": value for name, value in state["ema"].items()}}


def same(one: Loop, other: Loop) -> bool:
    first, second = weights(one), weights(other)
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.fixture(scope="module")
def straight(pack: Pack) -> Loop:
    loop = taught_loop(pack, Notes())
    loop.run()
    return loop


@pytest.mark.parametrize("at", [1, 6, 8])
def test_stopped_between_steps_it_goes_on_to_the_same_bits(pack: Pack, straight: Loop, at: int) -> None:
    first = Notes(stop_at=at)
    with pytest.raises(Stopped):
        taught_loop(pack, first).run()
    resumed = taught_loop(pack, Notes())
    assert not same(resumed, straight)
    resumed.restore(first.saved[-1][1])
    resumed.run()
    assert same(resumed, straight)


def test_projectors_are_trained_and_no_part_of_the_network(pack: Pack, straight: Loop) -> None:
    before, after = (weights(loop) for loop in (taught_loop(pack, Notes()), straight))
    own = [name for name in before if name.startswith("hints.")]
    assert len(own) == 3 + 4, "a matrix with its bias, directions, and an exit's two matrices with theirs"
    assert all(not torch.equal(before[name], after[name]) for name in own)
    assert set(straight.network.state_dict()) == set(make_network().state_dict())


def test_at_weight_zero_the_student_is_that_of_no_features(pack: Pack) -> None:
    silent = [{**entry, "weight": 0.0} for entry in ENTRIES]
    found = []
    for entries in (silent, None):
        loop = taught_loop(pack, Notes(), entries)
        loop.run()
        found.append(loop.network.state_dict())
    left, right = found
    assert all(torch.equal(left[name], right[name]) for name in left)


def test_features_alone_teach_beside_labels(pack: Pack, straight: Loop) -> None:
    """A logit loss of weight 0, and labels alone beside features, are one training, to rounding."""
    first, second = Notes(), Notes()
    layers = ENTRIES[:2]
    taught_loop(pack, first, layers, weight=0.0, label_weight=1.0).run()
    taught_loop(pack, second, layers, loss="ce").run()
    losses = first.values("train_loss"), second.values("train_loss")
    assert losses[0] == pytest.approx(losses[1], rel=1e-3)
    plain = Notes()
    taught_loop(pack, plain, None, loss="ce").run()
    assert plain.values("train_loss") != pytest.approx(losses[1], rel=1e-2)


def test_after_the_taught_epochs_labels_alone_are_heard(pack: Pack) -> None:
    notes = Notes()
    loop = taught_loop(pack, notes, until=0.5)
    loop.run()
    first = notes.saved[0][1]["hints"]
    assert all(torch.equal(first[name], value) for name, value in loop.capture()["hints"].items())


def test_pieces_of_a_batch_add_up_or_are_refused(pack: Pack) -> None:
    def one_step(micro_batch: int | None, entries: list[dict[str, Any]]) -> torch.Tensor:
        loop = taught_loop(pack, Notes(stop_at=1), entries)
        loop.network[1].eval(), loop.network[4].eval()  # type: ignore[index]
        loop.network.train = lambda mode=True: loop.network  # type: ignore[method-assign]
        loop.recipe = replace(loop.recipe, micro_batch=micro_batch)
        batch = next(iter(loop.recipe.loader.epoch(0)))
        loop._add(batch)
        grad: torch.Tensor = loop.network[0].weight.grad  # type: ignore[index]
        return grad

    torch.testing.assert_close(one_step(16, ENTRIES), one_step(None, ENTRIES), rtol=1e-4, atol=1e-6)
    with pytest.raises(JobError, match="room for 16 of 64"):
        one_step(16, [{"student": "0", "teacher": "t", "loss": "relational"}])
