"""The words about work on a network: training, pruning, measuring, explaining, and what it may use meanwhile."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal

from pydantic import Field, model_validator

from engine.spec.base import (
    ASIDE,
    LATER,
    Batch,
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
from engine.spec.registries import OneOf, one_of, read_words


@dataclass(frozen=True, kw_only=True)
class OptimizerWords:
    """What a spec must know of an optimizer; its entry in OPTIMIZERS of engine/core/train/optim.py says it.

    `largest_rate`: no network is known to train at a rate above it; such a one is let through and told.
    """

    largest_rate: float


OPTIMIZER_WORDS = read_words("optimizer", OptimizerWords)


class Train(Model):
    epochs: Epochs = 10
    batch_size: Batch = 256
    optimizer: Annotated[str, OneOf(tuple(OPTIMIZER_WORDS))] = "adamw"
    lr: Rate = 5.0e-4
    min_lr: Annotated[float, ranged("a learning rate", ge=0.0, le=100.0)] = 1.0e-6
    weight_decay: Annotated[float, ranged(ge=0.0, le=100.0)] = 0.05
    warmup_epochs: FewEpochs = 1
    clip_grad: Positive | None = 5.0
    label_smoothing: Ratio = 0.0
    precision: Precision = Field(
        "bf16",
        description="of the network's work: bf16 (weights stay fp32), fp32, or tf32: fp32 whose factors a GPU may "
        "round to 10 bits (on a CPU the same as fp32)",
    )
    threads: Threads = 2
    deterministic: bool = False
    checkpoint: Literal["last", "best_val"] = "last"
    memory: Literal["standard", "lean"] = Field("standard", json_schema_extra=ASIDE)
    on_oom: Literal["auto", "split", "stop"] = Field("auto", json_schema_extra={**ASIDE, "counted": ["split"]})
    save_minutes: Annotated[float, ranged("between checkpoints", gt=0.0, le=1e6)] = Field(10.0, json_schema_extra=ASIDE)

    @model_validator(mode="after")
    def _warmup_ends(self) -> Train:
        if self.warmup_epochs >= self.epochs > 1:  # one epoch that is all warm-up is a fair smoke test
            what = f"warm-up over {self.warmup_epochs} of {self.epochs} epochs: the rate would never reach lr"
            raise refuse(what, f"set warmup_epochs to {self.epochs - 1} at most")
        return self


class Prune(Model):
    ratio: Ratio = 0.0
    of: Literal["params", "macs", "units"] = "params"
    method: Literal["structured", "unstructured"] = "structured"
    criterion: Annotated[str, one_of("criterion")] = "taylor"
    recover_epochs: FewEpochs = 2
    recover_lr: Rate | None = None


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


class Explain(Model):
    images: Annotated[int, ranged("test images with a map each", ge=1, le=10_000)] = 8


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
