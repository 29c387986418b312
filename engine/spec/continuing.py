"""Trainings that continue one another: takes the words of a run, gives where its end matters, and what is tied to it.

A training of 9 epochs can begin with the state of one of 3 where both did the same up to there: where neither rate, nor
temperature, nor mask, nor teacher of an epoch depends on how many epochs there are.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Protocol

from engine.spec.distill import TemperatureSchedule
from engine.spec.prune import Prune
from engine.spec.teacher import Teacher
from engine.spec.training import DECAY_SHARE, Train

Problem = tuple[str, str, str]  # where, what, fix
OPEN = ("wsd", "constant", "step")
"""The schedules whose rate depends on where a training ends in its last part alone, or not at all."""


class Course(Protocol):
    """How a teacher is heard over a training: the words of a spec, or those of a job."""

    @property
    def temperature(self) -> object: ...

    @property
    def until(self) -> float: ...


def stable_epochs(train: Train) -> int | None:
    """Return after how many whole epochs its end begins to matter to a training; None: from its beginning on."""
    if train.schedule not in OPEN:
        return None
    if train.schedule != "wsd":
        return train.epochs
    decay = train.decay_epochs if isinstance(train.decay_epochs, int) else None
    share = train.decay_share or DECAY_SHARE
    # Rounded first: 0.3 x 10 is a hair below 3 in binary.
    stable = train.epochs - (math.ceil(round(share * train.epochs, 6)) if decay is None else decay)
    return max(0, stable)


def branch_epoch(train: Train, rungs: list[int]) -> int | None:
    """Return after which epoch a training keeps its state for longer ones of `rungs`; None where there are none."""
    stable = stable_epochs(train)
    return stable if stable and train.epochs < max(rungs, default=0) else None


def tied_words(train: Train, distill: Course | None) -> Iterator[Problem]:
    """Yield what of a training depends on the number of its epochs from the beginning on; None is one by labels."""
    stable = stable_epochs(train)
    if stable is None:
        what = f"schedule {train.schedule} is tied to the whole training: with more epochs each step has another rate"
        yield "train.schedule", what, "set train.schedule: wsd (the rate falls at the end alone), constant or step"
    elif train.schedule == "wsd" and stable < max(1, train.warmup_epochs):
        what = f"of its epochs, {train.epochs}, the rate falls in all but {stable}: nothing is left for a longer one"
        yield "train.schedule", what, "set a shorter train.decay_epochs, or more epochs"
    if train.compile == "auto":
        what = "compile: auto is decided by how long a training is"
        yield "train.compile", what, "set train.compile: off or max"
    if distill is None:
        return
    if isinstance(distill.temperature, TemperatureSchedule):
        what = "a temperature's course is tied to the whole training: with more epochs each step has another one"
        yield "distill.temperature", what, "write a number, or `{match: entropy, reference: ...}`"
    if distill.until < 1.0:
        what = f"the teacher is heard in {distill.until:g} of the epochs: with more of them for longer"
        yield "distill.until", what, "leave distill.until away"


def unfit_words(
    train: Train, distill: Course | None, prune: Prune | None, teachers: list[tuple[str, Teacher]]
) -> Iterator[Problem]:
    """Yield what keeps the trainings of a run from continuing one another; None is what the run has not.

    `teachers` by their paths.
    """
    yield from tied_words(train, distill)
    if prune is not None and prune.control is not None:
        what = "a control is made from the whole training of the network that it is a control of"
        yield "prune.control", what, "leave prune.control away"
    elif prune is not None and prune.when == "before":
        what = "a network that is pruned before it is trained is trained by the job that prunes it, which begins anew"
        yield "prune.when", what, "set prune.when: after, or leave prune away"
    for path, teacher in teachers:
        followers = [path] if teacher.head == "finetune" else []
        followers += [f"{path}.assistants.{place}" for place, one in enumerate(teacher.assistants) if one.train is None]
        for follower in followers if teacher.train is None else ():
            what = "without a train: of its own this network is trained for as many epochs as the student"
            yield follower, what, "give it a `train:` of its own"
