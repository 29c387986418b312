"""A whole spec: the settings of one run, and the arms, matrix, seeds and claims that make an experiment of them."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, PrivateAttr, field_validator, model_validator

from engine.spec.base import ASIDE, LATER, NAME, Model, Seed, name_fix, ranged, refuse, refuse_all, refuse_keys
from engine.spec.continuing import unfit_words
from engine.spec.data import Data, source_words
from engine.spec.distill import Distill, EntropyMatch, loss_words
from engine.spec.network import Student
from engine.spec.prune import Prune
from engine.spec.quantize import Quantize
from engine.spec.search import Search
from engine.spec.synonyms import hint_word
from engine.spec.teacher import Assistant, Teacher, head_problem
from engine.spec.training import Explain, Measure, Resources, Train


class Claim(Model):
    id: str = Field(pattern=NAME, description="A name of its own for the claim.", examples=["sparse_is_better"])
    text: str = Field(description="The claim in a sentence.", examples=["It is better."])
    metric: str = Field(description="The metric it is about, as xp sql names it.", examples=["test_top1"])
    arm: str = Field(description="The arm that the claim is about.")
    against: str = Field(description="The arm it is compared with.")
    expect: Literal["greater", "less", "not_worse"] = Field(
        description="What the arm's metric is to be, beside the other's; not_worse is by no more than margin.",
        examples=["greater"],
    )
    margin: Annotated[float, ranged(ge=0.0, le=1e18)] | None = Field(
        None,
        description="By how much, in the metric's own unit: 0.01 of an accuracy is one point; null is 0.",
        examples=[0.01],
    )


class Settings(Model):
    """Everything that decides one run but for its seed: what an arm or a matrix point may change."""

    data: Data = Field(description="The images: where they are, how they are split and augmented.")
    student: Student = Field(description="The network that is trained and reported.")
    teacher: Teacher | None = Field(None, description="The network that the student learns from; null is none.")
    distill: Distill = Field(Distill(), description="How the student learns from its teacher.")
    train: Train = Field(Train.model_construct(), description="How the student is trained.")
    prune: Prune | None = Field(None, description="How much of the trained student is taken away; null is nothing.")
    quantize: Quantize | None = Field(
        None, json_schema_extra=LATER, description="The trained (and pruned) network in 8-bit numbers on the CPU; null "
        "leaves it as it is.",
    )  # fmt: skip
    measure: Measure = Field(Measure.model_construct(), description="How speed and memory of inference are measured.")
    explain: Explain = Field(Explain.model_construct(), description="Maps of where the network looks.")
    resources: Resources = Field(Resources(), json_schema_extra=ASIDE, description="What a job may use.")

    @model_validator(mode="after")
    def _mixing_fits(self) -> Settings:
        augment = self.data.augment
        if not (augment.mixup or augment.cutmix):
            return self
        if self.train.batch_size % 2:
            raise refuse(
                f"images are mixed in pairs, and batch_size is {self.train.batch_size}",
                f"write `{self.train.batch_size + 1}`, or another even number",
                at="train.batch_size",
            )
        if self.is_taught and augment.mix_targets is None and not self._is_online:
            what = "cached targets belong to single images, and these are mixed"
            raise refuse(
                what,
                "set data.augment.mix_targets: linear, teacher.targets: online, or no mixup and cutmix",
                at="data.augment",
            )
        if self.is_taught and loss_words(self.distill.loss).one_label:
            what = f"loss {self.distill.loss} needs one label for each image, and these are mixed"
            raise refuse(what, "use another distill.loss, or set mixup and cutmix to 0", at="distill.loss")
        return self

    @model_validator(mode="after")
    def _teachers_fit(self) -> Settings:
        """Refuse what can be known before any image is looked at; the rest is the plan's to say."""
        names = source_words(self.data.source).class_names or self.data.classes
        for path, teacher in self.teachers:
            problem = head_problem(teacher, names) if names else None
            if problem:
                raise refuse(problem[0], problem[1], at=f"{path}.head")
        if self.teacher is not None and self.teacher.calibrate and self.data.split.split("/")[1] in ("0", "00"):
            what = f"a teacher is calibrated on validation images, and {self.data.split} has none"
            raise refuse(
                what, "set `teacher.calibrate: false`, or give data.split a validation part", at="teacher.calibrate"
            )
        return self

    @model_validator(mode="after")
    def _features_fit(self) -> Settings:
        """Refuse features where they would be of other images, or of another network than the one that is named."""
        if self.teacher is None or not self.distill.features:
            return self
        if self.data.augment.mixup or self.data.augment.cutmix:
            what = "features of the teacher belong to single images, and these are mixed"
            raise refuse(what, "set mixup and cutmix to 0, or leave distill.features away", at="distill.features")
        if self.teacher.assistants:
            what = "features name layers of one teacher and one student, and assistants are both"
            raise refuse(what, "leave teacher.assistants away, or distill.features", at="distill.features")
        return self

    @model_validator(mode="after")
    def _reference_is_plain(self) -> Settings:
        """A reference only lends its entropy: it teaches nobody."""
        reference = dict(self.teachers).get("distill.temperature.reference")
        if reference is None:
            return self
        asked = {"assistants": reference.assistants, "targets": reference.targets != "cached"}
        words = [word for word, given in {**asked, "calibrate": reference.calibrate}.items() if given]
        if words:
            raise refuse(
                f"a reference teacher has no {' and '.join(words)}",
                f"leave {' and '.join(words)} away",
                at=f"distill.temperature.reference.{words[0]}",
            )
        return self

    @model_validator(mode="after")
    def _mask_is_whole(self) -> Settings:
        """The best epoch of a mask that grows may be one in which it was smaller than asked."""
        grows = self.prune is not None and self.is_pruned and self.prune.when == "gradual"
        if grows and self.train.checkpoint == "best_val":
            what = "a mask that grows has its size at the end alone, and checkpoint: best_val tests an epoch before"
            raise refuse(what, "set `train.checkpoint: last`, or prune.when: after", at="train.checkpoint")
        return self

    @model_validator(mode="after")
    def _rungs_fit(self) -> Settings:
        """Refuse trainings that are to continue one another where what they do is tied to how long they are."""
        others = [path for path, train in self.trainings if train.rungs and path != "train"]
        if others:
            what = "only the student's training can begin with the state of a shorter one"
            raise refuse(what, "leave `rungs` away here", at=f"{others[0]}.rungs")
        if not self.train.rungs:
            return self
        distill, prune = self.distill if self.is_taught else None, self.prune if self.is_pruned else None
        problems = list(unfit_words(self.train, distill, prune, self.teachers if self.is_taught else []))
        if problems:
            raise refuse_all("rungs", problems)
        return self

    @property
    def teachers(self) -> list[tuple[str, Teacher]]:
        """The teacher, and the one whose entropy the temperature is matched to, by their paths."""
        found = [("teacher", self.teacher)] if self.teacher is not None else []
        if isinstance(self.distill.temperature, EntropyMatch):
            found.append(("distill.temperature.reference", self.distill.temperature.reference))
        return found

    @property
    def networks(self) -> list[tuple[str, Student | Teacher | Assistant]]:
        """Every network of a run, by its path."""
        helpers = self.teacher.assistants if self.teacher is not None else []
        chain = [(f"teacher.assistants.{place}", helper) for place, helper in enumerate(helpers)]
        return [("student", self.student), *self.teachers, *chain]

    @property
    def trainings(self) -> list[tuple[str, Train]]:
        """What each training of a run is told, by its path: the student's, and that of a teacher with its own."""
        own = [(f"{path}.train", getattr(network, "train", None)) for path, network in self.networks]
        return [("train", self.train), *((path, train) for path, train in own if train is not None)]

    @property
    def is_taught(self) -> bool:
        return self.teacher is not None and (self.distill.loss != "ce" or bool(self.distill.features))

    @property
    def _is_online(self) -> bool:
        """Whether the teacher looks at what the student looks at, mixed images too."""
        return self.teacher is not None and self.teacher.targets == "online"

    @property
    def is_pruned(self) -> bool:
        return self.prune is not None and self.prune.ratio > 0.0


class ReportLook(Model):
    """How the page of an experiment looks; nothing of it enters an id."""

    columns: list[str] | None = Field(
        None,
        min_length=1,
        description="Metrics that the tables of results show, in this order, as xp sql names them in `results`; null "
        "shows those that the runs have figures of. test_top1 brings its change against the baseline.",
        examples=[["test_top1", "params", "macs"]],
    )


class Spec(Settings):
    """One experiment, whole: shared settings, the arms and matrix that vary them, seeds, claims.

    It carries the settings of its cells, in the order of spec/cells.py, once somebody has made them.
    """

    name: str = Field(
        pattern=NAME,
        description="Its folder, and its word on the command line: small letters, digits, - and _.",
        examples=["my_experiment"],
    )
    title: str = Field("", description="A heading for the report.", examples=["Sparse attention at small windows"])
    extends: str | None = Field(
        None,
        description="A file that this one is laid over, relative to it: mappings merge, this file wins, lists replace.",
        examples=["_base.yaml"],
    )
    seeds: list[Seed] = Field(
        [0], min_length=1, description="Seeds of the repeated runs of every arm; each gives one.", examples=[[0, 1, 2]]
    )
    arms: dict[str, dict[str, Any]] = Field(
        {},
        description="The variants compared: a name for each, and what it changes, as dotted paths or nested mappings; "
        "`extends: ARM` builds on another, `controls: [scratch]` adds controls of a pruned one.",
        examples=[{"original": {}, "pruned": {"prune.ratio": 0.2}}],
    )
    baseline: str | None = Field(None, description="The arm that the others are compared with.", examples=["original"])
    matrix: dict[str, list[Any]] = Field(
        {},
        description="Settings that are varied for all arms: a dotted path with the list of its values; every "
        "combination is run.",
        examples=[{"data.split": ["60/20/20", "80/10/10"]}],
    )
    claims: list[Claim] = Field([], description="What is expected beforehand, for xp check to decide.")
    search: Search | None = Field(
        None, description="Settings that are looked for, by trials, instead of written down; null searches nothing."
    )
    report: ReportLook = Field(ReportLook.model_construct(), description="How the report looks; no part of any id.")

    _cells: tuple[Settings, ...] = PrivateAttr(())
    _doubts: tuple[str, ...] = PrivateAttr(())
    _code_places: Mapping[str, str] = PrivateAttr({})

    @field_validator("seeds")
    @classmethod
    def _seeds_once(cls, seeds: list[int]) -> list[int]:
        twice = [seed for seed, count in Counter(seeds).items() if count > 1]
        if twice:
            such = f", as `{list(dict.fromkeys(seeds))}`" if len(seeds) <= 64 else ""
            fix = f"list each seed once{such}: the same run twice is no sample of two"
            raise refuse(f"seed {min(twice)} is repeated", fix)
        return seeds

    @field_validator("arms")
    @classmethod
    def _arm_names(cls, arms: dict[str, dict[str, Any]]) -> dict[str, dict[str, Any]]:
        odd = [arm for arm in arms if not re.fullmatch(NAME, arm)]
        if odd:
            problems = ((arm, f"{arm!r} is no name for an arm", name_fix(arm, "arm")) for arm in odd)
            raise refuse_keys(cls.__name__, problems, key=True)
        return arms

    @field_validator("matrix")
    @classmethod
    def _matrix_filled(cls, matrix: dict[str, list[Any]]) -> dict[str, list[Any]]:
        empty = [path for path, values in matrix.items() if not values]
        if empty:
            fix = "list at least one, or remove the line"
            raise refuse_keys(cls.__name__, ((path, f"{path} has no values", fix) for path in empty))
        return matrix

    @property
    def arm_names(self) -> list[str]:
        return list(self.arms) or [self.name]

    @property
    def kept_cells(self) -> tuple[Settings, ...]:
        """The settings of each cell, none before `keep_cells`."""
        return self._cells

    def keep_cells(self, cells: Iterable[Settings]) -> tuple[Settings, ...]:
        self._cells = tuple(cells)
        return self._cells

    @property
    def doubts(self) -> tuple[str, ...]:
        """What is legal and most likely not meant, as whoever loaded the spec found it, with its place."""
        return self._doubts

    def keep_doubts(self, lines: Iterable[str]) -> None:
        self._doubts = tuple(lines)

    @property
    def code_places(self) -> Mapping[str, str]:
        """Where words were written that name somebody's own code, and its options, by their paths."""
        return self._code_places

    def keep_code_places(self, places: Mapping[str, str]) -> None:
        self._code_places = dict(places)

    def judged_arm(self, arm: str) -> str:
        """Return the arm whose runs are meant where a claim, or the baseline, names `arm`."""
        return (self.search.judged_arm(arm) if self.search else arm) or arm

    @property
    def judged_claims(self) -> list[Claim]:
        """The claims by the arms that have runs: a searched arm's best stands for it."""
        return [
            claim.model_copy(update={"arm": self.judged_arm(claim.arm), "against": self.judged_arm(claim.against)})
            for claim in self.claims
        ]

    @property
    def judged_baseline(self) -> str | None:
        return None if self.baseline is None else self.judged_arm(self.baseline)

    def model_copy(self, *, update: Mapping[str, Any] | None = None, deep: bool = False) -> Self:
        """Copy without the cells: those of what is changed are others."""
        copied = super().model_copy(update=update, deep=deep)
        copied._cells = ()
        return copied

    def __eq__(self, other: object) -> bool:
        """Two specs are equal when they say the same, whichever of them has made its cells."""
        return isinstance(other, Spec) and dict(self) == dict(other)

    @model_validator(mode="after")
    def _names_exist(self) -> Spec:
        problems = list(self._unknown_arms())
        if problems:
            raise refuse_all("arms", problems)
        return self

    def _unknown_arms(self) -> Iterator[tuple[str, str, str]]:
        """Yield path, what and fix of each word that names an arm which is none."""
        if self.baseline is not None and not self.arms and "arms" in self.model_fields_set:
            yield (
                "arms",
                f"there is no arm here, and baseline names {self.baseline!r}",
                "write the arms, or remove both",
            )
        elif self.baseline is not None and self.baseline not in self.arm_names:
            yield "baseline", f"baseline {self.baseline!r} is no arm", hint_word(self.baseline, self.arm_names)
        for place, claim in enumerate(self.claims):
            for word, arm in (("arm", claim.arm), ("against", claim.against)):
                if arm not in self.arm_names:
                    what = f"claim {claim.id!r} names {arm!r}, no arm here"
                    yield f"claims.{place}.{word}", what, hint_word(arm, self.arm_names)
