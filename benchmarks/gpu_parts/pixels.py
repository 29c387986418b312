"""Bytes: tells of every augmentation, of mixing and of the album whether the device makes what the CPU makes."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from torch import Tensor

from benchmarks.gpu_parts.findings import Place, Teller
from benchmarks.gpu_parts.photos import write_photos
from engine.core.data.augment import OPERATIONS, Operation, augment_views
from engine.core.data.kernels.ready import find_problem
from engine.core.data.loader import EvalLoader, TrainLoader
from engine.core.data.mixing import mix_pairs
from engine.core.data.pack import Pack, open_pack, write_pack
from engine.core.data.sources import list_images
from engine.spec import Augment, Data

STEPS: dict[str, dict[str, object]] = {
    "RandAugment": {"rand_augment": "rand-m9-mstd0.5-inc1"},
    "colour jitter": {"color_jitter": 0.4},
    "erasing": {"erasing": 0.9},
    "all of them": {"rand_augment": "rand-m9-mstd0.5-inc1", "color_jitter": 0.4, "erasing": 0.25},
}
MIXES: dict[str, dict[str, object]] = {
    "mixup": {"mixup": 0.8},
    "CutMix": {"cutmix": 1.0},
    "mixup or CutMix": {"mixup": 0.8, "cutmix": 1.0},
}
ALL = {**STEPS["all of them"], **MIXES["mixup or CutMix"]}
# What the loaders make on a GPU, by kernels where they are built, each step alone and all together.
ALBUMS: dict[str, tuple[str, dict[str, object]]] = {
    "bicubic": ("bicubic", {}),
    "bilinear": ("bilinear", {}),
    **{name: ("bicubic", words) for name, words in {**STEPS, **MIXES}.items()},
    "all augmentation and mixing": ("bicubic", ALL),
    "the same, bilinear": ("bilinear", ALL),
}
VIEW_SEED, VIEWS = 3, 3
Change = Callable[[Tensor], Tensor]


def run(place: Place, teller: Teller) -> None:
    images = draw_images(place)
    keys = [f"image {number}" for number in range(len(images))]
    for name, operation in OPERATIONS.items():
        levels = torch.linspace(-1.0, 1.0, len(images))
        compare(place, teller, f"operation {name}", partial(apply, operation=operation, levels=levels), images)
    for name, words in STEPS.items():
        told = Augment.model_validate(words)
        for view in range(VIEWS):
            change = partial(augment_views, keys=keys, view=view, view_seed=VIEW_SEED, augment=told)
            compare(place, teller, f"{name}, view {view}", change, images)
    for name, words in MIXES.items():
        told = Augment.model_validate(words)
        compare(place, teller, name, partial(mix_images, keys=keys, words=told), images)
    with teller.case("album"):
        compare_albums(place, teller)


def apply(images: Tensor, operation: Operation, levels: Tensor) -> Tensor:
    return operation(images, levels)


def mix_images(images: Tensor, keys: Sequence[str], words: Augment) -> Tensor:
    return mix_pairs(images, keys, 0, 1, words)[0]


def draw_images(place: Place) -> Tensor:
    """Return uint8 (B, 3, S, S): noise, a ramp, single levels, which each find other roundings."""
    count, side = (48, 224) if place.is_real else (8, 64)
    images = torch.randint(0, 256, (count, 3, side, side), generator=torch.Generator().manual_seed(0)).byte()
    ramp = torch.arange(side * side).view(side, side) * 256 // (side * side)
    images[0], images[1], images[2] = ramp.byte(), 0, 255
    images[3] = images[3] // 16 + 120
    return images


def compare(place: Place, teller: Teller, case: str, change: Change, images: Tensor) -> None:
    """Tell whether `change` makes the same bytes on the device as on the CPU."""
    with teller.case(case):
        here, there = change(images.clone()), change(images.to(place.device, copy=True))
        teller.judge(case, "bytes that differ", *differ(here, there), unit=f"of {here.numel()}")


def differ(here: Tensor, there: Tensor) -> tuple[bool, float]:
    """Return whether two images are equal, and in how many bytes they are not."""
    count = int((here != there.cpu()).sum()) if here.shape == there.shape else here.numel()
    return count == 0, float(count)


def compare_albums(place: Place, teller: Teller) -> None:
    """Batches from images that the device holds against those of the host, of one pack of JPEG files."""
    count = 256 if place.is_real else 16
    folder = place.folder / "album"
    photos = write_photos(folder / "photos", count, 4, tall=150, wide=200)
    words = {"source": "folder", "root": str(photos), "image_size": 96, "short_side": 120}
    (folder / "pack").mkdir()
    write_pack(list_images(Data.model_validate(words)), folder / "pack", 120, lambda done, total: None)
    pack = open_pack(folder / "pack")
    for name, (kind, changes) in ALBUMS.items():
        data = Data.model_validate({**words, "interpolation": kind, "augment": changes})
        with teller.case(f"album, {name}"):
            compare_loaders(place, teller, f"album, {name}", pack, data)
    if place.is_real:
        problem = find_problem(torch.device("cuda", 0), data.image_size, data.interpolation)
        teller.judge("album", "batches are made by kernels", not problem, note=problem)


def compare_loaders(place: Place, teller: Teller, name: str, pack: Pack, data: Data) -> None:
    rows, device, batch = np.arange(len(pack)), torch.device(place.device), len(pack) // 2
    host, held = (data.model_copy(update={"cache": cache}) for cache in ("raw", "device"))
    away = [0.0, 0.0]
    for view in range(2):
        here = TrainLoader(pack, rows, host, data.image_size, batch, 0, None).epoch(view)
        there = TrainLoader(pack, rows, held, data.image_size, batch, 0, None, device).epoch(view)
        for one, other in zip(here, there, strict=True):
            away[0] += differ(one.images, other.images)[1]
    centres = EvalLoader(pack, rows, host, 96, batch), EvalLoader(pack, rows, held, 96, batch, device)
    for one, other in zip(*centres, strict=True):
        away[1] += differ(one.images, other.images)[1]
    teller.judge(name, "bytes of training views that differ", away[0] == 0, away[0])
    teller.judge(name, "bytes of centre crops that differ", away[1] == 0, away[1])
