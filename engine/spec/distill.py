"""The words about distillation: what a student makes of what its teacher says."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Discriminator, Field, Tag

from engine.spec.base import Model, Positive
from engine.spec.teacher import Teacher


class TemperatureSchedule(Model):
    """A temperature that goes from one value to another over the epochs that are distilled."""

    model_config = ConfigDict(serialize_by_alias=True)

    start: Positive = Field(alias="from")
    end: Positive = Field(alias="to")
    schedule: Literal["linear", "cosine"] = "linear"
    by: Literal["step", "epoch"] = "step"


class EntropyMatch(Model):
    """The temperature at which the teacher's mean entropy is that of another teacher, taken at temperature `at`."""

    match: Literal["entropy"]
    reference: Teacher
    at: Positive = 1.0


def _temperature_tag(value: Any) -> str:
    if isinstance(value, EntropyMatch) or (isinstance(value, dict) and "match" in value):
        return "matched"
    return "schedule" if isinstance(value, TemperatureSchedule | dict) else "number"


Temperature = Annotated[
    Annotated[Positive, Tag("number")]
    | Annotated[TemperatureSchedule, Tag("schedule")]
    | Annotated[EntropyMatch, Tag("matched")],
    Discriminator(_temperature_tag),
]


class Distill(Model):
    """Weights left out take the loss's own, in LOSS_WEIGHTS."""

    loss: Literal["ce", "soft_ce", "hinton", "lskd", "dist", "dkd", "nkd", "ats"] = "hinton"
    temperature: Temperature = 2.0
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
