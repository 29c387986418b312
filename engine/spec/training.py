"""The words about work on a network: training, measuring, explaining, and what it may use meanwhile."""

from __future__ import annotations

from typing import Annotated, Literal, Self

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
from engine.spec.optimizers import OPTIMIZER_WORDS, REFUSED_OPTIMIZERS, optimizer_words
from engine.spec.registries import OneOf, one_of

Schedule = Literal["cosine", "linear", "poly", "step", "tanh", "constant", "wsd"]
DECAY_EPOCHS = 30  # of He et al. 2015 (arXiv 1512.03385), every 30 of 90 epochs
DECAY_SHARE = 0.2  # of Haegele et al. 2024 (arXiv 2405.18392): a cooldown over a fifth of the steps meets a cosine
SCHEDULE_WORDS = {
    "power": ("poly",), "decay_epochs": ("step", "wsd"), "decay_rate": ("step",), "decay_share": ("wsd",),
}  # fmt: skip
"""The words that are of some schedules alone."""


class Train(Model):
    epochs: Epochs = Field(10, description="Passes over the training images.", examples=[30])
    batch_size: Batch = Field(
        256, description="Images of one optimizer step; with accumulate, of one of its batches.", examples=[128]
    )
    optimizer: Annotated[str, OneOf(tuple(OPTIMIZER_WORDS), or_code=True)] = Field(
        "adamw",
        description="The rule that updates the weights, by timm's name of it, or a class of your own, as "
        "./optimizers.py:Lion.",
        examples=["adamw", "sgd"],
    )
    betas: list[Beta] | None = Field(
        None,
        min_length=2,
        max_length=3,
        json_schema_extra=LATER,
        description="Decays of the running means of an optimizer of Adam's kind; null takes its own.",
        examples=[[0.9, 0.98]],
    )
    momentum: Annotated[float, ranged(gt=0.0, lt=1.0)] | None = Field(
        None,
        json_schema_extra=LATER,
        description="Momentum of an optimizer that has one, such as sgd; null takes 0.9.",
        examples=[0.9],
    )
    eps: Annotated[float, ranged(gt=0.0, le=1.0)] | None = Field(
        None,
        json_schema_extra=LATER,
        description="The small number that keeps an adaptive optimizer from dividing by zero; null takes its own.",
        examples=[1e-6],
    )
    lr: Rate = Field(
        5.0e-4,
        description="The largest learning rate, reached after the warm-up. It is used as it is: nothing scales it with "
        "the batch size.",
        examples=[1e-3],
    )
    schedule: Schedule = Field(
        "cosine",
        json_schema_extra=LATER,
        description="How the rate falls after the warm-up: a function of the optimizer step alone, never below min_lr. "
        "wsd (warmup-stable-decay) stays at lr and falls at the end, so that a longer training begins as a shorter "
        "one does.",
        examples=["cosine", "wsd"],
    )
    decay_epochs: Epochs | Annotated[list[Epochs], Field(min_length=1, max_length=1000)] | None = Field(
        None,
        json_schema_extra=LATER,
        description="Of schedule: step: the rate falls after each so many epochs, or after those listed; null "
        "takes 30. Of schedule: wsd: how many epochs at the end it falls in; null takes decay_share.",
        examples=[[3, 6]],
    )
    decay_share: Annotated[float, ranged(gt=0.0, lt=1.0)] | None = Field(
        None,
        json_schema_extra=LATER,
        description="Of schedule: wsd: the share of the epochs, at the end, in which the rate falls; null takes 0.2.",
        examples=[0.1],
    )
    decay_rate: Annotated[float, ranged(gt=0.0, lt=1.0)] | None = Field(
        None,
        json_schema_extra=LATER,
        description="Of schedule: step: what the rate is multiplied with each time; null takes 0.1.",
        examples=[0.1],
    )
    power: Annotated[float, ranged(gt=0.0, le=100.0)] | None = Field(
        None,
        json_schema_extra=LATER,
        description="Of schedule: poly: the exponent of the polynomial; null takes 0.9.",
        examples=[0.9],
    )
    min_lr: Annotated[float, ranged(ge=0.0, le=100.0)] = Field(
        1.0e-6, description="The learning rate that the schedule ends at; not above lr.", examples=[1e-6]
    )
    weight_decay: Annotated[float, ranged(ge=0.0, le=100.0)] = Field(
        0.05, description="How strongly weights are drawn to zero; biases and norms are left out.", examples=[0.05]
    )
    warmup_epochs: FewEpochs = Field(
        1, description="Epochs over which the rate rises to lr, fewer than epochs.", examples=[1]
    )
    clip_grad: Positive | None = Field(
        5.0, description="Largest L2 norm of all gradients together; null clips none.", examples=[1.0]
    )
    label_smoothing: Ratio = Field(
        0.0, description="Share of each label that is spread evenly over all classes.", examples=[0.1]
    )
    ema: Annotated[float, ranged(gt=0.0, lt=1.0)] | None = Field(
        None,
        json_schema_extra=LATER,
        description="Decay of a moving average of the weights, which is then what is evaluated; null keeps none.",
        examples=[0.999],
    )
    ema_warmup: bool = Field(
        True,
        json_schema_extra=LATER,
        description="Whether the average begins with a small decay, 1 - (1 + step) ** (-2 / 3), until it reaches ema.",
        examples=[True],
    )
    accumulate: Annotated[int, ranged("batches", ge=1, le=100_000)] = Field(
        1, json_schema_extra=LATER, description="Batches whose gradients make one optimizer step.", examples=[4]
    )
    precision: Precision = Field(
        "bf16",
        description="Numbers of the network's work: bf16 or fp16 (weights stay fp32; fp16, with scaled losses, on a "
        "GPU alone), fp32, or tf32: fp32 whose factors a GPU may round to 10 bits (on a CPU the same as fp32).",
        examples=["fp32"],
    )
    threads: Threads = Field(
        2, description="Threads of the processor that training uses. They change the last bits, so they count.",
        examples=[1],
    )  # fmt: skip
    deterministic: bool = Field(
        False, description="Whether a GPU uses algorithms alone that give the same bits each time.", examples=[True]
    )
    compile: Literal["off", "auto", "max"] = Field(
        "off",
        json_schema_extra=LATER,
        description="The training step by torch.compile, which rounds otherwise: off, auto (on a GPU, where the "
        "training is long enough to pay for it), or max (always, and on a GPU trying kernels out); not of validation.",
        examples=["auto"],
    )
    checkpoint: Literal["last", "best_val"] = Field(
        "last",
        description="Which weights are tested, once: those of the last epoch, or of the best on the validation part.",
        examples=["best_val"],
    )
    memory: Literal["standard", "lean"] = Field(
        "standard",
        json_schema_extra=ASIDE,
        description="lean computes activations again instead of keeping them: less memory, more time, the same result.",
        examples=["lean"],
    )
    on_oom: Literal["auto", "split", "stop"] = Field(
        "auto",
        json_schema_extra={**ASIDE, "counted": ["split"]},
        description="What to do when memory ends: auto goes on in pieces of a batch where that changes nothing (no "
        "batch norm), split even where it does, stop fails.",
        examples=["stop"],
    )
    save_minutes: Annotated[float, ranged("minutes", gt=0.0, le=1e6)] = Field(
        10.0, json_schema_extra=ASIDE, description="Time between two checkpoints to go on from.", examples=[5.0]
    )
    rungs: list[Epochs] = Field(
        [],
        max_length=32,
        json_schema_extra=ASIDE,
        description="Numbers of epochs of trainings that continue one another, epochs among them: each keeps its state "
        "where its end begins to matter (of wsd: where the rate begins to fall), and begins with that of a shorter one "
        "where it is there, with the same bits as from the start.",
        examples=[[3, 9, 27]],
    )

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
            raise refuse(what, "choose cosine, linear, poly, step, tanh, constant or wsd")
        return schedule

    @model_validator(mode="after")
    def _options_are_taken(self) -> Train:
        """Refuse words that the optimizer or the schedule would ignore."""
        words = optimizer_words(self.optimizer)
        for option in ("betas", "momentum", "eps"):
            if getattr(self, option) is not None and not words.takes(option):
                raise refuse(
                    f"{self.optimizer} has no {option}", f"leave `{option}` away, or set it to null", at=option
                )
        if self.betas is not None and len(self.betas) != words.betas:
            raise refuse(f"{self.optimizer} has {words.betas} betas", f"list {words.betas}", at="betas")
        for option, schedules in SCHEDULE_WORDS.items():
            if getattr(self, option) is not None and self.schedule not in schedules:
                what = f"{option} is of schedule {' or '.join(schedules)}, and this one is {self.schedule}"
                raise refuse(what, f"leave `{option}` away, or set schedule: {schedules[0]}", at=option)
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
    def _decay_is_one(self) -> Train:
        """A decay at the end is so many epochs, or a share, and leaves room for the warm-up."""
        epochs = self.decay_epochs
        if self.schedule != "wsd" or epochs is None:
            return self
        if isinstance(epochs, list):
            fix = f"write `{epochs[0]}`, or set schedule: step"
            raise refuse("schedule wsd falls once, and decay_epochs is a list", fix, at="decay_epochs")
        if self.decay_share is not None:
            raise refuse("decay_epochs and decay_share both say when", "leave one of them away", at="decay_share")
        if epochs + self.warmup_epochs > self.epochs > self.warmup_epochs:
            what = f"{self.warmup_epochs} epochs of warm-up and {epochs} of decay are more than {self.epochs}"
            raise refuse(what, f"write `{self.epochs - self.warmup_epochs}`, or less", at="decay_epochs")
        return self

    @model_validator(mode="after")
    def _rungs_rise(self) -> Train:
        rungs = self.rungs
        if rungs and (sorted(set(rungs)) != rungs or len(rungs) < 2):
            raise refuse(f"rungs {rungs}", "list two numbers of epochs at least, that rise: `[3, 9, 27]`", at="rungs")
        if rungs and self.epochs not in rungs:
            what = f"rungs {rungs} are not of this training, whose epochs are {self.epochs}"
            raise refuse(what, f"add {self.epochs}, or leave `rungs` away", at="rungs")
        return self

    @model_validator(mode="after")
    def _warmup_ends(self) -> Train:
        if self.warmup_epochs >= self.epochs > 1:  # one epoch that is all warm-up is a fair smoke test
            what = f"warm-up over {self.warmup_epochs} of {self.epochs} epochs: the rate would never reach lr"
            raise refuse(what, f"write `{max(1, self.epochs // 10)}`, {self.epochs - 1} at most", at="warmup_epochs")
        return self


class Measure(Model):
    batch_sizes: list[Batch] = Field(
        [1, 64], min_length=1, description="Batches that inference is timed with.", examples=[[1, 64]]
    )
    threads: list[Threads] = Field(
        [1], min_length=1, description="Numbers of threads that inference on a CPU is timed with.", examples=[[1, 4]]
    )
    seconds: Annotated[float, ranged("seconds", gt=0.0, le=86_400.0)] = Field(
        1.0, description="Least time for each batch size and thread count, over all rounds.", examples=[0.5]
    )
    rounds: Annotated[int, ranged("rounds", ge=2, le=10_000)] = Field(
        6, description="Repetitions, each in new processes; the spread between them is the error.", examples=[6]
    )
    compiled: bool = Field(
        False,
        description="Whether the network is timed once more as torch.compile makes it.",
        json_schema_extra=LATER,
        examples=[True],
    )
    runtimes: list[Annotated[str, one_of("runtime")]] = Field(
        [],
        max_length=8,
        description="Runtimes of the CPU in which the exported network is timed once more: with each of the batch "
        "sizes and threads, in turn with the baseline's file.",
        json_schema_extra=LATER,
        examples=[["onnxruntime"]],
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

    images: Annotated[int, ranged("images", ge=1, le=10_000)] = Field(
        8, description="Test images that get a map each.", examples=[8]
    )
    maps: list[MapKind] | None = Field(
        None,
        min_length=1,
        max_length=6,
        json_schema_extra=LATER,
        description="Which maps, and by the deletion test what each is worth: the attention that tokens receive, the "
        "strength of the last features (energy), Grad-CAM of the class predicted or of the true one, attention "
        "rollout, attention weighted with the gradient of the class predicted; null draws one map and tests none.",
        examples=[["received", "gradcam"]],
    )
    deletion: Annotated[int, ranged("images", ge=0, le=1_000_000)] = Field(
        200,
        json_schema_extra=LATER,
        description="Test images for the deletion test of explain.maps; all where there are fewer.",
        examples=[200],
    )

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

    gpus: Annotated[float, ranged("GPUs", ge=0.0, le=1024.0)] = Field(
        1,
        description="GPUs for a job; 0.5 shares one, 0 stays on the CPU. A training of several, of one machine, has a "
        "process on each that takes its share of every batch; other jobs take one.",
        examples=[1],
    )
    ranks: Annotated[int, ranged("processes", ge=1, le=64)] = Field(
        1,
        description="Processes of a training on the CPU, each with its share of every batch; on GPUs there is one for "
        "each of gpus.",
        examples=[2],
    )
    cpus: Threads = Field(4, description="Processor cores for a job.", examples=[4])
    memory: str = Field(
        "16G", pattern=r"^\d{1,9}[KMGT]$", description="Memory for a job: a number and K, M, G or T.", examples=["16G"]
    )
    time: str = Field(
        "4h", pattern=r"^\d{1,9}[smhd]$", description="Time for a job: a number and s, m, h or d.", examples=["4h"]
    )

    @model_validator(mode="after")
    def _counts_alike(self) -> Self:
        """On GPUs their number is that of the processes."""
        if self.gpus > 1 and not self.gpus.is_integer():
            raise refuse(f"gpus: {self.gpus:g} is no whole number", "take whole GPUs, or a share of one", at="gpus")
        if self.ranks > 1 and self.gpus > 0:
            fix = f"set gpus: {self.ranks} for so many GPUs, or gpus: 0 for so many processes on the CPU"
            raise refuse(f"ranks: {self.ranks} is for the CPU", fix, at="ranks")
        return self

    @property
    def processes(self) -> int:
        """How many processes share a training's batches, where it gets what is asked for."""
        return max(self.ranks, int(self.gpus))

    @property
    def asks_gpu(self) -> bool:
        """Whether somebody wrote that jobs want a GPU: where nobody did, one is used where there is one."""
        return "gpus" in self.model_fields_set and self.gpus > 0
