"""Whether two runs may be compared: takes their settings and surroundings, gives what differs beside the factor.

A fair comparison varies one thing and holds all else that decides the metric. What must be held is a table, held.py;
what counts as one thing is said in things.py. Comparisons, claims, the marks of a report and what they say in words
all come from `judge_pair` and the two texts at the foot of this file.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from engine.analysis.held import AROUND, ROWS, Family, family_of
from engine.analysis.sentences import say
from engine.analysis.things import (
    AT_ONCE,
    EPOCHS,
    Mismatch,
    Thing,
    list_noted,
    list_things,
    rule_at,
    show_value,
)
from store.metrics import Metric, metric_of

__all__ = ["Fairness", "Mismatch", "Surroundings", "judge_pair", "tell_first"]

IMAGE_FIELDS = tuple(
    f"data.{name}" for model, names, rule in ROWS if rule.picks_images and model == "Data" for name in names.split()
)
# What a reader should hear of first; a path that is none of these or under them comes after them, by name.
TELLING = (
    "the test set", "the images", "data.source", "data.given", "data.split", "data.split_seed", "data.classes",
    "data.nested", "data.broken", "student.weights", EPOCHS, "train.epochs", "train.batch_size", "train.lr",
    "data.image_size", *(one.what for one in AROUND), "teacher", "train", "data",
)  # fmt: skip
MOST_SHOWN = 8
IMPORTED = "imported.tool"  # of a run that another tool tells of
UNKNOWN = "what was held equal"
UNSEARCHED = "none"
TRIALS = next(one.what for one in AROUND if one.name == "trials")


@dataclass(frozen=True)
class Fairness:
    """What a pair of runs differs in: the factors that are compared, what should have been held, and footnotes."""

    factors: tuple[str, ...]
    unfair: tuple[Mismatch, ...]
    notes: tuple[str, ...] = ()

    @property
    def is_fair(self) -> bool:
        return not self.unfair


@dataclass(frozen=True)
class Surroundings:
    """Of one run: its settings by dotted path, and what no setting says.

    `at_once`: how many images went through the network at once, where memory was too short for the batch;
    `infer_batch`: the largest batch that was timed, of a measure job. `trials`: from how many a search chose its
    settings, `drawn` the paths of those that it drew.
    """

    settings: Mapping[str, Any]
    code: str | None = None
    device: str | None = None
    images: str | None = None
    driver: str | None = None
    torch: str | None = None
    timm: str | None = None
    host: str | None = None
    at_once: str | None = None
    infer_batch: str | None = None
    trials: str = UNSEARCHED
    drawn: tuple[str, ...] = ()


def judge_pair(first: Surroundings, second: Surroundings, metric: str = "test_top1") -> Fairness:
    """Return what differs between two runs, and which of it makes comparing them on `metric` unfair or footnoted."""
    measured = metric_of(metric)
    if IMPORTED in first.settings or IMPORTED in second.settings:
        return Fairness((), (Mismatch(UNKNOWN, _known_of(first), _known_of(second)),))
    family = family_of(measured)
    tuned = _tuned_alike(first, second)
    first, second = _without_drawn(first, second)
    things = list_things(first.settings, second.settings, family)
    barred = [one for thing in things for one in thing.differing if _is_barred(one, first, second, measured)]
    left = [thing for thing in things if not any(one in barred for one in thing.differing)]
    named = [thing for thing in left if thing.is_named]
    alone = [thing for thing in left if not thing.is_named]
    unfair = [_flagged(one, first, second, measured) for one in barred]
    if named or barred or len(alone) > 1:
        unfair += [one for thing in alone for one in thing.differing]
    if len(named) > 1:
        names = [thing.name for thing in named]
        unfair.append(Mismatch(f"{len(named)} {AT_ONCE}", names[0], ", ".join(names[1:])))
    unfair += _other_images(first, second, measured)
    unfair += [Mismatch(one.what, *pair) for one, pair in _around(first, second) if family in one.decides]
    factors = tuple(thing.name for thing in named or alone)
    notes = (*tuned, *_notes(first, second, family, named))
    return Fairness(factors, tuple(sorted(unfair, key=tell_first)), notes)


def _without_drawn(first: Surroundings, second: Surroundings) -> tuple[Surroundings, Surroundings]:
    """Return the pair without the settings that were drawn, where both were chosen from as many trials.

    Each side has then its own best, found with equal effort, and what it is belongs to the method that is compared.
    Where nothing else differs they stay: then they are what is compared.
    """
    if not _equal_effort(first, second):
        return first, second
    drawn = {*first.drawn, *second.drawn}
    left = [_outside(one, drawn) for one in (first, second)]
    return (left[0], left[1]) if left[0].settings != left[1].settings else (first, second)


def _outside(one: Surroundings, drawn: Collection[str]) -> Surroundings:
    kept = {path: value for path, value in one.settings.items() if not _is_of(path, drawn)}
    return replace(one, settings=kept)


def _is_of(path: str, drawn: Collection[str]) -> bool:
    return any(path == one or path.startswith(f"{one}.") for one in drawn)


def _equal_effort(first: Surroundings, second: Surroundings) -> bool:
    return first.trials == second.trials != UNSEARCHED


def _tuned_alike(first: Surroundings, second: Surroundings) -> list[str]:
    """Return what a reader must know of two that were searched with equal effort: each has settings of its own."""
    if not _equal_effort(first, second):
        return []
    both = {*first.drawn, *second.drawn}
    differ = [
        one for one in sorted(both)
        if {path: value for path, value in first.settings.items() if _is_of(path, [one])}
        != {path: value for path, value in second.settings.items() if _is_of(path, [one])}
    ]  # fmt: skip
    alone = sorted({*first.drawn} ^ {*second.drawn})
    told = [say("each_tuned", trials=first.trials, paths=", ".join(differ))] if differ else []
    return [*told, *([say("other_space", paths=", ".join(alone))] if alone else [])]


def _known_of(side: Surroundings) -> str:
    """Return what is known of how a run was held equal to others: of one that was imported, nothing."""
    tool = side.settings.get(IMPORTED)
    return "told by its spec" if tool is None else f"unknown (imported from {tool})"


def _is_barred(one: Mismatch, first: Surroundings, second: Surroundings, metric: Metric) -> bool:
    """Whether it can be no factor: the images judged, how a job ran, first weights, and what nobody classified."""
    return not rule_at(one.what, one.first, one.second).is_factor or _picks_images(one.what, first, second, metric)


def _picks_images(path: str, first: Surroundings, second: Surroundings, metric: Metric) -> bool:
    """Whether a setting decides the images judged. Nested splits share those of test, whatever is left for training."""
    nested = metric.images == "test" and all(one.settings.get("data.nested") is True for one in (first, second))
    return family_of(metric) == "accuracy" and path in IMAGE_FIELDS and not (nested and path == "data.split")


def _flagged(one: Mismatch, first: Surroundings, second: Surroundings, metric: Metric) -> Mismatch:
    return replace(one, other_images=_picks_images(one.what, first, second, metric))


def _other_images(first: Surroundings, second: Surroundings, metric: Metric) -> list[Mismatch]:
    if metric.images == "none" or first.images == second.images:
        return []
    return [Mismatch("the images", first.images, second.images, other_images=family_of(metric) == "accuracy")]


def _around(first: Surroundings, second: Surroundings) -> list[tuple[Any, tuple[Any, Any]]]:
    pairs = [(one, (getattr(first, one.name), getattr(second, one.name))) for one in AROUND]
    return [(one, pair) for one, pair in pairs if pair[0] != pair[1]]


def _notes(first: Surroundings, second: Surroundings, family: Family, named: Sequence[Thing]) -> Iterable[str]:
    for thing in named:
        yield from thing.footnotes
    yield from map(str, list_noted(first.settings, second.settings, family))
    yield from (str(Mismatch(one.what, *pair)) for one, pair in _around(first, second) if family in one.noted)


def tell_first(one: Mismatch) -> tuple[int, str]:
    """Return the place of a difference in a list for readers: other test images first, incidental settings last."""
    if one.what.endswith(AT_ONCE):
        return -1, one.what
    places = (at for at, name in enumerate(TELLING) if one.what == name or one.what.startswith(f"{name}."))
    return next(places, len(TELLING)), one.what


# In words -------------------------------------------------------------------------------------------------------------


def mismatch_lines(different: Sequence[Mismatch], most: int = MOST_SHOWN) -> list[str]:
    """Return the differences as a small table, the most telling first, and how many more there are."""
    told = sorted(different, key=tell_first)
    shown = [(one.what, show_value(one.first), show_value(one.second)) for one in told[:most]]
    wide = [max(len(row[at]) for row in shown) for at in range(2)] if shown else [0, 0]
    lines = [f"  {what:<{wide[0]}}  {first:<{wide[1]}}  {second}" for what, first, second in shown]
    left = len(told) - len(shown)
    return [*lines, f"  {say('more_settings', left=left)}"] if left > 0 else lines


def repair_text(unfair: Sequence[Mismatch]) -> str:
    """Return what would make the pair comparable; where epochs alone are unequal, the control of equal budget."""
    if any(one.what == UNKNOWN for one in unfair):
        return say("imported_fix")
    if [one.what for one in unfair] == [TRIALS]:
        return say("trials_fix")
    budgets = [max(one.first, one.second) for one in unfair if one.what == EPOCHS]
    return say("budget_fix", epochs=budgets[0]) if budgets and len(budgets) == len(unfair) else say("fair_fix")


def refusal_text(unfair: Sequence[Mismatch]) -> str:
    """Return the same for who was refused by a command, which can be told to go on."""
    return say("or_anyway", fix=repair_text(unfair))


def apart_text(unfair: Sequence[Mismatch], metric: str) -> str:
    """Return why nothing can be said of a pair: it was judged on other images. Empty where it was not."""
    apart = [str(one) for one in unfair if one.other_images]
    which = "the same test images" if metric_of(metric).images == "test" else "the same images"
    return say("not_comparable", which=which, what="; ".join(apart)) if apart else ""


def footnote_text(unfair: Sequence[Mismatch], notes: Sequence[str]) -> str:
    """Return what a reader must know beside the number: each class of what was not held, and the footnotes.

    Of a class, as the settings of training, the most telling is written out and the others are counted.
    """
    classes: dict[str, list[Mismatch]] = {}
    for one in sorted(unfair, key=tell_first):
        classes.setdefault(one.what.partition(".")[0], []).append(one)
    told = [f"{held[0]}{_left_text(name, len(held) - 1)}" for name, held in classes.items()]
    return "; ".join([*([say("not_held", what="; ".join(told))] if told else []), *notes])


def _left_text(name: str, left: int) -> str:
    return say("more_of", left=left, name=name) if left else ""
