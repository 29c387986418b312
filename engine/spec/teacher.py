"""The words about who teaches: which network, its weights and its head, or another run; helpers on the way down."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from engine.errors import closest_hint
from engine.spec.architectures import WORDNET_ID
from engine.spec.base import Interpolation, Positive, Seed, ranged, refuse
from engine.spec.network import Network, check_weights
from engine.spec.training import Train

RUN = r"[a-z0-9][a-z0-9_-]*/[a-z0-9][a-z0-9_-]*(/.+)?"


class Assistant(Network):
    """A smaller teacher between the teacher and the student, trained by this engine."""

    weights: str = Field(
        "none",
        description="What it begins from: none (random), pretrained, or a .safetensors file.",
        examples=["none"],
    )
    train: Train | None = Field(None, description="How it is trained; null as the teacher is, else as the student.")

    @model_validator(mode="after")
    def _weights_exist(self) -> Assistant:
        check_weights(self.arch, self.weights)
        return self


class Teacher(Network):
    """Trained here (`train`), taken as it comes (`weights`), given a new head (`head`), or another run's (`run`).

    `classes` are what the outputs of a weights file stand for, in order; `mean` and `std` how its pixels (0 to 1) were
    normalised; `logit_scale` multiplies its logits, for a teacher that is too sure on purpose. What it begins from
    weights with looks as those were trained to look (inputs/looks.py), unless `image_size`, `crop_share`,
    `interpolation`, `mean` or `std` say otherwise. `expect` is the accuracy on ImageNet below which it stops the work.
    """

    arch: str = Field(
        "", description="The network: a tiny_vit, or `timm/NAME`; empty beside run.", examples=["timm/convnextv2_atto"]
    )
    weights: str = Field(
        "none", description="Its weights: none, pretrained (timm's), or a .safetensors file.", examples=["pretrained"]
    )
    run: str | None = Field(
        None,
        description="Another run's network: EXPERIMENT/ARM, or EXPERIMENT/ARM/CELL.",
        examples=["quickstart/original"],
    )
    head: Literal["slice", "probe", "finetune"] = Field(
        "slice",
        description="How its outputs become the data's classes: slice takes those of its own classes, probe fits a "
        "linear layer, finetune trains all of it.",
        examples=["probe"],
    )
    classes: list[str] | None = Field(
        None,
        min_length=2,
        description="What the outputs of a weights file stand for, in order.",
        examples=[["cat", "dog"]],
    )
    image_size: Annotated[int, ranged("pixels", ge=8, le=2048)] | None = Field(
        None,
        description="Side of what it sees; null as its weights were trained to see, without any as the student does.",
        examples=[224],
    )
    crop_share: Annotated[float, ranged(gt=0.0, le=1.0)] | None = Field(
        None,
        description="Share of the short side that it looks at; null as its weights were trained.",
        examples=[0.875],
    )
    interpolation: Interpolation | None = Field(
        None, description="How its crops are resized; null as its weights were trained.", examples=["bicubic"]
    )
    mean: list[Annotated[float, ranged(ge=-10.0, le=10.0)]] | None = Field(
        None,
        min_length=3,
        max_length=3,
        description="Mean of red, green, blue that is taken off pixels from 0 to 1; null as its weights were trained.",
        examples=[[0.485, 0.456, 0.406]],
    )
    std: list[Annotated[float, ranged(gt=0.0, le=10.0)]] | None = Field(
        None,
        min_length=3,
        max_length=3,
        description="What pixels from 0 to 1 are divided by after that; null as its weights were trained.",
        examples=[[0.229, 0.224, 0.225]],
    )
    logit_scale: Positive = Field(
        1.0, description="Multiplies its logits, for a teacher that is too sure on purpose.", examples=[8.0]
    )
    expect: Literal["listed", "any"] | Annotated[float, ranged(gt=0.0, lt=1.0)] = Field(
        "listed",
        description="Top-1 of all classes on images it has not seen, below which the work stops: timm's figure "
        "(listed), a share, or any.",
        examples=[0.75],
    )
    targets: Literal["cached", "online", "auto"] = Field(
        "cached",
        description="Whether its outputs are computed once and kept, with every batch anew, or what is cheaper.",
        examples=["cached"],
    )
    seed: Seed = Field(0, description="Seed of its own training, the same for all students.", examples=[0])
    calibrate: bool = Field(
        False, description="Whether one temperature is fitted on validation images before it teaches.", examples=[True]
    )
    train: Train | None = Field(
        None,
        description="How it is trained here; null takes its weights as they come (with head: finetune it is "
        "trained as the student is).",
    )
    assistants: list[Assistant] = Field(
        [], description="Smaller teachers between it and the student, each taught by the one before."
    )

    @property
    def is_given(self) -> bool:
        """Whether it is taken as its weights come: it has seen no split of this data, as far as xp knows."""
        return self.run is None and self.train is None and self.head == "slice"

    @field_validator("run")
    @classmethod
    def _names_a_run(cls, run: str | None) -> str | None:
        if run is not None and not re.fullmatch(RUN, run):
            raise refuse(f"{run!r} names no run", "write EXPERIMENT/ARM, such as quickstart/original")
        return run

    @field_validator("classes")
    @classmethod
    def _classes_once(cls, classes: list[str] | None) -> list[str] | None:
        twice = [name for name, count in Counter(classes or ()).items() if count > 1]
        if twice:
            raise refuse(f"class {min(twice)!r} is listed twice", "list each class once, in the order of the outputs")
        return classes

    @model_validator(mode="after")
    def _kind_is_clear(self) -> Teacher:
        """A word that has no part in this kind of teacher is an error, not a word that is ignored."""
        if self.run is not None:
            self._refuse_beside_run()
        elif not self.arch:
            fix = "add `arch: tiny_vit_5m`, with weights or train, or run: EXPERIMENT/ARM"
            raise refuse("a teacher needs a network", fix)
        else:
            check_weights(self.arch, self.weights)
            self._check_head()
        if not self.is_given:
            self._refuse_words(("classes", "mean", "std", "expect"), "only for weights that are taken as they come")
        return self

    def _refuse_beside_run(self) -> None:
        look = ("image_size", "crop_share", "interpolation")
        words = ("arch", "weights", "head", "train", *look, "options", "drop_path", "attention")
        self._refuse_words(words, "the network is the one of that run")

    def _refuse_words(self, words: tuple[str, ...], why: str) -> None:
        plain = type(self).model_fields
        given = [word for word in words if getattr(self, word) != plain[word].default]
        if given:
            raise refuse(f"{', '.join(given)}: {why}", f"leave `{given[0]}` away", at=given[0])

    def _check_head(self) -> None:
        if self.head == "probe" and self.train is not None:
            what = "a probe is fitted to its optimum, and takes no train"
            raise refuse(what, "leave `train` away, or set head: finetune", at="train")
        if self.head != "slice" and self.weights == "none":
            fix = "set weights: pretrained or to a .safetensors file, or leave head away and give train"
            raise refuse(f"head: {self.head} begins from weights, and there are none", fix, at="head")
        if self.is_given and self.weights == "none":
            fix = "add `train: {epochs: 10}`, weights: pretrained, a .safetensors file, or run: EXPERIMENT/ARM"
            raise refuse("this teacher knows nothing: it has no weights and is not trained", fix)


def head_problem(teacher: Teacher, class_names: Sequence[str]) -> tuple[str, str] | None:
    """Return what is wrong, and the fix, where the head of a teacher taken as it comes cannot be of these classes."""
    if not teacher.is_given:
        return None
    if teacher.classes is not None:
        known = set(teacher.classes)
        absent = [name for name in class_names if name not in known]
        what = f"{len(absent)} classes of the data are not in teacher.classes: {', '.join(map(repr, absent[:5]))}"
        return (what, f"{closest_hint(absent[0], teacher.classes)} Or use head: probe") if absent else None
    strange = [name for name in class_names if not WORDNET_ID.fullmatch(name)]
    if teacher.weights != "pretrained" or not strange:
        return None
    what = f"pretrained heads know ImageNet's classes, and {', '.join(map(repr, strange[:3]))} are none of them"
    return what, "use head: probe or finetune, or name the class folders by their WordNet ids (n01440764)"


def weights_file(weights: str) -> Path | None:
    """Return the file that `weights` names; None for `none` and `pretrained`."""
    return None if weights in ("none", "pretrained") else Path(weights).expanduser()
