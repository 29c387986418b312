"""Arms as they are written: takes the layers, resolves `extends` between arms and nests their dotted paths.

Gives every mistake of that kind with its place, and afterwards the place in the file of any word of an arm.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from engine.errors import Problem
from engine.load.controls import WORD, add_controls, control_problems
from engine.load.layers import Layers
from engine.load.messages import path_fix
from engine.load.repairs import repair
from engine.load.yaml_tree import Path
from engine.spec.cells import Tree, merge_trees, nest_paths, unknown_part
from engine.spec.lexicon import term_at
from engine.spec.synonyms import hint_word

ARM_WORDS = ("extends", WORD)  # what is of the arm itself, and no setting


def tidy_arms(layers: Layers) -> list[Problem]:
    """Resolve `extends` between arms and nest their dotted paths; report paths that do not exist."""
    arms = layers.tree.get("arms")
    if not isinstance(arms, Mapping):
        return []
    problems = [problem for arm, changes in arms.items() for problem in _arm_problems(arm, changes, layers)]
    problems = [*control_problems(arms, layers), *problems]
    arms = arms if problems else add_controls(arms)
    problems = [*_chain_problems(arms, layers), *problems]
    if not problems:
        layers.bases = {arm: changes["extends"] for arm, changes in arms.items() if changes and "extends" in changes}
        layers.tree = {**layers.tree, "arms": _resolve_arms(arms)}
    return problems


def _arm_problems(arm: str, changes: Any, layers: Layers) -> Iterable[Problem]:
    path: Path = ("arms", arm)
    if changes is None:
        return
    if not isinstance(changes, Mapping):
        fix = "write the changes as `prune.ratio: 0.2` lines below it, or {} for none"
        yield Problem(layers.where(path), f"arms.{arm}", "an arm is a mapping of what it changes", fix)
        return
    for dotted, place in _dotted_paths({key: value for key, value in changes.items() if key not in ARM_WORDS}):
        wrong = unknown_part(dotted)
        if wrong and not wrong[1] and len(place) > 1:
            yield _not_nested(arm, dotted.rpartition(".")[0], changes, place[:-1], layers)
        elif wrong:
            names = [*wrong[1], *ARM_WORDS] if len(place) == 1 and wrong[1] else wrong[1]
            fix = path_fix(str(place[-1]), wrong[0], names)
            where = layers.where((*path, *place), key=True)
            yield Problem(where, f"arms.{arm}.{dotted}", f"an arm cannot change {dotted!r}: no such key", fix)


def _not_nested(arm: str, dotted: str, changes: Mapping[str, Any], place: Path, layers: Layers) -> Problem:
    """A mapping where a single value belongs."""
    given: Any = changes
    for part in place:
        given = given[part]
    where = layers.where(("arms", arm, *place))
    fix = repair(given, term_at(dotted.split(".")))
    return Problem(where, f"arms.{arm}.{dotted}", f"{dotted} takes one value, and this is a mapping", fix)


def _dotted_paths(changes: Mapping[str, Any], prefix: str = "", place: Path = ()) -> Iterable[tuple[str, Path]]:
    """Yield the dotted path and the place in the file of every key, parents before what is in them."""
    for key, value in changes.items():
        dotted = f"{prefix}{key}"
        yield dotted, (*place, key)
        if isinstance(value, Mapping) and unknown_part(dotted) is None and not dotted.endswith("options"):
            yield from _dotted_paths(value, f"{dotted}.", (*place, key))


def _chain_problems(arms: Mapping[str, Any], layers: Layers) -> Iterable[Problem]:
    """Yield arms that extend nobody, and each circle of arms once; an arm is looked at once, however many extend it."""
    seen: set[str] = set()
    for arm in arms:
        chain: dict[str, None] = {}
        while arm not in seen:
            seen.add(arm)
            chain[arm] = None
            base = _base_of(arms[arm])
            if base is None:
                break
            where = layers.where(("arms", arm, "extends"))
            if not isinstance(base, str) or base not in arms:
                fix = hint_word(str(base), arms)
                yield Problem(where, f"arms.{arm}.extends", f"no arm {base!r}", fix)
                break
            if base in chain:
                circle = [*list(chain)[list(chain).index(base) :], base]
                what = f"arms extend each other: {' -> '.join(circle)}"
                yield Problem(where, f"arms.{base}.extends", what, "cut one of them")
            arm = base


def _base_of(changes: Any) -> Any:
    return changes.get("extends") if isinstance(changes, Mapping) else None


def _resolve_arms(arms: Mapping[str, Any]) -> dict[str, Tree]:
    """Return each arm with all that it inherits; its base is resolved before it, and once."""
    resolved: dict[str, Tree] = {}
    for arm in arms:
        chain = [arm]
        while (base := _base_of(arms[chain[-1]])) is not None and base not in resolved:
            chain.append(base)
        for name in reversed(chain):
            own = {key: value for key, value in (arms[name] or {}).items() if key != "extends"}
            resolved[name] = merge_trees(resolved.get(_base_of(arms[name]), {}), nest_paths(own))
    return {arm: resolved[arm] for arm in arms}


class ArmPlaces:
    """Where the words of arms stand in the file, dotted or nested, each arm's own or inherited."""

    def __init__(self, layers: Layers) -> None:
        self.layers = layers
        self.own: dict[str, dict[Path, Path]] = {}
        for key in (*layers.over, *layers.keys):
            if key[0] == "arms" and len(key) > 2:
                self.own.setdefault(str(key[1]), {}).setdefault(_settings_path(key), key)
        self._found: dict[tuple[str, Path], Path | None] = {}

    def find(self, arm: str, point: Mapping[str, Any], path: Path) -> Path:
        """Return how a settings path is found in the file: in the matrix, the arm, else the base."""
        for length in range(len(path), 0, -1):
            dotted, inner = ".".join(map(str, path[:length])), path[:length]
            if dotted in point:
                return ("matrix", dotted)
            if inner in self.layers.over:
                return path
            if (spelt := self._spelt(arm, inner)) is not None:
                return spelt
            if inner in self.layers.keys:
                return path
        return path

    def _spelt(self, arm: str, path: Path) -> Path | None:
        """Return the key of the nearest arm, of this one and those it extends, that says `path`."""
        walked: list[tuple[str, Path]] = []
        name: str | None = arm
        found = None
        while name is not None and found is None:
            if (name, path) in self._found:
                found = self._found[name, path]
                break
            walked.append((name, path))
            found = self.own.get(name, {}).get(path)
            name = self.layers.bases.get(name)
        self._found |= dict.fromkeys(walked, found)
        return found


def _settings_path(key: Path) -> Path:
    parts: list[str | int] = []
    for part in key[2:]:
        parts += part.split(".") if isinstance(part, str) else [part]
    return tuple(parts)
