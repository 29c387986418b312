"""Images a second that the loader feeds, against timm's loader and torchvision's ImageFolder on the same photographs.

Photographs: --photos (a class-per-folder tree or archive), enlarged to ImageNet's usual 500 x 375 pixels and 110
KB, and once more as they are; drawn ones when none are given. Figures are images per CPU-second of one thread, all of
the work in this process, and images per second with WORKERS workers (ours are threads, theirs processes). The rounds of
the sides alternate and the median counts. All sides crop 0.35 to 1 of the area and resize bicubically.

  host geometry   decode, random resized crop, resize, flip on the host; uint8 comes out on both sides
  all on CPU      the same, and RandAugment, normalisation and erasing on the host too, on both sides
"""

from __future__ import annotations

import argparse
import io
import json
import os
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image

from benchmarks import Row
from engine.core.data.loader import TrainLoader
from engine.core.data.pack import Format, open_pack, write_pack
from engine.core.data.sources import Pixels, list_images
from engine.spec import Data

SIZE, BATCH, WORKERS = 224, 32, 2
USUAL_SIZE, USUAL_BYTES = (500, 375), 110_000
SCALE = (0.35, 1.0)
Feed = Callable[[], Iterator[int]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="fewer images and rounds: under two minutes on 2 cores")
    parser.add_argument("--json", action="store_true", help="print one JSON list and nothing else")
    parser.add_argument("--photos", default=os.environ.get("XP_PHOTOS"), help="folder or archive of photographs")
    chosen = parser.parse_args()
    torch.set_num_threads(1)
    images, rounds = (128, 3) if chosen.quick else (512, 7)
    with tempfile.TemporaryDirectory() as folder:
        rows = compare_all(Path(folder), chosen.photos, images, rounds)
    if chosen.json:
        print(json.dumps([row.__dict__ for row in rows]))
        return
    for row in rows:
        print(f"{row.case:44} {row.ours:9.0f} {row.peer:9.0f} {row.unit}  x{row.ratio:.2f}  (n={row.n})")


def compare_all(folder: Path, photos: str | None, images: int, rounds: int) -> list[Row]:
    """Measure every case on usual-sized photographs and on those given as they are."""
    rows = []
    for name, enlarge in (("usual size", True), ("as they are", False)):
        if not enlarge and photos is None:
            continue
        root = folder / name.replace(" ", "_")
        write_photos(root, photos, images, enlarge)
        rows += compare_geometry(root, name, rounds)
        rows += compare_everything(root, name, rounds)
        rows += compare_workers(root, name, rounds)
    return rows


def write_photos(root: Path, photos: str | None, images: int, enlarge: bool) -> None:
    """Write `images` JPEG files in two classes below `root`."""
    for number, pixels in enumerate(read_photos(photos, images)):
        image = Image.fromarray(pixels)
        if enlarge:
            image = image.resize(USUAL_SIZE, Image.Resampling.BICUBIC)
        folder = root / f"class{number % 2}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{number:04d}.jpg").write_bytes(usual_jpeg(image, number) if enlarge else jpeg(image, 75))


def read_photos(photos: str | None, images: int) -> Iterator[Pixels]:
    if photos:
        listing = list_images(Data(source="folder", root=photos))
        step = max(1, len(listing.samples) // images)
        yield from (listing.read(index) for index in range(0, min(len(listing.samples), images * step), step))
        return
    noise = np.random.default_rng(0)
    for _ in range(images):
        coarse = Image.fromarray(noise.integers(0, 256, (24, 32, 3), dtype=np.uint8))
        yield np.asarray(coarse.resize((500, 375), Image.Resampling.BICUBIC))


def usual_jpeg(image: Image.Image, seed: int) -> bytes:
    """Encode with just so much grain that the file has ImageNet's usual size: enlarging leaves too little detail."""
    pixels = np.asarray(image).astype(np.float32)
    grain = np.random.default_rng(seed).normal(0, 1, pixels.shape).astype(np.float32)
    held = b""
    for strength in range(0, 33, 4):
        held = jpeg(Image.fromarray(np.clip(pixels + strength * grain, 0, 255).astype(np.uint8)), 95)
        if len(held) >= USUAL_BYTES:
            break
    return held


def jpeg(image: Image.Image, quality: int) -> bytes:
    held = io.BytesIO()
    image.save(held, "JPEG", quality=quality)
    return held.getvalue()


def compare_geometry(root: Path, name: str, rounds: int) -> list[Row]:
    """Crop, resize and flip on the host, uint8 out: our two packs against timm and torchvision."""
    feeds = {f"pack {kind}": our_feed(root, kind, {}) for kind in ("jpeg", "raw")}
    feeds |= {"timm": timm_feed(root, full=False), "torchvision": torchvision_feed(root, full=False)}
    speeds = measure(feeds, rounds)
    pairs = [("pack jpeg", "timm"), ("pack raw", "timm"), ("pack jpeg", "torchvision"), ("pack raw", "torchvision")]
    return [make_row(f"{name}, host geometry", pair, speeds, rounds) for pair in pairs]


def compare_everything(root: Path, name: str, rounds: int) -> list[Row]:
    """Every operation on the CPU on both sides."""
    augment = {"rand_augment": "rand-m9-inc1", "erasing": 0.25}
    feeds = {f"pack {kind}": our_feed(root, kind, augment) for kind in ("jpeg", "raw")}
    feeds |= {"timm": timm_feed(root, full=True), "torchvision": torchvision_feed(root, full=True)}
    speeds = measure(feeds, rounds)
    pairs = [("pack jpeg", "timm"), ("pack raw", "timm"), ("pack jpeg", "torchvision")]
    return [make_row(f"{name}, all on CPU", pair, speeds, rounds) for pair in pairs]


def compare_workers(root: Path, name: str, rounds: int) -> list[Row]:
    """Crop, resize and flip on the host with WORKERS workers, by the wall clock."""
    feeds = {f"pack {kind}": our_feed(root, kind, {}, WORKERS) for kind in ("jpeg", "raw")}
    feeds |= {"timm": timm_feed(root, full=False, workers=WORKERS)}
    speeds = measure(feeds, rounds, time.perf_counter)
    pairs = [("pack jpeg", "timm"), ("pack raw", "timm")]
    return [make_row(f"{name}, {WORKERS} workers", pair, speeds, rounds, "images per second") for pair in pairs]


def make_row(
    case: str, pair: tuple[str, str], speeds: dict[str, float], rounds: int, unit: str = "images per CPU-second"
) -> Row:
    ours, peer = (speeds[side] for side in pair)
    return Row(f"{case}: {pair[0]} / {pair[1]}", "feed", ours, peer, ours / peer, unit, rounds)


def measure(feeds: dict[str, Feed], rounds: int, clock: Callable[[], float] = time.process_time) -> dict[str, float]:
    """Return each feed's median images per second of `clock`: one pass a round, in turn, the first not counted."""
    speeds: dict[str, list[float]] = {name: [] for name in feeds}
    for number in range(rounds + 1):
        for name, feed in feeds.items():
            start = clock()
            count = sum(feed())
            if number:
                speeds[name].append(count / (clock() - start))
    return {name: statistics.median(values) for name, values in speeds.items()}


def our_feed(root: Path, kind: Format, augment: dict[str, Any], workers: int = 0) -> Feed:
    """Feed epochs of our loader from a pack made once; with `augment`, floats as a network takes them."""
    from engine.core.distill.teacher import normalize

    given = {"source": "folder", "root": str(root), "format": kind, "augment": augment, "workers": workers}
    data = Data.model_validate(given)
    folder = root.parent / f"{root.name}_{kind}"
    if not folder.exists():
        folder.mkdir()
        write_pack(list_images(data), folder, data.short_side, lambda done, count: None, format=kind)
    pack = open_pack(folder)
    loader = TrainLoader(pack, np.arange(len(pack)), data, SIZE, BATCH, 0, None)
    epochs = iter(range(1 << 30))

    def feed() -> Iterator[int]:
        for batch in loader.epoch(next(epochs)):
            if augment:
                normalize(batch.images, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
            yield len(batch.images)

    return feed


def timm_feed(root: Path, full: bool, workers: int = 0) -> Feed:
    """timm's create_loader. Not full: no photometric work, uint8 out. (rand-m9-mstd0.5-inc1 fails on Pillow 13.)"""
    from timm.data.dataset_factory import create_dataset
    from timm.data.loader import create_loader, fast_collate
    from timm.data.transforms_factory import create_transform

    dataset = create_dataset("", root=str(root))
    if full:
        loader = create_loader(
            dataset,
            (3, SIZE, SIZE),
            BATCH,
            is_training=True,
            use_prefetcher=False,
            num_workers=0,
            re_prob=0.25,
            auto_augment="rand-m9-inc1",
            color_jitter=None,  # type: ignore[arg-type]
            scale=SCALE,
            interpolation="bicubic",
            persistent_workers=False,
            pin_memory=False,
        )
    else:
        dataset.transform = create_transform(
            SIZE,
            is_training=True,
            use_prefetcher=True,
            color_jitter=None,  # type: ignore[arg-type]
            scale=SCALE,
            interpolation="bicubic",
        )
        loader = torch.utils.data.DataLoader(
            dataset, BATCH, shuffle=True, collate_fn=fast_collate, num_workers=workers, persistent_workers=workers > 0
        )

    def feed() -> Iterator[int]:
        return (len(images) for images, _ in loader)

    return feed


def torchvision_feed(root: Path, full: bool) -> Feed:
    """ImageFolder with torchvision's transforms. Not full: uint8 out."""
    from torchvision import datasets, transforms  # type: ignore[import-untyped]

    bicubic = transforms.InterpolationMode.BICUBIC
    crop = transforms.RandomResizedCrop(SIZE, scale=SCALE, interpolation=bicubic)
    steps: list[Any] = [crop, transforms.RandomHorizontalFlip()]
    if full:
        mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
        steps += [transforms.RandAugment(), transforms.ToTensor(), transforms.Normalize(mean, std)]
        steps += [transforms.RandomErasing(0.25)]
    else:
        steps += [transforms.PILToTensor()]
    dataset = datasets.ImageFolder(str(root), transforms.Compose(steps))
    loader = torch.utils.data.DataLoader(dataset, BATCH, shuffle=True)

    def feed() -> Iterator[int]:
        return (len(images) for images, _ in loader)

    return feed


if __name__ == "__main__":
    main()
