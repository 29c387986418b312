"""The words about work on a network: training, pruning, measuring, explaining, and what it may use meanwhile."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from engine.spec.base import ASIDE, Count, Model, Positive, Precision, Ratio, refuse
from engine.spec.registries import one_of


class Train(Model):
    epochs: Count = 10
    batch_size: Count = 256
    optimizer: Annotated[str, one_of("optimizer")] = "adamw"
    lr: Positive = 5.0e-4
    min_lr: float = Field(1.0e-6, ge=0.0)
    weight_decay: float = Field(0.05, ge=0.0)
    warmup_epochs: int = Field(1, ge=0)
    clip_grad: Positive | None = 5.0
    label_smoothing: Ratio = 0.0
    precision: Precision = Field(
        "bf16",
        description="of the network's work: bf16 (weights stay fp32), fp32, or tf32: fp32 whose factors a GPU may "
        "round to 10 bits (on a CPU the same as fp32)",
    )
    threads: Count = 2
    deterministic: bool = False
    checkpoint: Literal["last", "best_val"] = "last"
    memory: Literal["standard", "lean"] = Field("standard", json_schema_extra=ASIDE)
    on_oom: Literal["auto", "split", "stop"] = Field("auto", json_schema_extra={**ASIDE, "counted": ["split"]})
    save_minutes: Positive = Field(10.0, json_schema_extra=ASIDE)

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
    recover_epochs: int = Field(2, ge=0)
    recover_lr: Positive | None = None


class Measure(Model):
    batch_sizes: list[Count] = Field([1, 64], min_length=1)
    threads: list[Count] = Field([1], min_length=1)
    seconds: Positive = Field(1.0, description="least time for each batch size and thread count, over all rounds")
    rounds: int = Field(6, ge=2, description="each in new processes; the spread between them is the error")


class Explain(Model):
    images: Count = 8


class Resources(Model):
    """How a job is run, never what comes out."""

    gpus: float = Field(1, ge=0)
    cpus: Count = 4
    memory: str = Field("16G", pattern=r"^\d+[KMGT]$")
    time: str = Field("4h", pattern=r"^\d+[smhd]$")
