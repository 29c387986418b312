"""How a teacher's features are written down: takes logits and features, gives rows of a cache and back.

A row holds what encoding.py makes of the logits and, after it, each kept feature in fp16 or fp32. Without features it
is encoding.py's row. Online features are rounded alike, so that a student hears the same either way.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.core.distill.encoding import Answers, RowFormat
from engine.errors import JobError
from engine.spec.features import Dtype

NUMBERS: dict[Dtype, tuple[str, torch.dtype]] = {"fp16": ("<f2", torch.float16), "fp32": ("<f4", torch.float32)}


@dataclass(frozen=True)
class FeatureForm:
    """One kept feature as it lies in a row: (places, channels) numbers."""

    places: int
    channels: int
    dtype: Dtype


@dataclass(frozen=True)
class TaughtRows:
    """One row of a view's file: the answer, and the features that are kept beside it."""

    form: RowFormat
    features: tuple[FeatureForm, ...] = ()

    @property
    def dtype(self) -> np.dtype[Any]:
        if not self.features:
            return self.form.dtype
        parts = [(_name(at), NUMBERS[one.dtype][0], (one.places, one.channels)) for at, one in enumerate(self.features)]
        return np.dtype([("answer", self.form.dtype), *parts])

    def encode(self, logits: Tensor, features: Sequence[Tensor]) -> NDArray[Any]:
        """Return the rows of logits (B, classes) and features (B, places, channels). Raises JobError when one cannot be
        kept."""
        answer = self.form.encode(logits)
        if not self.features:
            return answer
        rows = np.empty(len(answer), dtype=self.dtype)
        rows["answer"] = answer
        for at, (form, feature) in enumerate(zip(self.features, features, strict=True)):
            rows[_name(at)] = round_feature(feature, form.dtype).cpu().numpy()
        return rows

    def decode(self, rows: NDArray[Any]) -> Answers:
        """Return what `encode` wrote; rows need not be in memory of their own."""
        if not self.features:
            return self.form.decode(rows)
        kept = (rows[_name(at)].astype(np.float32) for at in range(len(self.features)))
        return replace(self.form.decode(rows["answer"]), features=tuple(torch.from_numpy(one) for one in kept))

    def hear(self, features: Sequence[Tensor]) -> tuple[Tensor, ...]:
        """Return features as they come back from a cache, on their own device: what `online` gives a student."""
        forms = zip(features, self.features, strict=True)
        return tuple(round_feature(feature, form.dtype).float() for feature, form in forms)

    def answer_of(self, rows: NDArray[Any]) -> NDArray[Any]:
        """Return the rows' answers alone."""
        return rows["answer"] if self.features else rows


def round_feature(feature: Tensor, dtype: Dtype) -> Tensor:
    """Return a feature in the numbers that are kept. Raises JobError when one of them is not finite in these."""
    rounded = feature.detach().to(NUMBERS[dtype][1])
    if not torch.isfinite(rounded).all():
        what = f"the teacher gives features that are not finite in {dtype}"
        fix = "keep them in fp32 (dtype: fp32 of the entry), or name another layer"
        raise JobError(what, where="distill.features", fix=fix)
    return rounded


def _name(at: int) -> str:
    return f"feature_{at}"
