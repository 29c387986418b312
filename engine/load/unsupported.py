"""Words of the contract that cannot run yet: takes the settings of a cell, gives what must be refused and why.

A word that is accepted and then ignored would make a paper wrong without a sign, so each of these stops a spec.
An entry leaves this table when its machinery arrives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from engine.spec import Settings
from engine.spec.backends import unclaimed


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


PLANNED: tuple[Planned, ...] = (
    Planned(
        "student.attention.backend",
        lambda s: s.student.attention.backend == "triton" and bool(unclaimed(s.student.attention)),
        "use backend: auto: triton computes combine: joint, and every select but pooled",
    ),
    Planned(
        "resources.gpus",
        lambda s: s.resources.gpus > 1,
        "use gpus: 1: each run trains on one GPU, and as many runs go on at once as there are GPUs",
    ),
)
