"""How a teacher's answer is written down: takes logits, gives fp16 rows and back; cached and online targets share it.

Up to MOST_CLASSES classes a row holds every logit minus the row's maximum: fp16 is finest near 0, where the classes
that count then lie, and subtracting a constant changes no softmax. Beyond, a row holds the KEPT largest, the log of the
others' summed exponentials, and mean and standard deviation of all. What comes back is then
    exact (to fp16)  the kept logits; the mass of the others at temperature 1; lskd's standardised kept logits
    approximate      the others among themselves: they come back as equal, so at other temperatures their mass is too
                     small; and what a loss makes of a label that is not among the kept
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.errors import JobError

# 1000 classes take 2 KB a row, the 128 largest 0.8 KB; of 21,841 classes those lose 0.14 to 0.55 nats at temperature 2.
MOST_CLASSES, KEPT = 1000, 128
LOWEST = float(np.finfo(np.float16).min)
FINEST = 2.0**-16
"""The least step that counts: nearer to the maximum than 1/64 fp16 resolves finer than networks in fp32 repeat."""


@dataclass(frozen=True)
class Answers:
    """What a teacher says of a batch: `logits` fp32 (B, C), maximum 0; `moments` fp32 (B, 2) are mean and standard
    deviation over all classes, where the logits alone would not give them; `features` fp32 (B, T, C), one for each
    layer that is kept."""

    logits: Tensor
    moments: Tensor | None = None
    features: tuple[Tensor, ...] = ()

    def __getitem__(self, piece: slice) -> Answers:
        moments = None if self.moments is None else self.moments[piece]
        return Answers(self.logits[piece], moments, tuple(feature[piece] for feature in self.features))

    def onto(self, device: torch.device) -> Answers:
        """Return the answers on the device of a training, for which the host does not wait."""
        moments = None if self.moments is None else self.moments.to(device, non_blocking=True)
        features = tuple(feature.to(device, non_blocking=True) for feature in self.features)
        return Answers(self.logits.to(device, non_blocking=True), moments, features)

    def divided(self, temperature: float) -> Answers:
        """Return the answers of the same teacher with all its logits divided."""
        moments = None if self.moments is None else self.moments / temperature
        return Answers(self.logits / temperature, moments, self.features)


@dataclass(frozen=True)
class RowFormat:
    """How one row of a file lies on disk; `kept` is None where every class is there."""

    classes: int
    kept: int | None

    @property
    def dtype(self) -> np.dtype[Any]:
        if self.kept is None:
            return np.dtype(("<f2", (self.classes,)))
        parts = [("logits", "<f2", (self.kept,)), ("classes", "<i4", (self.kept,)), ("rest", "<f4")]
        return np.dtype([*parts, ("moments", "<f4", (2,))])

    def encode(self, logits: Tensor) -> NDArray[Any]:
        """Return the rows of logits (B, classes) as they are kept. Raises JobError when one is not finite."""
        if self.kept is None:
            return encode_logits(logits).cpu().numpy()
        return _encode_top(logits, self.kept, self.dtype)

    def decode(self, rows: NDArray[Any]) -> Answers:
        """Return what `encode` wrote; rows need not be in memory of their own."""
        if self.kept is None:
            return Answers(torch.from_numpy(rows.astype(np.float32)))
        return _decode_top(rows, self.classes)


def row_format(classes: int) -> RowFormat:
    """Return how answers over `classes` classes are kept."""
    return RowFormat(classes, None if classes <= MOST_CLASSES else KEPT)


def quantise(logits: Tensor) -> Answers:
    """Return logits (B, C) as they come back from a cache, on their own device: what `online` gives a student."""
    form = row_format(logits.shape[1])
    if form.kept is None:
        return Answers(encode_logits(logits).float())
    return form.decode(form.encode(logits)).onto(logits.device)


def encode_logits(logits: Tensor) -> Tensor:
    """Return logits (B, C) minus their row's maximum in fp16. Raises JobError when one is not finite."""
    raw = _finite(logits)
    # Below LOWEST fp16 has only minus infinity.
    return (raw - raw.amax(dim=1, keepdim=True)).clamp(min=LOWEST).half()


def count_steps(one: NDArray[np.float16], other: NDArray[np.float16], *, finest: float = FINEST) -> float:
    """Return the largest difference of two arrays in steps of fp16 at that place, `finest` at least."""
    if not one.size:
        return 0.0
    larger = np.minimum(np.maximum(np.abs(one), np.abs(other)), np.float16(2.0**15))  # no step beyond would be finite
    step = np.maximum(np.spacing(larger).astype(np.float64), finest)
    return float((np.abs(one.astype(np.float64) - other.astype(np.float64)) / step).max())


def _finite(logits: Tensor) -> Tensor:
    raw = logits.detach().float()
    if not torch.isfinite(raw).all():
        raise JobError(
            "the teacher gives logits that are not finite",
            where="teacher",
            fix="run it in fp32 (train.precision: fp32), or check its weights",
        )
    return raw


def _encode_top(logits: Tensor, kept: int, dtype: np.dtype[Any]) -> NDArray[Any]:
    raw = _finite(logits).cpu()
    shifted = raw - raw.amax(dim=1, keepdim=True)
    best = shifted.topk(kept, dim=1)
    # The kept ones are taken out: `rest` is the mass of the others.
    others = shifted.scatter(1, best.indices, -math.inf)
    rows = np.empty(len(raw), dtype=dtype)
    rows["logits"] = best.values.clamp(min=LOWEST).half().numpy()
    rows["classes"] = best.indices.int().numpy()
    rows["rest"] = others.logsumexp(dim=1).numpy()
    rows["moments"] = torch.stack([shifted.mean(1), shifted.std(1, correction=0)], dim=1).numpy()
    return rows


def _decode_top(rows: NDArray[Any], classes: int) -> Answers:
    """The others share their mass evenly: log(mass / count) each."""
    kept = rows["logits"].shape[1]
    rest = torch.from_numpy(rows["rest"].astype(np.float32)) - math.log(classes - kept)
    values = torch.from_numpy(rows["logits"].astype(np.float32))
    logits = rest[:, None].repeat(1, classes).scatter(1, torch.from_numpy(rows["classes"].astype(np.int64)), values)
    return Answers(logits, torch.from_numpy(rows["moments"].astype(np.float32)))
