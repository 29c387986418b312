"""A whole small experiment without a queue: tells of jobs of every kind how they ended, in the order of their needs."""

from __future__ import annotations

from collections import Counter
from typing import Any

from benchmarks.gpu_parts.findings import Place, Teller
from benchmarks.gpu_parts.jobs import Bench, photo_spec
from benchmarks.gpu_parts.photos import write_photos
from engine.launch.exits import Exit

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
    jobs = bench.lay_out(words(photos, place))
    done: Counter[str] = Counter()
    for job in jobs:
        if (status := bench.run(job)) != Exit.DONE:
            teller.tell(
                job.key, f"a {job.kind} job ends well", "failed", status, "exit status", note=bench.last_words(job)
            )
            break
        done[job.kind] += 1
    for kind, count in done.items():
        teller.tell(kind, "jobs done", "held", count)
    is_whole = done.total() == len(jobs)
    teller.tell("experiment", "jobs done", "held" if is_whole else "failed", done.total(), f"of {len(jobs)}")


def words(photos: Any, place: Place) -> dict[str, Any]:
    train = {"epochs": 2, "batch_size": 32, "precision": "bf16" if place.device == "cuda" else "fp32", "threads": 1}
    teacher = {**TEACHER, "train": {**train, "warmup_epochs": 0}, "assistants": [TEACHER]}
    arms = {"plain": {}, "sparse": {"student": {"attention": SPARSE}}, "taught": {"teacher": teacher, "prune": PRUNED}}
    return photo_spec(
        "small", photos, data={"image_size": SIDE, "short_side": 72, "views": 2}, train=train,
        measure={"batch_sizes": [1, 8], "threads": [1], "seconds": 0.1, "rounds": 2}, explain={"images": 2},
        arms=arms, baseline="plain",
    )  # fmt: skip
