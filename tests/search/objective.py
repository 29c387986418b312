"""A training that is a known function of its settings: jobs without torch, behind the real planner, queue and results.

The best is at lr 3e-3, weight_decay 0.3, label_smoothing 0.1, flip 0.2, erasing 0.6, and longformer of radius 2, where
it is 1. Preloaded instead of engine.run, or done in place by `finish_open`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from engine.home.files import read_object, write_json
from engine.home.paths import AttemptFolder, Home, JobFolder
from engine.launch import Order
from engine.load import load_words
from engine.plan import make_plan
from engine.schedule.submit import submit_plan
from store.journal import JournalWriter
from store.queue import Queue

SPACE: dict[str, Any] = {
    "train.lr": {"log": [1e-5, 1e-1]},
    "train.weight_decay": {"float": [0.0, 1.0]},
    "train.label_smoothing": {"float": [0.0, 0.5]},
    "data.augment.flip": {"float": [0.0, 1.0]},
    "data.augment.erasing": {"float": [0.0, 1.0]},
    "student.attention.kind": {"choice": ["window", "longformer"]},
    "student.attention.radius": {"int": [1, 3], "when": {"student.attention.kind": "longformer"}},
}


def value_of(settings: Mapping[str, Any]) -> float:
    """Return what a training of these settings, as its job's spec.json has them, comes to: 1 at best."""
    train, augment = settings["train"], settings["data"]["augment"]
    attention = settings["network"]["attention"]
    off = [
        (math.log10(train["lr"]) - math.log10(3e-3)) / 2,
        train["weight_decay"] - 0.3,
        2 * (train["label_smoothing"] - 0.1),
        augment["flip"] - 0.2,
        augment["erasing"] - 0.6,
    ]
    radius = attention.get("radius")
    kind = 0.3 if attention["kind"] == "window" else 0.1 * abs((radius or 0) - 2)
    return float(1.0 - sum(part**2 for part in off) / 5 - kind)


def main(order: Order) -> int:
    """Be a job: log what it comes to, and commit."""
    job = order.home.job(order.job)
    do(job, order.folder)
    return 0


def do(job: JobFolder, attempt: AttemptFolder) -> None:
    told = read_object(job.spec) or {}
    with JournalWriter(attempt.journal) as journal:
        if told["kind"] == "train":
            journal.metric("val_top1", value_of(told["settings"]), step=1, epoch=1)
            journal.metric("test_top1", value_of(told["settings"]), step=1, epoch=1)
    result = {"job": job.job, "attempt": attempt.number, "kind": told["kind"], "figures": {}, "seconds": 1.0}
    write_json(attempt.result, result)
    job.commit(attempt)


def finish_open(home: Home) -> list[str]:
    """Do every job that is ready, here and now; return them."""
    with Queue(home.queue_db) as queue:
        ready = sorted(job for job, state in queue.job_states().items() if state == "queued")
        for name in ready:
            folder = home.job(name)
            attempt = folder.attempt(len(folder.attempts()) + 1)
            attempt.root.mkdir(parents=True)
            do(folder, attempt)
        queue.mark_done(ready)
    return ready


def make_spec(name: str = "study", **search: Any) -> dict[str, Any]:
    """Return a searched spec of one arm that plans in no time."""
    return {
        "name": name,
        "data": {"source": "digits", "image_size": 56, "short_side": 56, "views": 1},
        "student": {
            "arch": "tiny_vit", "dims": [16, 16, 16, 16], "depths": [1, 1, 1, 1], "heads": [1, 1, 1, 1],
            "windows": [7, 7, 4, 2], "drop_path": 0.0,
        },
        "train": {"epochs": 1, "batch_size": 128, "precision": "fp32", "threads": 1},
        "search": {"space": SPACE, "parallel": 1, "trials": 10, **search},
    }  # fmt: skip


def submit_study(home: Home, spec: Mapping[str, Any]) -> None:
    submit_plan(make_plan(load_words(spec), home), home)
