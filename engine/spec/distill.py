"""The words about distillation: what a student makes of what its teacher says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Discriminator, Field, Tag, ValidationInfo, field_validator, model_validator

from engine.errors import closest_hint
from engine.spec.base import LATER, Model, Numbers, Positive, Weight, ranged, refuse, refuse_keys
from engine.spec.features import Feature
from engine.spec.own_code import names_code
from engine.spec.registries import OneOf, read_words
from engine.spec.teacher import Teacher


@dataclass(frozen=True, kw_only=True)
class LossWords:
    """What a spec must know of a loss; its entry in LOSSES of engine/core/distill/losses.py says it.

    `weights`, of the teacher's part and of the labels', and `temperature` are those of a spec that gives none;
    `options` the loss's own hyper-parameters with their defaults, None where one follows from others. They are at
    least 0, and those in `positive` above. `one_label`: it looks at the label of each image, so none may be mixed.
    """

    weights: tuple[float, float]
    temperature: float
    options: Mapping[str, float | None] = field(default_factory=dict)
    positive: tuple[str, ...] = ()
    one_label: bool = False


LOSS_WORDS = read_words("loss", LossWords)
OWN_LOSS = LossWords(weights=(1.0, 1.0), temperature=1.0, one_label=True)
"""What is known of a loss of somebody's own: its options are checked by its code; that it takes mixed labels is not."""
OWN_WORDS = ("temperature", "options")


class TemperatureSchedule(Model):
    """A temperature that goes from one value to another over the epochs that are distilled."""

    model_config = ConfigDict(serialize_by_alias=True)

    start: Positive = Field(alias="from", description="The temperature at the beginning.", examples=[8.0])
    end: Positive = Field(alias="to", description="The temperature at the end.", examples=[1.0])
    schedule: Literal["linear", "cosine"] = Field(
        "linear", description="The course between the two.", examples=["linear"]
    )
    by: Literal["step", "epoch"] = Field(
        "step", description="Whether it changes with every step, or once an epoch.", examples=["step"]
    )


class EntropyMatch(Model):
    """The temperature at which the teacher's mean entropy is that of another teacher, taken at temperature `at`."""

    match: Literal["entropy"] = Field(
        description="entropy: the temperature at which the teacher is as unsure as the reference.", examples=["entropy"]
    )
    reference: Teacher = Field(description="The teacher whose entropy is matched; it teaches nobody.")
    at: Positive = Field(1.0, description="The temperature at which the reference's entropy is taken.", examples=[1.0])


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


def loss_words(loss: str) -> LossWords:
    """Return what a spec must know of a loss. Raises KeyError where there is none of this name."""
    return OWN_LOSS if names_code(loss) else LOSS_WORDS[loss]


def _loss_of(given: Mapping[str, Any]) -> LossWords:
    """Return the loss beside a field; any where its word is wrong, which is then what is reported."""
    return loss_words(given.get("loss", "hinton"))


class Distill(Model):
    """What is left out, or null, is the loss's own, as LOSSES of engine/core/distill/losses.py has it.

    Temperature and options hold the numbers that are used, and count as unset where a spec gives none.
    """

    loss: Annotated[str, OneOf(tuple(LOSS_WORDS), or_code=True)] = Field(
        "hinton",
        description="The distillation loss: hinton is the KL divergence of softened outputs; ce is labels alone; or "
        "a function of your own, as ./losses.py:my_loss.",
        examples=["hinton"],
    )
    temperature: Temperature = Field(
        None,
        validate_default=True,
        description="What logits are divided by before the softmax: a number, a course `{from: 8, to: 1}`, or `{match: "
        "entropy, reference: {...}}`; left out: the loss's own.",
        examples=[2.0],
    )
    weight: Weight | None = Field(
        None, description="Weight of the teacher's part of the loss; null takes the loss's own.", examples=[0.9]
    )
    label_weight: Weight | None = Field(
        None, description="Weight of the labels' part of the loss; null takes the loss's own.", examples=[0.1]
    )
    until: Annotated[float, ranged(gt=0.0, le=1.0)] = Field(
        1.0, description="Share of the epochs that are distilled; after it labels alone teach.", examples=[0.5]
    )
    options: Annotated[dict[str, float | None], Numbers(-1e6, 1e6)] = Field(
        None,
        validate_default=True,
        description="The loss's own hyper-parameters, by its paper's names; those left out are its defaults.",
        examples=[{"alpha": 1.0, "beta": 8.0}],
    )
    features: list[Feature] = Field(
        [],
        max_length=32,
        json_schema_extra=LATER,
        description="Layers of the student that follow layers of the teacher, beside the logits' part of the loss.",
        examples=[[{"student": "stages.3", "teacher": "blocks.6", "loss": "cosine"}]],
    )

    @model_validator(mode="before")
    @classmethod
    def _null_is_left_out(cls, given: Any) -> Any:
        """Mappings merge, so null is the way back to what another loss has of its own."""
        if not isinstance(given, Mapping):
            return given
        return {name: value for name, value in given.items() if value is not None or name not in OWN_WORDS}

    @field_validator("temperature", "options", mode="before")
    @classmethod
    def _own_where_left_out(cls, value: Any, info: ValidationInfo) -> Any:
        if value is not None:
            return value
        own = _loss_of(info.data)
        return own.temperature if info.field_name == "temperature" else {}

    @field_validator("options")
    @classmethod
    def _options_fit(cls, options: dict[str, float | None], info: ValidationInfo) -> dict[str, float | None]:
        """Fill up with the loss's own, so that a default and the same number spelt out are one setting."""
        if "loss" not in info.data or names_code(info.data["loss"]):
            return options
        own = _loss_of(info.data)
        problems = list(_option_problems(options, str(info.data["loss"]), own))
        if problems:
            raise refuse_keys("options", problems)
        return {name: default if options.get(name) is None else options[name] for name, default in own.options.items()}

    @model_validator(mode="after")
    def _exits_hear_a_loss(self) -> Distill:
        if self.loss == "ce" and any(feature.keeps == "answer" for feature in self.features):
            what = "an exit hears the teacher by distill.loss, and ce is labels alone"
            raise refuse(what, "write another distill.loss, such as ofa", at="loss")
        return self

    @property
    def weights(self) -> tuple[float, float]:
        """(weight, label_weight): the spec's, else the loss's own."""
        own = loss_words(self.loss).weights
        return (
            own[0] if self.weight is None else self.weight,
            own[1] if self.label_weight is None else self.label_weight,
        )


def _option_problems(given: Mapping[str, float | None], loss: str, own: LossWords) -> Iterator[tuple[str, str, str]]:
    """Yield (option, what, fix) for each that the loss does not have, or that is too small."""
    for name, value in given.items():
        if name not in own.options:
            fix = closest_hint(name, own.options) if own.options else "leave options away"
            has = ", ".join(own.options) or "none"
            yield name, f"loss {loss} has no option {name!r} (its own: {has})", fix
        elif value is not None and (value < 0 or (value == 0 and name in own.positive)):
            least = "above 0" if name in own.positive else "of at least 0"
            yield name, f"option {name} is {value:g}", f"use a value {least}"
