"""Feeding: tells images/s from JPEG files to trained weights, of the loaders alone, and how busy the device is.

Whole jobs train on a pack of photographs by the command that runs a job by hand; the peer is timm's loader with eight
workers in front of the step of its training script, on the same files.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from timm.data.loader import create_loader
from torch import Tensor
from torchvision.datasets import ImageFolder  # type: ignore[import-untyped]

from benchmarks.gpu_parts.findings import Place, Teller
from benchmarks.gpu_parts.jobs import Bench, photo_spec
from benchmarks.gpu_parts.photos import write_photos
from benchmarks.gpu_parts.speed import COMPILING, NETWORKS
from benchmarks.gpu_parts.steps import Size, Trainee, busy_share, our_trainee, settle, time_calls, timm_trainee
from engine.core.data.loader import TrainLoader
from engine.core.data.pack import Pack, open_pack
from engine.launch.exits import Exit
from engine.plan import Job
from engine.run.device import prepare_device
from engine.spec import Data

CLASSES, WORKERS = 100, (0, 8)
GOALS = {"5M": 4000.0, "21M": 2500.0}
TIMES, BUSY, FED_STEPS = 2.0, 90.0, 40
TIMM = "against timm's loader and step"
FULL = {"rand_augment": "rand-m9-mstd0.5-inc1", "erasing": 0.25, "mixup": 0.8, "cutmix": 1.0}
AUGMENTS: dict[str, dict[str, Any]] = {"crop and flip": {}, "all augmentation": FULL}


def run(place: Place, teller: Teller) -> None:
    size = Size.of(place)
    count, epochs = (4096, 5) if place.is_real else (20, 1)
    photos = write_photos(place.folder / "photos", count, CLASSES if place.is_real else 2)
    bench, jobs = Bench.open(place, "home"), dict[str, Job]()
    for name, arch in NETWORKS.items():
        words = train_words(name, arch, photos, size, epochs)
        laid = bench.lay_out(words)
        jobs |= {"pack": laid[0], name: next(job for job in laid if job.kind == "train")}
    if bench.run(jobs["pack"]) != Exit.DONE:
        raise RuntimeError(bench.last_words(jobs["pack"]))
    for name in NETWORKS:
        with teller.case(name):
            train_whole(place, teller, bench, name, jobs[name], photos, size)
    with teller.case("loaders"):
        feed_alone(place, teller, open_pack(bench.home.pack(jobs["pack"].key)), photos, size)


def train_words(name: str, arch: str, photos: Path, size: Size, epochs: int) -> dict[str, Any]:
    """Return the words of a spec as a person writes them; `train.compile` where the spec knows it."""
    train: dict[str, Any] = {"epochs": epochs, "batch_size": size.batch, "save_minutes": 60.0}
    train["precision"] = "bf16" if size.batch > 2 else "fp32"
    data = {"image_size": size.side, "format": "jpeg", "workers": max(WORKERS) if size.batch > 2 else 0}
    return photo_spec(f"feeding_{name}".lower(), photos, data=data, train=train, student={"arch": arch})


def train_whole(place: Place, teller: Teller, bench: Bench, name: str, job: Job, photos: Path, size: Size) -> None:
    """Tell images/s of a whole job, loader included, and of timm's loader and step on the same files."""
    if (status := bench.run(job)) != Exit.DONE:
        teller.tell(name, "trains from JPEG files", "failed", status, "exit status", note=bench.last_words(job))
        return
    ours = float(bench.told(job, "measurement")["train_images_per_second"])
    trainee = timm_trainee(place, NETWORKS[name], "bf16" if place.device == "cuda" else "fp32", best=True)
    peer = timm_rate(place, trainee, photos, size)
    teller.measure(name, "trained from JPEG files", ours, "images/s", peer=peer, goal=GOALS[name])
    teller.measure(name, f"trained from JPEG files, {TIMM}", ours / peer, "times as fast", goal=TIMES)


def timm_rate(place: Place, trainee: Trainee, photos: Path, size: Size) -> float:
    """Return images/s of the second epoch: the first one starts the workers and warms up."""
    loader = create_loader(
        ImageFolder(str(photos)), input_size=(3, size.side, size.side), batch_size=size.batch, is_training=True,
        num_workers=max(WORKERS) if place.is_real else 0, use_prefetcher=place.device == "cuda",
        mean=(0.0, 0.0, 0.0), std=(1 / 255,) * 3, device=torch.device(place.device),
        persistent_workers=place.is_real,
    )  # fmt: skip
    for _ in range(2 if place.is_real else 1):
        seen, begin = 0, time.perf_counter()
        for images, labels in loader:
            trainee.learn(images.to(place.device, non_blocking=True), labels.to(place.device, non_blocking=True))
            seen += len(labels)
        settle(place)
    return seen / (time.perf_counter() - begin)


def feed_alone(place: Place, teller: Teller, pack: Pack, photos: Path, size: Size) -> None:
    """Tell images/s of our loaders with nothing behind them, and how busy the device is with a network behind them."""
    told = {"source": "folder", "root": str(photos), "image_size": size.side, "format": "jpeg"}
    for label, augment in AUGMENTS.items():
        words, case = {**told, "augment": augment}, f"loader, {label}"
        for workers in WORKERS:
            host = Data.model_validate({**words, "workers": workers, "cache": "jpeg"})
            teller.measure(
                f"loader, {label}", f"from JPEG, {workers} workers", feed(place, pack, host, size), "images/s"
            )
        held = Data.model_validate({**words, "cache": "device"})
        teller.measure(case, "held by the device", feed(place, pack, held, size), "images/s")
    with teller.case("5M with all augmentation"):
        keep_busy(place, teller, pack, held, size)


def open_loader(place: Place, pack: Pack, data: Data, size: Size) -> TrainLoader:
    rows = np.arange(len(pack), dtype=np.int64)
    return TrainLoader(pack, rows, data, size.side, size.batch, 0, None, torch.device(place.device))


def feed(place: Place, pack: Pack, data: Data, size: Size) -> float:
    """Return images/s of an epoch that nobody trains on."""
    loader, seen = open_loader(place, pack, data, size), 0
    settle(place)
    begin = time.perf_counter()
    for batch in loader.epoch(0):
        seen += len(batch.rows)
    settle(place)
    return seen / (time.perf_counter() - begin)


def keep_busy(place: Place, teller: Teller, pack: Pack, data: Data, size: Size) -> None:
    """Tell how busy the device is while our loader feeds it, and how fast a compiled step is behind that loader."""
    case, compiled = "5M with all augmentation, held by the device", place.is_real and place.left > COMPILING
    busy = rate = 0.0
    if place.is_real:
        prepare_device("0", 2, deterministic=False, precision="bf16")
        trainee = our_trainee(place, {"arch": NETWORKS["5M"]}, size, "bf16", compiled=compiled)
        batches = cycle(place, pack, data, size)
        busy = busy_share(lambda: trainee.learn(*next(batches)), size.steps)
        rate = size.batch * FED_STEPS / time_calls(place, lambda: trainee.learn(*next(batches)), FED_STEPS)
    how = "compiled" if compiled else "eager"
    teller.measure(case, f"GPU busy, {how}", 100 * busy, "%", goal=BUSY)
    teller.measure(case, f"fed and trained, {how}", rate, "images/s", goal=GOALS["5M"])


def cycle(place: Place, pack: Pack, data: Data, size: Size) -> Iterator[tuple[Tensor, Tensor]]:
    """Yield batches for ever: images on the device and labels, of mixed images shares of each class."""
    loader, epoch = open_loader(place, pack, data, size), 0
    while True:
        for batch in loader.epoch(epoch):
            labels = batch.labels.to(place.device, non_blocking=True)
            yield batch.images, labels if batch.mix is None else batch.mix.labels(labels, CLASSES)
        epoch += 1
