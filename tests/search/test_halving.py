"""Who goes up follows from who ended, as the published algorithm has it, whatever the order they end in."""

from __future__ import annotations

import math
import random
from typing import Any

import pytest

from engine.search.halving import Ended, Ladder, promotions

Place = tuple[int, int]


def by_the_book(values: dict[Place, float], begun: set[Place], rungs: int, keep: int) -> Place | None:
    """Algorithm 2 of Li et al. 2020, `get_job`, for the largest value: one promotion at a time, by counting."""
    for rung in range(rungs - 2, -1, -1):
        here = {trial: value for (trial, at), value in values.items() if at == rung}
        candidates = []
        for trial, value in here.items():
            better = sum(other > value or (other == value and one < trial) for one, other in here.items())
            if better < len(here) // keep:
                candidates.append((better, trial))
        promotable = [trial for _, trial in sorted(candidates) if (trial, rung + 1) not in begun]
        if promotable:
            return promotable[0], rung + 1
    return None


@pytest.mark.parametrize("seed", range(40))
def test_it_promotes_as_the_published_algorithm_does(seed: int) -> None:
    """One worker after another is given work as it comes free; ends come in an order of chance."""
    chance = random.Random(seed)
    rungs, keep, workers, trials = chance.choice([2, 3, 4]), chance.choice([2, 3, 4]), chance.randint(1, 5), 30
    ladder = Ladder(rungs, keep)
    begun: set[Place] = set()
    at_work: list[Place] = []
    values: dict[Place, float] = {}
    added = 0
    while True:
        while len(at_work) < workers:
            ended = [Ended(trial, rung, value) for (trial, rung), value in values.items()]
            chance.shuffle(ended)
            found = promotions(ladder, ended, begun)
            expected = by_the_book(values, begun, rungs, keep)
            assert (found[0] if found else None) == expected
            if expected is None and added == trials:
                break
            place = expected or (added, 0)
            added += expected is None
            begun.add(place)
            at_work.append(place)
        if not at_work:
            break
        place = at_work.pop(chance.randrange(len(at_work)))
        values[place] = chance.choice([0.1, 0.2, 0.3, 0.5]) if seed % 2 else chance.random()
    for rung in range(rungs - 1):
        ended_here = sum(at == rung for _, at in values)
        assert sum(at == rung + 1 for _, at in begun) >= ended_here // keep


def ends(*values: float | None, rung: int = 0) -> list[Ended]:
    return [Ended(trial, rung, value) for trial, value in enumerate(values)]


def test_one_in_keep_goes_up_the_best_first() -> None:
    ended = ends(0.1, 0.9, 0.5, 0.7, 0.3, 0.2)
    assert promotions(Ladder(2, 3), ended, []) == [(1, 1), (3, 1)]
    assert promotions(Ladder(2, 3, "min"), ended, []) == [(0, 1), (5, 1)]
    assert promotions(Ladder(2, 2), ended, [(1, 1)]) == [(3, 1), (2, 1)]
    assert promotions(Ladder(2, 3), ends(0.1, 0.9), []) == []
    assert promotions(Ladder(1, 3), ended, []) == [], "there is nothing above"


def test_the_highest_rung_is_served_first() -> None:
    ended = [*ends(0.9, 0.8, 0.7, 0.6, 0.5, 0.4), *ends(0.5, 0.6, 0.7, rung=1)]
    begun = [(0, 1), (1, 1), (2, 1)]
    assert promotions(Ladder(3, 3), ended, begun) == [(2, 2)]
    assert promotions(Ladder(3, 2), ended, begun) == [(2, 2)]
    assert promotions(Ladder(3, 2), ended, [*begun, (2, 2)]) == []
    assert promotions(Ladder(3, 3), ended, [(0, 1), (2, 1)]) == [(2, 2), (1, 1)]


@pytest.mark.parametrize("worst", [None, math.nan])
def test_what_failed_is_the_worst_and_counts(worst: Any) -> None:
    assert promotions(Ladder(2, 3), ends(worst, 0.1, worst), []) == [(1, 1)]
    assert promotions(Ladder(2, 3), ends(worst, worst, worst), []) == []
    assert promotions(Ladder(2, 3), ends(worst, worst), [], is_over=True) == []


def test_at_the_end_the_best_of_few_goes_up_to_the_top() -> None:
    ended = ends(0.4, 0.6)
    assert promotions(Ladder(3, 3), ended, []) == []
    assert promotions(Ladder(3, 3), ended, [], is_over=True) == [(1, 1)]
    higher = [*ended, Ended(1, 1, 0.5)]
    assert promotions(Ladder(3, 3), higher, [(1, 1)], is_over=True) == [(1, 2)]
    assert promotions(Ladder(3, 3), [*higher, Ended(1, 2, 0.5)], [(1, 1), (1, 2)], is_over=True) == []


def test_one_that_fails_above_lets_the_next_one_try() -> None:
    """The rung above has an end and no value: who is left below goes up, as nothing reached the top."""
    ended = [*ends(0.4, 0.6), Ended(1, 1, None)]
    assert promotions(Ladder(2, 3), ended, [(1, 1)], is_over=True) == [(0, 1)]
