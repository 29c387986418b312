"""Loading: takes a spec file, overlays and --set, gives a Spec; or all its problems with file, line and column.

Layers, the later wins: the files it extends, the spec itself, its arm, then overlays and --set (over the arms too,
so that `--set train.epochs=1` means what it says), then the matrix. What an arm switched off with null stays off.

    yaml_tree    YAML with positions
    overlays     what is laid over a spec
    messages     what pydantic found, in words
    unsupported  words that are refused because nothing does them yet
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

from pydantic import ValidationError

from engine.errors import Problem, SpecError, closest_hint
from engine.load.messages import explain_error
from engine.load.overlays import apply_over, change_arms, read_overlays
from engine.load.unsupported import planned_problems
from engine.load.yaml_tree import Document, Path, read_document
from engine.spec import Settings, Spec
from engine.spec.cells import (
    Tree,
    cell_settings,
    cell_tree,
    matrix_points,
    merge_trees,
    nest_paths,
    unknown_part,
)
from engine.spec.identity import canonical_json, counted_settings
from engine.spec.shapes import shape_problems


@dataclass
class Layers:
    """The merged tree of a spec and where each of its keys and values came from."""

    file: FilePath
    tree: Tree = field(default_factory=dict)
    keys: dict[Path, str] = field(default_factory=dict)
    values: dict[Path, str] = field(default_factory=dict)
    bases: dict[str, str] = field(default_factory=dict)

    def lineage(self, arm: str) -> list[str]:
        """Return the arm and the arms it extends, nearest first."""
        return [arm, *(self.lineage(self.bases[arm]) if arm in self.bases else [])]

    def add(self, document: Document) -> None:
        self.tree = merge_trees(self.tree, document.tree)
        self.keys |= document.keys
        self.values |= document.values

    def where(self, path: Path, *, key: bool = False) -> str:
        """Return the position of `path`, or of its nearest parent that was written down."""
        marks = self.keys if key else self.values
        for length in range(len(path), 0, -1):
            if path[:length] in marks:
                return (marks if length == len(path) else self.keys)[path[:length]]
        return f"{self.file}:1:1"


def load_spec(path: str | FilePath, overrides: Sequence[str] = (), overlays: Sequence[str | FilePath] = ()) -> Spec:
    """Read, merge and check a spec; `overrides` are texts such as `train.epochs=2`.

    Raises SpecError with every problem found. Data, weights and variables that are absent are no error here.
    """
    file = FilePath(path)
    layers = _read_layers(file)
    over = read_overlays(overrides, overlays)
    layers.tree = change_arms(layers.tree, over)
    problems = [*_tidy_arms(layers), *_matrix_problems(layers)]
    if not problems:
        layers.tree = apply_over(layers.tree, over)
        problems = _cell_problems(layers)
    spec, more = _validate_tree(layers)
    problems = _once([*more, *problems])
    if spec is not None and not problems and not over:
        problems = _same_arms(spec, layers)
    if spec is None or problems:
        raise SpecError(problems)
    return spec


def _read_layers(file: FilePath) -> Layers:
    layers = Layers(file)
    for document in _extends_chain(file, []):
        layers.add(document)
    return layers


def _extends_chain(file: FilePath, seen: list[FilePath], mark: str = "") -> list[Document]:
    """Return the documents from the farthest base to `file` itself. Raises SpecError on a cycle."""
    document = _read_base(file, mark) if mark else read_document(file)
    chain = [*seen, file.resolve()]
    base = document.tree.get("extends")
    if not isinstance(base, str):
        return [document]
    here = document.values[("extends",)]
    target = file.parent / base
    if target.resolve() in chain:
        names = " -> ".join(path.name for path in [*chain, target.resolve()])
        raise SpecError([Problem(here, "extends", f"the files extend each other: {names}", "cut one of these lines")])
    return [*_extends_chain(target, chain, here), document]


def _read_base(file: FilePath, mark: str) -> Document:
    """A base that is missing is a mistake of the line that names it, not of the base."""
    if file.is_file():
        return read_document(file)
    names = [path.name for path in file.parent.glob("*.y*ml")] if file.parent.is_dir() else []
    fix = closest_hint(file.name, names) if names else "give a path relative to this file"
    raise SpecError([Problem(mark, "extends", f"there is no file {file}", fix)])


def _tidy_arms(layers: Layers) -> list[Problem]:
    """Resolve `extends` between arms and nest their dotted paths; report paths that do not exist."""
    arms = layers.tree.get("arms")
    if not isinstance(arms, Mapping):
        return []
    problems = [problem for arm, changes in arms.items() for problem in _arm_problems(arm, changes, layers)]
    if not problems:
        layers.bases = {arm: changes["extends"] for arm, changes in arms.items() if changes and "extends" in changes}
        layers.tree = {**layers.tree, "arms": {arm: _resolve_arm(arm, arms) for arm in arms}}
    return problems


def _arm_problems(arm: str, changes: Any, layers: Layers) -> list[Problem]:
    path: Path = ("arms", arm)
    if changes is None:
        return []
    if not isinstance(changes, Mapping):
        fix = "write the changes as `prune.ratio: 0.2` lines below it, or {} for none"
        return [Problem(layers.where(path), f"arms.{arm}", "an arm is a mapping of what it changes", fix)]
    problems = _cycle_problems(arm, layers)
    for dotted, place in _dotted_paths({key: value for key, value in changes.items() if key != "extends"}):
        wrong = unknown_part(dotted)
        if wrong:
            fix = closest_hint(wrong[0], wrong[1]) if wrong[1] else "it has no parts of its own"
            where = layers.where((*path, *place), key=True)
            problems.append(
                Problem(where, f"arms.{arm}.{dotted}", f"an arm cannot change {dotted!r}: no such key", fix)
            )
    return problems


def _cycle_problems(arm: str, layers: Layers) -> list[Problem]:
    arms = layers.tree["arms"]
    seen = [arm]
    while isinstance(arms[seen[-1]], Mapping) and "extends" in arms[seen[-1]]:
        base = arms[seen[-1]]["extends"]
        where = layers.where(("arms", seen[-1], "extends"))
        if base not in arms:
            return [Problem(where, f"arms.{seen[-1]}.extends", f"no arm {base!r}", closest_hint(str(base), arms))]
        if base in seen:
            names = " -> ".join([*seen, base])
            return [Problem(where, f"arms.{arm}.extends", f"arms extend each other: {names}", "cut one of them")]
        seen.append(base)
    return []


def _dotted_paths(changes: Mapping[str, Any], prefix: str = "", place: Path = ()) -> Iterable[tuple[str, Path]]:
    """Yield the dotted path and the place in the file of every key, parents before what is in them."""
    for key, value in changes.items():
        dotted = f"{prefix}{key}"
        yield dotted, (*place, key)
        if isinstance(value, Mapping) and unknown_part(dotted) is None and not dotted.endswith("options"):
            yield from _dotted_paths(value, f"{dotted}.", (*place, key))


def _resolve_arm(arm: str, arms: Mapping[str, Any]) -> Tree:
    changes = dict(arms[arm] or {})
    base = changes.pop("extends", None)
    inherited = _resolve_arm(base, arms) if base is not None else {}
    return merge_trees(inherited, nest_paths(changes))


def _matrix_problems(layers: Layers) -> list[Problem]:
    matrix = layers.tree.get("matrix")
    problems = []
    for path, values in matrix.items() if isinstance(matrix, Mapping) else ():
        wrong = unknown_part(path)
        where = layers.where(("matrix", path), key=True)
        if wrong:
            fix = closest_hint(wrong[0], wrong[1]) if wrong[1] else "it has no parts of its own"
            problems.append(Problem(where, f"matrix.{path}", f"unknown key {wrong[0]!r}", fix))
        elif not isinstance(values, list):
            problems.append(Problem(where, f"matrix.{path}", "its values are no list", f"write [{values}]"))
        elif len({canonical_json(value) for value in values}) < len(values):
            problems.append(Problem(where, f"matrix.{path}", "a value is repeated", "list each value once"))
    return problems


def _validate_tree(layers: Layers) -> tuple[Spec | None, list[Problem]]:
    try:
        return Spec.model_validate(layers.tree), []
    except ValidationError as error:
        return None, _explain(error, layers, lambda path: path)


def _cell_problems(layers: Layers) -> list[Problem]:
    """Check every arm at every matrix point; a problem points into the arm when the arm says it."""
    base = {key: value for key, value in layers.tree.items() if key in Settings.model_fields}
    matrix = layers.tree.get("matrix")
    points = matrix_points(matrix if isinstance(matrix, Mapping) else {})
    pairs = [(arm, changes, point) for arm, changes in _arm_items(layers.tree) for point in points]
    return [
        problem
        for arm, changes, point in pairs
        for problem in _check_cell(arm, cell_tree(base, changes, point), point, layers)
    ]


def _arm_items(tree: Tree) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the arms that can be checked; what is no mapping is reported with the spec itself."""
    arms = tree.get("arms") or {"": {}}
    return (
        [(arm, changes) for arm, changes in arms.items() if isinstance(changes, Mapping)]
        if isinstance(arms, Mapping)
        else []
    )


def _check_cell(arm: str, tree: Tree, point: Tree, layers: Layers) -> list[Problem]:
    place = _arm_place(arm, point, layers)
    try:
        settings = Settings.model_validate(tree)
    except ValidationError as error:
        return _explain(error, layers, place)
    found = [*planned_problems(settings), *_shape_problems(settings)]
    return [
        Problem(layers.where(place(tuple(path.split(".")))), path, f"{what} (arm {arm})" if arm else what, fix)
        for path, what, fix in found
    ]


def _shape_problems(settings: Settings) -> Iterator[tuple[str, str, str]]:
    """Yield what cannot be built at this image size: heads and tiles that do not divide, radii beyond a window."""
    for path, network in settings.networks:
        size = getattr(network, "image_size", None) or settings.data.image_size
        for problem in shape_problems(network, size, path):
            yield problem.path, problem.what, problem.fix


def _arm_place(arm: str, point: Mapping[str, Any], layers: Layers) -> Callable[[Path], Path]:
    """Return how a settings path is found in the file: in the matrix, the arm (dotted or nested), else the base."""
    spelt: dict[Path, Path] = {}
    for name in layers.lineage(arm):
        for key in layers.keys:
            if key[:2] == ("arms", name) and len(key) > 2:
                spelt.setdefault(_settings_path(key), key)

    def find(path: Path) -> Path:
        for length in range(len(path), 0, -1):
            dotted = ".".join(map(str, path[:length]))
            if dotted in point:
                return ("matrix", dotted)
            if path[:length] in spelt:
                return spelt[path[:length]]
            if path[:length] in layers.keys:
                return path
        return path

    return find


def _settings_path(key: Path) -> Path:
    parts: list[str | int] = []
    for part in key[2:]:
        parts += part.split(".") if isinstance(part, str) else [part]
    return tuple(parts)


def _explain(error: ValidationError, layers: Layers, place: Callable[[Path], Path]) -> list[Problem]:
    problems = []
    for detail in error.errors(include_url=False):
        found = explain_error(detail)
        where = layers.where(place(found.path), key=found.at_key)
        problems.append(Problem(where, ".".join(map(str, found.path)), found.what, found.fix))
    return problems


def _same_arms(spec: Spec, layers: Layers) -> list[Problem]:
    """Two arms of one meaning would be two rows of one experiment: a slip, not a study."""
    seen: dict[str, str] = {}
    problems = []
    for arm in spec.arms:
        text = canonical_json(counted_settings(cell_settings(spec, arm, {})))
        if text in seen:
            what = f"arm {arm!r} is the same as arm {seen[text]!r}"
            problems.append(
                Problem(layers.where(("arms", arm), key=True), f"arms.{arm}", what, "change it, or remove it")
            )
        seen.setdefault(text, arm)
    return problems


def _once(problems: Iterable[Problem]) -> list[Problem]:
    """A mistake in the base shows in every arm; say it once."""
    kept: dict[tuple[str, str, str], Problem] = {}
    for problem in problems:
        kept.setdefault((problem.where, problem.path, re.sub(r" \(arm .*\)$", "", problem.what)), problem)
    return list(kept.values())


def missing_variables(text: str) -> list[str]:
    """Return the names of `${NAME}` in `text` that the environment does not set."""
    return [name for name in re.findall(r"\$\{(\w+)\}", text) if name not in os.environ]
