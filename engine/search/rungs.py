"""Trials that go on for longer: takes an arm's trials, gives who goes up, and which of them can be compared.

A trial is as many decisions as it has rungs, all of its number. Without fidelity there is one rung, and all of this is
as if it were not here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

from engine.search.decisions import State, Trial
from engine.search.halving import Ended, Ladder, promotions
from engine.search.judging import broken_bound, goals
from engine.spec.search import MARK, Search


def rung_words(search: Search, rung: int) -> dict[str, Any]:
    """Return what a rung adds to a trial's settings."""
    return {} if search.fidelity is None else search.fidelity.words(rung)


def trial_name(search: Search, arm: str, number: int, rung: int) -> str:
    named = f"{arm}{MARK}{number:03d}"
    return named if search.fidelity is None else f"{named}-e{search.fidelity.epochs[rung]}"


def first_rungs(trials: Iterable[Trial]) -> list[Trial]:
    """Return each trial once, as it began."""
    return [one for one in trials if one.decision.rung == 0]


def trial_states(trials: Sequence[Trial]) -> list[State]:
    """Return how each trial stands: open while it is trained on some rung, else as its first rung ended."""
    at_work = {one.decision.trial for one in trials if one.state == "open"}
    return ["open" if one.decision.trial in at_work else one.state for one in first_rungs(trials)]


def compared(trials: Sequence[Trial]) -> list[Trial]:
    """Return the trials of the highest rung on which one was judged: those of other lengths are no match for them."""
    top = max((one.decision.rung for one in trials if one.is_judged), default=0)
    return [one for one in trials if one.decision.rung == top]


def sampled(trials: Sequence[Trial], search: Search, arm: str) -> list[Trial]:
    """Return each trial as the sampler is told of it: by figures of one rung, the highest that has enough of them.

    As BOHB has it (Falkner et al. 2018, arXiv 1807.01774, section 4.1): with d axes, d + 3 trials.
    """
    least = len(search.space_of(arm)) + 3
    rungs = {rung: {one.decision.trial: one for one in trials if one.decision.rung == rung} for rung in _rungs(trials)}
    chosen = next((rung for rung in sorted(rungs, reverse=True) if _count_judged(rungs[rung].values()) >= least), 0)
    return [one if not chosen else rungs[chosen].get(one.decision.trial, _untold(one)) for one in first_rungs(trials)]


def _rungs(trials: Iterable[Trial]) -> set[int]:
    return {one.decision.rung for one in trials}


def _count_judged(trials: Iterable[Trial]) -> int:
    return sum(one.is_judged for one in trials)


def _untold(trial: Trial) -> Trial:
    """Return a trial without the figures that it has of another rung."""
    return replace(trial, state="failed", values={}) if trial.is_judged else trial


def next_up(trials: Sequence[Trial], search: Search, *, is_over: bool) -> tuple[Trial, int] | None:
    """Return the trial, as it began, that goes on next and the rung it goes to; None where there is none.

    `is_over`: no trial will be added and none is at work.
    """
    if search.fidelity is None:
        return None
    ladder = Ladder(len(search.fidelity.epochs), search.fidelity.keep)
    ended = [
        Ended(one.decision.trial, one.decision.rung, _value(one, search))
        for one in trials
        if one.state in ("done", "failed")
    ]
    begun = {(one.decision.trial, one.decision.rung) for one in trials}
    number, rung = next(iter(promotions(ladder, ended, begun, is_over=is_over)), (-1, 0))
    return next(((one, rung) for one in first_rungs(trials) if one.decision.trial == number), None)


def _value(trial: Trial, search: Search) -> float | None:
    """Return a trial's figure, more being better; None where it has none, or breaks a bound."""
    found = goals(trial, search)
    return None if found is None or broken_bound(trial.values, search.constraint) is not None else found[0]
