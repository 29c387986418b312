"""Successive halving: takes the trials that ended on each rung, gives those that go on to the next one.

Asynchronous (ASHA, Li et al. 2020, arXiv 1810.05934, algorithm 2): a trial goes up as soon as it is among the best of
those that ended on its rung so far, one in `keep`; nobody waits for a rung to be full. What goes up is never taken
back, so that a trial may go up that was best of few and is not of many. Pure: the same trials, the same answer.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

Direction = Literal["max", "min"]


@dataclass(frozen=True)
class Ended:
    """A trial that ended on a rung (0 is the shortest); `value` is None where it failed, and counts as the worst."""

    trial: int
    rung: int
    value: float | None

    @property
    def has_value(self) -> bool:
        return self.value is not None and not math.isnan(self.value)


@dataclass(frozen=True)
class Ladder:
    """The rungs of a search, by number, and what decides who goes up: one in `keep`."""

    rungs: int
    keep: int = 3
    direction: Direction = "max"

    def rank(self, ended: Collection[Ended], rung: int) -> list[Ended]:
        """Return who ended on a rung, the best first; of equals the trial that was proposed first."""
        return sorted((one for one in ended if one.rung == rung), key=self._place)

    def _place(self, one: Ended) -> tuple[bool, float, int]:
        if one.value is None or not one.has_value:
            return True, 0.0, one.trial
        return False, -one.value if self.direction == "max" else one.value, one.trial


def promotions(
    ladder: Ladder, ended: Collection[Ended], begun: Collection[tuple[int, int]], *, is_over: bool = False
) -> list[tuple[int, int]]:
    """Return who goes up and to which rung, (trial, rung), the highest rung first and in it the best first.

    `begun` are the (trial, rung) that were asked for already. `is_over`: no trial will be added and none is at work;
    then the best of a rung whose trials are too few goes up all the same, so that something reaches the top.
    """
    found = [place for rung in reversed(range(ladder.rungs - 1)) for place in _going_up(ladder, ended, begun, rung)]
    if found or not is_over:
        return found
    last = _highest(ended)
    if last is None or last == ladder.rungs - 1:
        return []
    return list(_not_begun(ladder.rank(ended, last), begun))[:1]


def _going_up(
    ladder: Ladder, ended: Collection[Ended], begun: Collection[tuple[int, int]], rung: int
) -> Iterator[tuple[int, int]]:
    ranked = ladder.rank(ended, rung)
    return _not_begun(ranked[: len(ranked) // ladder.keep], begun)


def _not_begun(ranked: Sequence[Ended], begun: Collection[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    return ((one.trial, one.rung + 1) for one in ranked if one.has_value and (one.trial, one.rung + 1) not in begun)


def _highest(ended: Collection[Ended]) -> int | None:
    """Return the highest rung on which a trial ended with a value."""
    return max((one.rung for one in ended if one.has_value), default=None)
