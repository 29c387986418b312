"""Planning: takes a Spec, gives its runs and the jobs they need, linked teacher -> targets -> student -> prune.

A job that several runs need is one job: its id is made from what changes its result and from the ids of its needs, so
a teacher without a student's seed in it is trained once for all seeds. Nothing here is written or started.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.arms import Cell, expand_cells
from engine.content import Content, data_content, file_digest, resolve_root
from engine.errors import MissingData
from engine.home import Home, open_home
from engine.identity import IDENTITY_VERSION, counted_settings, make_id
from engine.spec import Data, Distill, Network, Prune, Settings, Spec, Student, Teacher

PACK_FIELDS = ("source", "short_side", "format", "broken", "classes")


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
        return _canonical(self.kind, self.needs, self.settings)


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

    @property
    def is_provisional(self) -> bool:
        return any(job.job is None for job in self.jobs)


@dataclass
class _Draft:
    """The plan while it grows: jobs by key, contents by data settings, what is missing."""

    home: Home
    jobs: dict[str, Job] = field(default_factory=dict)
    contents: dict[str, Content | None] = field(default_factory=dict)
    missing: dict[str, None] = field(default_factory=dict)

    def add(self, kind: str, needs: Mapping[str, str], settings: Mapping[str, Any], cost: _Cost) -> str:
        """Add a job, or find the same one again; return its key."""
        key = make_id(kind, _canonical(kind, needs, settings))
        reason = cost.reason or next(
            (self.jobs[need].reason for need in needs.values() if self.jobs[need].reason), None
        )
        job = None if reason else key
        if key not in self.jobs:
            self.jobs[key] = Job(key, job, kind, dict(needs), settings, cost.details, cost.images, cost.bytes, reason)
        return key


@dataclass(frozen=True)
class _Cost:
    """What does not enter the id: where the input lies, how much work and disk the job is, why it cannot be yet."""

    details: Mapping[str, Any] = field(default_factory=dict)
    images: float = 0.0
    bytes: int = 0
    reason: str | None = None


def make_plan(spec: Spec, home: Home | None = None) -> Plan:
    """Return the runs and jobs of `spec`. Reads the images named (digests are kept in the cache), writes no job.

    Jobs are provisional (`job` None, with a reason) where data, weights or a variable are absent. Raises DataError
    when the data is there and cannot be used.
    """
    draft = _Draft(home or open_home(create=True))
    runs = tuple(_plan_run(spec, cell, seed, draft) for cell in expand_cells(spec) for seed in spec.seeds)
    return Plan(spec, runs, tuple(draft.jobs.values()), tuple(draft.missing))


def _plan_run(spec: Spec, cell: Cell, seed: int, draft: _Draft) -> Run:
    settings = cell.settings
    content = _content_of(settings.data, draft)
    jobs = {"pack": _plan_pack(settings.data, content, draft)}
    if settings.is_taught and settings.teacher is not None:
        jobs["teacher"] = _plan_teacher(settings, settings.teacher, jobs, content, draft)
        jobs["targets"] = _plan_targets(settings, settings.teacher, seed, jobs, content, draft)
    jobs["student"] = _plan_student(settings, seed, jobs, content, draft)
    if settings.is_pruned:
        jobs["prune"] = _plan_prune(settings, seed, jobs, content, draft)
    jobs["measure"] = _plan_measure(settings, jobs, content, draft)
    jobs["explain"] = _plan_explain(settings, jobs, content, draft)
    dump = counted_settings(settings)
    run = make_id("run", [spec.name, cell.arm, cell.cell, seed, sorted(jobs.items())])
    return Run(run, cell.arm, cell.cell, seed, settings.data.split, dump, jobs)


def _content_of(data: Data, draft: _Draft) -> Content | None:
    """Return what the data is, or None, noting what is missing, when it is not here."""
    key = data.model_dump_json(include={"source", "root", "classes"})
    if key not in draft.contents:
        try:
            draft.contents[key] = data_content(data, draft.home.digests)
        except MissingData as error:
            draft.contents[key] = None
            draft.missing[str(error)] = None
    return draft.contents[key]


def _plan_pack(data: Data, content: Content | None, draft: _Draft) -> str:
    counted = counted_settings(data)
    settings = {
        "data": {name: counted[name] for name in PACK_FIELDS},
        "digest": content.digest if content else f"absent: {data.root}",
    }
    if content is None:
        return draft.add("pack", {}, settings, _Cost(reason="the images are not on this machine"))
    root = str(resolve_root(data.root)) if data.source == "folder" else None
    details = {"root": root, "workers": data.workers}
    size = content.count * data.short_side**2 * 3
    return draft.add("pack", {}, settings, _Cost(details, content.count, size))


def _plan_teacher(
    settings: Settings, teacher: Teacher, jobs: Mapping[str, str], content: Content | None, draft: _Draft
) -> str:
    train = teacher.train or settings.train
    plain = settings.model_copy(update={"student": _as_student(teacher), "train": train})
    return draft.add(
        "train",
        {"pack": jobs["pack"]},
        _train_settings(plain, teacher.seed, content, taught=False),
        _train_cost(plain, train.epochs, content),
    )


def _plan_targets(
    settings: Settings, teacher: Teacher, seed: int, jobs: Mapping[str, str], content: Content | None, draft: _Draft
) -> str:
    views = _view_count(settings)
    needs = {"pack": jobs["pack"], "teacher": jobs["teacher"]}
    inner = {
        "data": _data_settings(settings.data, seed),
        "network": counted_settings(_as_student(teacher)),
        "num_classes": content.num_classes if content else None,
        "views": views,
        "precision": (teacher.train or settings.train).precision,
        "threads": (teacher.train or settings.train).threads,
    }
    images = _train_images(settings, content) * views
    return draft.add(
        "targets", needs, inner, _Cost({}, images / 3, int(images * 2 * (content.num_classes if content else 0)))
    )


def _view_count(settings: Settings) -> int:
    """Targets are needed for every view that an epoch of training or recovery looks at."""
    recovery = settings.prune.recover_epochs if settings.is_pruned and settings.prune else 0
    return settings.data.views or max(settings.train.epochs, recovery)


def _plan_student(
    settings: Settings, seed: int, jobs: Mapping[str, str], content: Content | None, draft: _Draft
) -> str:
    needs = {role: jobs[role] for role in ("pack", "targets") if role in jobs}
    inner = _train_settings(settings, seed, content, taught=settings.is_taught)
    return draft.add("train", needs, inner, _train_cost(settings, settings.train.epochs, content))


def _plan_prune(settings: Settings, seed: int, jobs: Mapping[str, str], content: Content | None, draft: _Draft) -> str:
    prune = settings.prune or Prune()
    needs = {role: jobs[role] for role in ("pack", "targets") if role in jobs} | {"parent": jobs["student"]}
    inner = _train_settings(settings, seed, content, taught=settings.is_taught) | {"prune": counted_settings(prune)}
    return draft.add("prune", needs, inner, _train_cost(settings, prune.recover_epochs + 1, content))


def _plan_measure(settings: Settings, jobs: Mapping[str, str], content: Content | None, draft: _Draft) -> str:
    """Speed depends on the shape alone: only a pruned network, whose shape is a result, is measured per seed."""
    needs = {"parent": jobs["prune"]} if "prune" in jobs else {}
    inner = {
        "network": counted_settings(settings.student.model_copy(update={"weights": "none"})),
        "num_classes": content.num_classes if content else None,
        "image_size": settings.data.image_size,
        "precision": settings.train.precision,
        "measure": counted_settings(settings.measure),
    }
    reason = None if content else "the number of classes is not known yet"
    return draft.add("measure", needs, inner, _Cost(_run_details(settings), 500, 0, reason))


def _plan_explain(settings: Settings, jobs: Mapping[str, str], content: Content | None, draft: _Draft) -> str:
    needs = {"pack": jobs["pack"], "parent": jobs.get("prune", jobs["student"])}
    inner = {
        "network": counted_settings(settings.student),
        "num_classes": content.num_classes if content else None,
        "data": counted_settings(settings.data),
        "explain": counted_settings(settings.explain),
    }
    return draft.add("explain", needs, inner, _Cost(_run_details(settings), settings.explain.images * 10, 0))


def _train_settings(settings: Settings, seed: int, content: Content | None, *, taught: bool) -> dict[str, Any]:
    return {
        "data": _data_settings(settings.data, seed),
        "network": _network_settings(settings.student),
        "num_classes": content.num_classes if content else None,
        "train": counted_settings(settings.train),
        "distill": _distill_settings(settings.distill) if taught else None,
        "seed": seed,
    }


def _data_settings(data: Data, seed: int) -> dict[str, Any]:
    """Views that the run's seed decides are written down with that seed."""
    return counted_settings(data.model_copy(update={"view_seed": seed} if data.view_seed == "run" else {}))


def _distill_settings(distill: Distill) -> dict[str, Any]:
    """Weights enter by value, so that a loss's own weights, spelt out or not, are one setting."""
    weight, label_weight = distill.weights
    return counted_settings(distill) | {"weight": weight, "label_weight": label_weight}


def _network_settings(student: Student) -> dict[str, Any]:
    """A weights file counts by its content, not by its path."""
    settings = counted_settings(student)
    if student.weights not in ("none", "pretrained") and Path(student.weights).is_file():
        settings["weights"] = f"sha256:{file_digest(Path(student.weights))}"
    return settings


def _as_student(network: Network) -> Student:
    """A teacher that this engine trains is a network like any other, so that equal ones are one job."""
    fields = {name: getattr(network, name) for name in Network.model_fields}
    return Student(**fields, weights=getattr(network, "weights", "none"))


def _train_cost(settings: Settings, epochs: int, content: Content | None) -> _Cost:
    details = _run_details(settings)
    weights = settings.student.weights
    reason = None
    if weights not in ("none", "pretrained"):
        details["weights"] = str(Path(weights).absolute())
        reason = None if Path(weights).is_file() else f"there is no weights file {weights}"
    return _Cost(details, _train_images(settings, content) * epochs, _network_bytes(settings.student), reason)


def _run_details(settings: Settings) -> dict[str, Any]:
    return {
        "workers": settings.data.workers,
        "memory": settings.train.memory,
        "on_oom": settings.train.on_oom,
        "save_minutes": settings.train.save_minutes,
        "resources": settings.resources.model_dump(),
    }


def _train_images(settings: Settings, content: Content | None) -> float:
    share = int(settings.data.split.split("/")[0]) / 100
    return content.count * share if content else 0.0


def _network_bytes(student: Student) -> int:
    """Two checkpoints of weights and AdamW's two moments, and the final weights: a guess of the right size."""
    params = PARAMS_GUESS.get(student.arch, 25e6)
    if student.arch == "tiny_vit" and student.dims and student.depths:
        params = sum(12 * dim**2 * depth for dim, depth in zip(student.dims, student.depths, strict=True))
    return int(params * 4 * 7)


def _canonical(kind: str, needs: Mapping[str, str], settings: Mapping[str, Any]) -> dict[str, Any]:
    return {"version": IDENTITY_VERSION, "kind": kind, "needs": dict(needs), "settings": settings}


PARAMS_GUESS = {"tiny_vit_5m": 5.1e6, "tiny_vit_11m": 10.6e6, "tiny_vit_21m": 20.7e6}
