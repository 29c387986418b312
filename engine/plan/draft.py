"""The parts of a plan and the plan while it grows: jobs by their ids, what the images are, what is missing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.errors import MissingData
from engine.home.paths import Home
from engine.inputs.ancestors import Ancestors
from engine.inputs.boxes import BoxIndex, index_boxes
from engine.inputs.content import Content, data_content, image_digests
from engine.inputs.folders import ImageFile
from engine.spec import Data, Resources, Settings, Spec
from engine.spec.identity import make_id
from engine.spec.job_file import canonical_spec, job_id
from engine.spec.job_kinds import KINDS, kind_of
from engine.spec.job_settings import DeviceKind, JobDetails, JobSettings, LessonSettings


@dataclass(frozen=True)
class Job:
    """A unit of work. `key` names it in this plan; `job` is its content id, None while something is missing."""

    key: str
    job: str | None
    kind: str
    needs: Mapping[str, str]
    settings: JobSettings
    details: JobDetails
    images: float = 0.0
    bytes: int = 0
    reason: str | None = None

    @property
    def canonical(self) -> dict[str, Any]:
        """What was hashed into the id, as it is written to `jobs/<job>/spec.json`."""
        return canonical_spec(self.kind, self.needs, self.settings)


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
    warnings: tuple[str, ...] = ()
    test_images: int | None = None
    """Of the split that tests on the fewest; None while the images are missing."""
    refused: tuple[str, ...] = ()
    """Why it cannot be submitted though all is here, with the fix."""

    @property
    def is_provisional(self) -> bool:
        return any(job.job is None for job in self.jobs)


@dataclass(frozen=True)
class Cost:
    """What does not enter an id: where the input lies, how much work and disk the job is, why it cannot be yet."""

    details: JobDetails = field(default_factory=JobDetails)
    images: float = 0.0
    bytes: int = 0
    reason: str | None = None


@dataclass(frozen=True)
class DraftJob:
    """A job that may be added to a draft, or not."""

    settings: JobSettings
    needs: Mapping[str, str]
    cost: Cost

    @property
    def kind(self) -> str:
        return kind_of(self.settings)

    @property
    def key(self) -> str:
        return job_id(self.needs, self.settings)


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
    boxes: dict[str, BoxIndex | None] = field(default_factory=dict)
    missing: dict[str, None] = field(default_factory=dict)
    choices: Mapping[str, Choice] = field(default_factory=dict)
    undecided: dict[str, tuple[str, float]] = field(default_factory=dict)
    warnings: dict[str, None] = field(default_factory=dict)
    notes: dict[str, None] = field(default_factory=dict)
    ancestors: Ancestors | None = None
    has_gpu: bool = False
    on_cpu: bool = False

    def device(self, settings: Settings) -> DeviceKind:
        """Return what the jobs of a run are for: a GPU that is asked for or is here, unless all is for the CPU."""
        resources = settings.resources
        is_gpu = not self.on_cpu and resources.gpus > 0 and (self.has_gpu or resources.asks_gpu)
        return "gpu" if is_gpu else "cpu"

    def choose(self, asked: str, name: str, cached: DraftJob, online: DraftJob) -> str:
        """Return `cached` or `online` for the targets of teacher `name`; `auto` is decided when all jobs are drawn."""
        if asked != "auto":
            return asked
        key = cached.key
        if key not in self.choices:
            self.undecided[key] = (name, cached.cost.images - online.cost.images)
        return self.choices[key].way if key in self.choices else "cached"

    def add(self, settings: JobSettings, needs: Mapping[str, str], cost: Cost) -> str:
        """Add a job, or find the same one again; return its key. Raises XpError where its kind has no entry."""
        kind = kind_of(settings)
        canonical = canonical_spec(kind, needs, settings)
        key = make_id(kind, canonical)
        if key not in self.jobs:
            whole = type(settings).model_validate(canonical["settings"])  # as its process will read it
            reason = cost.reason or next((held for need in needs.values() if (held := self.jobs[need].reason)), None)
            details = cost.details if KINDS[kind].needs_gpu else _without_gpu(cost.details)
            if self.on_cpu:
                details = details.model_copy(update={"device": "cpu"})
            job = None if reason else key
            self.jobs[key] = Job(key, job, kind, dict(needs), whole, details, cost.images, cost.bytes, reason)
        return key

    def content(self, data: Data) -> Content | None:
        """Return what the data is, or None, noting what is missing, when it is not here."""
        # What decides which images there are; splits and sizes do not.
        key = data.model_dump_json(include={"source", "root", "label", "classes", "given"})
        if key not in self.contents:
            try:
                self.contents[key] = data_content(data, self.home.digests)
            except MissingData as error:
                self.contents[key] = None
                self.missing[str(error)] = None
        return self.contents[key]

    def find_boxes(self, data: Data) -> BoxIndex | None:
        """Return where the objects of the images of `data` lie, or None, noting what is missing."""
        key = data.model_dump_json(include={"source", "root", "label", "classes", "given", "boxes"})
        if key not in self.boxes:
            try:
                self.boxes[key] = index_boxes(data, self.home.digests)
            except MissingData as error:
                self.boxes[key] = None
                self.missing[str(error)] = None
        return self.boxes[key]

    def digest(self, file: Path) -> str:
        """Return the sha256 of a weights file, taken once and kept with those of the images."""
        return image_digests([ImageFile(file.absolute(), "")], self.home.digests)[0]


@dataclass(frozen=True)
class PlanContext:
    """What the planning of one run works on: its settings and seed, what its images are, the draft it adds jobs to.

    `baseline` are the settings of the baseline at the same point of the matrix, None where there is none.
    """

    settings: Settings
    seed: int
    content: Content | None
    draft: Draft
    baseline: Settings | None = None

    @property
    def num_classes(self) -> int | None:
        return self.content.num_classes if self.content else None

    @property
    def train_images(self) -> float:
        """How many images the training part holds, about; 0 while the images are missing."""
        share = int(self.settings.data.split.split("/")[0]) / 100
        return self.content.count * share if self.content else 0.0


@dataclass(frozen=True)
class TeachingPlan:
    """What a learner's job needs of its teacher, by role, what it makes of it, and the teacher's weights files."""

    needs: Mapping[str, str]
    lesson: LessonSettings
    files: tuple[str, ...] = ()


@dataclass
class RunDraft:
    """A run while the planners of all kinds of jobs add to it: the job of each role, and what its learner hears."""

    context: PlanContext
    jobs: dict[str, str] = field(default_factory=dict)
    teaching: TeachingPlan | None = None


def _without_gpu(details: JobDetails) -> JobDetails:
    resources: Resources = details.resources.model_copy(update={"gpus": 0})
    return details.model_copy(update={"resources": resources, "device": "cpu"})
