"""A small experiment's jobs of every kind on the stub, one after another in one process, for `children.call_on`.

They import inside, as walks.py does.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.home.paths import Home

VIEWS, BATCH = 2, 64
SHORT = ("measure-1", "pack-1", "train-teacher")  # the jobs that are tried on small cards


def experiment(precision: str) -> Iterator[tuple[str, str, dict[str, str], dict[str, Any]]]:
    """Yield job, kind, needs and settings, in an order in which they can be done.

    measure comes first: it forks, and CUDA that has begun cannot be taken along.
    """
    from tests.run.bench import DATA, LESSON, NETWORK, PACKED, TARGETS_JOB, TRAIN, TRAIN_JOB

    train = {**TRAIN, "epochs": 2, "batch_size": BATCH, "precision": precision, "clip_grad": 1.0}
    if precision == "fp16":
        train |= {"ema": 0.9, "accumulate": 2, "checkpoint": "best_val"}
    data = {**DATA, "views": VIEWS}
    trained = {**TRAIN_JOB, "train": train, "data": data}
    pack, taught = {"pack": "pack-1"}, {"pack": "pack-1", "targets": "targets-1", "teacher": "train-teacher"}
    shape = {"network": NETWORK, "num_classes": 10}
    times = {"batch_sizes": [1, 8], "threads": [1], "seconds": 0.02, "rounds": 2}
    wide = {**NETWORK, "dims": [16, 16, 32, 32]}
    speeds = {
        **shape,
        "image_size": 24,
        "precision": precision,
        "measure": times,
        "against": wide,
        "device": "gpu",
        "timing": "replays",
    }
    asked = {**TARGETS_JOB, "precision": precision, "views": VIEWS, "data": data}
    yield "measure-1", "measure", {}, speeds
    yield "pack-1", "pack", {}, {"data": PACKED, "digest": "d"}
    yield "train-teacher", "train", pack, trained
    yield "targets-1", "targets", {**pack, "teacher": "train-teacher"}, asked
    yield "train-cached", "train", taught, {**trained, "distill": LESSON}
    yield "train-online", "train", taught, {**trained, "distill": {**LESSON, "targets": "online"}}
    pruned = {**trained, "distill": LESSON, "prune": {"ratio": 0.2, "recover_epochs": 1}}
    yield "prune-1", "prune", {**taught, "parent": "train-cached"}, pruned
    yield "explain-1", "explain", {**pack, "parent": "prune-1"}, {**shape, "data": DATA, "explain": {"images": 3}}


def open_home(root: str) -> Home:
    from engine.home.paths import Home

    return Home(Path(root), Path(root) / "cache")


def run_experiment(root: str, precision: str, begin: str = "") -> list[dict[str, Any]]:
    """Run all jobs from `begin` on in a home at `root`; return a Ran of each, as far as they came."""
    from tests.gpu_stub.job import run_job
    from tests.run.bench import write_spec

    home, done = open_home(root), []
    told = list(experiment(precision))
    first = [job for job, *_ in told].index(begin) if begin else 0
    for job, kind, needs, settings in told[first:]:
        write_spec(home.job(job), kind, needs, settings)
        done.append(asdict(run_job(home, job)))
        if done[-1]["status"]:
            break
    return done


EVERYTHING = {
    "rand_augment": "rand-m9-mstd0.5-inc1",
    "color_jitter": 0.4,
    "erasing": 0.25,
    "mixup": 0.8,
    "cutmix": 1.0,
}


def count_feeding(root: str, batch: int, words: dict[str, Any], kernels: bool) -> dict[str, Any]:
    """Make batches of `batch` photographs from the device's memory, `words` of augmentation on; return what one did.

    `kernels`: by those of Triton, else by plain operators.
    """
    from unittest.mock import patch

    from tests.gpu_stub.kernels import LAUNCHED, install_driver

    if kernels:
        install_driver()
    alike = "engine.core.data.kernels.ready.is_alike"  # all bytes are zeros there
    with patch(alike, lambda there, here: kernels):
        found = _count_batches(Path(root), batch, words)
    return {**found, "triton": sum(LAUNCHED.values())}


def run_augmented(root: str, batch: int) -> dict[str, Any]:
    """Pack, and train one epoch whose batches go through every augmentation; return the training's Ran.

    `triton` counts the launches of the kernels by name.
    """
    from tests.gpu_stub.job import run_job
    from tests.gpu_stub.kernels import LAUNCHED, install_driver
    from tests.run.bench import write_spec

    install_driver()
    home, ran = open_home(root), None
    for job, kind, needs, settings in experiment("bf16"):
        if job in ("pack-1", "train-teacher"):
            told = _enlarge(settings, batch)
            if "train" in told:
                told["data"] = {**told["data"], "augment": EVERYTHING}
            write_spec(home.job(job), kind, needs, told)
            ran = run_job(home, job)
    assert ran is not None
    return asdict(ran) | {"triton": dict(LAUNCHED)}


def _count_batches(folder: Path, batch: int, words: dict[str, Any]) -> dict[str, Any]:
    import numpy as np
    import torch
    from PIL import Image

    from engine.core.data.loader import TrainLoader
    from engine.core.data.pack import open_pack, write_pack
    from engine.core.data.sources import list_images
    from engine.spec import Data
    from tests.gpu_stub.device import watch

    noise = np.random.default_rng(0)
    for name in ("pack", "images/a", "images/b"):
        (folder / name).mkdir(parents=True)
    for number in range(2 * batch):
        pixels = noise.integers(0, 256, (72, 96, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "images" / "ab"[number % 2] / f"{number}.bmp")
    data = Data.model_validate(
        {"source": "folder", "root": str(folder / "images"), "format": "raw", "cache": "device", "augment": words}
    )
    write_pack(list_images(data), folder / "pack", 256, lambda done, count: None)
    pack, card = open_pack(folder / "pack"), torch.device("cuda", 0)
    loader = TrainLoader(pack, np.arange(2 * batch), data, 64, batch, 0, None, card)
    from engine.core.data.kernels.ready import has_kernels

    has_kernels(card, 64, "bicubic")  # tried once, which waits for the card
    with watch() as seen:
        batches = len(list(loader.epoch(0)))
    return {name: value / batches for name, value in seen.counts.items()} | {"waits": seen.waits, "batches": batches}


def write_teacher(path: str) -> None:
    """Write the weights of a teacher of five classes, as somebody may have trained it elsewhere."""
    import timm
    from safetensors.torch import save_file

    network = timm.create_model("convnextv2_atto", num_classes=5, depths=[1, 1, 1, 1], dims=[8, 8, 16, 16])
    save_file({name: value.contiguous() for name, value in network.state_dict().items()}, path)


def teach_each(batch: int, classes: int) -> dict[str, list[str]]:
    """Take each distillation loss of a batch on the card, and its gradient; return the lines that waited, by loss.

    All but skd: it solves for a matrix, and this card has no cuSOLVER.
    """
    import torch

    from engine.core.distill.losses import LOSSES
    from tests.gpu_stub.device import watch

    card = torch.device("cuda", 0)
    labels = torch.zeros(batch, dtype=torch.int64, device=card)
    found = {}
    for name, loss in LOSSES.items():
        if loss.function is not None and name != "skd":
            student, teacher = torch.zeros(2, batch, classes, device=card, requires_grad=True).unbind(0)
            with watch() as seen:
                loss.teach(student, teacher.detach(), labels, 2.0).backward()  # type: ignore[no-untyped-call]
            found[name] = seen.waits
    return found


def run_short(root: str, sizes: list[int], batch: int, tiny: int) -> dict[str, list[list[int]]]:
    """Measure and train a network on cards of `sizes` MB, as a scheduler would, and measure it on a `tiny` one.

    A measurement is tried on the largest and the smallest of `sizes`. Each is tried again as long as it ends with
    'out of memory'. Returns [exit status, images at once] of each attempt.
    """
    import os

    from engine.home.files import write_json
    from tests.run.bench import write_spec

    home, found = open_home(root), dict[str, list[list[int]]]()
    for job, kind, needs, settings in experiment("fp32"):
        if job not in SHORT:
            continue
        for size in {"pack": sizes[:1], "measure": [sizes[0], sizes[-1], tiny]}.get(kind, sizes):
            name = job if kind == "pack" else f"{job}-{size}"
            os.environ["XP_STUB_MEMORY_MB"] = str(size)
            write_spec(home.job(name), kind, needs, _enlarge(settings, batch))
            write_json(home.job(name).details, {"on_oom": "split", "cache": "raw"})
            found[name] = _try_often(home, name)
    return found


def _enlarge(settings: dict[str, Any], batch: int) -> dict[str, Any]:
    """Return the settings with one epoch of large batches, or with a large batch to be timed."""
    told = dict(settings)
    if "train" in told:
        told["train"] = {**told["train"], "epochs": 1, "batch_size": batch}
    if "measure" in told:
        told["measure"] = {**told["measure"], "batch_sizes": [1, 16 * batch]}
    return told


def _try_often(home: Home, job: str) -> list[list[int]]:
    from engine.launch.exits import Exit
    from tests.gpu_stub.job import run_job

    tries: list[list[int]] = []
    while not tries or (tries[-1][0] == Exit.OUT_OF_MEMORY and len(tries) < 8):
        ran = run_job(home, job, ooms=len(tries))
        tries.append([ran.status, ran.facts.get("micro_batch", {}).get("images", 0)])
    return tries
