"""What was timed: takes the clock's notes, gives plain values that go through JSON; loads no torch.

All times are seconds. A step is an optimizer step, with all of its batches.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

from pydantic import BaseModel, ConfigDict

PARTS: Mapping[str, str] = {
    "load": "waiting for the loader",
    "render": "images drawn: decode, crop, resize",
    "augment": "colours, erasing, mixing",
    "copy": "images and labels to the device",
    "teacher": "the teacher's answers",
    "forward": "network and loss",
    "backward": "gradients",
    "optimizer": "clip, update, average",
    "log": "heartbeat, a look at the loss",
}
"""The parts of a step, in their order. Where threads load, `render` and `augment` are beside it."""
LOADER_PARTS = ("render", "augment", "copy")
RARE = "checkpoint"


class Times(BaseModel):
    """The base of what is timed: frozen, no words but its own."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class StepTime(Times):
    """One step. `parts` are None of a plain one, at which only the clock's end was read.

    `wall`: from the end of the step before to its own, by the device's clock on a GPU, checkpoints left out.
    `host`: the same parts by the host's clock, on a GPU alone. `cpu`: seconds of all cores that the process took.
    """

    wall: float
    cpu: float
    parts: dict[str, float] | None = None
    host: dict[str, float] | None = None
    host_wall: float = 0.0


class Beside(Times):
    """What the loader did beside all timed steps, by part: `thread` seconds of its threads' processor time, `busy`
    seconds that passed in them; `device` seconds of the stream that makes batches on a GPU.
    """

    thread: dict[str, float]
    busy: dict[str, float]
    device: dict[str, float]


class Checkpoint(Times):
    """One checkpoint: how long the training waits for it, and how long it is written beside the training."""

    waits: float
    beside: float


class CardWork(Times):
    """What some steps asked of a GPU, a step: launches, and how often the host waited, at which lines.

    `busy`: seconds in which it did anything, on any stream. What nobody tells is None, and `why` says so.
    """

    launches: float | None
    waits: float
    lines: list[str]
    busy: float | None
    why: str = ""


class Surroundings(Times):
    """How it was timed. `cores` are those that the process may use; `workers` threads load images.

    `save_seconds`: the longest time between two checkpoints, of which an epoch's end makes one too.
    """

    device: str
    kind: Literal["cpu", "gpu"]
    precision: str
    threads: int
    cores: int
    workers: int
    batch: int
    images: float
    micro_batch: int | None
    compiled: str | None
    save_seconds: float
    epoch_steps: int
    taught: Literal["", "cached", "online", "made up", "made up, online"]
    keeps_views: bool
    parameters: int


class Timings(Times):
    """All of it: the steps in the order they were done, plain and timed ones in turn; `warm_up` came before.

    `epochs` begun among them. `ends`: what the end of an epoch takes before its checkpoint. `idle_cores`: how many of
    the cores were idle meanwhile, on average; None where the system does not tell.
    """

    about: Surroundings
    steps: list[StepTime]
    warm_up: int
    epochs: int
    beside: Beside
    checkpoints: list[Checkpoint]
    ends: list[float]
    idle_cores: float | None
    card: CardWork | None
