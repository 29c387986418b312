"""Evaluation: takes a network and a part of the data, gives loss, accuracy and what it said of each image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.nn import functional

from engine.core.data.loader import Batch, EvalLoader
from engine.core.train.forward import Forward

Ints = npt.NDArray[np.int64]
OnBatch = Callable[[int, int], None]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Evaluation:
    """One pass over n images: `rows` are their numbers in the pack, arrays are of length n.

    `loss` is the mean negative log likelihood in nats (no label smoothing), `entropy` that of each prediction in nats.
    """

    loss: float
    top1: float
    rows: Ints
    labels: Ints
    predicted: Ints
    confidence: Floats
    entropy: Floats

    @property
    def n(self) -> int:
        return len(self.rows)


def evaluate(network: nn.Module, loader: EvalLoader, forward: Forward, on_batch: OnBatch) -> Evaluation:
    """Run `network` in eval mode over the loader; `on_batch(images done, all)` may raise to stop early.

    The mode the network was in is put back. No random number is drawn.
    """
    was_training = network.training
    network.eval()
    parts: list[list[Tensor]] = []
    seen = 0
    for batch in loader:
        parts.append(judge_batch(network, batch, forward))
        seen += len(batch.rows)
        on_batch(seen, len(loader.rows))
    network.train(was_training)
    return gather_parts(parts)


def judge_batch(network: nn.Module, batch: Batch, forward: Forward) -> list[Tensor]:
    """Return rows, labels and what `_describe` says of each image of a batch."""
    with torch.inference_mode():
        logits = forward(network, batch.images)
        labels = batch.labels.to(logits.device, non_blocking=True)
        return [batch.rows, batch.labels, *_describe(logits, labels)]


def _describe(logits: Tensor, labels: Tensor) -> list[Tensor]:
    """Return predicted class, confidence, entropy and negative log likelihood of each row of fp32 `logits`."""
    logs = functional.log_softmax(logits, dim=1)
    shares = logs.exp()
    confidence, predicted = shares.max(dim=1)
    entropy = -(shares * logs).sum(dim=1)
    return [predicted, confidence, entropy, -logs.gather(1, labels[:, None]).squeeze(1)]


def gather_parts(parts: list[list[Tensor]]) -> Evaluation:
    """Return what batches came to together."""
    # To the host once, at the end: no batch waits for a copy.
    columns = [torch.cat(list(column)).cpu() for column in zip(*parts, strict=True)]
    rows, labels, predicted, confidence, entropy, losses = columns
    return Evaluation(
        # In doubles: a mean of many thousand fp32 losses would lose digits.
        loss=float(losses.double().mean()),
        top1=float((predicted == labels).double().mean()),
        rows=rows.numpy(),
        labels=labels.numpy(),
        predicted=predicted.numpy(),
        confidence=confidence.float().numpy(),
        entropy=entropy.float().numpy(),
    )
