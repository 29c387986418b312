"""Arms as a grid of factors: takes the settings of arms, gives the largest full grid among them, if they form one.

A factor is what fairness calls one thing (attention, teacher, pruning ...), or a single setting where the arms vary
within one of those alone, as pattern x select of one attention. What another factor brings is no factor of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, combinations, product
from math import prod
from typing import Any

from engine.analysis.things import HEADS as THING_HEADS
from engine.analysis.things import THINGS, factor_of, same_form, value_text

HEADS = ("kind", "arch", "ratio", "loss", "temperature", "pattern", "select", "radius", "method", "weights")
KNOWN = tuple(dict.fromkeys(THINGS.values()))
MOST_LAYOUTS = 100_000
"""Choices of levels that are tried; arms of more levels are looked at as a whole."""
Settings = Mapping[str, Any]
Levels = tuple[int, ...]


@dataclass(frozen=True)
class Factor:
    """What varies, and the names of its levels; the first is the baseline's, else that of the first arm."""

    name: str
    levels: tuple[str, ...]


@dataclass(frozen=True)
class Grid:
    """Two factors or more of two levels or more, and the arm at each combination of level numbers."""

    factors: tuple[Factor, ...]
    arms: Mapping[Levels, str]


@dataclass(frozen=True)
class _Axis:
    """A factor before its levels are chosen: the paths that make it, and the level of each arm."""

    name: str
    paths: tuple[str, ...]
    of_arm: Mapping[str, int]

    @property
    def count(self) -> int:
        return len(set(self.of_arm.values()))


def find_grid(settings: Mapping[str, Settings], baseline: str | None = None) -> Grid | None:
    """Return the grid that most arms form; of two of one size the one with the baseline, then the first.

    `settings` are those of each arm by dotted path. None where no four arms cross two factors.
    """
    order = sorted(settings, key=lambda arm: arm != baseline)  # so that level 0 is the baseline's
    for grouped in (_thing_of, _itself):
        axes = _without_followers(_axes_of(settings, order, grouped))
        if len(axes) > 1:
            layout = max(_layouts(axes, order), key=lambda one: _rank(one, baseline), default=None)
            return None if layout is None else _grid_of(axes, layout, settings)
    return None


def _thing_of(path: str) -> str:
    """A word that fairness holds apart from its thing, as epochs of recovery, is part of it here."""
    name = factor_of(path)
    return THINGS.get(name.partition(".")[0], name) if "." in name else name


def _itself(path: str) -> str:
    return path


def _axes_of(settings: Mapping[str, Settings], order: Sequence[str], grouped: Callable[[str], str]) -> list[_Axis]:
    """Return an axis for each group of paths in which the arms differ."""
    paths = sorted({path for tree in settings.values() for path in tree})
    varied = [path for path in paths if len({same_form(settings[arm].get(path)) for arm in order}) > 1]
    groups: dict[str, list[str]] = {}
    for path in varied:
        groups.setdefault(grouped(path), []).append(path)
    axes = [_axis(name, inside, settings, order) for name, inside in groups.items()]
    return sorted(axes, key=lambda axis: KNOWN.index(axis.name) if axis.name in KNOWN else len(KNOWN))


def _axis(name: str, paths: Sequence[str], settings: Mapping[str, Settings], order: Sequence[str]) -> _Axis:
    numbers: dict[tuple[str, ...], int] = {}
    values = {arm: tuple(same_form(settings[arm].get(path)) for path in paths) for arm in order}
    return _Axis(name, tuple(paths), {arm: numbers.setdefault(values[arm], len(numbers)) for arm in order})


def _without_followers(axes: Sequence[_Axis]) -> list[_Axis]:
    """Leave out an axis that another one decides: a teacher brings its distillation with it."""
    kept: list[_Axis] = []
    for axis in sorted(axes, key=lambda one: (-one.count, _head_rank(one))):
        if not any(_decides(other, axis) for other in kept):
            kept.append(axis)
    return sorted(kept, key=axes.index)


def _head_rank(axis: _Axis) -> tuple[int, str]:
    places = [HEADS.index(word) for word in (path.rsplit(".", 1)[-1] for path in axis.paths) if word in HEADS]
    return min(places, default=len(HEADS)), axis.name


def _decides(one: _Axis, other: _Axis) -> bool:
    pairs = {(one.of_arm[arm], other.of_arm[arm]) for arm in one.of_arm}
    return len(pairs) == one.count


@dataclass(frozen=True)
class _Layout:
    """Levels chosen on each axis, and the arm at each combination of them: all are there."""

    levels: tuple[tuple[int, ...], ...]
    arms: Mapping[Levels, str]


def _layouts(axes: Sequence[_Axis], order: Sequence[str]) -> Iterator[_Layout]:
    """Yield the full grids among the arms: two axes or more with two levels or more, the others held."""
    at = {tuple(axis.of_arm[arm] for axis in axes): arm for arm in reversed(order)}
    choices = [_subsets(axis.count) for axis in axes]
    if prod(map(len, choices)) > MOST_LAYOUTS:
        choices = [[tuple(range(axis.count))] for axis in axes]
    for levels in product(*choices):
        cells = list(product(*levels))
        if sum(len(chosen) > 1 for chosen in levels) > 1 and all(cell in at for cell in cells):
            yield _Layout(levels, {cell: at[cell] for cell in cells})


def _subsets(count: int) -> list[tuple[int, ...]]:
    """Return the choices of some of `count` levels; of more than ten all or one alone, as 2^11 are too many."""
    sizes = range(1, count + 1) if count <= 10 else (1, count)
    return list(chain.from_iterable(combinations(range(count), size) for size in sizes))


def _rank(layout: _Layout, baseline: str | None) -> tuple[int, bool]:
    return len(layout.arms), baseline in layout.arms.values()


def _grid_of(axes: Sequence[_Axis], layout: _Layout, settings: Mapping[str, Settings]) -> Grid:
    varied = [place for place, levels in enumerate(layout.levels) if len(levels) > 1]
    factors = tuple(_factor(axes[place], layout.levels[place], layout, settings) for place in varied)
    numbers = {
        tuple(layout.levels[place].index(cell[place]) for place in varied): arm for cell, arm in layout.arms.items()
    }
    return Grid(factors, numbers)


def _factor(axis: _Axis, levels: Sequence[int], layout: _Layout, settings: Mapping[str, Settings]) -> Factor:
    examples = [next(arm for arm in layout.arms.values() if axis.of_arm[arm] == level) for level in levels]
    trees = [settings[arm] for arm in examples]
    return Factor(short_name(axis.name), level_names(axis.paths, trees, THING_HEADS.get(axis.name, "")))


def short_name(name: str) -> str:
    """Return the last word of a setting's path, and the name of a thing as it is."""
    return name.rsplit(".", 1)[-1] if "." in name else name


def level_names(paths: Sequence[str], trees: Sequence[Settings], head: str = "") -> tuple[str, ...]:
    """Return what tells the levels apart in the fewest settings, the most telling ones first.

    Where the levels differ in `head`, that is named in any case, before all others.
    """
    varied = [path for path in paths if len({same_form(tree.get(path)) for tree in trees}) > 1]
    told = sorted(varied, key=lambda path: (path != head, telling(path)))
    named: list[str] = []
    for path in told[:1] if head in varied else told:
        if _are_apart(trees, [path]):
            return _without_tags([_value_text(path, tree) for tree in trees])
    for path in told:
        named.append(path)
        if _are_apart(trees, named):
            break
    return tuple(", ".join(_value_text(path, tree) for path in named) for tree in trees)


def _without_tags(names: Sequence[str]) -> tuple[str, ...]:
    """Return networks without the tags of their weights, where that still tells them apart."""
    bare = [name if " " in name else name.partition(".")[0] for name in names]
    return tuple(bare if len(set(bare)) == len(bare) else names)


def telling(path: str) -> tuple[int, int, str]:
    """Return the place of a setting among those of one thing: what says most about it first."""
    word = path.rsplit(".", 1)[-1]
    return (HEADS.index(word) if word in HEADS else len(HEADS)), path.count("."), path


def _are_apart(trees: Sequence[Settings], paths: Sequence[str]) -> bool:
    return len({tuple(same_form(tree.get(path)) for path in paths) for tree in trees}) == len(trees)


def _value_text(path: str, tree: Settings) -> str:
    value, word = tree.get(path), path.rsplit(".", 1)[-1]
    if value is None or value == []:
        return "none"
    if isinstance(value, list) and all(isinstance(one, Mapping) and "arch" in one for one in value):
        return " + ".join(str(one["arch"]).removeprefix("timm/").partition(".")[0] for one in value)
    return value.removeprefix("timm/") if isinstance(value, str) else f"{word} {value_text(value)}"
