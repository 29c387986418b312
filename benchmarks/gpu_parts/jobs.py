"""A plan's jobs, each in a process of its own: takes words of a spec and a home, gives results; asks no queue."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from benchmarks.gpu_parts.findings import Place
from engine.home.files import read_json, write_json
from engine.home.paths import Home
from engine.inputs.gpus import list_gpus
from engine.launch import CPU_SLOT, Handle, Order, State
from engine.launch.local import LocalLauncher
from engine.plan import Job, make_plan
from engine.spec import Spec

PROGRAM, STUB_PROGRAM = "engine.run", "tests.gpu_stub.program"
SMALL: dict[str, Any] = {"arch": "tiny_vit", "dims": [16, 16, 32, 32], "depths": [1, 1, 1, 1], "heads": [1, 1, 2, 2]}


@dataclass
class Bench:
    """A home on disk and the device that its jobs run on, forked from a process that has the imports done."""

    home: Home
    place: Place
    launcher: LocalLauncher

    @classmethod
    def open(cls, place: Place, name: str, program: str = "") -> Bench:
        root = place.folder / name
        root.mkdir(parents=True, exist_ok=True)
        module = program or (STUB_PROGRAM if place.is_stub else PROGRAM)
        return cls(Home(root, root / "cache"), place, LocalLauncher(module))

    def lay_out(self, words: Mapping[str, Any]) -> list[Job]:
        """Write the jobs of a spec as a submit does; return them, each after its needs."""
        plan = make_plan(Spec.model_validate(words), self.home, on_cpu=self.place.device == "cpu")
        for job in plan.jobs:
            folder = self.home.job(job.key)
            folder.root.mkdir(parents=True, exist_ok=True)
            write_json(folder.spec, job.canonical)
            write_json(folder.details, job.details.model_dump(mode="json"))
        return list(plan.jobs)

    @property
    def slot(self) -> str:
        return CPU_SLOT if self.place.device == "cpu" else next(iter(list_gpus()), "0")

    def start(self, job: Job, ooms: int = 0) -> Handle:
        """Start the next attempt of a job."""
        number = len(self.home.job(job.key).attempts()) + 1
        return self.launcher.submit(Order(self.home, job.key, number, self.slot, ooms))

    def wait(self, handle: Handle) -> int:
        """Return how an attempt ended, minus the signal. Raises TimeoutError when the time of the part is over."""
        while (status := self.launcher.poll([handle])[handle]).state != State.GONE:
            if self.place.left <= 0:
                raise TimeoutError(f"{handle.job} was not done in time")
            self.launcher.wait(min(1.0, self.place.left))
        return 1 if status.exit is None else status.exit

    def run(self, job: Job, ooms: int = 0) -> int:
        """Run the next attempt of a job to its end; return its exit status."""
        return self.wait(self.start(job, ooms))

    def result(self, job: Job) -> dict[str, Any]:
        return dict(read_json(self.home.job(job.key).result))

    def last_words(self, job: Job) -> str:
        """Return the end of what the newest attempt said."""
        log = self.home.job(job.key).attempts()[-1].log
        lines = log.read_text().splitlines() if log.exists() else []
        return " | ".join(lines[-3:])[-300:]

    def told(self, job: Job, kind: Literal["fact", "measurement"]) -> dict[str, Any]:
        """Return what the winner's journal holds of this kind, by name."""
        winner = self.home.job(job.key).winner()
        lines = map(json.loads, winner.journal.read_text().splitlines()) if winner else ()
        return {line["name"]: line["value"] for line in lines if line["type"] == kind}


def photo_spec(name: str, photos: Path, **words: Any) -> dict[str, Any]:
    """Return the words of a spec of one arm on these photographs; `words` go over them."""
    data = {"source": "folder", "root": str(photos), "split": "80/10/10", **words.pop("data", {})}
    train = {"epochs": 2, "warmup_epochs": 0, "batch_size": 32, "precision": "fp32", **words.pop("train", {})}
    spec = {"name": name, "data": data, "student": dict(SMALL), "train": train, "seeds": [0]}
    brief = {"batch_sizes": [1], "threads": [1], "seconds": 0.01, "rounds": 2}
    return {**spec, "measure": brief, "explain": {"images": 1}, **words}


def first_jobs(jobs: Sequence[Job]) -> tuple[Job, Job]:
    """Return the pack and the training of a plan that has one of each."""
    pack, trained = (next(job for job in jobs if job.kind == kind) for kind in ("pack", "train"))
    return pack, trained
