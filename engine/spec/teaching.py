"""The words about teachers: who teaches, what they say to the student, how the student listens."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from engine.spec.base import Model, Positive
from engine.spec.network import Network
from engine.spec.training import Train


class Teacher(Network):
    weights: str = "none"
    head: Literal["slice", "probe", "finetune"] = "slice"
    targets: Literal["cached", "online", "auto"] = "cached"
    seed: int = Field(0, ge=0)
    calibrate: bool = False
    train: Train | None = None
    assistants: list[Assistant] = Field([])


class Assistant(Network):
    """A smaller teacher between the teacher and the student, trained by this engine."""

    train: Train | None = None


class Distill(Model):
    """Weights left out take the loss's own, in LOSS_WEIGHTS."""

    loss: Literal["ce", "soft_ce", "hinton", "lskd", "dist", "dkd", "nkd", "ats"] = "hinton"
    temperature: Positive = 2.0
    weight: float | None = Field(None, ge=0.0)
    label_weight: float | None = Field(None, ge=0.0)
    until: float = Field(1.0, gt=0.0, le=1.0)

    @property
    def weights(self) -> tuple[float, float]:
        """(weight, label_weight): the spec's, else the loss's own."""
        own = LOSS_WEIGHTS[self.loss]
        return (
            own[0] if self.weight is None else self.weight,
            own[1] if self.label_weight is None else self.label_weight,
        )


# (weight of the teacher's part, weight of the labels') where a spec gives none
LOSS_WEIGHTS: dict[str, tuple[float, float]] = {
    "ce": (0.0, 1.0),
    "soft_ce": (1.0, 0.0),
    "hinton": (0.9, 0.1),
    "lskd": (9.0, 0.1),
    "dist": (1.0, 1.0),
    "dkd": (1.0, 1.0),
    "nkd": (1.0, 1.0),
    "ats": (0.5, 0.5),
}

ONE_LABEL = ("dkd", "nkd", "ats")  # losses that look at the label of each image

Teacher.model_rebuild()
