"""A whole small experiment without a queue: tells of jobs of every kind how they ended, in the order of their needs."""

from __future__ import annotations

from collections import Counter
from importlib import import_module
from typing import Any

from benchmarks.gpu_parts.findings import Place, Teller
from benchmarks.gpu_parts.jobs import Bench, photo_spec
from benchmarks.gpu_parts.photos import write_photos
from engine.launch.exits import Exit
from engine.plan import Job

NEEDS = {"explain": ("matplotlib",)}  # beyond what every job needs: it draws
COUNT, CLASSES, SIDE = 240, 4, 64
TEACHER: dict[str, Any] = {
    "arch": "timm/convnextv2_atto",
    "options": {"depths": [1, 1, 1, 1], "dims": [16, 16, 32, 32]},
}
SPARSE = {"kind": "longformer", "pattern": "block", "select": "learned"}
PRUNED = {"ratio": 0.2, "recover_epochs": 1}


def run(place: Place, teller: Teller) -> None:
    photos = write_photos(place.folder / "photos", COUNT, CLASSES, tall=72, wide=96)
    bench = Bench.open(place, "home")
    jobs, done = bench.lay_out(words(photos, place)), set[str]()
    for job in jobs:
        if not done.issuperset(job.needs.values()):
            teller.tell(job.kind, "job done", "not measured", note="what it needs is not there")
        elif why := lacking(job):
            teller.tell(job.kind, "job done", "not measured", note=why)
        elif (status := bench.run(job)) == Exit.DONE:
            done.add(job.key)
        else:
            teller.tell(job.kind, "job done", "failed", status, "exit status", note=bench.last_words(job))
    for kind, count in Counter(job.kind for job in jobs if job.key in done).items():
        teller.tell(kind, "jobs done", "held", count, f"of {sum(job.kind == kind for job in jobs)}")


def lacking(job: Job) -> str:
    """Return why a job cannot be done with what is installed here, "" where it can."""
    try:
        for name in NEEDS.get(job.kind, ()):
            import_module(name)
    except ImportError:
        return f"{name} is not installed"
    return ""


def words(photos: Any, place: Place) -> dict[str, Any]:
    train = {"epochs": 2, "batch_size": 32, "precision": "bf16" if place.device == "cuda" else "fp32", "threads": 1}
    teacher = {**TEACHER, "train": {**train, "warmup_epochs": 0}, "assistants": [TEACHER]}
    arms = {"plain": {}, "sparse": {"student": {"attention": SPARSE}}, "taught": {"teacher": teacher, "prune": PRUNED}}
    return photo_spec(
        "small", photos, data={"image_size": SIDE, "short_side": 72, "views": 2}, train=train,
        measure={"batch_sizes": [1, 8], "threads": [1], "seconds": 0.1, "rounds": 2}, explain={"images": 2},
        arms=arms, baseline="plain",
    )  # fmt: skip
