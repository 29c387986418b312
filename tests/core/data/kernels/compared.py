"""Run in Triton's interpreter: makes images by the kernels and by the host, tells where all bytes are alike."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from engine.core.data.augment import OPERATIONS, Draws, augment_views
from engine.core.data.decoded_cache import DeviceCache
from engine.core.data.kernels.orders import CHANGES, NUMBERS, ChangeOrder, order_changes, order_mix
from engine.core.data.kernels.parcel import Parcel
from engine.core.data.kernels.ready import make_here, make_there
from engine.core.data.loader import EvalLoader, TrainLoader
from engine.core.data.mixing import draw_pairs, mix_pairs
from engine.core.data.normalize import normalize
from engine.core.data.pack import open_pack, write_pack
from engine.core.data.resample import Boxes, resize_boxes
from engine.core.data.sources import list_images
from engine.spec import Augment, Data
from engine.spec.base import Interpolation

MARK = "compared: "
HOST, SIDE = torch.device("cpu"), 24
LEVELS = (-1.0, 0.37)
STEPS = {
    "rand_augment": Augment(rand_augment="rand-m9-mstd0.5-inc1"),
    "color_jitter": Augment(color_jitter=0.4),
    "erasing": Augment(erasing=0.5),
}
MIXES = {"mixup": Augment(mixup=0.8), "cutmix": Augment(cutmix=1.0), "both": Augment(mixup=0.8, cutmix=1.0)}
BOXES = [(0, 50, 3, 1, 40, 30), (6000, 50, 0, 5, 50, 35), (12000, 50, 10, 0, 17, 40), (18000, 20, 0, 0, 3, 1)]
KEYS = [f"{number:064x}" for number in range(16)]


def soft_images(count: int) -> Tensor:
    """Return images whose neighbours are alike; the last one has one colour."""
    noise = np.random.default_rng(0)
    coarse = [Image.fromarray(noise.integers(0, 256, (5, 5, 3), dtype=np.uint8)) for _ in range(count)]
    pixels = [np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BICUBIC)) for image in coarse]
    images = torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2).contiguous()
    images[-1] = 7
    return images


def compare_operations() -> Iterator[tuple[str, bool]]:
    """Every operation at every level, all of them in one launch."""
    from engine.core.data.kernels.change import change_ordered

    images = soft_images(2)
    names = [(name, level) for name in OPERATIONS for level in LEVELS]
    batch = images.repeat(len(names), 1, 1, 1)
    kinds = np.repeat([int(CHANGES[name].change) for name, _ in names], 2).astype(np.int32)
    numbers = np.zeros((len(batch), NUMBERS), dtype=np.float32)
    for place, (name, level) in enumerate(names):
        asked = CHANGES[name].numbers(torch.full((2,), level), SIDE)
        numbers[2 * place : 2 * place + 2, : asked.shape[1]] = asked.numpy()
    parcel = Parcel()
    order = ChangeOrder([(parcel.add(kinds), parcel.add(numbers))], None, None, -1)
    changed = change_ordered(batch, order, parcel.pack(HOST).send(HOST)).view(-1, 2, 3, SIDE, SIDE)
    for (name, level), made in zip(names, changed, strict=True):
        yield f"{name} {level}", torch.equal(made, OPERATIONS[name](images.clone(), torch.full((2,), level)))


def compare_steps() -> Iterator[tuple[str, bool]]:
    from engine.core.data.kernels.change import change_ordered

    images = soft_images(len(KEYS))
    for name, augment in STEPS.items():
        parcel = Parcel()
        order = order_changes(parcel, KEYS, Draws(5, 3), augment, SIDE)
        made = change_ordered(images.clone(), order, parcel.pack(HOST).send(HOST))
        yield name, torch.equal(made, augment_views(images.clone(), KEYS, 3, 5, augment))


def compare_mixes() -> Iterator[tuple[str, bool]]:
    from engine.core.data.kernels.mix import mix_ordered

    for name, augment in MIXES.items():
        for count in (16, 7, 1):
            images, keys, parcel = soft_images(count), KEYS[:count], Parcel()
            order = order_mix(parcel, draw_pairs(keys, 3, 5, augment, SIDE), count)
            made = mix_ordered(images, order, parcel.pack(HOST).send(HOST))
            yield f"{name} of {count}", torch.equal(made, mix_pairs(images, keys, 3, 5, augment)[0])


def compare_boxes() -> Iterator[tuple[str, bool]]:
    from engine.core.data.kernels.resize import order_boxes, resize_ordered

    flat = torch.randint(0, 256, (20000,), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))
    flips = [False, True, False, True]
    kinds: tuple[Interpolation, ...] = ("bicubic", "bilinear")
    for kind in kinds:
        parcel = Parcel()
        order = order_boxes(parcel, BOXES, flips, SIDE, kind)
        made = resize_ordered(flat, order, parcel.pack(HOST).send(HOST))
        expected = resize_boxes(flat, Boxes.of(BOXES, HOST), SIDE, kind, 4)
        expected[1::2] = expected[1::2].flip(3)
        yield f"boxes {kind}", torch.equal(made, expected)


def compare_loaders(root: Path) -> Iterator[tuple[str, bool]]:
    """Batches of large and small images, of which the device holds some."""
    noise = np.random.default_rng(1)
    for number in range(8):
        (root / "images" / "ab"[number % 2]).mkdir(parents=True, exist_ok=True)
        shape = (40, 30, 3) if number % 4 == 3 else (66, 70, 3)
        pixels = Image.fromarray(noise.integers(0, 256, shape, dtype=np.uint8))
        pixels.save(root / "images" / "ab"[number % 2] / f"{number}.bmp")
    augment = Augment(rand_augment="rand-m9-mstd0.5-inc1", color_jitter=0.4, erasing=0.5, mixup=0.8, cutmix=1.0)
    data = Data.model_validate({"source": "folder", "root": str(root / "images"), "augment": augment})
    (root / "pack").mkdir()
    write_pack(list_images(data), root / "pack", 66, lambda done, count: None)
    expected = make_batches(root / "pack", data, None, 0)
    made = make_batches(root / "pack", data, 3, 1)
    yield "loaders with 3 of 8 images held", all(map(torch.equal, made, expected))


def make_batches(folder: Path, data: Data, held: int | None, workers: int) -> list[Tensor]:
    """Return the images and shares of a training's and an evaluation's loader; by the kernels if `held` is told."""
    pack, rows = open_pack(folder), np.arange(8)
    data = data.model_copy(update={"workers": workers})
    if held is not None:
        pack.decoded_caches["raw", "cpu"] = DeviceCache(pack, HOST, held)
    with patch("engine.core.data.loader.has_kernels", lambda *asked: held is not None):
        train = list(TrainLoader(pack, rows, data, SIDE, 6, 0, None).epoch(1))
        shown = list(EvalLoader(pack, rows, data, SIDE, 5))
    shares = [batch.mix.share for batch in train if batch.mix is not None]
    return [batch.images for batch in [*train, *shown]] + shares


def compare_pixels() -> Iterator[tuple[str, bool]]:
    """Pixels normalised by the kernel and by the plain operators, of three channels and of one."""
    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    images = soft_images(5)
    for name, shown in {"pixels of 5 images": images, "pixels of one colour": images[:2, :1].contiguous()}.items():
        channels = shown.shape[1]
        expected = normalize(shown, mean[:channels], std[:channels])
        with patch("engine.core.data.normalize.can_look_up", lambda device: True):
            yield name, torch.equal(normalize(shown, mean[:channels], std[:channels]), expected)


def compare_all() -> dict[str, bool]:
    found = dict([*compare_operations(), *compare_steps(), *compare_mixes(), *compare_boxes(), *compare_pixels()])
    with patch("engine.core.data.kernels.ready.TRIED", 5):  # images: the interpreter takes its time
        found["a whole batch"] = torch.equal(make_there(HOST, SIDE, "bicubic"), make_here(SIDE, "bicubic"))
    with tempfile.TemporaryDirectory() as root:
        found.update(compare_loaders(Path(root)))
    return found


if __name__ == "__main__":
    print(MARK + json.dumps(compare_all()), flush=True)
