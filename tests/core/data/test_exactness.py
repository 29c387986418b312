"""The same view always: batch size, workers, seed, split, resume, cache and the targets pass change no bit of it."""

from __future__ import annotations

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor

from engine.core.data import decoded_cache as resident
from engine.core.data.decoded_cache import DeviceCache
from engine.core.data.loader import HOST, EvalLoader, TrainLoader, render_rows
from engine.core.data.pack import Pack, open_pack, write_pack
from engine.core.data.sources import list_images
from engine.inputs.splits import make_split
from engine.spec import Augment, Data

SIZE, EPOCH = 32, 4
FULL = Augment(rand_augment="rand-m9-mstd0.5-inc1", color_jitter=0.4, erasing=0.5)
MIXED = FULL.model_copy(update={"mixup": 0.8, "cutmix": 1.0})
PATHS = [("raw", "auto"), ("raw", "raw"), ("raw", "device"), ("jpeg", "jpeg"), ("jpeg", "raw"), ("jpeg", "device")]


@pytest.fixture(autouse=True)
def _host_as_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the host for a device, so that what is done on a GPU is done here."""
    honest = resident._choose_cache

    def choose(pack: Pack, data: Data, device: torch.device) -> resident.Cache:
        return "device" if data.cache == "device" else honest(pack, data, device)

    monkeypatch.setattr(resident, "_choose_cache", choose)


@pytest.fixture(scope="module")
def packs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Pack]:
    """A raw and a JPEG pack of 80 images in two classes, of several shapes, small ones among them."""
    root = tmp_path_factory.mktemp("images")
    noise = np.random.default_rng(0)
    for number in range(80):
        (root / "ab"[number % 2]).mkdir(exist_ok=True)
        coarse = Image.fromarray(noise.integers(0, 256, (5, 6, 3), dtype=np.uint8))
        shape = [(90, 70), (70, 110), (40, 30), (200, 65)][number % 4]
        coarse.resize(shape, Image.Resampling.BICUBIC).save(root / "ab"[number % 2] / f"{number}.png")
    found = {}
    for kind in ("raw", "jpeg"):
        folder = tmp_path_factory.mktemp(kind)
        write_pack(list_images(folder_data(root)), folder, 72, lambda done, count: None, format=kind)
        found[kind] = open_pack(folder)
    return found


def folder_data(root: object = "packed", **more: object) -> Data:
    return Data.model_validate({"source": "folder", "root": str(root), **more})


def make_loader(
    pack: Pack, cache: str, batch: int = 64, workers: int = 0, seed: int = 0, rows: NDArray[np.int64] | None = None,
    views: int | None = None, augment: Augment = FULL,
) -> TrainLoader:  # fmt: skip
    data = folder_data(format=pack.format, cache=cache, workers=workers).model_copy(update={"augment": augment})
    return TrainLoader(pack, np.arange(len(pack)) if rows is None else rows, data, SIZE, batch, seed, views)


def by_row(loader: TrainLoader, epoch: int = EPOCH, start: int = 0) -> dict[int, Tensor]:
    batches = loader.epoch(epoch, start)
    return {int(row): image for batch in batches for row, image in zip(batch.rows, batch.images, strict=True)}


def taught(pack: Pack, augment: Augment = FULL) -> Tensor:
    """What the targets pass shows a teacher, every row in order."""
    return render_rows(pack, np.arange(len(pack)), EPOCH, 0, augment, SIZE)


@pytest.mark.parametrize(("kind", "cache"), PATHS)
def test_students_see_the_targets_passs_bits_at_any_batch_size_workers_and_seed(
    packs: dict[str, Pack], kind: str, cache: str
) -> None:
    pack = packs[kind]
    expected = taught(pack)
    for (batch, workers), seed in zip(product((1, 7, 64), (0, 1, 2)), range(9), strict=True):
        seen = by_row(make_loader(pack, cache, batch, workers, seed))
        assert len(seen) >= len(pack) - 1
        assert all(torch.equal(image, expected[row]) for row, image in seen.items())


@pytest.mark.parametrize(("kind", "cache"), PATHS)
def test_splits_finite_views_and_resumed_epochs_show_the_same_bits(
    packs: dict[str, Pack], kind: str, cache: str
) -> None:
    pack = packs[kind]
    expected = taught(pack)
    for text in ("60/20/20", "80/10/10"):
        rows = make_split(pack.keys, pack.labels, pack.class_names, text, 0).train
        for views in (None, 5):
            loader = make_loader(pack, cache, 7, 1, rows=rows, views=views)
            whole, rest = by_row(loader), by_row(make_loader(pack, cache, 7, rows=rows, views=views), start=3)
            assert set(whole) <= set(rows.tolist())
            assert len(rest) == len(whole) - 21
            assert all(torch.equal(image, expected[row]) for row, image in {**whole, **rest}.items())
    if kind == "raw":
        again = by_row(make_loader(pack, cache, 7, views=EPOCH), epoch=2 * EPOCH)
        assert all(
            torch.equal(image, render_rows(pack, np.array([row]), 0, 0, FULL, SIZE)[0]) for row, image in again.items()
        )


@pytest.mark.parametrize(("kind", "cache"), PATHS)
def test_mixed_views_have_the_same_bits_at_batch_sizes_2_8_and_64(
    packs: dict[str, Pack], kind: str, cache: str
) -> None:
    def mixed(cache: str, batch: int, workers: int = 0, start: int = 0) -> dict[int, tuple[int, float, Tensor]]:
        found = {}
        for step in make_loader(packs[kind], cache, batch, workers, augment=MIXED).epoch(EPOCH, start):
            assert step.mix is not None
            partners = step.rows[step.mix.partner].tolist()
            for place, row in enumerate(step.rows.tolist()):
                found[row] = (partners[place], float(step.mix.share[place]), step.images[place])
        return found

    base = mixed("auto", 64)
    assert any(not torch.equal(image, taught(packs[kind])[row]) for row, (_, _, image) in base.items())
    for batch, workers, start in ((2, 0, 0), (8, 1, 0), (64, 2, 0), (8, 0, 4)):
        other = mixed(cache, batch, workers, start)
        assert len(other) == len(packs[kind]) - start * batch
        for row, (partner, share, image) in other.items():
            assert (partner, share) == base[row][:2]
            assert torch.equal(image, base[row][2])


@pytest.mark.parametrize(("kind", "cache"), PATHS)
def test_evaluation_shows_the_same_bits_from_every_cache(packs: dict[str, Pack], kind: str, cache: str) -> None:
    def shown(cache: str, batch: int) -> Tensor:
        data = folder_data(format=kind, cache=cache, workers=1)
        return torch.cat([step.images for step in EvalLoader(packs[kind], np.arange(80), data, SIZE, batch)])

    assert torch.equal(shown(cache, 7), shown("auto", 64))


def test_loaders_of_one_pack_share_what_is_held(packs: dict[str, Pack]) -> None:
    first, second = make_loader(packs["raw"], "device"), make_loader(packs["raw"], "device", 7)
    assert isinstance(first.decoded, DeviceCache)
    assert first.decoded is second.decoded
    assert make_loader(packs["jpeg"], "device").decoded is not first.decoded


GPU = torch.device("cuda")


@pytest.mark.parametrize(
    ("device", "cache", "room", "expected"),
    [
        (HOST, "auto", 0.0, "jpeg"),
        (HOST, "device", 0.0, "raw"),
        (GPU, "auto", 4.0, "device"),
        (GPU, "auto", 3.9, "jpeg"),
        (GPU, "device", 2.0, "device"),
        (GPU, "device", 1.0, "jpeg"),
        (GPU, "raw", 9.0, "raw"),
        (GPU, "jpeg", 9.0, "jpeg"),
    ],
)
def test_the_device_holds_a_set_that_fits(
    packs: dict[str, Pack],
    monkeypatch: pytest.MonkeyPatch,
    device: torch.device,
    cache: str,
    room: float,
    expected: str,
) -> None:
    monkeypatch.undo()
    pack = replace(packs["jpeg"], decoded_caches={})
    free = round(room * resident.decoded_bytes(pack))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (free, free))
    assert resident._choose_cache(pack, folder_data(format="jpeg", cache=cache), device) == expected
