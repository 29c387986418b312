"""What a batch is trained towards: labels, and what its teacher says, by image."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from engine.core.distill.encoding import Answers


@dataclass(frozen=True)
class Wanted:
    """What a batch is trained towards: labels int64 (B,), or fp32 (B, C) if mixed; the teacher's answers."""

    labels: Tensor
    targets: Answers | None

    def __getitem__(self, piece: slice) -> Wanted:
        return Wanted(self.labels[piece], None if self.targets is None else self.targets[piece])
