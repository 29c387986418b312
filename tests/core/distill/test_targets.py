"""Cached targets are the teacher's logits on exactly the views that students see; a damaged cache is refused."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from engine.core.data.loader import TrainLoader
from engine.core.data.pack import Pack, open_pack, write_pack
from engine.core.data.sources import list_images
from engine.core.distill.targets import encode_logits, is_valid_targets, open_targets, write_targets
from engine.errors import DataError, JobError
from engine.spec import Augment, Data

SIZE = 16
DATA = Data(source="digits", image_size=SIZE, views=2)
ROWS = np.arange(10, 60)


@pytest.fixture(scope="module")
def pack(tmp_path_factory: pytest.TempPathFactory) -> Pack:
    folder = tmp_path_factory.mktemp("pack")
    write_pack(list_images(DATA), folder, 256, lambda done, count: None)
    return open_pack(folder)


def predict(images: Tensor) -> Tensor:
    """A fixed linear teacher: as sure as a real one."""
    weights = torch.randn(3 * SIZE * SIZE, 10, generator=torch.Generator().manual_seed(0))
    return images.flatten(1).float() / 255 @ weights


@pytest.fixture
def cache(pack: Pack, tmp_path: Path) -> Path:
    folder = tmp_path / "targets"
    folder.mkdir()
    write_targets(predict, pack, ROWS, DATA, SIZE, 2, folder, {"teacher": "linear"}, lambda done, count: None)
    return folder


def test_targets_belong_to_the_views_a_student_sees(pack: Pack, cache: Path) -> None:
    targets = open_targets(cache, pack, ROWS, data=DATA)
    loader = TrainLoader(pack, ROWS, DATA, SIZE, 7, seed=3, views=2)
    assert targets.info == {"teacher": "linear"}
    for epoch in range(3):
        for batch in loader.epoch(epoch):
            expected = encode_logits(predict(batch.images)).float()
            torch.testing.assert_close(targets.lookup(batch.view, batch.rows), expected, rtol=1e-3, atol=0.02)


@pytest.mark.parametrize("batch_size", [1, 7, 64])
def test_teacher_and_student_see_the_same_bits(pack: Pack, tmp_path: Path, batch_size: int) -> None:
    augment = Augment(rand_augment="rand-m9-mstd0.5-inc1", color_jitter=0.3, erasing=0.5)
    data = DATA.model_copy(update={"augment": augment})
    seen: list[Tensor] = []

    def watch(images: Tensor) -> Tensor:
        seen.append(images.clone())
        return predict(images)

    def ignore(done: int, count: int) -> None:
        pass

    write_targets(watch, pack, ROWS, data, SIZE, 2, tmp_path, {}, ignore, batch_size=batch_size)
    shown = torch.cat(seen).view(2, len(ROWS), 3, SIZE, SIZE)
    for epoch in range(2):
        for batch in TrainLoader(pack, ROWS, data, SIZE, 11, seed=5, views=2).epoch(epoch):
            assert torch.equal(batch.images, shown[epoch][batch.rows - ROWS[0]])


def test_logits_keep_their_softmax_at_every_temperature() -> None:
    logits = torch.randn(500, 100, dtype=torch.float64, generator=torch.Generator().manual_seed(1)) * 8
    kept = encode_logits(logits + 30.0).double()
    assert kept.max() == 0
    for temperature in (1, 2, 4, 8):
        divergence = F.kl_div(
            F.log_softmax(kept / temperature, 1),
            F.log_softmax(logits / temperature, 1),
            log_target=True,
            reduction="none",
        )
        assert divergence.sum(1).max() < 1e-5


def test_rows_outside_of_those_opened_are_refused(pack: Pack, cache: Path) -> None:
    targets = open_targets(cache, pack, ROWS[:20])
    targets.lookup(0, torch.tensor([10, 29]))
    with pytest.raises(DataError, match="outside of the training set"):
        targets.lookup(0, torch.tensor([10, 30]))
    with pytest.raises(DataError, match="view 2 of 2"):
        targets.lookup(2, torch.tensor([10]))


def test_a_cache_of_other_rows_or_views_is_refused(pack: Pack, cache: Path) -> None:
    with pytest.raises(DataError, match="lack 1 of 2"):
        open_targets(cache, pack, np.array([10, 60]))
    for other in (DATA.model_copy(update={"view_seed": 1}), DATA.model_copy(update={"augment": Augment(flip=0.0)})):
        with pytest.raises(DataError, match="other views"):
            open_targets(cache, pack, ROWS, data=other)


def test_a_flipped_byte_a_torn_file_and_a_lost_manifest_are_refused(pack: Pack, cache: Path) -> None:
    assert is_valid_targets(cache)
    raw = (cache / "logits.bin").read_bytes()
    flipped = bytearray(raw)
    flipped[100] ^= 1
    for damaged in (bytes(flipped), raw[:-2], raw + b"\0\0"):
        (cache / "logits.bin").write_bytes(damaged)
        assert not is_valid_targets(cache)
        with pytest.raises(DataError):
            open_targets(cache, pack, ROWS)
    (cache / "logits.bin").write_bytes(raw)
    assert is_valid_targets(cache)
    manifest = json.loads((cache / "manifest.json").read_text())
    (cache / "manifest.json").write_text(json.dumps(manifest)[:-40])
    assert not is_valid_targets(cache)
    (cache / "manifest.json").unlink()
    assert not is_valid_targets(cache)


def test_a_teacher_that_gives_nan_stops_the_job() -> None:
    with pytest.raises(JobError, match="not finite"):
        encode_logits(torch.tensor([[1.0, float("nan")]]))
