"""Hints add the weighted losses of a spec's entries, and the student is no other network for them."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from engine.core.distill.encoding import Answers
from engine.core.distill.feature_losses import attention_loss, cosine_loss, mse_loss
from engine.core.distill.hints import Hints
from engine.core.distill.taps import reduce_map
from engine.errors import JobError
from engine.spec.features import Feature, kept_features

from ..train.toy import make_network


def entry(**words: Any) -> Feature:
    return Feature.model_validate({"student": "0", "teacher": "t", **words})


def make_hints(*features: Feature, channels: int = 6, seed: int = 0) -> tuple[Hints, nn.Module]:
    network = make_network()
    return Hints(features, network, 8, [channels] * len(kept_features(features)), seed, 10), network


def heard(hints: Hints, network: nn.Module, teacher: list[Tensor]) -> Tensor:
    with hints.listening():
        network.eval()(torch.linspace(-1, 1, 5 * 3 * 64).view(5, 3, 8, 8).sin())
    return hints.loss(Answers(torch.zeros(5, 10), None, tuple(teacher)), lambda logits: logits.sum())


def test_the_loss_is_the_weighted_sum_of_the_entries() -> None:
    entries = (entry(weight=2.0), entry(loss="cosine", weight=3.0), entry(loss="attention", pool=3))
    hints, network = make_hints(*entries)
    wide, energy = torch.randn(5, 1, 6), torch.rand(5, 9, 1)
    images = torch.linspace(-1, 1, 5 * 3 * 64).view(5, 3, 8, 8).sin()
    found = network[0](images)  # type: ignore[index]
    mean, places = reduce_map(found, 1, "map"), reduce_map(found, 3, "energy")
    # kept: the map and the energy, in the order of their canonical text
    kept = [wide, energy] if hints.places == [0, 0, 1] else [energy, wide]
    parts = [
        2.0 * mse_loss(hints.projectors[0](mean), wide),
        3.0 * cosine_loss(hints.projectors[1](mean), wide),
        1000.0 * attention_loss(places, energy),
    ]
    torch.testing.assert_close(heard(hints, network, kept), torch.stack(parts).sum())


def test_gradients_reach_the_student_and_its_projector() -> None:
    hints, network = make_hints(entry(projector="orthogonal", loss="smooth_l1"))
    heard(hints, network, [torch.randn(5, 1, 6)]).backward()  # type: ignore[no-untyped-call]
    grads = [*(value.grad for value in hints.parameters()), network[0].weight.grad]  # type: ignore[index]
    assert len(grads) == 2
    assert all(grad is not None and grad.abs().sum() > 0 for grad in grads)


def test_projectors_follow_the_seed_and_draw_nothing_of_the_trainings() -> None:
    network = make_network()
    torch.manual_seed(7)
    wanted = torch.rand(3)
    torch.manual_seed(7)
    one, other, again = (Hints([entry()], network, 8, [6], seed) for seed in (1, 2, 1))
    assert torch.equal(torch.rand(3), wanted)
    first, second, third = (hints.state_dict()["projectors.0.map.weight"] for hints in (one, other, again))
    assert torch.equal(first, third)
    assert not torch.equal(first, second)


def test_the_network_is_no_part_of_its_hints() -> None:
    hints, network = make_hints(entry())
    assert {name.split(".")[0] for name in hints.state_dict()} == {"projectors"}
    assert "projectors" not in "".join(network.state_dict())
    assert not network[0]._forward_hooks  # type: ignore[index]


def test_channels_that_differ_need_a_projector() -> None:
    with pytest.raises(JobError, match="0 has 8 channels and the teacher's t 6"):
        make_hints(entry(projector="none"))
    make_hints(entry(projector="none"), channels=8)
    make_hints(entry(loss="relational"), entry(loss="attention"))


@pytest.mark.parametrize(("loss", "couples"), [("relational", False), ("mse", True)])
def test_a_batch_in_pieces_is_refused_where_images_are_compared(loss: str, couples: bool) -> None:
    hints, _ = make_hints(entry(loss=loss))
    hints.refuse_pieces(64, None, couples=couples)
    hints.refuse_pieces(16, 16, couples=couples)
    with pytest.raises(JobError, match="room for 16 of 64 images"):
        hints.refuse_pieces(64, 16, couples=couples)
    make_hints(entry())[0].refuse_pieces(64, 16, couples=False)


def test_an_exit_hears_the_logits_by_their_loss() -> None:
    exit_entry = entry(teacher="logits", loss="answers", weight=3.0)
    hints, network = make_hints(exit_entry, entry())
    with hints.listening():
        found = network.eval()[0](torch.ones(5, 3, 8, 8))  # type: ignore[index]
    seen: list[Tensor] = []

    def answer_loss(logits: Tensor) -> Tensor:
        seen.append(logits)
        return logits.square().mean()

    answers = Answers(torch.zeros(5, 10), None, (torch.zeros(5, 1, 6),))
    loss = hints.loss(answers, answer_loss)
    (logits,) = seen
    assert logits.shape == (5, 10)
    torch.testing.assert_close(logits, hints.projectors[0].eval()(found))
    rest = mse_loss(hints.projectors[1](found.mean((2, 3))[:, None]), torch.zeros(5, 1, 6))
    torch.testing.assert_close(loss, 3.0 * logits.square().mean() + rest)
