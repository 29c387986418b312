"""Who answers a student's batch: takes cached targets or a teacher, gives a function of the batch; both say the same.

Where images are mixed, mix_targets: linear takes the teacher's answer as linear in them. Online without it, the teacher
looks at the mixed images themselves, as the student does.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from engine.core.data.loader import Batch
from engine.core.distill.encoding import Answers, quantise
from engine.core.distill.make import BATCH, Maker, Said
from engine.core.distill.targets import Targets
from engine.inputs.looks import Look

Ask = Callable[[Batch], Answers]


def mix_answers(answers: Answers, batch: Batch) -> Answers:
    """Return the answers for a batch whose images are mixed; moments of a mixture are not known."""
    return answers if batch.mix is None else Answers(batch.mix.targets(answers.logits))


@dataclass(frozen=True)
class CachedTeacher:
    """Looks a batch up; `divisor` is the temperature that the teacher was calibrated with."""

    targets: Targets
    divisor: float = 1.0

    def __call__(self, batch: Batch) -> Answers:
        return mix_answers(self.targets.lookup(batch.view, batch.rows).divided(self.divisor), batch)


@dataclass(frozen=True)
class OnlineTeacher:
    """Asks the teacher in the step, `batch` images at once, through the same views and the same quantiser."""

    maker: Maker
    shown: Look
    divisor: float = 1.0
    batch: int = BATCH

    def __call__(self, batch: Batch) -> Answers:
        linear = batch.mix is not None and self.maker.origin.data.augment.mix_targets == "linear"
        logits, features = _join([self.maker.say(part) for part in self._shown(batch, linear)])
        answers = quantise(logits).divided(self.divisor)
        answers = mix_answers(answers, batch) if linear else answers
        return replace(answers, features=self.maker.rows(batch.view).hear(features)) if features else answers

    def _shown(self, batch: Batch, linear: bool) -> tuple[Tensor, ...]:
        """Return what the teacher looks at: the batch's own pixels where they are the view as the teacher looks."""
        shown, look = self.shown, self.maker.look
        same = (look.image_size, look.interpolation) == (shown.image_size, shown.interpolation)
        alike = same and not linear
        images = batch.images if alike else self.maker.render(batch.view, batch.rows.numpy())
        return torch.split(images, self.batch)


@dataclass(frozen=True)
class HeardBeside:
    """Cached logits, and features that the teacher is asked for in the step: they would not fit the disk."""

    answers: Ask
    teacher: OnlineTeacher

    def __call__(self, batch: Batch) -> Answers:
        return replace(self.answers(batch), features=self.teacher(batch).features)


def _join(parts: list[Said]) -> Said:
    """Return what a teacher said of the pieces of a batch as of the whole."""
    features = zip(*(features for _, features in parts), strict=True)
    return torch.cat([logits for logits, _ in parts]), tuple(torch.cat(one) for one in features)
