"""A student's training with cached targets against the same with the teacher in the step, ours and timm's.

    python benchmarks/distillation.py [--quick] [--json] [--photos FOLDER_OR_ARCHIVE] [--arch tiny_vit_5m_224]

Student, teacher, views' size, batch, fp32, optimizer and one thread are the same on all sides; the loader is part of
each step. timm's side is what its train script builds for --kd-model-name: its loader and its LogitDistillationTask.
Figures are images per CPU-second; the rounds alternate and the median counts. Weights are random: speed does not depend
on them. The teacher in our own step is left out of --quick.

  cached          targets looked up: every use of them but the first
  first use       making the targets is counted too (one view, and the centre crops that a teacher is judged by): an
                  experiment of one seed, one arm, one epoch
  paper           what counting multiply-adds says of the paper's student and a teacher of its second phase
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import timm
import torch
from PIL import Image
from torch import Tensor, nn

from benchmarks import Row
from engine.core.data.loader import Batch, TrainLoader
from engine.core.data.normalize import normalize
from engine.core.data.pack import Pack, open_pack, write_pack
from engine.core.data.sources import list_images
from engine.core.distill.encoding import quantise
from engine.core.distill.losses import distill_loss
from engine.core.distill.make import Maker, write_targets
from engine.core.distill.targets import Origin, open_targets
from engine.core.measure import count_macs
from engine.inputs.looks import Look
from engine.spec import Data, Distill

SIZE, CLASSES, BATCH = 224, 10, 8
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
TEACHERS = {"ViT-S": "vit_small_patch16_224", "ViT-B": "vit_base_patch16_224"}
PAPER_STUDENT, PAPER_TEACHERS = "tiny_vit_21m_224", ("vit_large_patch14_clip_224", "convnextv2_huge")
TEMPERATURE = 2.0
DISTILL = Distill(loss="hinton", temperature=TEMPERATURE)
Epoch = Callable[[], int]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer images and rounds: under two minutes on 2 cores")
    parser.add_argument("--json", action="store_true", help="print one JSON list and nothing else")
    parser.add_argument("--photos", default=os.environ.get("XP_PHOTOS"), help="folder or archive of photographs")
    parser.add_argument("--arch", default="tiny_vit_5m_224", help="the student, a timm name")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    images, rounds = (BATCH, 3) if chosen.quick else (4 * BATCH, 5)
    with tempfile.TemporaryDirectory() as folder:
        rows = compare_all(Path(folder), chosen.photos, chosen.arch, images, rounds)
    if chosen.json:
        print(json.dumps([asdict(row) for row in rows]))
        return
    for row in rows:
        print(f"{row.case:46} {row.ours:8.2f} {row.peer:8.2f} {row.unit}  x{row.ratio:.2f}  (n={row.n})")


def compare_all(folder: Path, photos: str | None, arch: str, images: int, rounds: int) -> list[Row]:
    """Measure every teacher, then count the paper's."""
    root = folder / "photos"
    write_photos(root, photos, images)
    data = Data(source="folder", root=str(root), views=2)
    (folder / "pack").mkdir()
    write_pack(list_images(data), folder / "pack", data.short_side, lambda done, count: None)
    pack, rows = open_pack(folder / "pack"), []
    for name, teacher in TEACHERS.items():
        rows += compare_teacher(folder, pack, data, root, arch, (name, teacher), rounds)
    return rows + [analytic_row(teacher) for teacher in PAPER_TEACHERS]


def write_photos(root: Path, photos: str | None, images: int) -> None:
    """Write `images` JPEG files in two classes: from the photographs given, else drawn ones."""
    listing = list_images(Data(source="folder", root=photos)) if photos else None
    noise = np.random.default_rng(0)
    for number in range(images):
        if listing:
            image = Image.fromarray(listing.read(number * (len(listing.samples) // images)))
        else:
            coarse = Image.fromarray(noise.integers(0, 256, (24, 32, 3), dtype=np.uint8))
            image = coarse.resize((500, 375), Image.Resampling.BICUBIC)
        (root / f"class{number % 2}").mkdir(parents=True, exist_ok=True)
        image.save(root / f"class{number % 2}" / f"{number:04d}.jpg", quality=90)


def compare_teacher(
    folder: Path, pack: Pack, data: Data, root: Path, arch: str, teacher: tuple[str, str], rounds: int
) -> list[Row]:
    """Return the rows of one teacher: cached against timm's and our own online, and the first use."""
    name, network = teacher[0], timm.create_model(teacher[1], num_classes=CLASSES).eval()

    def predict(images: Tensor) -> Tensor:
        with torch.no_grad():
            answer: Tensor = network(normalize(images, MEAN, STD))
        return answer

    loader = TrainLoader(pack, np.arange(len(pack)), data, SIZE, BATCH, 0, data.views)
    target_folder = folder / f"targets {name}"
    target_folder.mkdir()
    start = time.process_time()
    origin = Origin(pack, loader.rows, data, 1, {"job": name})
    write_targets(
        Maker(origin, predict, Look(SIZE, 0.875, "bicubic"), CLASSES, BATCH), target_folder, lambda done, count: None
    )
    pass_seconds = time.process_time() - start
    targets = open_targets(target_folder, origin, loader.rows)
    sides: dict[str, Epoch] = {
        "cached": our_epoch(loader, arch, lambda batch: targets.lookup(batch.view, batch.rows).logits),
        "timm online": timm_epoch(root, arch, network),
    }
    if len(pack) > BATCH:
        sides["ours online"] = our_epoch(loader, arch, lambda batch: quantise(predict(batch.images)).logits)
    speeds = measure(sides, rounds)
    first = 1 / (1 / speeds["cached"] + pass_seconds / len(pack))
    peers = [side for side in sides if side != "cached"]
    rows = [make_row(f"cached, {name} / {peer}", speeds["cached"], speeds[peer], rounds) for peer in peers]
    return [*rows, make_row(f"first use, {name} / timm online", first, speeds["timm online"], rounds)]


def make_row(case: str, ours: float, peer: float, rounds: int, unit: str = "images per CPU-second") -> Row:
    return Row(case, "training", ours, peer, ours / peer, unit, rounds)


def measure(sides: dict[str, Epoch], rounds: int) -> dict[str, float]:
    """Return each side's median images per CPU-second: one epoch a round, in turn, the first not counted."""
    speeds: dict[str, list[float]] = {name: [] for name in sides}
    for number in range(rounds + 1):
        for name, epoch in sides.items():
            start = time.process_time()
            count = epoch()
            if number:
                speeds[name].append(count / (time.process_time() - start))
    return {name: statistics.median(values) for name, values in speeds.items()}


def our_epoch(loader: TrainLoader, arch: str, ask: Callable[[Batch], Tensor]) -> Epoch:
    """Train the student on view 0 of every image with the answers of `ask`."""
    student, optimizer = make_student(arch)

    def epoch() -> int:
        for batch in loader.epoch(0):
            logits = student(normalize(batch.images, MEAN, STD))
            step(optimizer, distill_loss(DISTILL, logits, ask(batch), batch.labels))
        return len(loader.rows)

    return epoch


def timm_epoch(root: Path, arch: str, teacher: nn.Module) -> Epoch:
    """Train the student as timm's script does with a teacher: its loader, its task, the same loss and weights."""
    from timm.data.dataset_factory import create_dataset
    from timm.data.loader import create_loader
    from timm.task import LogitDistillationTask

    student, optimizer = make_student(arch)
    task = LogitDistillationTask(
        student,
        teacher,
        criterion=nn.CrossEntropyLoss(),
        distill_loss_weight=0.9,
        task_loss_weight=0.1,
        temperature=TEMPERATURE,
        device=torch.device("cpu"),
        verbose=False,
    )
    task.train()
    loader: Any = create_loader(
        create_dataset("", root=str(root)),
        (3, SIZE, SIZE),
        BATCH,
        is_training=True,
        use_prefetcher=False,
        num_workers=0,
        scale=(0.35, 1.0),
        color_jitter=None,  # type: ignore[arg-type]
        persistent_workers=False,
        pin_memory=False,
    )

    def epoch() -> int:
        return sum(_timm_step(task, optimizer, images, labels) for images, labels in loader)

    return epoch


def _timm_step(task: Any, optimizer: torch.optim.Optimizer, images: Tensor, labels: Tensor) -> int:
    step(optimizer, task(images, labels)["loss"])
    return len(labels)


def make_student(arch: str) -> tuple[nn.Module, torch.optim.Optimizer]:
    student = timm.create_model(arch, num_classes=CLASSES).train()
    return student, torch.optim.AdamW(student.parameters(), lr=1e-4)


def step(optimizer: torch.optim.Optimizer, loss: Tensor) -> None:
    optimizer.zero_grad(set_to_none=True)
    loss.backward()  # type: ignore[no-untyped-call]
    optimizer.step()


def analytic_row(teacher: str) -> Row:
    """Multiply-adds of a step with this teacher over those without: forward and backward cost three forwards."""
    with torch.device("meta"):
        student_macs, teacher_macs = (
            count_macs(timm.create_model(name, num_classes=100), SIZE) / 1e9 for name in (PAPER_STUDENT, teacher)
        )
    cached, online = 3 * student_macs, 3 * student_macs + teacher_macs
    return Row(f"paper, {teacher}", "analytic", cached, online, online / cached, "G multiply-adds an image", 1)


if __name__ == "__main__":
    main()
