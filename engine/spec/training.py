"""The words about work on a network: training, measuring, explaining, and what it may use meanwhile."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from engine.spec.base import (
    ASIDE,
    LATER,
    Batch,
    Beta,
    Epochs,
    FewEpochs,
    Model,
    Positive,
    Precision,
    Rate,
    Ratio,
    Threads,
    ranged,
    refuse,
)
from engine.spec.forms import UNTIMED
from engine.spec.optimizers import OPTIMIZER_WORDS, REFUSED_OPTIMIZERS
from engine.spec.registries import OneOf, one_of

Schedule = Literal["cosine", "linear", "poly", "step", "tanh", "constant"]
DECAY_EPOCHS = 30  # of He et al. 2015 (arXiv 1512.03385), every 30 of 90 epochs
SCHEDULE_WORDS: dict[str, tuple[str, ...]] = {"poly": ("power",), "step": ("decay_epochs", "decay_rate")}
"""The words that a schedule has of its own."""


class Train(Model):
    epochs: Epochs = 10
    batch_size: Batch = 256
    optimizer: Annotated[str, OneOf(tuple(OPTIMIZER_WORDS))] = "adamw"
    betas: list[Beta] | None = Field(
        None,
        min_length=2,
        max_length=3,
        json_schema_extra=LATER,
        description="of an optimizer of Adam's kind; by default its own",
    )
    momentum: Annotated[float, ranged("by default 0.9", gt=0.0, lt=1.0)] | None = Field(None, json_schema_extra=LATER)
    eps: Annotated[float, ranged("by default the optimizer's own", gt=0.0, le=1.0)] | None = Field(
        None, json_schema_extra=LATER
    )
    lr: Rate = 5.0e-4
    schedule: Schedule = Field(
        "cosine",
        json_schema_extra=LATER,
        description="of the rate after the warm-up: a function of the optimizer step alone, never below min_lr",
    )
    decay_epochs: Epochs | Annotated[list[Epochs], Field(min_length=1, max_length=1000)] | None = Field(
        None,
        json_schema_extra=LATER,
        description="of schedule step: the rate falls after each so many epochs, or after those listed; by default 30",
    )
    decay_rate: (
        Annotated[float, ranged("of schedule step: what the rate is multiplied with, by default 0.1", gt=0.0, lt=1.0)]
        | None
    ) = Field(None, json_schema_extra=LATER)
    power: Annotated[float, ranged("of schedule poly, by default 0.9", gt=0.0, le=100.0)] | None = Field(
        None, json_schema_extra=LATER
    )
    min_lr: Annotated[float, ranged("a learning rate", ge=0.0, le=100.0)] = 1.0e-6
    weight_decay: Annotated[float, ranged(ge=0.0, le=100.0)] = 0.05
    warmup_epochs: FewEpochs = 1
    clip_grad: Positive | None = 5.0
    label_smoothing: Ratio = 0.0
    ema: (
        Annotated[
            float, ranged("decay of a moving average of the weights, which is then what is evaluated", gt=0.0, lt=1.0)
        ]
        | None
    ) = Field(None, json_schema_extra=LATER)
    ema_warmup: bool = Field(
        True,
        json_schema_extra=LATER,
        description="whether the average begins with a small decay, 1 - (1 + step) ** (-2 / 3), until it reaches ema",
    )
    accumulate: Annotated[int, ranged("batches to an optimizer step", ge=1, le=100_000)] = Field(
        1, json_schema_extra=LATER
    )
    precision: Precision = Field(
        "bf16",
        description="of the network's work: bf16 or fp16 (weights stay fp32; fp16, with scaled losses, on a GPU "
        "alone), fp32, or tf32: fp32 whose factors a GPU may round to 10 bits (on a CPU the same as fp32)",
    )
    threads: Threads = 2
    deterministic: bool = False
    compile: Literal["off", "auto", "max"] = Field(
        "off",
        json_schema_extra=LATER,
        description="of the training step, by torch.compile, which rounds otherwise: off, auto (on a GPU, where the "
        "training is long enough to pay for it), or max (always, and on a GPU trying kernels out); not of validation",
    )
    checkpoint: Literal["last", "best_val"] = "last"
    memory: Literal["standard", "lean"] = Field("standard", json_schema_extra=ASIDE)
    on_oom: Literal["auto", "split", "stop"] = Field("auto", json_schema_extra={**ASIDE, "counted": ["split"]})
    save_minutes: Annotated[float, ranged("between checkpoints", gt=0.0, le=1e6)] = Field(10.0, json_schema_extra=ASIDE)

    @field_validator("optimizer", mode="before")
    @classmethod
    def _runs_here(cls, optimizer: object) -> object:
        """Refuse by name what timm has and xp does not run."""
        if isinstance(optimizer, str) and optimizer in REFUSED_OPTIMIZERS:
            fix = "choose another one, such as adamw, sgd, lamb or lion"
            raise refuse(f"{optimizer} cannot be run: {REFUSED_OPTIMIZERS[optimizer]}", fix)
        return optimizer

    @field_validator("schedule", mode="before")
    @classmethod
    def _is_of_the_step(cls, schedule: object) -> object:
        if schedule == "plateau":
            what = "schedule plateau follows the validation loss, and here the rate is a function of the step alone"
            raise refuse(what, "choose cosine, linear, poly, step, tanh or constant")
        return schedule

    @model_validator(mode="after")
    def _options_are_taken(self) -> Train:
        """Refuse words that the optimizer or the schedule would ignore."""
        words = OPTIMIZER_WORDS[self.optimizer]
        for option in ("betas", "momentum", "eps"):
            if getattr(self, option) is not None and not words.takes(option):
                raise refuse(
                    f"{self.optimizer} has no {option}", f"leave `{option}` away, or set it to null", at=option
                )
        if self.betas is not None and len(self.betas) != words.betas:
            raise refuse(f"{self.optimizer} has {words.betas} betas", f"list {words.betas}", at="betas")
        for schedule, options in SCHEDULE_WORDS.items():
            given = [option for option in options if getattr(self, option) is not None]
            if given and self.schedule != schedule:
                what = f"{given[0]} is of schedule {schedule}, and this one is {self.schedule}"
                raise refuse(what, f"leave `{given[0]}` away, or set schedule: {schedule}", at=given[0])
        return self

    @model_validator(mode="after")
    def _average_is_kept(self) -> Train:
        if self.ema is None and not self.ema_warmup:
            what = "ema_warmup is of a moving average, and none is kept"
            raise refuse(what, "leave `ema_warmup` away, or set ema", at="ema_warmup")
        return self

    @model_validator(mode="after")
    def _decays_rise(self) -> Train:
        found = self.decay_epochs
        if isinstance(found, list) and sorted(set(found)) != found:
            fix = f"write `{sorted(set(found))}`: epochs that rise"
            raise refuse(f"decay_epochs {found}", fix, at="decay_epochs")
        return self

    @model_validator(mode="after")
    def _warmup_ends(self) -> Train:
        if self.warmup_epochs >= self.epochs > 1:  # one epoch that is all warm-up is a fair smoke test
            what = f"warm-up over {self.warmup_epochs} of {self.epochs} epochs: the rate would never reach lr"
            raise refuse(what, f"write `{max(1, self.epochs // 10)}`, {self.epochs - 1} at most", at="warmup_epochs")
        return self


class Measure(Model):
    batch_sizes: list[Batch] = Field([1, 64], min_length=1)
    threads: list[Threads] = Field([1], min_length=1)
    seconds: Annotated[
        float, ranged("least time for each batch size and thread count, over all rounds", gt=0.0, le=86_400.0)
    ] = 1.0
    rounds: Annotated[int, ranged("each in new processes; the spread between them is the error", ge=2, le=10_000)] = 6
    compiled: bool = Field(
        False, description="time the network once more as torch.compile makes it", json_schema_extra=LATER
    )
    runtimes: list[Annotated[str, one_of("runtime")]] = Field(
        [],
        max_length=8,
        description="time the network once more, exported, in runtimes of the CPU: with each of the batch sizes and "
        "threads, in turn with the baseline's file",
        json_schema_extra=LATER,
    )

    @model_validator(mode="before")
    @classmethod
    def _runtimes_can_be_timed(cls, words: object) -> object:
        """Refuse a runtime that there are files for, and which is not timed here, with what to do in its place."""
        asked = words.get("runtimes") if isinstance(words, dict) else None
        for word in asked if isinstance(asked, list) else []:
            if isinstance(word, str) and word in UNTIMED:
                raise refuse(f"{word} is not timed by xp: {UNTIMED[word][0]}", UNTIMED[word][1], at="runtimes")
        return words

    @model_validator(mode="after")
    def _runtimes_differ(self) -> Measure:
        if len(set(self.runtimes)) < len(self.runtimes):
            raise refuse(f"runtimes {self.runtimes} names one twice", "name each once", at="runtimes")
        return self


MapKind = Literal["received", "energy", "gradcam", "gradcam_true", "rollout", "attention_gradient"]


class Explain(Model):
    """`maps` absent: the attention received of a TinyViT, the strength of the last features of another network."""

    images: Annotated[int, ranged("test images with a map each", ge=1, le=10_000)] = 8
    maps: list[MapKind] | None = Field(
        None,
        min_length=1,
        max_length=6,
        json_schema_extra=LATER,
        description="which maps, and by the deletion test what each is worth: the attention that tokens receive, the "
        "strength of the last features, Grad-CAM of the class predicted or of the true one, attention rollout, "
        "attention weighted with the gradient of the class predicted",
    )
    deletion: Annotated[
        int, ranged("test images for the deletion test of explain.maps; all where there are fewer", ge=0, le=1_000_000)
    ] = Field(200, json_schema_extra=LATER)

    @model_validator(mode="after")
    def _deletion_is_of_maps(self) -> Explain:
        if self.maps is None and self.deletion != 200:
            what = "deletion is of explain.maps, and there are none"
            raise refuse(what, "leave `deletion` away, or name maps: [received, gradcam]", at="deletion")
        if self.maps is not None and len(set(self.maps)) < len(self.maps):
            raise refuse(f"maps {self.maps} names one twice", "name each once", at="maps")
        return self


class Resources(Model):
    """How a job is run, never what comes out."""

    gpus: Annotated[float, ranged("0.5 shares one", ge=0.0, le=1024.0)] = 1
    cpus: Threads = 4
    memory: str = Field("16G", pattern=r"^\d{1,9}[KMGT]$")
    time: str = Field("4h", pattern=r"^\d{1,9}[smhd]$")

    @property
    def asks_gpu(self) -> bool:
        """Whether somebody wrote that jobs want a GPU: where nobody did, one is used where there is one."""
        return "gpus" in self.model_fields_set and self.gpus > 0
