"""`data.cache: auto` fills a GPU with images as far as the training, measured, leaves room; the log says how far."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

from engine.core.data import decoded_cache
from engine.core.data.decoded_cache import DeviceCache, count_held, decoded_bytes, open_decoded
from engine.core.data.pack import open_pack, write_pack
from engine.core.data.sources import list_images
from engine.core.train.forward import Forward
from engine.core.train.room import free_bytes
from engine.inputs.splits import split_pack
from engine.run import placing
from engine.run.attempt import Attempt
from engine.run.inputs import Images
from engine.run.placing import hold_images, place_images
from engine.spec import Data
from tests.run import test_memory

HOST, GPU = torch.device("cpu"), torch.device("cuda")
GIB = 1 << 30


def make_attempt(folder: Path, ooms: int = 0) -> Attempt:
    return test_memory.make_attempt(folder, ooms, "auto")


@pytest.fixture
def images(tmp_path: Path) -> Images:
    """Photographs of two classes, 90 x 70 pixels."""
    noise = np.random.default_rng(0)
    for number in range(20):
        (tmp_path / "images" / "ab"[number % 2]).mkdir(parents=True, exist_ok=True)
        pixels = Image.fromarray(noise.integers(0, 256, (70, 90, 3), dtype=np.uint8))
        pixels.save(tmp_path / "images" / "ab"[number % 2] / f"{number}.png")
    data = Data(source="folder", root=str(tmp_path / "images"), image_size=32)
    (tmp_path / "pack").mkdir()
    write_pack(list_images(data), tmp_path / "pack", 256, lambda done, count: None)
    pack = open_pack(tmp_path / "pack")
    return Images(data, pack, split_pack(pack, data))


def held_by(images: Images) -> int:
    cache = images.pack.decoded_caches.get(("device", "cpu"))
    return cache.held if isinstance(cache, DeviceCache) else 0


def test_all_images_are_held_where_the_training_leaves_room(images: Images, capsys: pytest.CaptureFixture[str]) -> None:
    size, count = decoded_bytes(images.pack), len(images.pack)
    placed = hold_images(images, HOST, size + 1000, 1000)
    assert (placed.data.cache, held_by(images)) == ("device", count)
    assert f"{count} of {count} images are held by the GPU" in capsys.readouterr().out
    assert open_decoded(placed.pack, placed.data, HOST).cache != "jpeg"


@pytest.mark.parametrize("share", [0.3, 0.7])
def test_a_card_is_filled_with_a_part_of_the_images(images: Images, share: float) -> None:
    pack = images.pack
    room = round(share * decoded_bytes(pack))
    placed = hold_images(images, HOST, room + 5, 5)
    held = held_by(images)
    sizes = np.cumsum([3 * np.prod(pack.size(row)) for row in range(len(pack))])
    assert placed.data.cache == "device"
    assert sizes[held - 1] <= room < sizes[held]
    assert held == count_held(pack, room)


@pytest.mark.parametrize("room", [-1, 0, 1])
def test_images_stay_on_the_host_where_hardly_any_fits(
    images: Images, capsys: pytest.CaptureFixture[str], room: int
) -> None:
    placed = hold_images(images, HOST, GIB, GIB - room)
    assert (placed.data.cache, held_by(images)) == (images.pack.format, 0)
    assert "0 of " in capsys.readouterr().out


def test_raw_imagenet100_fits_an_80_gb_card_beside_a_training(
    images: Images, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """34 GB beside TinyViT-21M at 256 images, which takes 19 GiB: a quarter of what is free would not do."""
    count = len(images.pack)
    sizes = np.linspace(0, 34e9, count + 1).astype(np.int64)
    monkeypatch.setattr(decoded_cache, "_offsets", lambda pack: sizes)
    monkeypatch.setattr(placing, "DeviceCache", lambda pack, device, held: held)
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (79 * GIB, 80 * GIB))
    assert sizes[-1] > decoded_cache.AUTO_SHARE * 79 * GIB
    placed = hold_images(images, GPU, free_bytes(GPU), 19 * GIB)
    assert (placed.data.cache, images.pack.decoded_caches["device", "cuda"]) == ("device", count)
    said = capsys.readouterr().out
    assert f"{count} of {count} images are held by the GPU (31.7 GiB decoded; 74.5 GiB free" in said
    assert "the training takes 19.0 GiB" in said


def place(images: Images, attempt: Attempt, device: torch.device) -> Images:
    return place_images(attempt, images, nn.Identity(), Forward(device, "fp32", (), ()), 8, None)


def test_what_a_spec_says_and_a_training_on_the_cpu_are_left_alone(
    images: Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(placing, "training_bytes", lambda *asked: pytest.fail("there is nothing to measure"))
    assert place(images, make_attempt(tmp_path), HOST) is images
    told = replace(images, data=images.data.model_copy(update={"cache": "raw"}))
    assert place(told, make_attempt(tmp_path), GPU) is told


def test_after_running_out_of_memory_no_image_is_held(
    images: Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(placing, "training_bytes", lambda *asked: pytest.fail("it would run out once more"))
    assert place(images, make_attempt(tmp_path, ooms=1), GPU).data.cache == images.pack.format
    assert "an earlier attempt ran out of memory" in capsys.readouterr().out


def test_the_training_is_measured_at_the_images_that_it_takes_at_once(
    images: Images, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[int] = []

    def measure(network: nn.Module, forward: Forward, batch: int, size: int, beside: object) -> int:
        asked.extend((batch, size))
        return 5 * GIB

    monkeypatch.setattr(placing, "training_bytes", measure)
    monkeypatch.setattr(placing, "free_bytes", lambda device: 4 * GIB)
    assert place(images, make_attempt(tmp_path), GPU).data.cache == images.pack.format
    assert asked == [8, 32]
