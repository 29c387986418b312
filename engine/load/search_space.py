"""A search checked: takes a spec with `search:` and its layers, gives what cannot be searched, with its place and fix.

What is drawn must be a setting, leave the images alone that judge it, and be possible: the ends of each range and every
choice are tried, one axis at a time, with what it waits for.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from pydantic import ValidationError

from engine.errors import Problem
from engine.load.arms import ArmPlaces
from engine.load.cells import cell_problems, explain_all
from engine.load.drawn_clashes import arm_clash, matrix_clash, space_clash
from engine.load.idle_axes import idle_axes
from engine.load.layers import Layers
from engine.load.messages import path_fix
from engine.load.yaml_tree import Path
from engine.spec import Settings, Spec
from engine.spec.cells import (
    CellBuilder,
    Tree,
    arm_trees,
    expand_cells,
    matrix_points,
    merge_trees,
    nest_paths,
    unknown_part,
)
from engine.spec.search import BEST, MARK, Axis, Search, first_conditions, listed, waits_for
from engine.spec.synonyms import hint_word
from engine.spec.written import write_value
from store.amounts import counted
from store.metrics import METRICS

JUDGES = ("source", "root", "options", "most", "label", "boxes", "classes", "broken", "split", "given", "split_seed",
          "nested")  # fmt: skip
"""The words of `data` that decide which images there are, and which of them judge."""
ASIDE = ("measure", "explain", "resources")
SAME_ON_VAL = {"test_top1": "val_top1", "test_loss": "val_loss"}
LUCKY = ("the best of several seeds is the luckiest", "leave it as it is; `final: {seeds: [...]}` has fresh ones")
MOST_POINTS = 100_000  # of a grid: all are gone through for each draw
MOST_MARK = 12  # letters that a trial's arm has more than its own


def search_problems(spec: Spec, layers: Layers) -> list[Problem]:
    """Return everything that is wrong with a spec's search, nothing where it has none."""
    if spec.search is None:
        return []
    whole = [*_metric_problems(spec.search, spec, layers), *_arm_problems(spec.search, spec, layers)]
    whole += [*_sampler_problems(spec.search, layers), *_seed_problems(spec.search, spec, layers)]
    axes = [problem for place in _spaces(spec.search) for problem in _axis_problems(place, spec, layers)]
    priors = [] if axes else list(_prior_problems(spec.search, layers))
    rungs = [] if whole or axes else list(_rung_problems(spec.search, spec, layers))
    tried = [] if whole or axes or rungs else list(_value_problems(spec.search, spec, layers))
    idle = [] if whole or axes or rungs or tried else list(_idle_problems(spec.search, spec, layers))
    return [*whole, *axes, *priors, *rungs, *tried, *idle]


Place = tuple[Path, dict[str, Axis], dict[str, Axis]]  # where it stands, what stands there, the whole space there


def _spaces(search: Search) -> Iterator[Place]:
    yield ("search", "space"), search.space, search.space
    for arm, own in search.arms.items():
        yield ("search", "arms", arm), own or {}, search.space_of(arm)


def _problem(layers: Layers, place: Path, what: str, fix: str, *, key: bool = False) -> Problem:
    return Problem(layers.where(place, key=key), ".".join(map(str, place)), what, fix)


# -- by what it is chosen ---------------------------------------------------------------------------------------------


def _metric_problems(search: Search, spec: Spec, layers: Layers) -> Iterator[Problem]:
    is_list = isinstance(search.metric, list)
    if not search.metrics:
        yield _problem(layers, ("search", "metric"), "no metric is named", "write `val_top1`")
    for at, name in enumerate(search.metrics):
        place: Path = ("search", "metric", at) if is_list else ("search", "metric")
        if name in search.metrics[:at]:
            yield _problem(layers, place, f"{name!r} is named twice", "name each metric once")
        yield from (_problem(layers, place, *found) for found in _metric_faults(name, spec))
        if search.direction is None and name in METRICS and METRICS[name].better == "neither":
            yield _problem(layers, place, f"neither more nor less of {name} is better", "write `direction` too")
    told = listed(search.direction) if search.direction is not None else []
    if told and len(told) != len(search.metrics):
        what = f"{counted(len(told), 'direction')} of {len(search.metrics)} metrics"
        ways = ", ".join(
            "min" if METRICS[name].better == "lower" else "max" for name in search.metrics if name in METRICS
        )
        fix = f"list one for each metric, such as `[{ways}]`, or leave `direction` away"
        yield _problem(layers, ("search", "direction"), what, fix)
    for name in search.constraint:
        place = ("search", "constraint", name)
        yield from (_problem(layers, place, *found, key=True) for found in _metric_faults(name, spec))
        if name in METRICS and METRICS[name].unit == "fraction":
            beyond = [edge for edge in (search.constraint[name].below, search.constraint[name].above) if edge]
            fix = "write 0.8 for 80 %"
            yield from (
                _problem(layers, place, f"{name} is a share of 1, and not {edge:g}", fix, key=True)
                for edge in beyond
                if not 0 <= edge <= 1
            )


def _metric_faults(name: str, spec: Spec) -> Iterator[tuple[str, str]]:
    if name not in METRICS:
        yield f"{name!r} is no metric", hint_word(name, METRICS)
        return
    metric = METRICS[name]
    if metric.images == "test" and not name.startswith("val_"):
        what = f"{name} is known on test images alone, and what is chosen by them is not tested by them"
        yield what, f"write `{SAME_ON_VAL.get(name, 'val_top1')}`"
    elif metric.is_timed_apart:
        what = f"{name} is a time of whatever else the machine did, and decides nothing"
        yield what, "write `infer_latency` or `macs`"
    elif name.startswith("val_") and (bare := _blind_split(spec)):
        yield f"{bare} has no validation images", "give data.split a validation part"


def _blind_split(spec: Spec) -> str | None:
    """Return a split without validation images that an arm has which is searched."""
    cells = (cell for cell in expand_cells(spec) if spec.search is not None and spec.search.is_searched(cell.arm))
    splits = (cell.settings.data.split for cell in cells)
    return next((split for split in splits if int(split.split("/")[1]) == 0), None)


# -- of whom ----------------------------------------------------------------------------------------------------------


def _arm_problems(search: Search, spec: Spec, layers: Layers) -> Iterator[Problem]:
    for arm in search.arms:
        if arm not in spec.arm_names:
            yield _problem(layers, ("search", "arms", arm), f"no arm {arm!r}", hint_word(arm, spec.arm_names), key=True)
    searched = [arm for arm in spec.arm_names if search.is_searched(arm)]
    if not searched:
        what = "every arm is run as it is, and nothing is searched"
        yield _problem(layers, ("search", "arms"), what, "leave `arms` away, or `search`")
    for arm in searched:
        if len(arm) + MOST_MARK > 64:
            what = f"the trials of {arm!r} would have names of more than 64 letters"
            yield _problem(layers, ("arms", arm), what, "give the arm a shorter name", key=True)
        twin = next((other for other in spec.arm_names if other.startswith((f"{arm}{MARK}", f"{arm}{BEST}"))), None)
        if twin is not None:
            what = f"arm {twin!r} has a name that a trial of {arm!r} may have"
            yield _problem(layers, ("arms", twin), what, "rename that arm", key=True)
    yield from _judged_problems(search, spec, layers)
    if len(matrix_points(spec.matrix)) > 1:
        what = f"a search has one point of the matrix, and this has {len(matrix_points(spec.matrix))}"
        yield _problem(
            layers, ("matrix",), what, "keep one value of each, and search each in a spec of its own", key=True
        )


def _judged_problems(search: Search, spec: Spec, layers: Layers) -> Iterator[Problem]:
    """Yield the baseline and claims on an arm that has no runs of its own, and no best that stands for it."""
    named: list[tuple[Path, str]] = [(("baseline",), spec.baseline)] if spec.baseline is not None else []
    for at, claim in enumerate(spec.claims):
        named += [(("claims", at, "arm"), claim.arm), (("claims", at, "against"), claim.against)]
    for place, arm in named:
        if arm in spec.arm_names and search.judged_arm(arm) is None:
            no_final = search.final is None
            what = f"{arm} is searched, and {'no best is trained anew' if no_final else 'has a front of bests'}"
            fix = "write `final: {seeds: [1, 2, 3]}` below `search`" if no_final else "choose by one metric"
            fix = f"{fix}, or name an arm that is null below `search.arms`"
            yield _problem(layers, place, what, fix)


def _seed_problems(search: Search, spec: Spec, layers: Layers) -> Iterator[Problem]:
    if search.final is not None and spec.seeds[0] in search.final.seeds:
        what = f"seed {spec.seeds[0]} is that of the trials, by which the best is chosen"
        free = [seed for seed in range(1, 2 * len(search.final.seeds) + 2) if seed != spec.seeds[0]]
        fix = f"write `{free[: len(search.final.seeds)]}`: seeds that chose nothing"
        yield _problem(layers, ("search", "final", "seeds"), what, fix)
    if search.fidelity is not None and search.fidelity.epochs[-1] != spec.train.epochs:
        what = f"a whole trial has {search.fidelity.epochs[-1]} epochs, and train.epochs says {spec.train.epochs}"
        yield _problem(layers, ("search", "fidelity", "epochs"), what, f"end with {spec.train.epochs}, or change that")
    if search.fidelity is not None and len(search.metrics) > 1:
        what = "who goes on is the best by one metric, and there are several"
        yield _problem(layers, ("search", "fidelity"), what, "choose by one metric, or leave `fidelity` away", key=True)


def _sampler_problems(search: Search, layers: Layers) -> Iterator[Problem]:
    if search.sampler != "grid":
        return
    for space in search.spaces:
        endless = next((path for path, axis in space.items() if axis.count is None), None)
        points = math.prod(axis.count or 1 for axis in space.values())
        if endless is not None:
            what = f"a grid tries every value, and those of {endless} have no number"
            fix = f"write `int`, `choice` or a `step` for {endless}, or another sampler"
            yield _problem(layers, ("search", "sampler"), what, fix)
            return
        if points > MOST_POINTS:
            what = f"a grid of {points:,} points; the most are {MOST_POINTS:,}"
            yield _problem(layers, ("search", "sampler"), what, "write larger steps, or another sampler")
            return


# -- what is drawn ----------------------------------------------------------------------------------------------------


def _axis_problems(place: Place, spec: Spec, layers: Layers) -> Iterator[Problem]:
    root, written, space = place
    for path, axis in written.items():
        if found := _path_fault(path, spec) or space_clash(path, space):
            yield _problem(layers, (*root, path), *found, key=True)
        for other, value in axis.when.items():
            at = (*root, path, "when", other)
            if other not in space:
                what = f"{other!r} is not drawn itself"
                others = [name for name in space if name != path]
                fix = hint_word(other, others) if others else "draw that too, or leave `when` away"
                yield _problem(layers, at, what, fix, key=True)
            elif bad := [one for one in listed(value) if not space[other].holds(one)]:
                yield _problem(layers, at, f"{other} is never {write_value(bad[0])}", _value_fix(space[other]))
        if path in waits_for(space, path):
            yield _problem(layers, (*root, path, "when"), f"{path} waits for itself", "cut one of these conditions")


def _path_fault(path: str, spec: Spec) -> tuple[str, str] | None:
    """Say why a path cannot be drawn, None where it can."""
    if (word := path.partition(".")[0]) in Spec.model_fields and word not in Settings.model_fields:
        return LUCKY if word == "seeds" else (f"{word} is no setting of a run", "leave it as it is")
    if wrong := unknown_part(path):
        return f"unknown key {wrong[0]!r}", path_fix(path, *wrong)
    first, _, rest = path.partition(".")
    if first == "data" and (not rest or rest.split(".")[0] in JUDGES):
        return f"{path} decides which images judge, and trials would be judged by others", "leave it as it is"
    if first in ASIDE:
        return f"{path} is no part of the network and its training", "leave it as it is"
    if path.endswith("seed"):
        return LUCKY
    if path == "train.epochs" and spec.search is not None and spec.search.fidelity is not None:
        return "fidelity decides the epochs", "leave it away, or `fidelity`"
    return matrix_clash(path, spec.matrix) or arm_clash(path, spec)


def _value_fix(axis: Axis) -> str:
    low, high = axis.values[0], axis.values[-1]
    return f"use one of {write_value(axis.values)}" if axis.kind == "choice" else f"use {low:g} to {high:g}"


def _prior_problems(search: Search, layers: Layers) -> Iterator[Problem]:
    known = {path: axis for _, _, space in _spaces(search) for path, axis in space.items()}
    is_list = isinstance(layers.tree["search"].get("prior"), list)
    for at, prior in enumerate(search.prior):
        spot: Path = ("search", "prior", at) if is_list else ("search", "prior")
        if not prior:
            yield _problem(layers, spot, "it says nothing to try", "name a path that is drawn, or leave it away")
        if at == search.trials:
            what = f"{len(search.prior)} are to be tried first, in {search.trials} trials"
            yield _problem(layers, spot, what, "ask for more trials, or try fewer first")
        for path, value in prior.items():
            place: Path = ("search", "prior", at, path) if is_list else ("search", "prior", path)
            if path not in known:
                yield _problem(layers, place, f"{path} is not drawn", hint_word(path, known), key=True)
            elif not any(space[path].holds(value) for _, _, space in _spaces(search) if path in space):
                yield _problem(layers, place, f"{write_value(value)} cannot be drawn", _value_fix(known[path]))
            elif undrawn := _unmet(prior, path, search):
                other, wanted = undrawn
                what = f"{path} is drawn only where {other} is {' or '.join(map(write_value, wanted))}"
                yield _problem(layers, place, what, f"leave it away, or try first what has that {other}", key=True)


def _unmet(prior: Mapping[str, Any], path: str, search: Search) -> tuple[str, list[Any]] | None:
    """Return a condition that a prior itself breaks in every space, so that what it says at `path` is never tried."""
    found = None
    for space in (space for _, _, space in _spaces(search) if path in space):
        needed = {other: listed(wanted) for other, wanted in space[path].when.items()}
        found = next(
            ((other, wanted) for other, wanted in needed.items() if prior.get(other, wanted[0]) not in wanted), None
        )
        if found is None:
            return None
    return found


# -- whether it is possible -------------------------------------------------------------------------------------------


def _rung_problems(search: Search, spec: Spec, layers: Layers) -> Iterator[Problem]:
    """Yield what keeps an arm's trials from going on for longer: what is tied to the whole of a training."""
    if search.fidelity is None:
        return
    point, places = matrix_points(spec.matrix)[0], ArmPlaces(layers)
    builder, trees = _trees(search, spec, layers)
    for arm, tree in trees.items():
        for rung, epochs in enumerate(search.fidelity.epochs):
            found = _first_problem(builder, merge_trees(tree, nest_paths(search.fidelity.words(rung))), layers,
                                   partial(places.find, arm, point))  # fmt: skip
            if found is not None:
                about = f"fidelity, {counted(epochs, 'epoch')}{_of_arm(arm, spec, ', ')}"
                yield replace(found, what=f"{found.what} ({about})")
                break


def _value_problems(search: Search, spec: Spec, layers: Layers) -> Iterator[Problem]:
    """Yield the ends and choices of each axis that some searched arm cannot have, on its shortest rung or whole."""
    fidelity = search.fidelity
    lengths: list[dict[str, Any]] = [{}] if fidelity is None else [fidelity.words(0), fidelity.words(-1)]
    builder, trees = _trees(search, spec, layers)
    for arm, tree in trees.items():
        space = search.space_of(arm)
        for path, axis in space.items():
            root: Path = ("search", "arms", arm) if path in (search.arms.get(arm) or {}) else ("search", "space")
            for (at, value), words in itertools.product(enumerate(axis.values), lengths):
                drawn = {**words, **first_conditions(space, path), path: value}
                if (found := _impossible(builder, tree, drawn, layers)) and not _is_possible(
                    builder, tree, drawn, space, layers
                ):
                    what = f"{write_value(value)}: {found.what}{_of_arm(arm, spec)}"
                    spot = (*root, path, axis.kind, at) if axis.kind == "choice" else (*root, path, axis.kind)
                    yield _problem(layers, spot, what, found.fix)
                    break


def _idle_problems(search: Search, spec: Spec, layers: Layers) -> Iterator[Problem]:
    """Yield the axes that decide nothing of a searched arm."""
    builder, trees = _trees(search, spec, layers)
    for arm, tree in trees.items():
        for path in idle_axes(builder, tree, search.space_of(arm)):
            is_own = path in (search.arms.get(arm) or {})
            root: Path = ("search", "arms", arm) if is_own else ("search", "space")
            fix = "leave it away" if is_own or not spec.arms else "draw it below `search.arms`, for arms that heed it"
            what = f"nothing that is trained follows from it{_of_arm(arm, spec)}"
            yield _problem(layers, (*root, path), what, fix, key=True)


def _impossible(builder: CellBuilder, tree: Tree, drawn: Mapping[str, Any], layers: Layers) -> Problem | None:
    return _first_problem(builder, merge_trees(tree, nest_paths(drawn)), layers, lambda path: path)


def _is_possible(
    builder: CellBuilder, tree: Tree, drawn: Mapping[str, Any], space: Mapping[str, Axis], layers: Layers
) -> bool:
    """Whether a value that the spec's own words forbid can be had beside another one of some other axis."""
    others = ({**first_conditions(space, path), path: value} for path, axis in space.items() for value in axis.values)
    beside = ({**other, **drawn} for other in others if not other.keys() & drawn.keys())
    return any(_impossible(builder, tree, words, layers) is None for words in beside)


def _trees(search: Search, spec: Spec, layers: Layers) -> tuple[CellBuilder, dict[str, Tree]]:
    """Return what makes settings of a tree, and the tree of each arm that is searched."""
    base = {key: value for key, value in layers.tree.items() if key in Settings.model_fields}
    points = matrix_points(spec.matrix)
    arms = filter(search.is_searched, spec.arm_names)
    return CellBuilder(base, spec), {arm: next(arm_trees(base, spec.arms.get(arm, {}), points)) for arm in arms}


def _first_problem(builder: CellBuilder, tree: Tree, layers: Layers, place: Callable[[Path], Path]) -> Problem | None:
    """Return the first thing that is wrong with settings, None where they are possible."""
    try:
        settings = builder.build(tree)
    except ValidationError as error:
        return next(explain_all(error, layers, place))
    return next(cell_problems("", settings, layers, place), None)


def _of_arm(arm: str, spec: Spec, before: str = "") -> str:
    """Name the arm where there are several: in brackets of its own, or after what is in some."""
    told = f"{before}arm {arm}" if before else f" (arm {arm})"
    return told if spec.arms else ""
