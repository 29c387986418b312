"""What a student makes of its teacher's features: takes the words of a spec and its network, gives a loss to add.

A hint (FitNets' word) is one entry of `distill.features`. The projectors are parameters that are trained beside the
student's and saved with them in checkpoints; the network itself has no more than it had.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from engine.core.distill.encoding import Answers
from engine.core.distill.feature_losses import FEATURE_LOSSES
from engine.core.distill.projectors import PROJECTORS, Projector
from engine.core.distill.taps import find_layers, listening, probe_layers, read_layer, reduce_map
from engine.errors import JobError
from engine.spec.features import Feature, kept_features

AnswerLoss = Callable[[Tensor], Tensor]


class Hints(nn.Module):
    """The hints of one training: `channels` are those of each kept feature of the teacher, in the order of its targets;
    `classes` those that exits answer.

    Projectors begin from `seed` alone: what else the training draws is as it would be without them.
    """

    def __init__(
        self,
        features: Sequence[Feature],
        network: nn.Module,
        image_size: int,
        channels: Sequence[int],
        seed: int,
        classes: int = 0,
    ) -> None:
        super().__init__()
        self.features, kept = tuple(features), kept_features(features)
        self.places = [None if feature.kept is None else kept.index(feature.kept) for feature in features]
        names = list(dict.fromkeys(feature.student for feature in features))
        inner = probe_layers(network, names, image_size)
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            made = [
                _make_projector(feature, *inner[feature.student], classes if place is None else channels[place])
                for feature, place in zip(features, self.places, strict=True)
            ]
        self.projectors = nn.ModuleList(made)
        self._layers = find_layers(network, names)  # a mapping, so that the student is no part of this module
        self._heard: Mapping[str, Any] = {}

    @property
    def couples(self) -> bool:
        """Whether a loss of these compares images, so that a batch cannot go through in pieces."""
        return any(FEATURE_LOSSES[feature.loss].couples for feature in self.features)

    def refuse_pieces(self, count: int, most: int | None, *, couples: bool) -> None:
        """Raise JobError where a batch of `count` images would go through in pieces and a loss compares images.

        `couples`: that of the logits does.
        """
        if most is not None and most < count and (couples or self.couples):
            what = f"memory has room for {most} of {count} images at once, and a loss with features compares them all"
            fix = "take a smaller train.batch_size, or losses that compare no images (not relational, dist, skd)"
            raise JobError(what, where="distill.features", fix=fix)

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Listen to the student inside: `loss` is then of the last batch that went through it."""
        with listening(self._layers) as self._heard:
            yield

    def loss(self, answers: Answers, answer_loss: AnswerLoss) -> Tensor:
        """Return the weighted sum of all hints, of what was heard of the student, for what its teacher says.

        `answer_loss` is that of the logits, which exits are held against. What was heard is let go: graphs of a batch
        are kept once.
        """
        heard, self._heard = self._heard, {}
        batch, parts = len(answers.logits), list[Tensor]()
        for feature, projector, place in zip(self.features, self.projectors, self.places, strict=True):
            if not feature.weight:
                continue
            own = read_layer(heard, feature.student, batch)
            if place is None:
                part = answer_loss(projector(own.float()))
            else:
                part = _follow(feature, projector, own, answers.features[place])
            parts.append(feature.weight * part)
        return torch.stack(parts).sum() if parts else answers.logits.new_zeros(())


def _follow(feature: Feature, projector: nn.Module, own: Tensor, teacher: Tensor) -> Tensor:
    function, kept = FEATURE_LOSSES[feature.loss].function, feature.kept
    assert isinstance(projector, Projector)
    assert function is not None
    assert kept is not None
    return function(projector(reduce_map(own, kept.pool, kept.keeps)), projector.aim(teacher))


def _make_projector(feature: Feature, inner: int, side: int, outer: int) -> nn.Module:
    if feature.refuses(inner, outer):
        what, fix = feature.channel_problem(inner, outer)
        raise JobError(what, where="distill.features", fix=fix)
    return PROJECTORS[feature.projector].make(inner, outer, side)
