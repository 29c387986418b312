"""What a search is told: takes the words of `search:`, gives a space to draw from, and by which rule it is chosen.

A trial is an arm with drawn settings. Nothing of it enters an id: the same settings, however they were come by, are
the same jobs.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BeforeValidator, ConfigDict, Field, field_validator, model_validator

from engine.spec.base import MOST_EPOCHS, Model, Numbers, Seed, ranged, refuse
from engine.spec.space_forms import check_forms

Kind = Literal["log", "float", "int", "choice"]
Pair = Annotated[list[float], Field(min_length=2, max_length=2), Numbers(-1e18, 1e18)]
WholePair = Annotated[list[int], Field(min_length=2, max_length=2), Numbers(-1_000_000_000, 1_000_000_000)]
MOST_TRIALS = 100_000
MARK, BEST = "-t", "-best"  # between the name of an arm and the number of its trial; after that of the best


class Axis(Model):
    """What one setting is drawn from: a range of numbers, or a list."""

    model_config = ConfigDict(serialize_by_alias=True)

    log: Pair | None = Field(
        None,
        description="Lowest and highest of a number that is drawn by its order of magnitude.",
        examples=[[1.0, 8.0]],
    )
    float_: Pair | None = Field(
        None, alias="float", description="Lowest and highest of a number that is drawn evenly.", examples=[[0.0, 0.5]]
    )
    int_: WholePair | None = Field(
        None, alias="int", description="Lowest and highest of a whole number; both can be drawn.", examples=[[1, 4]]
    )
    choice: list[Any] | None = Field(
        None,
        min_length=1,
        description="The values there are, none of which is nearer to another.",
        examples=[["grid", "norm"]],
    )
    step: Annotated[float, ranged(gt=0.0, le=1e9)] | None = Field(
        None, description="Of float and int: only the lowest, and what lies whole steps above it.", examples=[0.1]
    )
    when: dict[str, Any] = Field(
        {},
        description="Drawn only where other paths of the space have these values (a list: one of them).",
        examples=[{"student.attention.kind": "longformer"}],
    )

    @model_validator(mode="after")
    def _is_one_range(self) -> Self:
        given = [kind for kind, values in self._ranges() if values is not None]
        if len(given) != 1:
            what = f"it is {' and '.join(given)} at once" if given else "it says not what to draw from"
            raise refuse(what, "write one of log, float, int and choice")
        if problem := self._range_problem():
            raise refuse(*problem, at=self.kind)
        if self.step is not None and self.kind in ("log", "choice"):
            raise refuse(f"step is of float and int, and this is {self.kind}", "leave `step` away", at="step")
        if self.kind == "int" and self.step is not None and not self.step.is_integer():
            raise refuse("a step of whole numbers is one too", f"write `{max(1, round(self.step))}`", at="step")
        return self

    def _ranges(self) -> Iterator[tuple[Kind, list[Any] | None]]:
        yield from (("log", self.log), ("float", self.float_), ("int", self.int_), ("choice", self.choice))

    def _range_problem(self) -> tuple[str, str] | None:
        if self.kind == "choice":
            told = [(type(value), value) for value in self.values]  # True is no 1
            twice = [value for at, (kind, value) in enumerate(told) if (kind, value) in told[:at]]
            return (f"{twice[0]!r} is listed twice", "list each value once") if twice else None
        low, high = self.values
        if self.step is not None and self.step > high - low > 0:
            return f"a step of {self.step:g} leads beyond {high:g}: {low:g} alone is there", "write a smaller `step`"
        if low >= high:
            back = f"write `[{high:g}, {low:g}]`" if low > high else f"set {low:g} in the spec, or choose a range"
            return f"from {low:g} to {high:g} there is nothing to draw", back
        if self.kind == "log" and low <= 0:
            return f"{low:g} has no order of magnitude", "begin above 0, or write `float`"
        return None

    @property
    def kind(self) -> Kind:
        return next(kind for kind, values in self._ranges() if values is not None)

    @property
    def values(self) -> list[Any]:
        """The two ends, or the choices."""
        return next(values for _, values in self._ranges() if values is not None)

    @property
    def count(self) -> int | None:
        """How many values there are, None where they are without number."""
        if self.kind == "choice":
            return len(self.values)
        if self.kind == "log" or (self.kind == "float" and self.step is None):
            return None
        low, high = self.values
        return int((high - low) / (self.step or 1) + 1e-9) + 1

    @property
    def points(self) -> list[Any] | None:
        """Every value there is, None where they are without number."""
        if self.kind == "choice" or self.count is None:
            return self.values if self.kind == "choice" else None
        low, step = self.values[0], self.step or 1
        found = (low + at * step for at in range(self.count))
        return [int(value) for value in found] if self.kind == "int" else list(found)

    def holds(self, value: Any) -> bool:
        """Whether `value` can be drawn."""
        if self.kind == "choice":
            return any(value == one and type(value) is type(one) for one in self.values)
        if isinstance(value, bool) or not isinstance(value, int if self.kind == "int" else int | float):
            return False
        low, high = self.values
        if not low <= value <= high:
            return False
        return self.step is None or math.isclose(
            (value - low) / self.step, round((value - low) / self.step), abs_tol=1e-6
        )


Space = Annotated[dict[str, Axis], BeforeValidator(check_forms)]


class Bound(Model):
    """What a figure has to keep below, or above."""

    below: Annotated[float, ranged(ge=-1e18, le=1e18)] | None = Field(
        None, description="The figure is to be at most this, in the metric's own unit.", examples=[5.0]
    )
    above: Annotated[float, ranged(ge=-1e18, le=1e18)] | None = Field(
        None, description="The figure is to be at least this, in the metric's own unit.", examples=[0.8]
    )

    @model_validator(mode="after")
    def _leaves_room(self) -> Self:
        if self.below is None and self.above is None:
            raise refuse("it bounds nothing", "write `below` or `above`")
        if self.below is not None and self.above is not None and self.above >= self.below:
            raise refuse(f"nothing is above {self.above:g} and below {self.below:g}", "swap the two", at="above")
        return self

    def allows(self, value: float) -> bool:
        low = -math.inf if self.above is None else self.above
        return low <= value <= (math.inf if self.below is None else self.below)


class Fidelity(Model):
    """Many trials for few epochs, the best of them for more (successive halving)."""

    epochs: Annotated[list[Annotated[int, ranged("epochs", ge=1, le=MOST_EPOCHS)]], Field(min_length=2)] = Field(
        description="The epochs of each rung, the last one those of a whole trial.", examples=[[3, 9, 27]]
    )
    keep: Annotated[int, ranged(ge=2, le=100)] = Field(
        3, description="One of so many goes on to the next rung.", examples=[3]
    )

    @field_validator("epochs")
    @classmethod
    def _rungs_rise(cls, epochs: list[int]) -> list[int]:
        if any(after <= before for before, after in itertools.pairwise(epochs)):
            rungs = sorted(set(epochs))
            more = f"write `{rungs}`" if len(rungs) > 1 else "list at least two that rise"
            raise refuse("each rung is longer than the one before", more)
        return epochs

    def words(self, rung: int) -> dict[str, Any]:
        """Return the settings of a trial on a rung, by path: its length, and which trainings continue one another."""
        return {"train.epochs": self.epochs[rung], "train.rungs": self.epochs}


class Final(Model):
    """The best trial of each arm, trained anew on seeds that chose nothing, and tested."""

    seeds: list[Seed] = Field(
        min_length=1, description="Seeds of the final runs, none of them the one of the trials.", examples=[[1, 2, 3]]
    )
    test: Literal["once"] = Field(
        "once", description="The test images are looked at once, by the final runs.", examples=["once"]
    )

    @field_validator("seeds")
    @classmethod
    def _seeds_once(cls, seeds: list[int]) -> list[int]:
        if len({*seeds}) < len(seeds):
            raise refuse("a seed is repeated", f"write `{list(dict.fromkeys(seeds))}`")
        return seeds


class Search(Model):
    """Settings that are looked for: from what they are drawn, how often, and by which figure the best is chosen."""

    metric: str | list[str] = Field(
        "val_top1", description="What is chosen by, as xp sql names it; a list for the front of several.",
        examples=["val_top1", ["val_top1", "infer_latency"]],
    )  # fmt: skip
    direction: Literal["max", "min"] | list[Literal["max", "min"]] | None = Field(
        None,
        description="Whether more of it is better; a list for several; null is as the metric has it.",
        examples=["max"],
    )
    trials: Annotated[int, ranged("trials", ge=1, le=MOST_TRIALS)] = Field(
        40, description="Trials of each arm that are trained.", examples=[40]
    )
    parallel: Annotated[int, ranged("trials", ge=1, le=10_000)] = Field(
        4, description="Trials of an arm that are open at once: more of them know less of each other.", examples=[4]
    )
    sampler: Literal["tpe", "random", "grid", "gp", "nsga2"] = Field(
        "tpe", description="How the next trial is drawn: by Parzen estimators, by chance, all points in turn, by a "
        "Gaussian process, or by a genetic search for fronts.", examples=["tpe"],
    )  # fmt: skip
    seed: Seed = Field(
        0, description="Seed of the draws, not of the runs: trials have the first of `seeds`.", examples=[0]
    )
    space: Space = Field(
        min_length=1, description="The settings that are drawn, by their dotted paths, for every arm.",
        examples=[{"distill.temperature": {"log": [1, 8]}}],
    )  # fmt: skip
    arms: dict[str, Space | None] = Field(
        {}, description="What is drawn for one arm besides, or otherwise; null: it is run as it is, and not searched.",
        examples=[{"plain": None, "taught": {"distill.weight": {"float": [0, 1]}}}],
    )  # fmt: skip
    prior: list[dict[str, Any]] = Field(
        [], description="Settings that are tried first, by their paths; what is left out is drawn.",
        examples=[[{"distill.temperature": 2.0}]],
    )  # fmt: skip
    constraint: dict[str, Bound] = Field(
        {}, description="What a figure has to keep; what is known before training is not trained where it does not.",
        examples=[{"infer_latency": {"below": 5.0}}],
    )  # fmt: skip
    fidelity: Fidelity | None = Field(
        None, description="Many trials for few epochs, the best for more; null: all whole."
    )
    final: Final | None = Field(
        None, description="The best trial of each arm on fresh seeds, tested once; null: nothing is trained anew."
    )

    @field_validator("prior", mode="before")
    @classmethod
    def _one_is_a_list(cls, prior: object) -> object:
        return [prior] if isinstance(prior, Mapping) else prior

    @property
    def metrics(self) -> list[str]:
        return [self.metric] if isinstance(self.metric, str) else self.metric

    @property
    def spaces(self) -> list[dict[str, Axis]]:
        """The space of those arms that have none of their own, then those that have."""
        return [self.space, *(self.space_of(arm) for arm in self.arms)]

    def is_searched(self, arm: str) -> bool:
        return self.arms.get(arm, {}) is not None

    def judged_arm(self, arm: str) -> str | None:
        """Return the arm that claims about `arm` are about: of one that is searched its best, trained anew.

        None where nothing stands for it: no final runs, or a whole front of bests.
        """
        if not self.is_searched(arm):
            return arm
        return None if self.final is None or len(self.metrics) > 1 else f"{arm}{BEST}"

    def space_of(self, arm: str) -> dict[str, Axis]:
        """Return what is drawn for an arm, nothing where it is run as it is."""
        own = self.arms.get(arm, {})
        return {} if own is None else {**self.space, **own}


def waits_for(space: Mapping[str, Axis], path: str) -> set[str]:
    """Return the paths whose values decide whether `path` is drawn, itself among them where they form a circle."""
    found: set[str] = set()
    fresh = list(space[path].when)
    while fresh:
        one = fresh.pop()
        if one in space and one not in found:
            found.add(one)
            fresh += space[one].when
    return found


def first_conditions(space: Mapping[str, Axis], path: str) -> dict[str, Any]:
    """Return values under which `path` is drawn: the first that each condition names, and those of these."""
    found: dict[str, Any] = {}
    for other, value in space[path].when.items():
        found |= {**first_conditions(space, other), other: listed(value)[0]}
    return found


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]
