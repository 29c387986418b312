"""The next point of a space: takes a space and the trials so far, gives settings to try, by Optuna's samplers.

Optuna proposes and stores nothing: its study is made anew from the trials each time, and what it draws follows from
them, the search's seed and the trial's number alone. So a draw that was lost with a kill is drawn again.
"""

from __future__ import annotations

import hashlib
import itertools
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.analysis.held import Families, rule_of
from engine.errors import XpError
from engine.search.decisions import Trial
from engine.search.judging import broken_bound, excess, goals
from engine.spec.identity import canonical_json
from engine.spec.search import Axis, Search, listed

if TYPE_CHECKING:
    from optuna.distributions import BaseDistribution
    from optuna.samplers import BaseSampler
    from optuna.trial import FrozenTrial

OF_NETWORKS: Families = frozenset({"inference", "size"})
MOST_TRIES = 200  # draws of what was drawn before, until a space is called exhausted


@dataclass(frozen=True)
class Draw:
    """Settings to try, why these, and what the sampler marked."""

    settings: dict[str, Any]
    why: str
    marks: dict[str, Any]


def draw_next(search: Search, arm: str, trials: Sequence[Trial], number: int) -> Draw | None:
    """Return the next point of an arm's space that no trial had; None where there is none left.

    Nor is a network drawn again that was measured and refused: what else is drawn with it does not make it faster.
    """
    space = ordered(search.space_of(arm))
    seen = {canonical_json(one.decision.settings) for one in trials}
    broken = (one for one in trials if one.state == "refused" and broken_bound(one.values, search.constraint))
    refused = {_network_of(one.decision.settings) for one in broken}
    for draw in _draws(search, space, trials, number):
        if canonical_json(draw.settings) not in seen and _network_of(draw.settings) not in refused:
            return draw
    return None


def _network_of(settings: Mapping[str, Any]) -> str:
    """Return those of the drawn settings that decide what is measured of a network."""
    return canonical_json({path: value for path, value in settings.items() if rule_of(path).decides & OF_NETWORKS})


def ordered(space: Mapping[str, Axis]) -> dict[str, Axis]:
    """Return the axes, each after those that decide whether it is drawn."""
    left, found = dict(space), dict[str, Axis]()
    while left:
        free = [path for path, axis in left.items() if not axis.when.keys() & left.keys()]
        found |= {path: left.pop(path) for path in free}
    return found


def is_drawn(axis: Axis, drawn: Mapping[str, Any]) -> bool:
    return all(path in drawn and drawn[path] in listed(value) for path, value in axis.when.items())


def _draws(search: Search, space: Mapping[str, Axis], trials: Sequence[Trial], number: int) -> Iterator[Draw]:
    """Yield points: what is tried first, then those of the sampler, another one each time."""
    priors = [prior for prior in search.prior if prior.keys() <= space.keys()]
    for prior in priors[number:]:
        yield _ask(search, space, trials, _seed_of(search, number, 0), prior)
    if search.sampler == "grid":
        yield from _grid(search, space)
        return
    for attempt in range(MOST_TRIES):
        yield _ask(search, space, trials, _seed_of(search, number, attempt), {})


def _seed_of(search: Search, *words: Any) -> int:
    """Return a seed for one draw, another for each number; it is the same for all arms, which begin alike."""
    text = canonical_json([search.seed, *words])
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big")


def _grid(search: Search, space: Mapping[str, Axis]) -> Iterator[Draw]:
    """Yield every point once, in an order of chance that is the search's own."""
    points: dict[str, dict[str, Any]] = {}
    for values in itertools.product(*(axis.points or () for axis in space.values())):
        drawn: dict[str, Any] = {}
        for (path, axis), value in zip(space.items(), values, strict=True):
            drawn |= {path: value} if is_drawn(axis, drawn) else {}
        points.setdefault(canonical_json(drawn), drawn)
    for text in sorted(points, key=lambda text: _seed_of(search, text)):
        yield Draw(points[text], "grid", {})


def _ask(
    search: Search, space: Mapping[str, Axis], trials: Sequence[Trial], seed: int, prior: Mapping[str, Any]
) -> Draw:
    """Ask a sampler that knows the trials for one more."""
    optuna = import_optuna()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what Optuna calls experimental
        study = optuna.create_study(
            directions=["maximize"] * len(search.metrics), sampler=_sampler(search.sampler, seed)
        )
        study.add_trials([told for one in trials for told in _tell(search, space, one)])
        asked = study.ask()
        drawn: dict[str, Any] = {}
        for path, axis in space.items():
            if is_drawn(axis, drawn):
                drawn[path] = prior[path] if path in prior else _suggest(asked, path, axis)
        marked = study.get_trials(deepcopy=False)[-1].system_attrs
    marks = {key: value for key, value in marked.items() if key.endswith("generation")}
    return Draw(drawn, "prior" if prior else search.sampler, marks)


def import_optuna() -> Any:
    """Return Optuna. Raises XpError without the extra."""
    try:
        import optuna
    except ImportError as error:
        what = "a search asks Optuna what to try next, and it is not installed"
        raise XpError(what, fix="pip install 'xp-engine[search]'") from error
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    return optuna


def _sampler(name: str, seed: int) -> BaseSampler:
    samplers = import_optuna().samplers
    if name == "tpe":
        return samplers.TPESampler(multivariate=True, group=True, seed=seed)  # type: ignore[no-any-return]  # late import
    made = {"random": samplers.RandomSampler, "gp": samplers.GPSampler, "nsga2": samplers.NSGAIISampler}
    return made[name](seed=seed)  # type: ignore[no-any-return]  # late import


def _suggest(asked: Any, path: str, axis: Axis) -> Any:
    """Draw one axis. Choices are drawn by their place, as they may be lists and mappings."""
    if axis.kind == "choice":
        return axis.values[asked.suggest_categorical(path, list(range(len(axis.values))))]
    low, high = axis.values
    if axis.kind == "int":
        return asked.suggest_int(path, low, high, step=int(axis.step or 1))
    return asked.suggest_float(path, low, high, step=axis.step, log=axis.kind == "log")


def _distribution(axis: Axis) -> BaseDistribution:
    kinds = import_optuna().distributions
    if axis.kind == "choice":
        return kinds.CategoricalDistribution(list(range(len(axis.values))))  # type: ignore[no-any-return]  # late import
    low, high = axis.values
    if axis.kind == "int":
        return kinds.IntDistribution(low, high, step=int(axis.step or 1))  # type: ignore[no-any-return]  # late import
    return kinds.FloatDistribution(low, high, step=axis.step, log=axis.kind == "log")  # type: ignore[no-any-return]  # late import


def _tell(search: Search, space: Mapping[str, Axis], trial: Trial) -> Iterator[FrozenTrial]:
    """Yield a trial as Optuna knows it: what runs is told too, so that nobody is sent where somebody is."""
    optuna = import_optuna()
    found = goals(trial, search)
    states = optuna.trial.TrialState
    drawn = {path: value for path, value in trial.decision.settings.items() if path in space}
    about = {
        "params": {path: _index(space[path], value) for path, value in drawn.items()},
        "distributions": {path: _distribution(space[path]) for path in drawn},
        "system_attrs": dict(trial.decision.marks),
    }
    bounds = excess(trial.values, search.constraint)
    if trial.state == "done" and found is not None:
        yield optuna.trial.create_trial(state=states.COMPLETE, values=found, constraints=bounds or None, **about)
    elif trial.state == "open":
        yield optuna.trial.create_trial(state=states.RUNNING, **about)
    elif trial.state == "refused" and bounds and max(bounds.values()) > 0:
        yield optuna.trial.create_trial(state=states.PRUNED, constraints=bounds, **about)
    else:
        yield optuna.trial.create_trial(state=states.FAIL, **about)


def _index(axis: Axis, value: Any) -> Any:
    return axis.values.index(value) if axis.kind == "choice" else value
