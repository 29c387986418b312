"""A batch that goes through the network in pieces gives the gradient, and the training, of the whole."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise

import pytest
import torch
from torch import Tensor, nn

from engine.core.data.loader import Batch
from engine.core.data.pack import Pack
from engine.core.distill.encoding import Answers
from engine.core.distill.losses import LOSSES, distill_loss
from engine.core.network.layers import DropPath
from engine.core.train.loop import Loop
from engine.core.train.micro_batch import couple_pieces, cut_batch, draws_masks, has_batch_norm, sum_pieces
from engine.spec import Distill, Train

from .toy import Notes, make_loop, make_network

IMAGES, CLASSES = 30, 7


def plain_network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 8, 3, stride=2), nn.GELU(), nn.Flatten(), nn.Linear(72, 10))


@pytest.mark.parametrize(("count", "most", "least"), [(64, 32, 1), (64, 24, 1), (7, 3, 1), (3, 2, 2), (1, 1, 1)])
def test_pieces_cover_the_batch_once_in_order_and_none_is_too_large_or_small(count: int, most: int, least: int) -> None:
    pieces = cut_batch(count, most, least)
    assert (pieces[0].start, pieces[-1].stop) == (0, count)
    assert all(one.stop == two.start for one, two in pairwise(pieces))
    sizes = [piece.stop - piece.start for piece in pieces]
    assert max(sizes) <= most or least > 1
    assert min(sizes) >= least
    assert cut_batch(count, None) == [slice(0, count)]


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("most", [1, 7, 16])
def test_each_loss_has_the_gradient_of_the_whole_batch(loss: str, most: int) -> None:
    torch.manual_seed(3)
    network = nn.Sequential(nn.Linear(5, 16), nn.GELU(), nn.Linear(16, CLASSES)).double()
    images, labels = torch.randn(IMAGES, 5, dtype=torch.double), torch.randint(0, CLASSES, (IMAGES,))
    teacher = 3 * torch.randn(IMAGES, CLASSES)

    def logits(piece: slice) -> Tensor:
        answer: Tensor = network(images[piece]).float()
        return answer

    def error(answers: Tensor, piece: slice) -> Tensor:
        return distill_loss(Distill.model_validate({"loss": loss}), answers, teacher[piece], labels[piece], 0.1)

    def gradients() -> Tensor:
        found = torch.cat([weight.grad.flatten() for weight in network.parameters() if weight.grad is not None])
        network.zero_grad()
        return found

    whole = error(logits(slice(0, IMAGES)), slice(0, IMAGES))
    whole.backward()  # type: ignore[no-untyped-call]
    wanted, pieces = gradients(), cut_batch(IMAGES, most)
    ways = [couple_pieces(network, pieces, logits, error)]
    torch.testing.assert_close(gradients(), wanted, rtol=1e-4, atol=1e-6)
    if not LOSSES[loss].couples:
        ways.append(sum_pieces(pieces, logits, error))
        torch.testing.assert_close(gradients(), wanted, rtol=1e-4, atol=1e-6)
    torch.testing.assert_close(torch.stack(ways), whole.detach().expand(len(ways)), rtol=1e-5, atol=1e-6)


def test_a_loss_over_the_columns_of_a_batch_is_no_sum_of_its_pieces() -> None:
    """What `couples` is for: were the columns taken piece by piece, the gradient would be another."""
    assert [name for name, spec in LOSSES.items() if spec.couples] == ["dist", "skd"]


def test_two_passes_count_running_statistics_once_and_draw_the_same_masks() -> None:
    network, images = make_network().train(), torch.rand(12, 3, 8, 8)
    once = make_network().train()
    seen: list[Tensor] = []

    def logits(piece: slice) -> Tensor:
        answer: Tensor = network(images[piece])
        seen.append(answer.detach())
        return answer

    torch.manual_seed(4)
    couple_pieces(network, cut_batch(12, 4), logits, lambda answers, piece: answers.square().mean())
    torch.testing.assert_close(torch.cat(seen[:3]), torch.cat(seen[3:]), rtol=0, atol=0)
    torch.manual_seed(4)
    for piece in cut_batch(12, 4):
        once(images[piece])
    assert all(torch.equal(one, two) for one, two in zip(network.buffers(), once.buffers(), strict=True))


def run_split(pack: Pack, micro_batch: int | None, loss: str) -> tuple[Loop, list[list[int]]]:
    """Train three epochs taught by fixed noise; return the loop and the rows of each step."""
    rows: list[list[int]] = []
    table = torch.randn(len(pack.labels), 10, generator=torch.Generator().manual_seed(1))
    distill = Distill.model_validate({"loss": loss})
    train = Train(epochs=3, batch_size=64, lr=1e-3, precision="fp32")
    base = make_loop(pack, Notes(), distill=distill, train=train, teacher=lambda batch: Answers(table[batch.rows]))
    loop = Loop(plain_network(), replace(base.recipe, micro_batch=micro_batch), Notes())
    step = loop._add

    def note(batch: Batch) -> None:
        rows.append(batch.rows.tolist())
        step(batch)

    loop._add = note  # type: ignore[method-assign]
    loop.run()
    return loop, rows


@pytest.mark.parametrize("loss", ["ce", "hinton", "dist"])
def test_a_training_in_micro_batches_is_the_whole_one_up_to_rounding(pack: Pack, loss: str) -> None:
    whole, order = run_split(pack, None, loss)
    pieces, again = run_split(pack, 24, loss)
    assert again == order
    assert pieces.progress.step == whole.progress.step
    for one, two in zip(whole.network.parameters(), pieces.network.parameters(), strict=True):
        torch.testing.assert_close(two, one, rtol=1e-3, atol=1e-4)
    losses = [[value for name, value, _, _ in loop.hooks.metrics if name == "train_loss"] for loop in (whole, pieces)]  # type: ignore[attr-defined]
    assert losses[0] == pytest.approx(losses[1], rel=1e-4)


def test_what_couples_images_or_draws_is_known() -> None:
    assert has_batch_norm(make_network())
    assert draws_masks(make_network())
    assert not has_batch_norm(plain_network())
    assert not draws_masks(plain_network())
    assert not draws_masks(nn.Sequential(nn.Dropout(0.0), DropPath(0.0)))
    assert draws_masks(DropPath(0.1))
