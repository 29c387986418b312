"""The section 'Search': takes what was tried for the arms of an experiment, gives its tables, sentences and charts.

Beside each best stand the trials that it was chosen from, what they cost, and the space that they were drawn from.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from engine.analysis.searches import FAILED, SearchedArm, Searches, Training
from engine.report import number_text
from engine.report.charts.data.searches import SearchCharts, few_text, search_charts
from engine.report.search_best import anew_sentences, anew_table, find_anew, near_sentences, near_tables
from engine.report.search_text import figures_text, trial_name
from engine.report.sentences import say
from engine.report.sheet import Sheet
from engine.report.tables import Cell, Table
from engine.spec.search import Axis, Bound
from store.amounts import counted
from store.metrics import METRICS

SPACE_HEADS = ("setting", "arms", "drawn as", "from", "only where")
DRAWN_AS = {"log": "by order of magnitude", "float": "number", "int": "whole number", "choice": "one of"}


@dataclass(frozen=True)
class SearchSection:
    """All that the report says of searched arms."""

    sentences: Sequence[str]
    tables: Sequence[Table]
    charts: SearchCharts


def search_section(sheet: Sheet, found: Searches | None) -> SearchSection | None:
    """Return the section, None where nothing is searched."""
    if found is None:
        return None
    sentences = [line for arm in found.arms for line in _arm_sentences(arm, found)]
    sentences += [say("search_unsearched", arms=", ".join(found.unsearched))] if found.unsearched else []
    sentences += [*near_sentences(sheet, found), *anew_sentences(sheet, found)]
    sentences += [text] if (text := few_text(found)) else []
    anew = anew_table(sheet, found)
    tables = [_trial_table(found), _space_table(found), *near_tables(found), *([anew] if anew else [])]
    return SearchSection(sentences, tables, search_charts(found, find_anew(sheet, found)))


# What was tried ------------------------------------------------------------------------------------------------------


def _trial_table(found: Searches) -> Table:
    metrics = [METRICS[name] for name in found.search.metrics]
    has_rungs = found.search.fidelity is not None
    columns = ["arm", "sampler", "chosen by", "trials done", "failed", "refused", "open"]
    columns += ["compared"] if has_rungs else []
    columns += ["training time", "best trial", *map(number_text.heading, metrics)]
    body = [_trial_row(arm, has_rungs) for arm in found.arms]
    return Table("Trials", columns, body, list(_trial_notes(found)), words=3)


def _trial_row(arm: SearchedArm, has_rungs: bool) -> list[Cell]:
    source = f"trials of {arm.arm}"
    texts = [arm.arm, arm.search.sampler, ", ".join(arm.search.metrics), f"{arm.count('done')} of {arm.asked}"]
    texts += [str(arm.count(*FAILED)), str(arm.count("refused")), str(arm.count("open"))]
    texts += [str(len(arm.compared))] if has_rungs else []
    return [Cell(text, source) for text in [*texts, time_text(arm.work), *_best_texts(arm)]]


def _best_texts(arm: SearchedArm) -> list[str]:
    if len(arm.best) != 1:
        named = f"front of {len(arm.best)}" if arm.best else number_text.NONE
        return [named, *(number_text.NONE for _ in arm.search.metrics)]
    best = arm.best[0]
    figures = [number_text.scale_of(METRICS[name]).write(best.values[name]) for name in arm.search.metrics]
    return [trial_name(best), *figures]


def time_text(work: Sequence[Training]) -> str:
    """Return how long trainings took: on GPUs, each of them counted, and on processors."""
    parts = {"GPU": [one.spent for one in work if one.gpus], "CPU": [one.spent for one in work if not one.gpus]}
    told = [f"{number_text.duration(sum(spent))} ({where})" for where, spent in parts.items() if spent]
    return " + ".join(told) or number_text.NONE


def _trial_notes(found: Searches) -> Iterator[str]:
    if any(arm.count("refused") for arm in found.arms):
        yield say("search_refused")
    if any(arm.work for arm in found.arms):
        yield say("search_time")
    if found.search.constraint:
        bounds = ", ".join(_bound_text(name, bound) for name, bound in found.search.constraint.items())
        yield say("search_bounds", bounds=bounds)
    yield say("search_images")


def _bound_text(name: str, bound: Bound) -> str:
    told = [f"above {bound.above:g}"] if bound.above is not None else []
    told += [f"below {bound.below:g}"] if bound.below is not None else []
    return f"{name} {' and '.join(told)}"


def _arm_sentences(arm: SearchedArm, found: Searches) -> Iterator[str]:
    by, count = ", ".join(arm.search.metrics), counted(len(arm.compared), "trial")
    if not arm.best:
        yield say("search_none", arm=arm.arm)
    elif len(arm.search.metrics) > 1:
        yield say("search_front", arm=arm.arm, count=count, best=counted(len(arm.best), "trial"), by=by)
    else:
        best, is_whole = arm.best[0], arm.is_exhausted and arm.search.sampler == "grid"
        drawn = "" if is_whole else say("search_drawn")
        figures = figures_text(arm, best)
        about = {"arm": arm.arm, "count": count, "trial": trial_name(best), "figures": figures, "drawn": drawn}
        tied = sum(arm.goals(one) == arm.goals(best) for one in arm.compared)
        yield say("search_tied", tied=tied, **about) if tied > 1 else say("search_best", **about)
    yield from _effort_sentences(arm, found)


def _effort_sentences(arm: SearchedArm, found: Searches) -> Iterator[str]:
    done, richest = arm.count("done"), max(found.arms, key=lambda one: one.count("done"))
    if done < richest.count("done"):
        more = counted(richest.count("done"), "trial")
        yield say("search_fewer", arm=arm.arm, count=counted(done, "trial"), most=more, other=richest.arm)
    if arm.top and len(arm.compared) < len(arm.states):
        yield say("search_rungs", arm=arm.arm, epochs=_epochs(arm), count=len(arm.compared), all=len(arm.states))
    if left := _left(arm):
        yield say("search_open", arm=arm.arm, count=counted(left, "trial"))
    if arm.spent < arm.asked and arm.is_exhausted:
        yield say("search_exhausted", arm=arm.arm, count=arm.spent, asked=arm.asked)
    elif arm.spent < arm.asked and arm.is_stopped:
        yield say("search_stopped", arm=arm.arm, count=arm.spent, asked=arm.asked)


def _left(arm: SearchedArm) -> int:
    """Return how many trials are at work or will be asked for."""
    is_over = arm.is_stopped or arm.is_exhausted
    return arm.count("open") + (0 if is_over else max(0, arm.asked - arm.spent))


def _epochs(arm: SearchedArm) -> int:
    """Return how long those trials are that decide."""
    fidelity = arm.search.fidelity
    assert fidelity is not None, "there are rungs"
    return fidelity.epochs[arm.top]


# From what it was drawn ----------------------------------------------------------------------------------------------


def _space_table(found: Searches) -> Table:
    """Return a row for each axis; one that several arms have alike stands once."""
    held: dict[str, list[str]] = {}
    for arm in found.arms:
        for path, axis in arm.space.items():
            held.setdefault(json.dumps([path, *_axis_texts(axis)]), []).append(arm.arm)
    body = []
    for key, arms in held.items():
        path, *texts = json.loads(key)
        who = "all searched" if len(arms) == len(found.arms) else ", ".join(arms)
        body.append([Cell(text, "search.space") for text in (path, who, *texts)])
    return Table("The space", SPACE_HEADS, body, words=len(SPACE_HEADS))


def _axis_texts(axis: Axis) -> list[str]:
    step = f", steps of {axis.step:g}" if axis.step is not None else ""
    if axis.kind == "choice":
        told = ", ".join(map(value_text, axis.values))
    else:
        low, high = axis.values
        told = f"{low:g} to {high:g}{step}"
    when = "; ".join(f"{path} is {_when_text(value)}" for path, value in axis.when.items())
    return [DRAWN_AS[axis.kind], told, when]


def _when_text(value: Any) -> str:
    return " or ".join(map(value_text, value)) if isinstance(value, list) else value_text(value)


def value_text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
