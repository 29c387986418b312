"""Statistics and masks of the whole batch, by a rank that knows where its images lie in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
import torch.nn.functional as F
from timm.layers import BatchNormAct2d
from timm.layers import DropPath as TimmDropPath
from torch import Tensor, nn

from engine.core.data.share import Share
from engine.core.network.layers import DropPath
from engine.core.train.ranks.batch_wide import BatchWide, Place, in_whole_batch, require_known_draws
from engine.core.train.ranks.group import Ranks, open_ranks
from engine.errors import JobError

PLACE = Place(2, 3, 8)


@pytest.fixture
def ranks(tmp_path: Path) -> Iterator[Ranks]:
    yield open_ranks(Share(0, 1), tmp_path / "meeting", torch.device("cpu"))
    dist.destroy_process_group()


def norm_twice(ranks: Ranks, norm: nn.Module, x: Tensor) -> list[list[Tensor]]:
    """Return outputs, gradients and running statistics, as torch has them and as ranks do."""
    found, start = [], {name: value.clone() for name, value in norm.state_dict().items()}
    for is_shared in (False, True):
        norm.load_state_dict(start)
        norm.zero_grad()
        entered = x.clone().requires_grad_()
        if is_shared:
            with in_whole_batch(ranks, [len(x)]):
                y = norm(entered)
        else:
            y = norm(entered)
        (y.square() * torch.arange(y.numel()).view(y.shape)).mean().backward()
        assert entered.grad is not None
        grads = [value.grad for value in norm.parameters() if value.grad is not None]
        found.append([y.detach(), entered.grad, *grads, *(value.clone().float() for value in norm.buffers())])
    return found


@pytest.mark.parametrize("norm", [nn.BatchNorm2d(4), BatchNormAct2d(4), nn.BatchNorm2d(4, affine=False)], ids=str)
def test_statistics_gradients_and_running_ones_are_torchs(ranks: Ranks, norm: nn.Module) -> None:
    torch.manual_seed(0)
    plain, shared = norm_twice(ranks, norm.train(), 3 + torch.randn(6, 4, 5, 5))
    for one, other in zip(plain, shared, strict=True):
        torch.testing.assert_close(other, one, rtol=2e-5, atol=2e-5)


def test_evaluation_takes_the_running_statistics(ranks: Ranks) -> None:
    norm, x = nn.BatchNorm2d(4).eval(), torch.randn(2, 4, 3, 3)
    with in_whole_batch(ranks, [2]):
        assert torch.equal(norm(x), F.batch_norm(x, torch.zeros(4), torch.ones(4), norm.weight, norm.bias))


@pytest.mark.parametrize("layer", [DropPath(0.5), TimmDropPath(0.5), nn.Dropout(0.5)], ids=["ours", "timm", "torch"])
@pytest.mark.parametrize("each", [1, 4])
def test_a_rank_has_its_rows_of_the_masks_of_one_process(ranks: Ranks, layer: nn.Module, each: int) -> None:
    whole = 1.0 + torch.rand(8 * each, 5, 2)
    torch.manual_seed(3)
    expected = layer.train()(whole)
    after = torch.get_rng_state()
    torch.manual_seed(3)
    with BatchWide(ranks, PLACE):
        mine = layer(whole[2 * each : 5 * each])
    assert torch.equal(mine, expected[2 * each : 5 * each])
    # All generators stay alike, whoever has which images.
    assert torch.equal(torch.get_rng_state(), after)


def test_a_mask_that_is_of_no_image_is_refused(ranks: Ranks) -> None:
    with BatchWide(ranks, PLACE), pytest.raises(JobError, match=r"shape \(4, 2\) belong to no image of a batch of 3"):
        F.dropout(torch.ones(4, 2), 0.5)


def test_the_trial_leaves_no_trace(ranks: Ranks) -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.Dropout(0.2), DropPath(0.3)).eval()
    before, random = [buffer.clone() for buffer in network.buffers()], torch.get_rng_state()
    require_known_draws(network, lambda images: network(images.float()), 8, ranks)
    assert all(torch.equal(one, other) for one, other in zip(network.buffers(), before, strict=True))
    assert torch.equal(torch.get_rng_state(), random)
    assert not network.training
