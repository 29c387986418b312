"""The targets job: takes a trained teacher, gives its logits on each view of the training images, and its diagnosis."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from engine.core.data.loader import EvalLoader
from engine.core.distill.targets import Targets, is_valid_targets, open_targets, write_targets
from engine.core.train.checkpoint import capture_random, restore_random
from engine.core.train.evaluate import evaluate
from engine.core.train.forward import Forward
from engine.errors import DataError
from engine.home import JobFolder, publish_folder, read_json
from engine.run.attempt import Attempt
from engine.run.device import prepare_device
from engine.run.materials import JOB_THREADS, Images, load_trained, make_forward, open_images
from engine.run.provenance import write_origin

EVAL_BATCH = 64


def run_targets(attempt: Attempt) -> None:
    """Cache the teacher's logits and log its accuracy, likelihood, confidence and entropy on each part."""
    threads = int(attempt.settings.get("threads") or JOB_THREADS)
    device = prepare_device(attempt.order.slot, threads, True)
    images = open_images(attempt)
    write_origin(attempt, device, threads, images.pack.digest)
    spec = read_json(attempt.job.spec)
    network, forward = _teacher(attempt, spec, device)
    made = _publish(attempt, attempt.order.job, attempt.settings, images, network, forward)
    size = {"views": attempt.settings["views"], "images": len(images.split.train)}
    attempt.journal.fact("targets", {"made": made, **size})
    attempt.write_result(0, {**size, **_diagnose(attempt, images, network, forward)})


def open_job_targets(attempt: Attempt, images: Images, device: torch.device) -> Targets:
    """Return the targets that this job's student learns from; a cache that is gone or damaged is made again."""
    job = attempt.need("targets")
    folder = attempt.home.targets(job.job)
    try:
        return open_targets(folder, images.pack, images.split.train, data=images.data)
    except DataError as error:
        print(f"the targets are made again: {error.what}", flush=True)
        _make_again(attempt, job, images, device)
        return open_targets(folder, images.pack, images.split.train, data=images.data)


def _make_again(attempt: Attempt, job: JobFolder, images: Images, device: torch.device) -> None:
    """Make the targets of another job; the generators stay where they are, or this training would be another one."""
    spec, state = read_json(job.spec), capture_random()
    network, forward = _teacher(attempt, spec, device)
    _publish(attempt, job.job, spec["settings"], images, network, forward)
    restore_random(state)


def _teacher(attempt: Attempt, spec: Mapping[str, Any], device: torch.device) -> tuple[nn.Module, Forward]:
    """Return the network that the targets job's teacher job committed, on `device`."""
    network = load_trained(attempt.home, attempt.home.job(spec["needs"]["teacher"])).to(device)
    return network, make_forward(network, device, spec["settings"]["precision"])


def _publish(
    attempt: Attempt, job: str, settings: Mapping[str, Any], images: Images, network: nn.Module, forward: Forward
) -> bool:
    """Put the targets of `job` into the cache unless valid ones are there; return whether they were made."""

    def predict(shown: torch.Tensor) -> torch.Tensor:
        with torch.inference_mode():
            return forward(network, shown)

    def build(folder: Path) -> None:
        rows, size, views = images.split.train, images.data.image_size, settings["views"]
        progress = attempt.watcher("targets")
        write_targets(predict, images.pack, rows, images.data, size, views, folder, {"job": job}, progress)

    return publish_folder(attempt.home.targets(job), build, is_valid_targets)


def _diagnose(attempt: Attempt, images: Images, network: nn.Module, forward: Forward) -> dict[str, float]:
    """Log the teacher's figures on centre crops of each part; of train on an even sample no larger than test."""
    split, figures = images.split, {}
    take = np.linspace(0, len(split.train) - 1, min(len(split.train), len(split.test))).astype(np.int64)
    for part, rows in (("train", split.train[take]), ("val", split.val), ("test", split.test)):
        if not len(rows):
            continue
        loader = EvalLoader(images.pack, rows, images.data, images.data.image_size, EVAL_BATCH)
        found = evaluate(network, loader, forward, attempt.watcher("evaluate"))
        confidence, entropy = float(found.confidence.mean()), float(found.entropy.mean())
        values = {"top1": found.top1, "nll": found.loss, "confidence": confidence, "entropy": entropy}
        for name, value in values.items():
            attempt.journal.teacher(part, name, value)
            figures[f"{part}_{name}"] = value
    return figures
