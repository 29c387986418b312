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

    arm: Place = Field(description="EXPERIMENT/ARM that it is about.", examples=["quickstart/sparse"])
    against: Place = Field(description="EXPERIMENT/ARM that it is compared with.", examples=["quickstart/original"])
    metric: str = Field(description="The metric, as xp sql names it.", examples=["test_top1"])
    expect: Literal["greater", "less", "not_worse"] = Field(
        description="What the arm's metric is to be, beside the other's.", examples=["greater"]
    )
    margin: Annotated[float, ranged(ge=0.0, le=1e18)] | None = Field(
        None, description="By how much, in the metric's own unit; null is 0.", examples=[0.01]
    )


class Contrast(Model):
    """An effect of a factorial, by the arms that count for it and those that count against it."""

    experiment: str = Field(pattern=NAME, description="The experiment with the factorial.", examples=["quickstart"])
    plus: list[str] = Field(min_length=1, description="Arms that count for the effect.", examples=[["sparse"]])
    minus: list[str] = Field(min_length=1, description="Arms that count against it.", examples=[["original"]])
    expect: Literal["greater", "less"] = Field(
        description="Whether the effect is above or below 0.", examples=["greater"]
    )


class Decider(Model):
    """One thing that decides a saying: exactly one of `claim`, `across`, `effect`, `computed` and `text`.

    `claim` is EXPERIMENT/ID, a claim of a spec; `computed` names a piece of arithmetic; `text` is the verdict where
    the paper's words alone decide, and no run can. `opposite`: the saying holds where this is refuted.
    """

    claim: Place | None = Field(
        None, description="EXPERIMENT/ID: a claim of a spec.", examples=["quickstart/sparse_keeps_up"]
    )
    across: Across | None = Field(None, description="A comparison of arms of any experiments.")
    effect: Contrast | None = Field(None, description="An effect of a factorial.")
    computed: Counting | None = Field(None, description="Arithmetic that xp does.", examples=["throughputs"])
    text: Literal["holds", "undecided"] | None = Field(
        None, description="The verdict where the paper's words alone decide, and no run can.", examples=["holds"]
    )
    opposite: bool = Field(False, description="Whether the saying holds where this is refuted.", examples=[True])

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

    id: str = Field(pattern=NAME, description="A name of its own.", examples=["sparse_is_faster"])
    says: str = Field(description="What the paper says, in one sentence.", examples=["It is faster."])
    printed: str = Field("", description="What stands in the paper.", examples=["14 % faster"])
    needs: str = Field("", description="What would have to be run, or why nothing can decide it.", examples=["a GPU"])
    decided_by: list[Decider] = Field([], description="What decides it; all of them.")


class Sayings(Model):
    """A file of them, in the paper's order."""

    sayings: list[Saying] = Field(min_length=1, description="The sayings, in the paper's order.")

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

    image_size: int | None = Field(None, ge=8, le=2048, description="Side of its images, in pixels.", examples=[224])
    classes: int | None = Field(None, ge=2, le=1_000_000, description="Classes of its data.", examples=[100])
    epochs: int | None = Field(None, ge=1, le=1_000_000, description="Epochs of its trainings.", examples=[10])


class Paper(Model):
    """Experiments in a paper's order, each the file of a spec; its claims and its inconsistencies, files of sayings."""

    title: str = Field(description="The paper's title.", examples=["Sparse attention in small networks"])
    experiments: list[str] = Field(
        min_length=1, description="Files of its specs, in its order.", examples=[["phase1.yaml", "phase2.yaml"]]
    )
    claims: str | None = Field(None, description="The file of what it says.", examples=["paper/claims.yaml"])
    inconsistencies: str | None = Field(
        None, description="The file of where it contradicts itself.", examples=["paper/inconsistencies.yaml"]
    )
    conditions: Conditions = Field(
        Conditions(), description="Under what it ran: runs under others stand beside none of its figures."
    )
    notes: list[str] = Field([], description="Sentences that its report ends with.", examples=[["On one machine."]])

    @field_validator("experiments")
    @classmethod
    def _named_once(cls, experiments: list[str]) -> list[str]:
        twice = next((name for name in experiments if experiments.count(name) > 1), None)
        if twice is not None:
            raise refuse(f"{twice!r} is listed twice", "list each experiment once")
        return experiments
