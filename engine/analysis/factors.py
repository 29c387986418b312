"""What each arm of a table is: takes the settings of arms, gives the factors in which they differ, in short words.

A factor is what fairness calls one thing. What comes with another one and is decided by it, as distillation comes with
a teacher, is no factor of its own. How long arms are trained is none either: that has a column by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.analysis.grids import level_names, short_name, telling
from engine.analysis.things import (
    BONDS,
    EPOCHS,
    HEADS,
    THINGS,
    TINY_VIT_ONLY,
    Settings,
    factor_of,
    is_foreign,
    rule_at,
    same_form,
    without_idle,
)

LENGTHS = (EPOCHS, "train.epochs", "prune.recover_epochs")
KNOWN = tuple(dict.fromkeys(THINGS.values()))
HEADINGS = {"distillation loss": "loss", "distillation temperature": "temperature", "first weights": "begins from"}
NOTHING, FOREIGN = "none", "\u2013"  # what an arm has not, and what its network cannot have
WIDEST = 36  # letters


@dataclass(frozen=True)
class Varied:
    """A factor in which arms differ: its name, and what each arm has of it, the same text where it is the same.

    `paths` are the settings that differ, the most telling first.
    """

    name: str
    texts: Mapping[str, str]
    paths: tuple[str, ...] = ()


def varied_factors(settings: Mapping[str, Settings]) -> list[Varied]:
    """Return the factors in which these arms differ, the most telling first."""
    trees = {arm: without_idle(tree) for arm, tree in settings.items()}
    groups: dict[str, list[str]] = {}
    for path in _varied_paths(trees):
        groups.setdefault(factor_of(path), []).append(path)
    levels = {name: _levels(paths, trees) for name, paths in groups.items()}
    kept = sorted((name for name in groups if not _is_brought(name, levels)), key=_place)
    return [_varied(name, groups[name], levels[name], trees) for name in kept]


def _varied_paths(trees: Mapping[str, Settings]) -> list[str]:
    """Return the paths in which arms differ and that decide some metric."""
    paths = sorted({path for tree in trees.values() for path in tree} - {*LENGTHS})
    varied = [path for path in paths if len({same_form(tree.get(path)) for tree in trees.values()}) > 1]
    return [path for path in varied if rule_at(path, *(tree.get(path) for tree in trees.values())).decides]


def _levels(paths: Sequence[str], trees: Mapping[str, Settings]) -> dict[str, tuple[str, ...]]:
    return {arm: tuple(same_form(tree.get(path)) for path in paths) for arm, tree in trees.items()}


def _is_brought(name: str, levels: Mapping[str, Mapping[str, tuple[str, ...]]]) -> bool:
    """Whether another factor that may bring it decides it in all of these arms."""
    leaders = [bond.leader for bond in BONDS if name in bond.followers and bond.leader != name]
    return any(_decides(levels[leader], levels[name]) for leader in leaders if leader in levels)


def _decides(one: Mapping[str, tuple[str, ...]], other: Mapping[str, tuple[str, ...]]) -> bool:
    return len({(one[arm], other[arm]) for arm in one}) == len(set(one.values()))


def _place(name: str) -> tuple[int, str]:
    return (KNOWN.index(name) if name in KNOWN else len(KNOWN)), name


def _varied(
    name: str, paths: Sequence[str], levels: Mapping[str, tuple[str, ...]], trees: Mapping[str, Settings]
) -> Varied:
    distinct = list(dict.fromkeys(levels.values()))
    examples = [next(arm for arm in trees if levels[arm] == level) for level in distinct]
    heading, told = HEADINGS.get(name, short_name(name)), sorted(paths, key=telling)
    names = level_names(paths, [trees[arm] for arm in examples], HEADS.get(name, ""))
    texts = dict(zip(distinct, _told_apart([_bare(text, heading) for text in names]), strict=True))
    foreign = [arm for arm in trees if name in TINY_VIT_ONLY and is_foreign(trees[arm])]
    found = {arm: texts[level] for arm, level in levels.items()} | dict.fromkeys(foreign, FOREIGN)
    return Varied(heading, found, tuple(told))


def _told_apart(texts: Sequence[str]) -> list[str]:
    """Return the texts no longer than a column bears, and numbered where two would be the same."""
    short = [text if len(text) <= WIDEST else f"{text[: WIDEST - 1]}…" for text in texts]
    return [
        f"{text} ({short[: at + 1].count(text)})" if short.count(text) > 1 else text for at, text in enumerate(short)
    ]


def _bare(text: str, heading: str) -> str:
    """Return the words of a level without what its heading says already, and without what it has not."""
    parts = [part.removeprefix(f"{heading} ") for part in text.split(", ")]
    told = [part for part in parts if part != NOTHING]
    return ", ".join(told) or NOTHING
