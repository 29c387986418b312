"""The words a spec may use: takes plain mappings, gives frozen pydantic models; unknown keys are errors.

A field marked `ASIDE` says how a job is done, not what comes out, and is no part of any id (engine/identity.py).
Words that are planned but cannot run yet are listed in engine/later.py, which refuses them by name.
"""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from engine.errors import closest_hint
from engine.names import TINY_VITS, known_networks

ASIDE: dict[str, Any] = {"aside": True}

Ratio = Annotated[float, Field(ge=0.0, lt=1.0)]
Positive = Annotated[float, Field(gt=0.0)]
Count = Annotated[int, Field(ge=1)]
PerStage = int | list[int] | None
NAME = r"^[a-z0-9][a-z0-9_-]{0,63}$"


def refuse(what: str, fix: str) -> PydanticCustomError:
    """Return the error a validator raises: what is wrong, and the repair that the person is shown."""
    return PydanticCustomError("refused", "{what}", {"what": what, "fix": fix})


class Model(BaseModel):
    """A frozen part of a spec. Strict about types, so that `lr: "1e-3"` (a text) is an error and not a guess."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False, validate_default=True)


class Augment(Model):
    """What a training view may do to an image: crop and flip, then colours and erasing, then mixing in pairs."""

    crop_scale: list[Positive] = Field([0.35, 1.0], min_length=2, max_length=2)
    crop_ratio: list[Positive] = Field([0.75, 4 / 3], min_length=2, max_length=2)
    flip: float = Field(0.5, ge=0.0, le=1.0)
    rand_augment: str | None = Field(None, pattern=r"^rand(-(m|mstd|n|p)\d+(\.\d+)?)+-inc1$")
    color_jitter: float = Field(0.0, ge=0.0)
    erasing: float = Field(0.0, ge=0.0, le=1.0)
    mixup: float = Field(0.0, ge=0.0)
    cutmix: float = Field(0.0, ge=0.0)
    mix_targets: Literal["linear"] | None = None

    @field_validator("crop_scale", "crop_ratio")
    @classmethod
    def _ordered(cls, pair: list[float]) -> list[float]:
        if pair[0] > pair[1]:
            raise refuse(f"{pair} runs from high to low", f"write the smaller number first: [{pair[1]}, {pair[0]}]")
        return pair

    @field_validator("crop_scale")
    @classmethod
    def _at_most_whole(cls, pair: list[float]) -> list[float]:
        if pair[1] > 1.0:
            raise refuse("a crop cannot be larger than its image", "make the second number at most 1.0")
        return pair


class Data(Model):
    source: Literal["folder", "digits"]
    root: str | None = Field(None, json_schema_extra=ASIDE)
    image_size: int = Field(224, ge=8, le=2048)
    split: str = "60/20/20"
    split_seed: int = Field(0, ge=0)
    view_seed: int | Literal["run"] = 0
    views: Count | None = None
    short_side: int = Field(256, ge=8, le=4096, description="short side of the packed image, in pixels; never enlarged")
    format: Literal["raw", "jpeg"] = "raw"
    broken: Literal["stop", "skip"] = "stop"
    nested: bool = False
    classes: list[str] | None = None
    augment: Augment = Augment()
    crop_share: float = Field(0.875, gt=0.0, le=1.0, description="share of the short side that evaluation looks at")
    cache: Literal["auto", "jpeg", "raw", "device"] = Field("auto", json_schema_extra=ASIDE)
    workers: int = Field(0, ge=0, json_schema_extra=ASIDE)

    @field_validator("split")
    @classmethod
    def _sums_to_100(cls, text: str) -> str:
        parts = text.split("/")
        if len(parts) != 3 or not all(re.fullmatch(r"\d{1,3}", part) for part in parts):
            raise refuse(f"{text!r} is no split", "write train/val/test in whole per cent, such as 60/20/20")
        if sum(int(part) for part in parts) != 100:
            raise refuse(
                f"the parts of {text} sum to {sum(map(int, parts))}, not to 100", "such as 60/20/20 or 80/10/10"
            )
        if int(parts[0]) == 0 or int(parts[2]) == 0:
            raise refuse(f"{text} leaves train or test without images", "give both a part above 0")
        return text

    @model_validator(mode="after")
    def _root_for_folder(self) -> Data:
        if self.source == "folder" and not self.root:
            raise refuse(
                "source 'folder' has no root", "set data.root to a folder with one sub-folder of images for each class"
            )
        if self.source == "digits" and self.root:
            raise refuse("source 'digits' takes no root", "leave data.root away: the digits come with scikit-learn")
        return self


class WindowAttention(Model):
    """TinyViT's own dense attention inside each window."""

    kind: Literal["window"] = "window"


class LongformerAttention(Model):
    """Neighbourhood and global tokens inside each window; a list gives stages 1, 2, 3, one value is clipped to each."""

    kind: Literal["longformer"]
    pattern: Literal["slide", "block", "row"] = "slide"
    radius: PerStage = None
    globals: PerStage = None
    tile: PerStage = None
    select: Literal["grid", "previous", "norm", "learned", "pooled", "none"] = "grid"
    projections: Literal["dual", "shared"] = "dual"
    bias: Literal["shared", "separate", "none"] = "shared"
    combine: Literal["joint", "sum", "mean"] = "joint"
    stages: list[Literal[1, 2, 3]] = [1, 2, 3]
    backend: Literal["auto", "reference", "sdpa", "triton"] = Field("auto", json_schema_extra=ASIDE)

    @field_validator("radius", "globals", "tile")
    @classmethod
    def _three_stages(cls, value: PerStage) -> PerStage:
        if isinstance(value, list) and len(value) != 3:
            raise refuse(
                f"a list of {len(value)} entries", "give one entry for each of stages 1, 2, 3, or a single value"
            )
        return value

    @field_validator("stages")
    @classmethod
    def _no_repeats(cls, stages: list[int]) -> list[int]:
        if not stages or sorted(set(stages)) != stages:
            raise refuse(f"stages {stages}", "list each stage once, in order, such as [1, 2, 3]")
        return stages


Attention = Annotated[WindowAttention | LongformerAttention, Field(discriminator="kind")]


class Network(Model):
    """What a student, a teacher and an assistant share: which network, and its sizes where they are free."""

    arch: str
    dims: list[Count] | None = Field(None, min_length=4, max_length=4)
    depths: list[Count] | None = Field(None, min_length=4, max_length=4)
    heads: list[Count] | None = Field(None, min_length=4, max_length=4)
    windows: list[Count] | None = Field(None, min_length=4, max_length=4)
    attention: Attention = WindowAttention()
    padding: Literal["mask", "timm"] = "mask"
    drop_path: Ratio | None = None
    options: dict[str, bool | int | float | str | list[int]] = {}

    @field_validator("arch")
    @classmethod
    def _known_network(cls, arch: str) -> str:
        if arch not in known_networks():
            fix = closest_hint(arch, known_networks()) if "/" in arch else closest_hint(arch, TINY_VITS)
            raise refuse(f"unknown network {arch!r}", f"{fix} (or timm/<name>)" if "/" not in arch else fix)
        return arch

    @model_validator(mode="after")
    def _sizes_fit(self) -> Network:
        free = self.arch == "tiny_vit"
        if free and not (self.dims and self.depths and self.heads):
            raise refuse("arch 'tiny_vit' has free sizes", "give dims, depths and heads, four entries each")
        if not self.arch.startswith("tiny_vit"):
            self._refuse_tiny_vit_words()
        elif self.options:
            raise refuse("options are for timm networks", "for a tiny_vit give dims, depths, heads, windows")
        return self

    def _refuse_tiny_vit_words(self) -> None:
        given = [word for word in ("dims", "depths", "heads", "windows") if getattr(self, word) is not None]
        if given:
            raise refuse(f"{', '.join(given)}: only for a tiny_vit", "put the sizes of a timm network under options")
        if self.attention.kind != "window":
            raise refuse(
                "attention is chosen for a tiny_vit only", "leave attention away: a timm network keeps its own"
            )


class Student(Network):
    weights: str = "none"


class Train(Model):
    epochs: Count = 10
    batch_size: Count = 256
    optimizer: Literal["adamw", "sgd"] = "adamw"
    lr: Positive = 5.0e-4
    min_lr: float = Field(1.0e-6, ge=0.0)
    weight_decay: float = Field(0.05, ge=0.0)
    warmup_epochs: int = Field(1, ge=0)
    clip_grad: Positive | None = 5.0
    label_smoothing: Ratio = 0.0
    precision: Literal["bf16", "fp32"] = "bf16"
    threads: Count = 2
    deterministic: bool = False
    checkpoint: Literal["last", "best_val"] = "last"
    memory: Literal["standard", "lean"] = Field("standard", json_schema_extra=ASIDE)
    on_oom: Literal["stop", "split"] = Field("stop", json_schema_extra=ASIDE)
    save_minutes: Positive = Field(10.0, json_schema_extra=ASIDE)

    @model_validator(mode="after")
    def _warmup_ends(self) -> Train:
        if self.warmup_epochs >= self.epochs > 1:  # one epoch that is all warm-up is a fair smoke test
            what = f"warm-up over {self.warmup_epochs} of {self.epochs} epochs: the rate would never reach lr"
            raise refuse(what, f"set warmup_epochs to {self.epochs - 1} at most")
        return self


class Teacher(Network):
    weights: str = "none"
    head: Literal["slice", "probe", "finetune"] = "slice"
    targets: Literal["cached", "online", "auto"] = "cached"
    seed: int = Field(0, ge=0)
    calibrate: bool = False
    train: Train | None = None
    assistants: list[Assistant] = []


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


class Prune(Model):
    ratio: Ratio = 0.0
    of: Literal["params", "macs", "units"] = "params"
    method: Literal["structured", "unstructured"] = "structured"
    criterion: Literal["taylor", "l1", "l2", "random"] = "taylor"
    recover_epochs: int = Field(2, ge=0)
    recover_lr: Positive | None = None


class Measure(Model):
    batch_sizes: list[Count] = Field([1, 64], min_length=1)
    threads: list[Count] = Field([1], min_length=1)
    seconds: Positive = Field(1.0, description="least time spent on each batch size and thread count")


class Explain(Model):
    images: Count = 8


class Resources(Model):
    """How a job is run, never what comes out."""

    gpus: float = Field(1, ge=0)
    cpus: Count = 4
    memory: str = Field("16G", pattern=r"^\d+[KMGT]$")
    time: str = Field("4h", pattern=r"^\d+[smhd]$")


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
    arms: dict[str, dict[str, Any]] = {}
    baseline: str | None = None
    matrix: dict[str, list[Any]] = {}
    claims: list[Claim] = []

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
