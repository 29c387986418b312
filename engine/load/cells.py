"""Cells checked: takes the layers, gives the settings of every arm at every matrix point, or what is wrong with them.

A mistake points into the arm or the matrix when that says it. How many cells there may be is MOST_CELLS, or what the
environment says in XP_MOST_CELLS.
"""

from __future__ import annotations

import math
import os
import re
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import groupby
from typing import Any

from pydantic import ValidationError

from engine.errors import Problem, XpError
from engine.load.absent import absent_problems
from engine.load.arms import ArmPlaces
from engine.load.ignored import idle_problems
from engine.load.layers import Layers
from engine.load.messages import Explained, explain_error, path_fix, without_echoes
from engine.load.timm_options import option_problems
from engine.load.unsupported import planned_problems
from engine.load.yaml_tree import Path
from engine.spec import Settings, Spec
from engine.spec.cells import CellBuilder, Tree, arm_trees, expand_cells, matrix_points, unknown_part
from engine.spec.identity import canonical_json, counted_settings
from engine.spec.shapes import shape_problems
from engine.spec.written import write_value

MOST_CELLS = 50_000
LIMIT_WORD = "XP_MOST_CELLS"
TELL_SECONDS = 5.0


class Pace:
    """Says from time to time how many cells are checked of all there are."""

    def __init__(self, total: int, tell: Callable[[str], None] | None) -> None:
        self.total, self.tell, self.done, self.at = total, tell, 0, time.monotonic()

    def count(self) -> None:
        if self.tell is not None and (now := time.monotonic()) > self.at + TELL_SECONDS:
            self.tell(f"checked {self.done:,} of {self.total:,} cells")
            self.at = now
        self.done += 1


def matrix_problems(layers: Layers) -> list[Problem]:
    """Return the axes that name no setting, have no list of values, or repeat one."""
    matrix = layers.tree.get("matrix")
    found = (_axis_problem(path, values) for path, values in matrix.items()) if isinstance(matrix, Mapping) else ()
    return [
        Problem(layers.where(("matrix", path), key=True), f"matrix.{path}", what, fix)
        for path, what, fix in (problem for problem in found if problem)
    ]


def _axis_problem(path: str, values: Any) -> tuple[str, str, str] | None:
    wrong = unknown_part(path)
    if wrong:
        return path, f"unknown key {wrong[0]!r}", path_fix(path, *wrong)
    if not isinstance(values, list):
        return path, "its values are no list", f"write `[{write_value(values)}]`: a list, in brackets"
    try:
        texts = {canonical_json(value) for value in values}
    except ValueError:
        return path, "a value is .nan or .inf", "list numbers that are finite"
    return (path, "a value is repeated", "list each value once") if len(texts) < len(values) else None


def too_many_cells(layers: Layers) -> list[Problem]:
    """Refuse what would take hours to check, before it begins. Raises XpError where the limit is no number."""
    arms, matrix, most = layers.tree.get("arms"), layers.tree.get("matrix"), _most_cells()
    points = math.prod(len(values) for values in matrix.values()) if isinstance(matrix, Mapping) else 1
    rows = max(1, len(arms)) if isinstance(arms, Mapping) else 1
    if rows * points <= most:
        return []
    path = "matrix" if points > rows else "arms"
    what = f"{rows * points:,} cells ({rows:,} arms at {points:,} matrix points), more than {most:,}"
    fix = f"compare fewer at once, or raise the limit: {LIMIT_WORD}={rows * points}"
    return [Problem(layers.where((path,), key=True), path, what, fix)]


def _most_cells() -> int:
    text = os.environ.get(LIMIT_WORD, str(MOST_CELLS))
    if not re.fullmatch(r"\d{1,15}", text):
        raise XpError(f"{text!r} is no number of cells", where=LIMIT_WORD, fix=f"set it to {MOST_CELLS}, or unset it")
    return int(text)


def check_cells(
    layers: Layers, spec: Spec | None, tell: Callable[[str], None] | None = None
) -> tuple[list[Problem], list[Settings]]:
    """Validate every cell, once; `spec` lends the sections of the base that it has validated.

    Whoever waits for many is told every TELL_SECONDS how far it is.
    """
    matrix = layers.tree.get("matrix")
    points = matrix_points(matrix if isinstance(matrix, Mapping) else {})
    base = {key: value for key, value in layers.tree.items() if key in Settings.model_fields}
    builder, places = CellBuilder(base, spec), ArmPlaces(layers)
    problems: list[Problem] = []
    cells: list[Settings] = []
    arms = _arm_items(layers.tree)
    pace = Pace(len(arms) * len(points), tell)
    for arm, changes in arms:
        for point, tree in zip(points, arm_trees(base, changes, points), strict=True):
            pace.count()
            try:
                cells.append(builder.build(tree))
            except ValidationError as error:
                problems += explain_all(error, layers, partial(places.find, arm, point))
            else:
                problems += cell_problems(arm, cells[-1], layers, partial(places.find, arm, point))
    return problems, cells


def _arm_items(tree: Tree) -> list[tuple[str, Mapping[str, Any]]]:
    """Return the arms that can be checked; what is no mapping is reported with the spec itself."""
    arms = tree.get("arms") or {"": {}}
    if not isinstance(arms, Mapping):
        return []
    return [(arm, changes) for arm, changes in arms.items() if isinstance(changes, Mapping)]


def cell_problems(arm: str, settings: Settings, layers: Layers, place: Callable[[Path], Path]) -> Iterator[Problem]:
    """Yield what these settings ask for and xp cannot do or build."""
    found = (planned_problems, absent_problems, _shape_problems, idle_problems)
    listed = [(*problem, False) for problems in found for problem in problems(settings)]
    listed += [(*problem, True) for problem in _option_problems(settings)]
    for path, what, fix, at_key in listed:
        where = layers.where(place(tuple(path.split("."))), key=at_key)
        yield Problem(where, path, f"{what} (arm {arm})" if arm else what, fix)


def settings_problem(settings: Settings) -> str | None:
    """Return the first thing that these settings ask for and xp cannot do or build, of settings that no file wrote."""
    found = (planned_problems, _shape_problems, idle_problems, _option_problems)
    return next((what for problems in found for _, what, _ in problems(settings)), None)


def _option_problems(settings: Settings) -> Iterator[tuple[str, str, str]]:
    """Yield the options of timm networks that are none: the name of each is wrong, and not its value."""
    for path, network in settings.networks:
        yield from option_problems(network, path)


def _shape_problems(settings: Settings) -> Iterator[tuple[str, str, str]]:
    """Yield what cannot be built at this image size: heads and tiles that do not divide, radii beyond a window."""
    for path, network in settings.networks:
        size = getattr(network, "image_size", None) or settings.data.image_size
        for problem in shape_problems(network, size, path):
            yield problem.path, problem.what, problem.fix


def explain_all(error: ValidationError, layers: Layers, place: Callable[[Path], Path]) -> Iterator[Problem]:
    """Yield everything that pydantic found, in our words and with its place."""
    explained = [explain_error(detail) for detail in error.errors(include_url=False)]
    for found in without_echoes(explained):
        where = layers.where(place(found.path), key=found.at_key)
        fix = _arm_to_name(found, layers.tree) or found.fix
        yield Problem(where, ".".join(map(str, found.path)), found.what, fix)


def _arm_to_name(found: Explained, tree: Tree) -> str | None:
    """The fix of a claim that lacks an arm names one that there is."""
    arms = tree.get("arms")
    if not (found.at_key and found.path[0] == "claims" and found.path[-1] in ("arm", "against")):
        return None
    claim = tree["claims"][found.path[1]]
    known = list(arms) if isinstance(arms, Mapping) and arms else [str(tree.get("name"))]
    other = claim.get("against" if found.path[-1] == "arm" else "arm") if isinstance(claim, Mapping) else None
    free = [arm for arm in known if arm != other] or known
    return f"add `{found.path[-1]}: {free[0]}`, or another of the arms"


def heeded(settings: Settings) -> dict[str, Any]:
    """Return what decides the jobs of a run: without a teacher, what is said of distillation decides nothing."""
    counted = counted_settings(settings)
    if settings.teacher is None:
        counted.pop("distill", None)
    else:
        counted["distill"] |= dict(zip(("weight", "label_weight"), settings.distill.weights, strict=True))
    if not settings.is_pruned:
        counted.pop("prune", None)
    return counted


def same_points(spec: Spec, layers: Layers) -> list[Problem]:
    """Two points of the matrix that are one for every arm are the same runs twice."""
    cells: dict[str, list[str]] = {}
    for cell in expand_cells(spec):
        cells.setdefault(cell.cell, []).append(canonical_json(heeded(cell.settings)))
    seen: dict[tuple[str, ...], str] = {}
    problems = []
    for point, texts in cells.items():
        twin = seen.setdefault(tuple(texts), point)
        if twin != point:
            what = f"the points {twin!r} and {point!r} are the same runs"
            problems.append(Problem(layers.where(("matrix",), key=True), "matrix", what, "remove one of the values"))
    return problems


def same_arms(spec: Spec, layers: Layers) -> list[Problem]:
    """Two arms that are one at every matrix point would be two rows of one experiment: a slip, not a study.

    One that is run as it is and one that is searched are two, and so are two that are drawn from other spaces.
    """
    if len(spec.arms) < 2:
        return []
    seen: dict[tuple[str, ...], str] = {}
    problems = []
    for arm, cells in groupby(expand_cells(spec), lambda cell: cell.arm):
        space = "" if spec.search is None else repr(spec.search.space_of(arm))
        texts = (space, *(canonical_json(heeded(cell.settings)) for cell in cells))
        if texts in seen:
            what = f"arm {arm!r} is the same as arm {seen[texts]!r}"
            where = layers.where(("arms", arm), key=True)
            problems.append(Problem(where, f"arms.{arm}", what, _same_fix(spec, arm, seen[texts])))
        seen.setdefault(texts, arm)
    return problems


def _same_fix(spec: Spec, arm: str, other: str) -> str:
    """A control that an arm already is needs no arm of its own."""
    control = (spec.arms[arm].get("prune") or {}).get("control")
    if control is None:
        return "change it, or remove it"
    return f"leave the control {control} away: {other} is that control already"
