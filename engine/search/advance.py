"""One look at a search: takes a home and an experiment, asks for its next trials; whoever looks again changes nothing.

All that is decided is written into the record in one piece with the runs that follow from it, before the queue hears
of them. A look that is killed is looked again: what it had drawn and not written is drawn once more, the same.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

from filelock import FileLock, Timeout

from engine.analysis.searches import EXHAUSTED
from engine.home.paths import Home
from engine.home.records import read_record
from engine.schedule.growing import DUE, WAITING, WORD, add_runs, grow_record, heal, mark_search
from engine.schedule.searched import ArmProgress, write_progress
from engine.search.decisions import Decision, Figures, Study, Trial, count_spent, read_study
from engine.search.drawing import Draw, draw_next
from engine.search.judging import best_trials, broken_bound
from engine.search.rungs import compared, first_rungs, next_up, rung_words, sampled, trial_name, trial_states
from engine.search.trials import Impossible, Work, gates, is_gated, only_measured, plan_trial
from engine.spec.search import BEST

MOST_REFUSED = 20  # refused draws for each trial that is asked for, until an arm is given up
Step = tuple[Decision, Work | None]


def advance(home: Home, name: str) -> bool:
    """Ask for the trials that are due; return False where another process is at it."""
    try:
        with FileLock(home.experiment(name) / ".search.lock", timeout=0):
            while not _look(home, name):
                pass
    except Timeout:
        return False
    return True


def _look(home: Home, name: str) -> bool:
    """Take every step that can be taken now; return False where the experiment was submitted anew meanwhile."""
    # First: what becomes due from now on is looked at again.
    mark_search(home, name, WAITING)
    record = read_record(home.records(name)[-1])
    if WORD not in record:
        mark_search(home, name, None)
        return True
    heal(home, record)
    figures = Figures(home, name)
    while steps := next_steps(study := read_study(home, record, figures), home):
        grown = grow_record(home, name, study.number, lambda record: _with_steps(record, steps))
        if grown is None:
            mark_search(home, name, DUE)
            return False
        record = grown
    _write_progress(home, study)
    if is_over(study):
        mark_search(home, name, None)
    return True


def tell_progress(home: Home, name: str) -> None:
    """Write down how far a search is, as its looks do; nothing is asked for. Nothing where nothing is searched."""
    record = read_record(home.records(name)[-1])
    if WORD in record:
        _write_progress(home, read_study(home, record))


def _write_progress(home: Home, study: Study) -> None:
    write_progress(home, study.spec.name, [_progress(study, arm) for arm in study.arms])


def _progress(study: Study, arm: str) -> ArmProgress:
    trials = [one for one in study.of(arm) if one.decision.why != EXHAUSTED]
    counts = Counter(trial_states(trials))
    metrics = study.search.metrics
    best = best_trials(compared(trials), study.search)
    shown = tuple((one.decision.trial_arm, {name: one.values[name] for name in metrics}) for one in best)
    return ArmProgress(
        arm, study.asked, counts["done"], counts["open"], counts["failed"], counts["refused"], shown, study.is_stopped
    )


def _with_steps(record: dict[str, Any], steps: Iterable[Step]) -> dict[str, Any]:
    """Return the record with decisions made or changed, and what follows from them."""
    trials = {trial["trial_arm"]: trial for trial in record[WORD]["trials"]}
    for decision, work in steps:
        trials[decision.trial_arm] = decision.as_json()
        if work is not None:
            record = add_runs(record, work.runs, work.jobs)
    return {**record, WORD: {**record[WORD], "trials": list(trials.values())}}


def next_steps(study: Study, home: Home) -> list[Step]:
    """Return the next decisions: gates that were measured first, then one trial of each arm, then finals.

    A trial that goes on for longer comes before a new one.
    """
    gated = [step for one in study.trials if one.decision.stage == "measure" for step in _pass_gate(study, home, one)]
    if gated:
        return gated
    asked = [step for arm in study.arms for step in (list(_promote(study, home, arm)) or _ask(study, home, arm))]
    return asked or [step for arm in study.arms for step in _finish(study, home, arm)]


def is_over(study: Study) -> bool:
    """Whether nothing will be asked any more: all trials ended, and finals are queued where they are wanted."""
    return not any(one.state == "open" and one.decision.stage != "final" for one in study.trials) and all(
        _is_enough(study, arm) for arm in study.arms
    )


def _is_enough(study: Study, arm: str) -> bool:
    trials = first_rungs(study.of(arm))
    has_given_up = bool(trials) and trials[-1].decision.why == EXHAUSTED
    return study.is_stopped or has_given_up or count_spent(trials) >= study.asked


def _promote(study: Study, home: Home, arm: str) -> Iterator[Step]:
    """Yield the trial of an arm that goes on for longer, where there is room for one."""
    trials, running = study.of(arm), _count_running(study, arm)
    if study.is_stopped or running >= study.search.parallel:
        return
    found = next_up(trials, study.search, is_over=not running and _is_enough(study, arm))
    if found is None:
        return
    one, rung = found
    named = trial_name(study.search, arm, one.decision.trial, rung)
    words = {"trial_arm": named, "why": "promoted", "stage": "train", "rung": rung, "at": time.time(), "marks": {}}
    decision = _changed(one.decision, **words)
    try:
        yield decision, plan_trial(study, home, arm, named, _settings(study, decision), "train")
    except Impossible as impossible:
        yield _refuse(decision, str(impossible)), None


def _settings(study: Study, decision: Decision) -> dict[str, Any]:
    """Return what a trial changes of its arm: what was drawn, and how long it is."""
    return {**decision.settings, **rung_words(study.search, decision.rung)}


def _count_running(study: Study, arm: str) -> int:
    return sum(one.state == "open" for one in study.of(arm))


def _ask(study: Study, home: Home, arm: str) -> Iterator[Step]:
    """Yield an arm's next trial where it has room for one."""
    trials = first_rungs(study.of(arm))
    if _is_enough(study, arm) or _count_running(study, arm) >= study.search.parallel:
        return
    number = len(trials)
    draw = None
    if number - count_spent(trials) < MOST_REFUSED * study.asked:
        draw = draw_next(study.search, arm, sampled(study.of(arm), study.search, arm), number)
    if draw is None:
        draw = Draw({}, EXHAUSTED, {})
    named = trial_name(study.search, arm, number, 0)
    decision = Decision(number, arm, named, draw.settings, draw.why, "train", time.time(), marks=draw.marks)
    if draw.why == EXHAUSTED:
        yield _refuse(decision, "nothing is left that was not tried or refused"), None
        return
    try:
        work = plan_trial(study, home, arm, named, _settings(study, decision), "train")
    except Impossible as impossible:
        yield _refuse(decision, str(impossible)), None
        return
    if is_gated(study.search, work):
        yield _changed(decision, stage="measure"), only_measured(work)
    else:
        yield decision, work


def _pass_gate(study: Study, home: Home, trial: Trial) -> Iterator[Step]:
    """Yield a measured trial as one that is trained, or as refused by what was measured."""
    decision = trial.decision
    if trial.state == "failed":
        yield _changed(decision, stage="train"), None
    if trial.state != "done":
        return
    broken = broken_bound(trial.values, gates(study.search))
    if broken is not None:
        yield _refuse(decision, broken), None
    else:
        work = plan_trial(study, home, decision.arm, decision.trial_arm, _settings(study, decision), "train")
        yield _changed(decision, stage="train"), work


def _finish(study: Study, home: Home, arm: str) -> Iterator[Step]:
    """Yield the finals of an arm whose trials have all ended: the best, or each of the front, on fresh seeds."""
    trials = study.of(arm)
    if study.search.final is None or not _is_enough(study, arm) or any(one.state == "open" for one in trials):
        return
    best = best_trials(compared(trials), study.search)
    for one in best:
        named = f"{arm}{BEST}" if len(study.search.metrics) == 1 else f"{arm}{BEST}-{one.decision.trial:03d}"
        is_first = all(final.decision.trial == one.decision.trial for final in study.finals(arm))
        why = "final" if is_first else "final again"  # the test images were looked at by another one before
        about: dict[str, Any] = {"why": why, "stage": "final", "at": time.time(), "seeds": study.search.final.seeds}
        told = Decision(one.decision.trial, arm, named, one.decision.settings, **about)
        kept = [final.decision for final in study.finals(arm) if final.state != "refused"]  # else it was removed
        known = next((final for final in kept if final.trial_arm == named), None)
        if known is None or (known.settings, [*known.seeds]) != (told.settings, [*told.seeds]):
            yield told, plan_trial(study, home, arm, named, one.decision.settings, "final")


def _refuse(decision: Decision, why: str) -> Decision:
    return _changed(decision, refused=why, stage="train")


def _changed(decision: Decision, **words: Any) -> Decision:
    return Decision(**{**decision.as_json(), **words})
