"""The temperature of a step: takes the spec's words and where a training stands, gives one number.

A pure function of epoch and step, so that a resumed training goes on with the temperature it would have had.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from engine.core.distill.diagnose import TEMPERATURES, diagnose_entropy, match_entropy
from engine.errors import JobError
from engine.spec import Distill, TemperatureSchedule


@dataclass(frozen=True)
class TemperatureCurve:
    """A temperature over the `epochs` that are distilled, of `steps` steps each."""

    start: float
    end: float
    epochs: int
    steps: int
    schedule: Literal["linear", "cosine"] = "linear"
    by: Literal["step", "epoch"] = "step"

    def at(self, epoch: int, step: int) -> float:
        """Return the temperature of step `step` (from 0, over the whole training), which lies in epoch `epoch`."""
        # One less: the last step has the end value.
        done, last = (epoch, self.epochs - 1) if self.by == "epoch" else (step, self.epochs * self.steps - 1)
        share = min(1.0, done / last) if last > 0 else 0.0
        if self.schedule == "cosine":
            share = (1 - math.cos(math.pi * share)) / 2
        return self.start + (self.end - self.start) * share


def taught_epochs(distill: Distill, epochs: int) -> int:
    """Return how many epochs of a training are distilled: epoch e is while e < until x epochs.

    Rounded first: 0.28 x 25 is a hair above 7 in binary, and 8 epochs are not meant.
    """
    return math.ceil(round(distill.until * epochs, 6))


def schedule_temperature(distill: Distill, epochs: int, steps: int) -> TemperatureCurve:
    """Return the schedule of `distill.temperature`, a number or a schedule, over a training of `epochs` epochs."""
    words, taught = distill.temperature, taught_epochs(distill, epochs)
    if isinstance(words, TemperatureSchedule):
        return TemperatureCurve(words.start, words.end, taught, steps, words.schedule, words.by)
    if isinstance(words, float):
        return TemperatureCurve(words, words, taught, steps)
    raise ValueError("a matched temperature is found before the training")


def match_temperature(logits: Tensor, reference: Tensor, at: float) -> float:
    """Return the temperature at which `logits` (n, C) have the mean entropy that `reference` has at `at`.

    Both are of the same images. Raises JobError when there is none.
    """
    entropy = diagnose_entropy(reference, at)
    found = match_entropy(logits, entropy)
    if not found:
        low, high = TEMPERATURES
        what = f"no temperature in [{low:g}, {high:g}] gives the teacher the reference's entropy of {entropy:.3g} nats"
        fix = "choose another reference or another `at`, or give a number"
        raise JobError(what, where="distill.temperature", fix=fix)
    return found
