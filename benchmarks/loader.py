"""Images a second that the loader feeds, against timm's loader and torchvision's ImageFolder on the same photographs.

Photographs: --photos (a class-per-folder tree or archive), enlarged to ImageNet's usual 500 x 375 pixels and 110
KB, and once more as they are; drawn ones when none are given. Figures are images per CPU-second of one thread, all of
the work in this process, and images per second with WORKERS workers (ours are threads, theirs processes). The rounds of
the sides alternate and the median counts. All sides crop 0.35 to 1 of the area and resize bicubically.

  host geometry   both sides decode, crop at random, resize and flip on the host, and give uint8: what a host does when
                  the rest is done by the device
  device's share  that rest: RandAugment, erasing, normalisation. Ours in batches on the GPU, or on this CPU as the
                  device where there is none (the case says which); the peer's on its host, image by image, as the
                  difference of its time for everything and for geometry
  all on CPU      both sides do everything on the host, and give floats
  workers         as host geometry, by the wall clock
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
from engine.core.data.decode import Pixels
from engine.core.data.loader import TrainLoader
from engine.core.data.pack import Format, Pack, open_pack, write_pack
from engine.core.data.sources import list_images
from engine.spec import Data

SIZE, BATCH, WORKERS = 224, 32, 2
USUAL_SIZE, USUAL_BYTES = (500, 375), 110_000
SCALE = (0.35, 1.0)
AUGMENT = {"rand_augment": "rand-m9-inc1", "erasing": 0.25}
GEOMETRY, PHOTOMETRY = "decode, crop, resize, flip", "RandAugment, erase, normalise"
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
        print(f"{row.case:78} {row.ours:9.0f} {row.peer:9.0f} {row.unit}  x{row.ratio:.2f}  (n={row.n})")


def compare_all(folder: Path, photos: str | None, images: int, rounds: int) -> list[Row]:
    """Measure every case on usual-sized photographs and on those given as they are."""
    rows = []
    for name, enlarge in (("usual size", True), ("as they are", False)):
        if not enlarge and photos is None:
            continue
        root = folder / name.replace(" ", "_")
        write_photos(root, photos, images, enlarge)
        geometry = measure_geometry(root, rounds)
        everything = measure_everything(root, rounds)
        rows += geometry_rows(name, geometry, rounds)
        rows.append(compare_device(root, name, geometry["timm"], everything["timm"], rounds))
        rows += everything_rows(name, everything, rounds)
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


def measure_geometry(root: Path, rounds: int) -> dict[str, float]:
    """Crop, resize and flip on the host, uint8 out: our two packs, timm and torchvision."""
    feeds = {f"pack {kind}": our_feed(root, kind, {}) for kind in ("jpeg", "raw")}
    feeds |= {"timm": timm_feed(root, full=False), "torchvision": torchvision_feed(root, full=False)}
    return measure(feeds, rounds)


def geometry_rows(name: str, speeds: dict[str, float], rounds: int) -> list[Row]:
    pairs = [("pack jpeg", "timm"), ("pack raw", "timm"), ("pack jpeg", "torchvision"), ("pack raw", "torchvision")]
    return [make_row(f"{name}, host geometry", pair, speeds, rounds, GEOMETRY) for pair in pairs]


def measure_everything(root: Path, rounds: int) -> dict[str, float]:
    """Every operation on the CPU on both sides."""
    feeds = {f"pack {kind}": our_feed(root, kind, AUGMENT) for kind in ("jpeg", "raw")}
    feeds |= {"timm": timm_feed(root, full=True), "torchvision": torchvision_feed(root, full=True)}
    return measure(feeds, rounds)


def everything_rows(name: str, speeds: dict[str, float], rounds: int) -> list[Row]:
    pairs = [("pack jpeg", "timm"), ("pack raw", "timm"), ("pack jpeg", "torchvision")]
    return [make_row(f"{name}, all on CPU", pair, speeds, rounds, f"{GEOMETRY}, {PHOTOMETRY}") for pair in pairs]


def compare_device(root: Path, name: str, geometry: float, everything: float, rounds: int) -> Row:
    """Our photometric work on batches that lie on the device, against timm's share of it on its host."""
    device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
    on_gpu = device.type == "cuda"
    clock = time.perf_counter if on_gpu else time.process_time
    ours = measure({"ours": device_feed(root, device)}, rounds, clock)["ours"]
    peer = 1 / max(1e-9, 1 / everything - 1 / geometry)
    where = "the GPU" if on_gpu else "this CPU as the device, no GPU here"
    case = f"{name}, device's share on {where}: ours / timm's host"
    unit = "images per device-second" if on_gpu else "images per CPU-second"
    return Row(case, PHOTOMETRY, ours, peer, ours / peer, unit, rounds)


def device_feed(root: Path, device: torch.device) -> Feed:
    """Augment and normalise batches that are on the device already; one pass ends when the device is done."""
    from engine.core.data.augment import augment_views
    from engine.core.data.normalize import normalize

    pack, data = our_pack(root, "raw", AUGMENT)
    plain = data.model_copy(update={"augment": data.augment.model_copy(update={"rand_augment": None, "erasing": 0.0})})
    loader = TrainLoader(pack, np.arange(len(pack)), plain, SIZE, BATCH, 0, None)
    held = [(batch.images.to(device), [pack.keys[row] for row in batch.rows]) for batch in loader.epoch(0)]
    views = iter(range(1 << 30))

    def feed() -> Iterator[int]:
        view = next(views)
        for images, keys in held:
            shown = augment_views(images.clone(), keys, view, 0, data.augment)
            normalize(shown, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
            yield len(images)
        if device.type == "cuda":
            torch.cuda.synchronize(device)

    return feed


def compare_workers(root: Path, name: str, rounds: int) -> list[Row]:
    """Crop, resize and flip on the host with WORKERS workers, by the wall clock."""
    feeds = {f"pack {kind}": our_feed(root, kind, {}, WORKERS) for kind in ("jpeg", "raw")}
    feeds |= {"timm": timm_feed(root, full=False, workers=WORKERS)}
    speeds = measure(feeds, rounds, time.perf_counter)
    pairs = [("pack jpeg", "timm"), ("pack raw", "timm")]
    case = f"{name}, {WORKERS} workers"
    return [make_row(case, pair, speeds, rounds, GEOMETRY, "images per second") for pair in pairs]


def make_row(
    case: str,
    pair: tuple[str, str],
    speeds: dict[str, float],
    rounds: int,
    figure: str,
    unit: str = "images per CPU-second",
) -> Row:
    """Return a row; `figure` names the work that both sides do."""
    ours, peer = (speeds[side] for side in pair)
    return Row(f"{case}: {pair[0]} / {pair[1]}", figure, ours, peer, ours / peer, unit, rounds)


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


def our_pack(root: Path, kind: Format, augment: dict[str, Any], workers: int = 0) -> tuple[Pack, Data]:
    """Return the pack of `root`, made once, and the words it is loaded by."""
    given = {"source": "folder", "root": str(root), "format": kind, "augment": augment, "workers": workers}
    data = Data.model_validate(given)
    folder = root.parent / f"{root.name}_{kind}"
    if not folder.exists():
        folder.mkdir()
        write_pack(list_images(data), folder, data.short_side, lambda done, count: None, format=kind)
    return open_pack(folder), data


def our_feed(root: Path, kind: Format, augment: dict[str, Any], workers: int = 0) -> Feed:
    """Feed epochs of our loader; with `augment`, floats as a network takes them."""
    from engine.core.data.normalize import normalize

    pack, data = our_pack(root, kind, augment, workers)
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
