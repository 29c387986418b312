"""What a training loop is given: takes the words of a spec and who works for it, gives one recipe.

Everything that decides a training but for the network stands in it; Hooks are what the loop needs of its surroundings.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from engine.core.data.loader import EvalLoader, TrainLoader
from engine.core.distill.answering import Ask
from engine.core.distill.hints import Hints
from engine.core.distill.temperature import TemperatureCurve
from engine.core.train.checkpoint import State
from engine.core.train.forward import Forward
from engine.core.train.ranks.group import Ranks
from engine.spec import Distill, Train


class Hooks(Protocol):
    """What the loop needs of its surroundings."""

    def metric(self, name: str, value: float, step: int, epoch: int) -> None: ...

    def beat(self, phase: str, **figures: float | int | None) -> None: ...

    def should_stop(self) -> bool: ...

    def save(self, state: State, step: int) -> None: ...


@dataclass(frozen=True)
class Recipe:
    """Everything that decides a training but for the network and its generator's state.

    `teacher` answers a batch, `schedule` is the temperature of each step; `save_seconds` is the longest time
    between two checkpoints.
    `micro_batch`: how many images go through the network at once in a step, None for the whole batch.
    `ranks`: the processes that share each batch, None where there is one; each calls everything here alike.
    `hints`: what the student makes of its teacher's features, on its device.
    """

    train: Train
    distill: Distill | None
    forward: Forward
    loader: TrainLoader
    val_loader: EvalLoader | None
    teacher: Ask | None = None
    schedule: TemperatureCurve | None = None
    phase: str = "train"
    # The most work that a kill can cost; each save copies the whole state off the device.
    save_seconds: float = 600.0
    micro_batch: int | None = None
    ranks: Ranks | None = None
    hints: Hints | None = None
