"""Words of the contract that cannot run yet: takes the settings of a cell, gives what must be refused and why.

A word that is accepted and then ignored would make a paper wrong without a sign, so each of these stops a spec.
An entry leaves this table when its machinery arrives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from engine.spec import Settings, Train
from engine.spec.backends import unclaimed
from engine.spec.network import OwnAttention
from engine.spec.own_code import names_code


@dataclass(frozen=True)
class Planned:
    """A setting that is not built: where it stands, when it is asked for, and what to write until then."""

    path: str
    is_asked: Callable[[Settings], bool]
    fix: str


def planned_problems(settings: Settings) -> Iterator[tuple[str, str, str]]:
    """Yield path, what and fix for everything that these settings ask for and xp cannot do yet."""
    for planned in PLANNED:
        if planned.is_asked(settings):
            yield planned.path, "xp cannot do this yet", planned.fix


def _follows(settings: Settings) -> bool:
    """Whether a student follows layers of its teacher."""
    return settings.is_taught and bool(settings.distill.features)


def _shared(settings: Settings) -> list[Train]:
    """Return how the networks are trained that have several processes each."""
    return _all(settings) if settings.resources.processes > 1 else []


def _all(settings: Settings) -> list[Train]:
    return [train for _, train in settings.trainings]


def _names_own(settings: Settings) -> bool:
    return any(names_code(network.arch) for _, network in settings.networks)


PLANNED: tuple[Planned, ...] = (
    Planned(
        "student.attention.backend",
        lambda s: s.student.attention.backend == "triton" and bool(unclaimed(s.student.attention)),
        "use backend: auto: triton computes combine: joint, and every select but pooled",
    ),
    Planned(
        "student.weights",
        lambda s: isinstance(s.student.attention, OwnAttention) and s.student.weights == "pretrained",
        "write none: published weights have no attention of your own",
    ),
    Planned(
        "teacher.weights",
        lambda s: any(names_code(teacher.arch) and teacher.is_given for _, teacher in s.teachers),
        "add teacher.train: a network of your own teaches where it was trained here",
    ),
    # With several processes: what a network keeps of a batch, and what a compiled step asks, are of one process.
    Planned(
        "train.memory",
        lambda s: any(train.memory == "lean" for train in _shared(s) or (_all(s) if _names_own(s) else [])),
        "use memory: standard where a training has several processes (each holds its share of a batch alone), or a "
        "network is of your own code (nobody knows what of it can be computed again)",
    ),
    Planned(
        "train.compile",
        lambda s: any(train.compile != "off" for train in _shared(s)),
        "use compile: off where a training has several processes",
    ),
    Planned(
        "train.batch_size",
        lambda s: any(train.batch_size < 2 * s.resources.processes for train in _shared(s)),
        "take two images at least for each process: resources.gpus (on the CPU resources.ranks)",
    ),
    # Layers are listened to in the plain forward pass of one process.
    Planned(
        "distill.features",
        lambda s: _follows(s) and s.resources.processes > 1,
        "leave resources.ranks and several gpus away where distill.features are followed",
    ),
    Planned(
        "train.compile",
        lambda s: _follows(s) and s.train.compile != "off",
        "use compile: off where distill.features are followed",
    ),
    Planned(
        "train.memory",
        lambda s: _follows(s) and s.train.memory == "lean",
        "use memory: standard where distill.features are followed",
    ),
)
