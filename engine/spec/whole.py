"""A whole spec: the settings of one run, and the arms, matrix, seeds and claims that make an experiment of them."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import Field, field_validator, model_validator

from engine.errors import closest_hint
from engine.spec.base import ASIDE, NAME, Model, refuse
from engine.spec.data import Data
from engine.spec.network import Student
from engine.spec.teaching import ONE_LABEL, Distill, Teacher
from engine.spec.training import Explain, Measure, Prune, Resources, Train


class Claim(Model):
    id: str = Field(pattern=NAME)
    text: str
    metric: str
    arm: str
    against: str
    expect: Literal["greater", "less", "not_worse"]
    margin: float | None = Field(None, ge=0.0)


class Settings(Model):
    """Everything that decides one run but for its seed: what an arm or a matrix point may change."""

    data: Data
    student: Student
    teacher: Teacher | None = None
    distill: Distill = Distill()
    train: Train = Train()
    prune: Prune | None = None
    measure: Measure = Measure()
    explain: Explain = Explain()
    resources: Resources = Field(Resources(), json_schema_extra=ASIDE)

    @model_validator(mode="after")
    def _mixing_fits(self) -> Settings:
        augment = self.data.augment
        if not (augment.mixup or augment.cutmix):
            return self
        if self.train.batch_size % 2:
            raise refuse(
                f"images are mixed in pairs, and batch_size is {self.train.batch_size}", "use an even batch_size"
            )
        if self.is_taught and augment.mix_targets is None:
            what = "cached targets belong to single images, and these are mixed"
            raise refuse(what, "set data.augment.mix_targets: linear, or mixup and cutmix to 0")
        if self.is_taught and self.distill.loss in ONE_LABEL:
            what = f"loss {self.distill.loss} needs one label for each image, and these are mixed"
            raise refuse(what, "use another distill.loss, or set mixup and cutmix to 0")
        return self

    @property
    def is_taught(self) -> bool:
        return self.teacher is not None and self.distill.loss != "ce"

    @property
    def is_pruned(self) -> bool:
        return self.prune is not None and self.prune.ratio > 0.0


class Spec(Settings):
    """One experiment, whole: shared settings, the arms and matrix that vary them, seeds, claims."""

    name: str = Field(pattern=NAME)
    title: str = ""
    extends: str | None = None
    seeds: list[Annotated[int, Field(ge=0)]] = Field([0], min_length=1)
    arms: dict[str, dict[str, Any]] = Field({})
    baseline: str | None = None
    matrix: dict[str, list[Any]] = Field({})
    claims: list[Claim] = Field([])

    @field_validator("seeds")
    @classmethod
    def _seeds_once(cls, seeds: list[int]) -> list[int]:
        twice = sorted({seed for seed in seeds if seeds.count(seed) > 1})
        if twice:
            raise refuse(f"seed {twice[0]} is repeated", "list each seed once: the same run twice is no sample of two")
        return seeds

    @field_validator("arms")
    @classmethod
    def _arm_names(cls, arms: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        for arm in arms:
            if not re.fullmatch(NAME, arm):
                raise refuse(f"{arm!r} is no name for an arm", "use small letters, digits, - and _, 64 at most")
        return arms

    @field_validator("matrix")
    @classmethod
    def _matrix_filled(cls, matrix: dict[str, list[Any]]) -> dict[str, list[Any]]:
        for path, values in matrix.items():
            if not values:
                raise refuse(f"{path} has no values", "list at least one, or leave the line away")
        return matrix

    @property
    def arm_names(self) -> list[str]:
        return list(self.arms) or [self.name]

    @model_validator(mode="after")
    def _names_exist(self) -> Spec:
        if self.baseline is not None and self.baseline not in self.arm_names:
            raise refuse(f"baseline {self.baseline!r} is no arm", closest_hint(self.baseline, self.arm_names))
        for claim in self.claims:
            for arm in (claim.arm, claim.against):
                if arm not in self.arm_names:
                    raise refuse(f"claim {claim.id!r} names {arm!r}, no arm here", closest_hint(arm, self.arm_names))
        return self
