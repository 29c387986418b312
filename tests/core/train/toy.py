"""A tiny training on real digits, with everything that can break a resume: batch norm, dropout, AdamW's moments."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from engine.core.data.loader import EvalLoader, TrainLoader
from engine.core.data.pack import Pack, open_pack, write_pack
from engine.core.data.sources import list_images
from engine.core.distill.answering import Ask
from engine.core.distill.temperature import TemperatureCurve
from engine.core.train.checkpoint import State
from engine.core.train.forward import Forward
from engine.core.train.loop import Loop
from engine.core.train.recipe import Recipe
from engine.inputs.splits import make_split
from engine.spec import Data, Distill, Train

DATA = Data(source="digits", image_size=8, split="20/10/70", short_side=8)
CPU = Forward(torch.device("cpu"), "fp32", (0.5,) * 3, (0.5,) * 3)


class KilledHere(BaseException):
    """Stands for a SIGKILL: nothing of ours catches it."""


@dataclass
class Notes:
    """Hooks that keep everything in memory; the step to stop at, or to die at."""

    stop_at: int | None = None
    kill_at: int | None = None
    metrics: list[tuple[str, float, int, int]] = field(default_factory=list)
    saved: list[tuple[int, State]] = field(default_factory=list)
    phases: list[str] = field(default_factory=list)
    step: int = 0
    on_beat: Callable[[str], None] = lambda phase: None

    def metric(self, name: str, value: float, step: int, epoch: int) -> None:
        self.metrics.append((name, value, step, epoch))

    def beat(self, phase: str, **figures: float | int | None) -> None:
        self.phases.append(phase)
        self.step = int(figures["step"] or 0)
        self.on_beat(phase)
        if phase == "train" and self.step == self.kill_at:
            raise KilledHere

    def should_stop(self) -> bool:
        return self.stop_at is not None and self.step + 1 >= self.stop_at

    def save(self, state: State, step: int) -> None:
        copied = {name: _copy(value) for name, value in state.items()}
        self.saved.append((step, copied))

    def values(self, name: str) -> list[float]:
        return [value for known, value, _, _ in self.metrics if known == name]


def _copy(value: object) -> object:
    if isinstance(value, Tensor):
        return value.clone()
    if isinstance(value, dict):
        return {key: _copy(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_copy(inner) for inner in value]
    return value


def make_pack(folder: Path) -> Pack:
    write_pack(list_images(DATA), folder, DATA.short_side, lambda done, total: None)
    return open_pack(folder)


def make_network() -> nn.Module:
    torch.manual_seed(0)
    layers = [
        nn.Conv2d(3, 8, 3, stride=2),
        nn.BatchNorm2d(8),
        nn.GELU(),
        nn.Flatten(),
        nn.Dropout(0.2),
        nn.Linear(72, 10),
    ]
    return nn.Sequential(*layers)


def make_loop(
    pack: Pack,
    notes: Notes,
    *,
    train: Train | None = None,
    distill: Distill | None = None,
    teacher: Ask | None = None,
    schedule: TemperatureCurve | None = None,
    save_seconds: float = 600.0,
    forward: Forward = CPU,
) -> Loop:
    train = train or Train(epochs=3, batch_size=64, lr=1e-2, precision="fp32", threads=1)
    split = make_split(pack.keys, pack.labels, pack.class_names, DATA.split, 0)
    recipe = Recipe(
        train=train,
        distill=distill,
        forward=forward,
        loader=TrainLoader(pack, split.train, DATA, 8, train.batch_size, 0, None),
        val_loader=EvalLoader(pack, split.val, DATA, 8, 64),
        teacher=teacher,
        schedule=schedule,
        save_seconds=save_seconds,
    )
    return Loop(make_network(), recipe, notes)
