"""Runs whose every figure is another number: takes a home and a seed, writes the jobs of one run, gives its record.

A figure of seed s is its number for seed 0 times (1 + s), so that no column can stand in for another.
"""

from __future__ import annotations

from typing import Any

from scipy.stats import binomtest

from store.metrics import METRICS
from tests.helpers.synthetic import SyntheticHome

CPU: dict[str, Any] = {"device": "cpu", "precision": "fp32", "threads": 1}
CUDA: dict[str, Any] = {"device": "cuda", "precision": "bf16", "threads": 1}
# What `results` says of seed 0.
RESULTS: dict[str, Any] = {
    "test_top1": 0.11, "val_top1": 0.07, "test_loss": 1.3, "val_loss": 1.7, "train_loss": 1.9,
    "train_images_per_second": 103.0, "infer_images_per_second": 650.0, "infer_batch_size": 32, "infer_latency": 2.0,
    "infer_oom_batch_size": 256,
    "cuda_peak_allocated": 1009, "cuda_peak_reserved": 2003, "host_peak_rss": 3001, "params": 401, "macs": 5003,
    "params_before": 601, "prune_asked": 0.03, "prune_achieved": 0.02, "teacher_test_top1": 0.13, "train_seconds": 29.0,
    "epochs_spent": 5,
}  # fmt: skip
NOT_IN_CELLS = ("infer_batch_size", "infer_oom_batch_size")
# A metric that is not listed above is told by its source, so that a new one is tested without a word here.
LATER = {
    name: (7001.0 + at) * (1e-5 if one.unit == "fraction" else 1.0)  # below 1 for the last seed, too
    for at, (name, one) in enumerate(METRICS.items())
    if name not in RESULTS
}
RESULTS |= LATER


def tell_run(made: SyntheticHome, seed: int, *, checkpoint: str = "last", arm: str = "arm") -> dict[str, Any]:
    """Write a student, its pruned one, its targets and its measure job, all done; return the run."""
    key, scale = f"{arm}{seed}", 1 + seed
    jobs = {role: f"{kind}-{key}" for role, kind in KINDS.items()}
    _tell_targets(made, jobs["targets"], scale)
    _tell_training(made, jobs["student"], scale, 17.0)
    _tell_pruning(made, jobs["prune"], scale)
    _tell_measure(made, jobs["measure"], scale)
    _tell_maps(made, jobs["explain"], scale)
    recovery = {"ratio": 0.2, "recover_epochs": 2 * scale}
    settings = {"train": {"checkpoint": checkpoint, "epochs": 3 * scale}, "prune": recovery}
    where = {"arm": arm, "cell": "data.split=60/20/20", "seed": seed, "split": "60/20/20"}
    return {**where, "run": f"run-{key}", "settings": settings, "jobs": jobs}


def wilson_interval(right: int, images: int) -> tuple[float, float]:
    """Return Wilson's 95 % score interval of a share, by scipy."""
    found = binomtest(right, images).proportion_ci(method="wilson")
    return float(found.low), float(found.high)


KINDS = {"targets": "targets", "student": "train", "prune": "prune", "measure": "measure", "explain": "explain"}


def _tell_targets(made: SyntheticHome, job: str, scale: float) -> None:
    attempt, journal = made.attempt(made.job(job, "targets"), 1)
    with journal:
        for part, name, value in (("test", "top1", 0.13), ("val", "top1", 0.91), ("test", "nll", 0.92)):
            journal.teacher(part, name, value * scale)
    made.finish(job, attempt, 1000.0)


def _tell_training(made: SyntheticHome, job: str, scale: float, seconds: float) -> None:
    """The student that a pruned one came from: none of its figures but the seconds counts."""
    attempt, journal = made.attempt(made.job(job, "train"), 1)
    with journal:
        journal.metric("test_top1", 0.99, step=1, epoch=0)
        journal.teacher("test", "top1", 0.98)
        journal.teacher("train", "teacher_top1", 0.97)
        journal.measurement("params", 9.0, "1", **CPU, batch_size=1)
        journal.predictions("test", ["a"], [1], [1], [0.5])
    made.finish(job, attempt, seconds * scale)


def _tell_pruning(made: SyntheticHome, job: str, scale: float) -> None:
    attempt, journal = made.attempt(made.job(job, "prune"), 1)
    with journal:
        for step, best in ((1, 0.05), (2, 0.09), (3, 0.07)):
            journal.metric("val_top1", best * scale, step=step, epoch=step)
            for name, last in (("val_loss", 1.7), ("train_loss", 1.9)):
                journal.metric(name, (last + 3 - step) * scale, step=step, epoch=step)
        for name in ("test_top1", "test_loss"):
            journal.metric(name, RESULTS[name] * scale, step=3, epoch=3)
        journal.metric("train_images_per_second", 1.0, step=3, epoch=3)
        for name in ("train_images_per_second", "cuda_peak_allocated", "cuda_peak_reserved", "host_peak_rss",
                     "params_before", "prune_asked", "prune_achieved"):  # fmt: skip
            journal.measurement(name, RESULTS[name] * scale, "1", **CPU, batch_size=1)
        journal.measurement("params", 7.0, "1", **CPU, batch_size=1)
        for name in _later_from("series", "best"):
            journal.metric(name, RESULTS[name] * scale, step=3, epoch=3)
        for name in _later_from("figures"):
            journal.measurement(name, RESULTS[name] * scale, "1", **CPU, batch_size=1)
        journal.predictions("val", ["v"], [1], [1], [0.5])
        right = [number < 6 for number in range(8)]
        journal.predictions("test", [f"s{at}" for at in range(8)], [1] * 8, [int(good) for good in right], [0.5] * 8)
    made.finish(job, attempt, 12.0 * scale)


def _tell_measure(made: SyntheticHome, job: str, scale: float) -> None:
    attempt, journal = made.attempt(made.job(job, "measure"), 1)
    with journal:
        for name in ("params", "macs"):
            journal.measurement(name, RESULTS[name] * scale, "1", **CPU, batch_size=1)
        for name in _later_from("measured", "largest", "smallest"):
            journal.measurement(name, RESULTS[name] * scale, "1", **CPU, batch_size=1)
        for where, batch, speed in ((CPU, 64, 900.0), (CUDA, 1, 700.0), (CUDA, 32, 650.0)):
            journal.measurement("infer_images_per_second", speed * scale, "images/s", **where, batch_size=batch)
        for where, batch, latency in ((CPU, 1, 9.0), (CUDA, 1, 2.0), (CUDA, 8, 3.0)):
            journal.measurement("infer_latency", latency * scale, "ms", **where, batch_size=batch)
        for batch in (512, 256):
            journal.measurement("infer_oom", 1.0, "1", **CUDA, batch_size=batch)
    made.finish(job, attempt, 2000.0)


def _tell_maps(made: SyntheticHome, job: str, scale: float) -> None:
    attempt, journal = made.attempt(made.job(job, "explain"), 1)
    with journal:
        for name in _later_from("explained"):
            journal.measurement(name, RESULTS[name] * scale, "1", **CPU, batch_size=1)
    made.finish(job, attempt, 3000.0)


def _later_from(*places: str) -> list[str]:
    return [name for name in LATER if any(f"{place}['{name}']" in METRICS[name].source for place in places)]
