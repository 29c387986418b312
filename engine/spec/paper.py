"""The words of a paper: its experiments in their order, what it says, and what decides each of its sayings.

No part of a spec: nothing here changes a job. Files that a paper names lie relative to the paper's own.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, field_validator, model_validator

from engine.spec.base import NAME, Model, ranged, refuse

PLACE = r"^[a-z0-9][a-z0-9_-]{0,63}/[a-z0-9][a-z0-9_-]{0,63}$"
Place = Annotated[str, Field(pattern=PLACE)]
Counting = Literal[
    "second_projections", "work_of_two_sets", "throughputs", "memories", "small_above_large", "windows_and_memory",
    "teacher_sizes", "luck_of_images",
]  # fmt: skip
"""The keys of COMPUTED in engine/report/paper/arithmetic.py; a test compares the two."""
FORMS = ("claim", "across", "effect", "computed", "text")


class Across(Model):
    """Two arms of any experiments on one metric, as a claim of a spec says it of two arms of its own."""

    arm: Place
    against: Place
    metric: str
    expect: Literal["greater", "less", "not_worse"]
    margin: Annotated[float, ranged("in the metric's own unit", ge=0.0, le=1e18)] | None = None


class Contrast(Model):
    """An effect of a factorial, by the arms that count for it and those that count against it."""

    experiment: str = Field(pattern=NAME)
    plus: list[str] = Field(min_length=1)
    minus: list[str] = Field(min_length=1)
    expect: Literal["greater", "less"]


class Decider(Model):
    """One thing that decides a saying: exactly one of `claim`, `across`, `effect`, `computed` and `text`.

    `claim` is EXPERIMENT/ID, a claim of a spec; `computed` names a piece of arithmetic; `text` is the verdict where
    the paper's words alone decide, and no run can. `opposite`: the saying holds where this is refuted.
    """

    claim: Place | None = None
    across: Across | None = None
    effect: Contrast | None = None
    computed: Counting | None = None
    text: Literal["holds", "undecided"] | None = None
    opposite: bool = False

    @model_validator(mode="after")
    def _is_one(self) -> Decider:
        given = [form for form in FORMS if getattr(self, form) is not None]
        if len(given) != 1:
            what = f"{' and '.join(given)} decide together" if given else "nothing is named that decides"
            raise refuse(what, f"give exactly one of {', '.join(FORMS)}; write another entry for each more")
        return self


class Saying(Model):
    """What a paper says, or what is wrong with it, in one sentence; it holds where all that decides it holds.

    `printed` is what stands in the paper; `needs` what would have to be run where nothing here decides it, or why
    nothing can.
    """

    id: str = Field(pattern=NAME)
    says: str
    printed: str = ""
    needs: str = ""
    decided_by: list[Decider] = Field([])


class Sayings(Model):
    """A file of them, in the paper's order."""

    sayings: list[Saying] = Field(min_length=1)

    @field_validator("sayings")
    @classmethod
    def _named_apart(cls, sayings: list[Saying]) -> list[Saying]:
        names = [one.id for one in sayings]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise refuse(f"the id {twice!r} is given twice", "give each its own")
        return sayings


class Conditions(Model):
    """Under what a paper ran: a run under others stands beside none of its figures."""

    image_size: int | None = Field(None, ge=8, le=2048)
    classes: int | None = Field(None, ge=2, le=1_000_000)
    epochs: int | None = Field(None, ge=1, le=1_000_000)


class Paper(Model):
    """Experiments in a paper's order, each the file of a spec; its claims and its inconsistencies, files of sayings."""

    title: str
    experiments: list[str] = Field(min_length=1)
    claims: str | None = None
    inconsistencies: str | None = None
    conditions: Conditions = Conditions()
    notes: list[str] = Field([])

    @field_validator("experiments")
    @classmethod
    def _named_once(cls, experiments: list[str]) -> list[str]:
        twice = next((name for name in experiments if experiments.count(name) > 1), None)
        if twice is not None:
            raise refuse(f"{twice!r} is listed twice", "list each experiment once")
        return experiments
