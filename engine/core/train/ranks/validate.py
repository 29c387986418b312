"""A part of the data, measured by all ranks: takes the network that each has, gives what one would have found.

Each takes whole batches in turn, and what it found of each image goes to all: so no figure is a mean of means.
"""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor, nn

from engine.core.data.loader import EvalLoader
from engine.core.train.evaluate import Evaluation, OnBatch, gather_parts, judge_batch
from engine.core.train.forward import Forward
from engine.core.train.ranks.group import Ranks


def evaluate_together(
    network: nn.Module, loader: EvalLoader, forward: Forward, on_batch: OnBatch, ranks: Ranks
) -> Evaluation:
    """Return what `evaluate` would; `on_batch` is called in each round of one batch a rank, by all of them.

    `loader` has this rank's share. The network is rank 0's from here on, as far as it may differ by rounding.
    """
    ranks.take_first(list(network.state_dict().values()))
    was_training = network.training
    network.eval()
    chunks = [loader.chunks_of(rank) for rank in range(ranks.share.ranks)]
    parts: list[list[Tensor]] = []
    batches = iter(loader)
    for turn in range(len(chunks[0])):
        batch = next(batches, None)
        if batch is not None:
            parts.append(judge_batch(network, batch, forward))
        seen = sum(len(chunk) for own in chunks for chunk in own[: turn + 1])
        on_batch(seen, len(loader.rows))
    network.train(was_training)
    return gather_parts([_gather(parts, chunks, ranks)])


def _gather(parts: list[list[Tensor]], chunks: list[list[np.ndarray]], ranks: Ranks) -> list[Tensor]:
    """Return the columns of all ranks, in the order of the loader's rows."""
    places = [np.concatenate([np.empty(0, np.int64), *own]) for own in chunks]
    order = torch.from_numpy(np.argsort(np.concatenate(places), kind="stable"))
    mine = [torch.cat(list(column)).cpu() for column in zip(*parts, strict=True)] if parts else None
    kinds = (torch.int64, torch.int64, torch.int64, torch.float32, torch.float32, torch.float32)
    columns = mine or [torch.empty(0, dtype=kind) for kind in kinds]
    return [ranks.gather(column, [len(own) for own in places])[order] for column in columns]
