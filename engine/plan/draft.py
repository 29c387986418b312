"""The parts of a plan and the plan while it grows: jobs by their ids, what the images are, what is missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.errors import MissingData
from engine.home.paths import Home
from engine.inputs.content import Content, data_content, image_digests
from engine.inputs.folders import ImageFile
from engine.spec import Data, Settings, Spec
from engine.spec.identity import IDENTITY_VERSION, make_id


@dataclass(frozen=True)
class Job:
    """A unit of work. `key` names it in this plan; `job` is its content id, None while something is missing."""

    key: str
    job: str | None
    kind: str
    needs: Mapping[str, str]
    settings: Mapping[str, Any]
    details: Mapping[str, Any]
    images: float = 0.0
    bytes: int = 0
    reason: str | None = None

    @property
    def canonical(self) -> dict[str, Any]:
        """What was hashed into the id, as it is written to `jobs/<job>/spec.json`."""
        return canonical_job(self.kind, self.needs, self.settings)


@dataclass(frozen=True)
class Run:
    """One cell with one seed, and the key of the job that plays each role in it."""

    run: str
    arm: str
    cell: str
    seed: int
    split: str
    settings: Mapping[str, Any]
    jobs: Mapping[str, str]


@dataclass(frozen=True)
class Plan:
    """Everything an experiment needs, each job after its needs."""

    spec: Spec
    runs: tuple[Run, ...]
    jobs: tuple[Job, ...]
    missing: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def is_provisional(self) -> bool:
        return any(job.job is None for job in self.jobs)


@dataclass(frozen=True)
class Cost:
    """What does not enter an id: where the input lies, how much work and disk the job is, why it cannot be yet."""

    details: Mapping[str, Any] = field(default_factory=dict)
    images: float = 0.0
    bytes: int = 0
    reason: str | None = None


@dataclass(frozen=True)
class DraftJob:
    """A job that may be added to a draft, or not."""

    kind: str
    needs: Mapping[str, str]
    settings: Mapping[str, Any]
    cost: Cost

    @property
    def canonical(self) -> dict[str, Any]:
        return canonical_job(self.kind, self.needs, self.settings)


@dataclass(frozen=True)
class Choice:
    """What `auto` means for some targets: `cached` or `online`, and the sentence that says why."""

    way: str
    why: str


@dataclass
class Draft:
    """The plan while it grows: jobs by key, contents by data settings, what is missing."""

    home: Home
    jobs: dict[str, Job] = field(default_factory=dict)
    contents: dict[str, Content | None] = field(default_factory=dict)
    missing: dict[str, None] = field(default_factory=dict)
    choices: Mapping[str, Choice] = field(default_factory=dict)
    undecided: dict[str, tuple[str, float]] = field(default_factory=dict)

    def choose(self, asked: str, name: str, cached: DraftJob, online: DraftJob) -> str:
        """Return `cached` or `online` for the targets of teacher `name`; `auto` is decided when all jobs are drawn."""
        if asked != "auto":
            return asked
        key = make_id(cached.kind, cached.canonical)
        if key not in self.choices:
            self.undecided[key] = (name, cached.cost.images - online.cost.images)
        return self.choices[key].way if key in self.choices else "cached"

    def add(self, kind: str, needs: Mapping[str, str], settings: Mapping[str, Any], cost: Cost) -> str:
        """Add a job, or find the same one again; return its key."""
        key = make_id(kind, canonical_job(kind, needs, settings))
        reason = cost.reason or next(
            (self.jobs[need].reason for need in needs.values() if self.jobs[need].reason), None
        )
        job = None if reason else key
        if key not in self.jobs:
            self.jobs[key] = Job(key, job, kind, dict(needs), settings, cost.details, cost.images, cost.bytes, reason)
        return key

    def content(self, data: Data) -> Content | None:
        """Return what the data is, or None, noting what is missing, when it is not here."""
        # What decides which images there are; splits and sizes do not.
        key = data.model_dump_json(include={"source", "root", "classes", "given"})
        if key not in self.contents:
            try:
                self.contents[key] = data_content(data, self.home.digests)
            except MissingData as error:
                self.contents[key] = None
                self.missing[str(error)] = None
        return self.contents[key]

    def digest(self, file: Path) -> str:
        """Return the sha256 of a weights file, taken once and kept with those of the images."""
        return image_digests([ImageFile(file.absolute(), "")], self.home.digests)[0]


@dataclass(frozen=True)
class PlanContext:
    """What the planning of one run works on: its settings and seed, what its images are, the draft it adds jobs to."""

    settings: Settings
    seed: int
    content: Content | None
    draft: Draft

    @property
    def num_classes(self) -> int | None:
        return self.content.num_classes if self.content else None

    @property
    def train_images(self) -> float:
        """How many images the training part holds, about; 0 while the images are missing."""
        share = int(self.settings.data.split.split("/")[0]) / 100
        return self.content.count * share if self.content else 0.0


def canonical_job(kind: str, needs: Mapping[str, str], settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the id of a job is made of, and its spec.json holds."""
    return {"version": IDENTITY_VERSION, "kind": kind, "needs": dict(needs), "settings": settings}
