"""The words about features: which layers of a student follow which of its teacher, by what loss, through what.

Losses and projectors are the keys of registries of the core, read as data: a spec is checked without torch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from engine.spec.base import Model, Weight, ranged, refuse
from engine.spec.registries import OneOf, read_words

Keeps = Literal["map", "energy"]
Heard = Literal["map", "energy", "answer"]
LOGITS = "logits"
Dtype = Literal["fp16", "fp32"]


@dataclass(frozen=True, kw_only=True)
class FeatureLossWords:
    """What a spec must know of a feature loss; its entry in FEATURE_LOSSES, core/distill/feature_losses.py, says it.

    `weight`, `pool` and `projector` are those of an entry that gives none. `keeps`: what of a layer is compared, its
    channels, or their energy alone, the mean of their squares at each place, which has no use for a projector; of
    `answer` nothing, as an exit hears the logits.
    `matches`: both sides must have as many channels.
    """

    weight: float
    pool: int
    projector: str
    keeps: Heard = "map"
    matches: bool = True


@dataclass(frozen=True, kw_only=True)
class ProjectorWords:
    """What a spec must know of a projector; its entry in PROJECTORS, core/distill/projectors.py, says it.

    `changes`: it takes a student's channels to the teacher's count, else both must have as many.
    """

    changes: bool


FEATURE_LOSS_WORDS = read_words("feature_loss", FeatureLossWords)
PROJECTOR_WORDS = read_words("projector", ProjectorWords)
OWN_WORDS = ("projector", "weight", "pool")


class KeptFeature(Model):
    """What a teacher's targets hold of one of its layers, for each view: `pool` x `pool` places of its channels."""

    layer: str
    pool: int
    keeps: Keeps
    dtype: Dtype


class Feature(Model):
    """One layer of the student that follows one of the teacher.

    What is left out, or null, is the loss's own, as FEATURE_LOSSES of engine/core/distill/feature_losses.py has it.
    """

    student: str = Field(
        min_length=1, description="A layer of the student, as `xp describe` names it.", examples=["stages.3"]
    )
    teacher: str = Field(
        min_length=1,
        description="A layer of the teacher, by its name there; `logits` for loss: answers.",
        examples=["blocks.6"],
    )
    loss: Annotated[str, OneOf(tuple(FEATURE_LOSS_WORDS))] = Field(
        "mse",
        description="What is compared: channels (mse, smooth_l1, cosine), where they are strong (attention), how "
        "images lie to each other (relational); answers: a head of this layer's own hears the logits by distill.loss "
        "(OFA-KD).",
        examples=["cosine"],
    )
    projector: Annotated[str, OneOf(tuple(PROJECTOR_WORDS))] = Field(
        None,
        validate_default=True,
        description="What takes the student's channels to the teacher's; trained with the student, and no part of it. "
        "orthogonal: by orthonormal columns, towards standardised features (VkD); left out: the loss's own.",
        examples=["orthogonal"],
    )
    weight: Weight = Field(
        None,
        validate_default=True,
        description="Weight of this part of the loss; left out: the loss's own.",
        examples=[1.0],
    )
    pool: Annotated[int, ranged("places", ge=1, le=64)] = Field(
        None,
        validate_default=True,
        description="Both maps are averaged to so many places a side, 1 to a mean over the image; left out: the "
        "loss's own.",
        examples=[1],
    )
    dtype: Dtype = Field("fp16", description="How the teacher's features are kept, and heard.", examples=["fp16"])

    @model_validator(mode="before")
    @classmethod
    def _own_where_left_out(cls, given: Any) -> Any:
        if not isinstance(given, Mapping):
            return given
        word = given.get("loss", "mse")
        own = FEATURE_LOSS_WORDS.get(word) if isinstance(word, str) else None
        own = own or FEATURE_LOSS_WORDS["mse"]  # a wrong word is what is then reported
        left = {name: getattr(own, name) for name in OWN_WORDS if given.get(name) is None}
        return {**given, **left}

    @model_validator(mode="after")
    def _energy_is_of_places(self) -> Feature:
        is_exit = self.keeps == "answer"
        if is_exit != (self.projector == "exit"):
            what = "an exit is what loss: answers hears the logits by, and nothing else does"
            raise refuse(what, "leave projector away", at="projector")
        if is_exit != (self.teacher == LOGITS):
            what = (
                "an exit hears the teacher's logits" if is_exit else f"loss {self.loss} follows a layer, and not logits"
            )
            fix = "write `teacher: logits`" if is_exit else "name a layer, or write loss: answers"
            raise refuse(what, fix, at="teacher")
        if self.keeps == "energy" and self.projector != "none":
            what = f"loss {self.loss} compares places, and a projector changes channels"
            raise refuse(what, "leave projector away", at="projector")
        if self.keeps == "energy" and self.pool == 1:
            raise refuse(f"loss {self.loss} compares places, and pool: 1 leaves one", "write `7`", at="pool")
        return self

    @property
    def keeps(self) -> Heard:
        return FEATURE_LOSS_WORDS[self.loss].keeps

    def refuses(self, inner: int, outer: int) -> bool:
        """Whether a student's layer of `inner` channels cannot be held against a teacher's of `outer`."""
        own = FEATURE_LOSS_WORDS[self.loss]
        must_match = own.keeps == "map" and own.matches and not PROJECTOR_WORDS[self.projector].changes
        return must_match and inner != outer

    def channel_problem(self, inner: int, outer: int) -> tuple[str, str]:
        """Return what is wrong where it refuses so many channels, and the fix."""
        what = f"{self.student} has {inner} channels and the teacher's {self.teacher} {outer}"
        fix = "write projector: linear or orthogonal, or a loss that compares no channels (attention, relational)"
        return what, fix

    @property
    def kept(self) -> KeptFeature | None:
        """What the teacher's targets must hold for it, None for an exit."""
        if self.keeps == "answer":
            return None
        return KeptFeature(layer=self.teacher, pool=self.pool, keeps=self.keeps, dtype=self.dtype)


def kept_features(features: Iterable[Feature]) -> list[KeptFeature]:
    """Return what the teacher's targets must hold, each once, in an order that is no part of what a spec says."""
    kept = {one.model_dump_json(): one for feature in features if (one := feature.kept) is not None}
    return [kept[key] for key in sorted(kept)]
