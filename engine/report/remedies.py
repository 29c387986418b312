"""Which arms differ in one remedy alone: takes the settings and figures of an experiment, gives pairs with intervals.

A remedy changes one thing: a temperature, a calibration, a scale of the logits, a loss at the same weights and
temperature, or the assistants. Where two things differ, what either did is not known, and the pair is none.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.analysis.power import ALPHA
from engine.analysis.statistics import paired_shares
from engine.report.sentences import say
from engine.report.sheet import Sheet
from engine.report.verdicts import Remedy
from engine.spec.distill import loss_words

PLAIN = ("hinton", "soft_ce")
ROBUST = ("lskd", "ats", "dist")
WEIGHTS = ("distill.weight", "distill.label_weight")
Path = str
Tree = Mapping[Path, Any]
Pair = tuple[str, str, str]  # the remedied arm, the other, their point


@dataclass(frozen=True)
class Taught:
    """A teacher's side: the arms it teaches on a split, its test accuracy, and that of each arm's assistants."""

    arms: Collection[str]
    split: str
    accuracy: float | None
    assistants: Mapping[str, Sequence[float | None]]


def find_softened(taught: Taught, sheet: Sheet) -> list[Remedy]:
    """Return the pairs of arms that differ in how soft this teacher is alone, the softer first."""
    return [Remedy(arm, other, one) for (arm, other, _), one in _intervals(taught, sheet, is_softer)]


def find_assisted(taught: Taught, sheet: Sheet) -> list[Remedy]:
    """Return the pairs of arms that differ in assistants alone, the assisted first; sound where these lie between."""
    return [_assisted(taught, sheet, *pair) for pair in _intervals(taught, sheet, is_assisted)]


def _assisted(taught: Taught, sheet: Sheet, pair: Pair, interval: Any) -> Remedy:
    arm, other, point = pair
    student, between = sheet.mean(other, point, "test_top1"), taught.assistants.get(arm, ())
    chain = [student, *between, taught.accuracy]
    known = [value for value in chain if value is not None]
    if not between or len(known) < len(chain):
        return Remedy(arm, other, interval, False, say("between_unknown", arm=arm))
    is_between = all(known[0] < value < known[-1] for value in known[1:-1])
    texts = [f"{100 * value:.1f} %" for value in known]
    about = {"student": texts[0], "assistant": ", ".join(texts[1:-1]), "teacher": texts[-1]}
    return Remedy(arm, other, interval, is_between, say("between" if is_between else "not_between", arm=arm, **about))


def _intervals(taught: Taught, sheet: Sheet, is_remedy: Callable[[Tree, Tree], bool]) -> list[tuple[Pair, Any]]:
    """Return the pairs with their intervals of test accuracy.

    These hold at 95 % together (Bonferroni): of many remedies one would else recover accuracy by chance.
    """
    pairs = [
        (arm, other, point)
        for (arm, point), settings in sheet.settings.items()
        for (other, place), plain in sheet.settings.items()
        if point == place and arm != other and settings.get("data.split") == taught.split
        if other in taught.arms and is_remedy(settings, plain)
    ]
    level = 1 - ALPHA / max(len(pairs), 1)
    seeds = [(sheet.seeds(arm, at, "test_top1"), sheet.seeds(other, at, "test_top1")) for arm, other, at in pairs]
    return [(pair, paired_shares(*both, level)) for pair, both in zip(pairs, seeds, strict=True)]


def differing(one: Tree, other: Tree) -> set[Path]:
    """Return the paths in which two settings differ."""
    return {path for path in one.keys() | other.keys() if one.get(path) != other.get(path)}


def is_softer(settings: Tree, plain: Tree) -> bool:
    """Whether the first is the second with a softer teacher, by one thing alone.

    A loss made for teachers that are too sure counts where weights and temperature are equal numbers, spelt out or
    the loss's own; its options, which the other has not, come with it.
    """
    paths = differing(settings, plain)
    if plain.get("distill.loss") not in PLAIN:
        return False
    if "distill.loss" in paths:
        return settings["distill.loss"] in ROBUST and _loss_alone(settings, plain, paths)
    if paths == {"distill.temperature"}:
        one, other = settings.get("distill.temperature"), plain.get("distill.temperature")
        return isinstance(one, int | float) and isinstance(other, int | float) and one > other
    if paths == {"teacher.calibrate"}:
        return bool(settings.get("teacher.calibrate"))
    return paths == {"teacher.logit_scale"} and settings["teacher.logit_scale"] < plain["teacher.logit_scale"]


def _loss_alone(settings: Tree, plain: Tree, paths: set[Path]) -> bool:
    rest = {path for path in paths - {"distill.loss", *WEIGHTS} if not path.startswith("distill.options.")}
    return not rest and effective_weights(settings) == effective_weights(plain)


def effective_weights(settings: Tree) -> tuple[float, float]:
    """Return the weights of the teacher's part and of the labels': the spec's, else the loss's own."""
    own = loss_words(settings["distill.loss"]).weights
    return settings.get(WEIGHTS[0], own[0]), settings.get(WEIGHTS[1], own[1])


def is_assisted(settings: Tree, plain: Tree) -> bool:
    """Whether the first is the second with assistants between teacher and student."""
    is_alone = differing(settings, plain) == {"teacher.assistants"}
    return is_alone and bool(settings.get("teacher.assistants")) and not plain.get("teacher.assistants")


def softer_advice(heard_by: Collection[str], sheet: Sheet) -> str:
    """Return which arm would say whether a softer teacher teaches better."""
    for (arm, _), settings in sheet.settings.items():
        if arm in heard_by and settings.get("distill.loss") in PLAIN:
            temperature = settings.get("distill.temperature")
            if isinstance(temperature, int | float):
                return say("add_softer", arm=arm, temperature=2 * temperature)
            return say("add_calibrated", arm=arm)
    return say("add_hinton")
