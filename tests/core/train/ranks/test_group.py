"""What one rank hears of the others; of several in tests/core/train/ranks/program.py."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
import torch.distributed as dist

from engine.core.data.share import Share
from engine.core.train.ranks.group import INTERFACE, PeerLost, Ranks, open_ranks


@pytest.fixture
def ranks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ranks]:
    monkeypatch.setenv(INTERFACE, "lo")
    yield open_ranks(Share(0, 1), tmp_path / "meeting", torch.device("cpu"))
    dist.destroy_process_group()


def test_one_rank_hears_itself(ranks: Ranks) -> None:
    rows, value = torch.rand(3, 2), torch.tensor([1.5])
    assert torch.equal(ranks.gather(rows, [3]), rows)
    ranks.sum(value)
    assert (value.tolist(), ranks.any([True, False]), ranks.is_first) == ([1.5], [True, False], True)


def test_tensors_keep_shape_kind_and_layout(ranks: Ranks) -> None:
    image = torch.rand(2, 3, 4, 4).contiguous(memory_format=torch.channels_last)
    before, count = image.clone(), torch.tensor(7)
    ranks.sum_all([image, count, torch.rand(2, dtype=torch.float64)])
    assert torch.equal(image, before)
    assert image.is_contiguous(memory_format=torch.channels_last)
    assert int(count) == 7


def test_a_message_that_fails_says_that_a_peer_is_lost(ranks: Ranks, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*words: object) -> None:
        raise RuntimeError("Connection closed by peer [127.0.0.1]:5")

    monkeypatch.setattr(dist, "all_reduce", fail)
    with pytest.raises(PeerLost, match="closed by peer"):
        ranks.any([True])


def test_memory_that_ends_is_no_lost_peer(ranks: Ranks, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*words: object) -> None:
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(dist, "all_gather", fail)
    with pytest.raises(torch.OutOfMemoryError):
        ranks.gather(torch.ones(1), [1])
