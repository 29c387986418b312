"""Words that would do nothing: takes settings, or a spec with its cells, gives what would be silently ignored.

What is accepted and then has no effect makes a table whose rows are one training. Each of these stops a spec, with
the place of the word and a fix; `doubts` are only told.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from engine.errors import Problem, SpecError, closest_hint
from engine.load.arms import ArmPlaces
from engine.load.layers import Layers
from engine.spec import Settings, Spec
from engine.spec.cells import Tree, expand_cells
from engine.spec.experiment import Claim
from engine.spec.optimizers import optimizer_words
from engine.spec.synonyms import hint_word
from engine.spec.training import DECAY_EPOCHS, Train
from store.metrics import METRICS

LEAST_LEFT = 0.05  # of the parameters
NO_TEACHER = "there is no teacher to distil from, so this does nothing"


def idle_problems(settings: Settings) -> Iterator[tuple[str, str, str]]:
    """Yield path, what and fix of what these settings say and no job of them would heed."""
    for path, train in settings.trainings:
        if train.min_lr > train.lr:
            what = f"min_lr {train.min_lr:g} is above lr {train.lr:g}: the rate would never fall"
            yield f"{path}.min_lr", what, f"write `{train.lr / 100:g}`, {train.lr:g} at most"


def distill_problems(spec: Spec, layers: Layers) -> list[Problem]:
    """Return the arms that say something of distillation and have no teacher at any point, or the base where none has.

    What an arm inherits is not its own word: an arm without a teacher beside taught ones is there to be without.
    """
    taught = {cell.arm for cell in expand_cells(spec) if cell.settings.teacher is not None}
    places = ArmPlaces(layers)
    problems = []
    for arm in spec.arms:
        words = [(path, key) for path, key in places.own.get(arm, {}).items() if path[0] == "distill"]
        if words and "distill" in spec.arms[arm] and arm not in taught:  # --set may have emptied it
            path, key = words[0]
            what = f"{NO_TEACHER} (arm {arm})"
            problems.append(
                _distill_problem(layers.where(key, key=True), f"arms.{arm}.{'.'.join(map(str, path))}", what)
            )
    if taught or problems:
        return problems
    if all(cell.settings.distill.loss == "ce" for cell in expand_cells(spec)):
        return []  # labels alone, as it says
    said: list[tuple[str, ...]] = [("matrix", axis) for axis in spec.matrix if axis.split(".")[0] == "distill"]
    said += [("distill",)] if "distill" in layers.tree else []
    return [_distill_problem(layers.where(key, key=True), ".".join(key), NO_TEACHER) for key in said]


def _distill_problem(where: str, path: str, what: str) -> Problem:
    return Problem(where, path, what, "give it a teacher: section, or remove distill")


def claim_problems(spec: Spec, layers: Layers) -> list[Problem]:
    """Return claims on figures that no run has, and claims whose id is taken."""
    problems = []
    ids = Counter(claim.id for claim in spec.claims)
    seen: set[str] = set()
    for at, claim in enumerate(spec.claims):
        if claim.metric not in METRICS:
            what, fix = f"claim {claim.id!r} is on {claim.metric!r}, no metric", hint_word(claim.metric, METRICS)
            problems.append(_claim_problem(layers, at, "metric", what, fix))
        elif _is_beyond(claim):
            what = f"a margin of {claim.margin:g} is more than {claim.metric} can differ by: it runs from 0 to 1"
            problems.append(_claim_problem(layers, at, "margin", what, _margin_fix(claim.margin or 0.0)))
        if claim.id in seen:
            what = f"{ids[claim.id]} claims have the id {claim.id!r}"
            problems.append(_claim_problem(layers, at, "id", what, "give each claim an id of its own"))
        seen.add(claim.id)
    return problems


def _is_beyond(claim: Claim) -> bool:
    """Whether a margin decides a claim by itself: points were meant, and no share differs by more than 1."""
    return METRICS[claim.metric].unit in ("fraction", "probability") and (claim.margin or 0.0) > 1


def _margin_fix(margin: float) -> str:
    return f"write `{margin / 100:g}` for {margin:g} points" if margin <= 100 else "write 0.01 for one point"


def column_problems(spec: Spec, layers: Layers) -> list[Problem]:
    """Return columns of the report that no run has, and those that are named twice."""
    problems = []
    columns = spec.report.columns or []
    for at, name in enumerate(columns):
        where, path = layers.where(("report", "columns", at)), f"report.columns.{at}"
        if name not in METRICS:
            problems.append(Problem(where, path, f"{name!r} is no metric", hint_word(name, METRICS)))
        if name in columns[:at]:
            problems.append(Problem(where, path, f"column {name!r} is named twice", "name each metric once"))
    return problems


def _claim_problem(layers: Layers, at: int, word: str, what: str, fix: str) -> Problem:
    return Problem(layers.where(("claims", at, word)), f"claims.{at}.{word}", what, fix)


def check_set_arms(overrides: Sequence[str], tree: Tree) -> None:
    """Refuse `--set arms.NAME.WORD=...` where no file has that arm: a slip of the finger would be a new row.

    `--set arms.NAME={...}` writes a whole arm, and is meant. Raises SpecError with the nearest names.
    """
    arms = tree.get("arms")
    known = list(arms) if isinstance(arms, dict) else []
    for text in overrides:
        first, _, rest = text.partition("=")[0].strip().partition(".")
        arm, _, inner = rest.partition(".")
        if first == "arms" and inner and arm not in known:
            fix = closest_hint(arm, known) if known else f"write the whole arm: --set 'arms.{arm}={{...}}'"
            raise SpecError([Problem(f"--set {text}", f"arms.{arm}", f"there is no arm {arm!r}", fix)])


def doubts(spec: Spec, layers: Layers) -> tuple[str, ...]:
    """Return, with its place, what is legal and most likely not meant."""
    places = ArmPlaces(layers)
    told: dict[str, None] = {}
    for cell in expand_cells(spec):
        for path, what, fix in settings_doubts(cell.settings):
            where = layers.where(places.find(cell.arm, {}, tuple(path.split("."))))
            told[f"{where}: {path}: {what}\nfix: {fix}"] = None
    return (*told, *_seed_doubts(spec, layers))


def _seed_doubts(spec: Spec, layers: Layers) -> Iterator[str]:
    """Yield that arms which are run as they are have no seed in common with the best of those that are searched."""
    final = spec.search.final if spec.search is not None else None
    unsearched = [arm for arm in spec.arm_names if spec.search is not None and not spec.search.is_searched(arm)]
    if final is None or not unsearched or {*spec.seeds} & {*final.seeds}:
        return
    what = f"the best of the search is trained on seeds {final.seeds}, and {unsearched[0]} on {spec.seeds}"
    fix = f"write `{[*spec.seeds, *final.seeds]}`, as what has no seed in common is not compared"
    yield f"{layers.where(('seeds',))}: seeds: {what}\nfix: {fix}"


def settings_doubts(settings: Settings) -> Iterator[tuple[str, str, str]]:
    """Yield path, what and fix of words of one cell that are legal and most likely a slip."""
    data, prune = settings.data, settings.prune
    if data.image_size > data.short_side:
        what = f"images are packed at {data.short_side} px (data.short_side) and looked at at {data.image_size}"
        fix = f"set data.short_side to {data.image_size} at least"
        yield "data.image_size", f"{what}: crops are enlarged", fix
    for path, train in settings.trainings:
        yield from _rate_doubts(f"{path}.lr", train.lr, train.optimizer)
        yield from _decay_doubts(path, train)
    if prune is not None and settings.is_pruned:
        if prune.ratio > 1 - LEAST_LEFT:
            what = f"{prune.ratio:g} leaves {1 - prune.ratio:.1%} of the parameters"
            yield "prune.ratio", what, "write the share that is taken away: 0.2 takes a fifth"
        if prune.recover_lr is not None:
            yield from _rate_doubts("prune.recover_lr", prune.recover_lr, settings.train.optimizer)


def _decay_doubts(path: str, train: Train) -> Iterator[tuple[str, str, str]]:
    every = train.decay_epochs or DECAY_EPOCHS
    first = every[0] if isinstance(every, list) else every
    if train.schedule == "step" and first >= train.epochs:
        what = f"the rate first falls after {first} epochs, and there are {train.epochs}: it never does"
        yield f"{path}.decay_epochs", what, "set decay_epochs below epochs, such as a third of them"


def _rate_doubts(path: str, rate: float, optimizer: str) -> Iterator[tuple[str, str, str]]:
    most = optimizer_words(optimizer).largest_rate
    if rate > most:
        what = f"{rate:g} is above {most:g}, and {optimizer} trains at rates far below"
        yield path, what, "check its exponent: 5e-4 is 0.0005"
