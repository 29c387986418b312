"""Cached targets are the teacher's logits on exactly the views that students see; a damaged cache is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from engine.core.data.loader import EvalLoader, TrainLoader
from engine.core.data.pack import Pack
from engine.core.distill.encoding import encode_logits
from engine.core.distill.targets import open_targets, targets_problem
from engine.errors import DataError
from engine.spec import Augment
from engine.spec.identity import digest_of

from .linear import DATA, ROWS, SIZE, make_maker, make_origin, predict, write_all


@pytest.fixture
def cache(pack: Pack, tmp_path: Path) -> Path:
    write_all(make_maker(pack), tmp_path / "targets")
    return tmp_path / "targets"


def test_targets_belong_to_the_views_a_student_sees(pack: Pack, cache: Path) -> None:
    targets = open_targets(cache, make_origin(pack), ROWS)
    loader = TrainLoader(pack, ROWS, DATA, SIZE, 7, seed=3, views=2)
    for epoch in range(3):
        for batch in loader.epoch(epoch):
            expected = encode_logits(predict(batch.images)).float()
            found = targets.lookup(batch.view, batch.rows).logits
            torch.testing.assert_close(found, expected, rtol=1e-3, atol=0.02)


def test_centre_crops_of_the_whole_pack_are_kept_beside_them(pack: Pack, cache: Path) -> None:
    targets = open_targets(cache, make_origin(pack), ROWS)
    rows = np.arange(0, len(pack), 97)
    for batch in EvalLoader(pack, rows, DATA, SIZE, len(rows)):
        expected = encode_logits(predict(batch.images)).float()
        torch.testing.assert_close(targets.centre(rows), expected, rtol=1e-3, atol=0.02)


def test_without_views_only_centre_crops_are_kept(pack: Pack, tmp_path: Path) -> None:
    origin = make_origin(pack, views=0)
    write_all(make_maker(pack, origin=origin), tmp_path / "targets")
    targets = open_targets(tmp_path / "targets", origin, ROWS)
    assert targets.centre(ROWS).shape == (len(ROWS), 10)
    with pytest.raises(DataError, match="view 0 of 0"):
        targets.lookup(0, torch.tensor([10]))


@pytest.mark.parametrize("batch", [1, 7, 64])
def test_teacher_and_student_see_the_same_bits(pack: Pack, tmp_path: Path, batch: int) -> None:
    augment = Augment(rand_augment="rand-m9-mstd0.5-inc1", color_jitter=0.3, erasing=0.5)
    data = DATA.model_copy(update={"augment": augment})
    seen: list[Tensor] = []

    def watch(images: Tensor) -> Tensor:
        seen.append(images.clone())
        return predict(images)

    maker = make_maker(pack, origin=make_origin(pack, data=data), predict=watch, batch=batch)
    write_all(maker, tmp_path / "targets")
    shown = torch.cat(seen)[len(pack) :].view(2, len(ROWS), 3, SIZE, SIZE)
    for epoch in range(2):
        for step in TrainLoader(pack, ROWS, data, SIZE, 11, seed=5, views=2).epoch(epoch):
            assert torch.equal(step.images, shown[epoch][step.rows - ROWS[0]])


def test_rows_outside_of_those_opened_are_refused(pack: Pack, cache: Path) -> None:
    targets = open_targets(cache, make_origin(pack), ROWS[:20])
    targets.lookup(0, torch.tensor([10, 29]))
    with pytest.raises(DataError, match="outside of the training set"):
        targets.lookup(0, torch.tensor([10, 30]))
    with pytest.raises(DataError, match="view 2 of 2"):
        targets.lookup(2, torch.tensor([10]))


def test_a_cache_of_other_rows_views_pixels_or_teacher_is_refused(pack: Pack, cache: Path) -> None:
    with pytest.raises(DataError, match="do not hold 1 of 2"):
        open_targets(cache, make_origin(pack), np.array([10, 60]))
    for other in (DATA.model_copy(update={"view_seed": 1}), DATA.model_copy(update={"augment": Augment(flip=0.0)})):
        with pytest.raises(DataError, match="other views"):
            open_targets(cache, make_origin(pack, data=other), ROWS)
    for changes, said in (
        ({"rows": np.arange(10, 61)}, "another split"),
        ({"views": 3}, "hold 2 views, and 3"),
        ({"info": {"job": "targets-2"}}, "another teacher"),
    ):
        with pytest.raises(DataError, match=said):
            open_targets(cache, make_origin(pack, **changes), ROWS)


@pytest.mark.parametrize("name", ["logits.bin", "centre.bin"])
def test_a_flipped_byte_and_a_torn_file_are_refused(pack: Pack, cache: Path, name: str) -> None:
    assert targets_problem(cache, make_origin(pack)) is None
    raw = (cache / name).read_bytes()
    flipped = bytearray(raw)
    flipped[100] ^= 1
    for damaged in (bytes(flipped), raw[:-2], raw + b"\0\0"):
        (cache / name).write_bytes(damaged)
        with pytest.raises(DataError, match=name):
            open_targets(cache, make_origin(pack), ROWS)
    (cache / name).write_bytes(raw)
    assert targets_problem(cache, make_origin(pack)) is None


# Poison ---------------------------------------------------------------------------------------------------------------


def swap_views(cache: Path, other: Path) -> None:
    """Two stretches of the right size change places: the same bytes in all."""
    raw = (cache / "logits.bin").read_bytes()
    half = len(raw) // 2
    (cache / "logits.bin").write_bytes(raw[half:] + raw[:half])


def take_shard(cache: Path, other: Path) -> None:
    (cache / "logits.bin").write_bytes((other / "logits.bin").read_bytes())


def take_all(cache: Path, other: Path) -> None:
    """Whole and right by its own manifest, and another teacher's."""
    for path in other.iterdir():
        (cache / path.name).write_bytes(path.read_bytes())


def take_manifest(cache: Path, other: Path) -> None:
    (cache / "manifest.json").write_bytes((other / "manifest.json").read_bytes())


def reseal(cache: Path, other: Path) -> None:
    """Its own digest holds, and those of its files agree with nothing."""
    told = json.loads((cache / "manifest.json").read_text())
    del told["self"]
    told["files"]["logits.bin"]["sha256"] = "0" * 64
    (cache / "manifest.json").write_text(json.dumps(told | {"self": digest_of(told)}))


@pytest.mark.parametrize(
    ("poison", "said"),
    [
        (swap_views, r"logits\.bin of the targets is damaged"), (take_shard, r"logits\.bin of the targets is damaged"),
        (take_all, "those of another teacher"), (take_manifest, "those of another teacher"),
        (reseal, r"logits\.bin of the targets is damaged"),
    ],
)  # fmt: skip
def test_a_shard_of_the_right_size_that_is_another_s_is_refused(
    pack: Pack, cache: Path, tmp_path: Path, poison: Callable[[Path, Path], None], said: str
) -> None:
    """Of a teacher with other answers, on the same images and views."""
    other = tmp_path / "other"
    origin = make_origin(pack, info={"job": "targets-2"})
    write_all(make_maker(pack, origin=origin, predict=lambda images: -predict(images)), other)
    sizes = [{path.name: path.stat().st_size for path in folder.glob("*.bin")} for folder in (cache, other)]
    assert sizes[0] == sizes[1]
    poison(cache, other)
    with pytest.raises(DataError, match=said):
        open_targets(cache, make_origin(pack), ROWS)


def test_a_manifest_that_is_torn_changed_or_lost_is_refused(pack: Pack, cache: Path) -> None:
    path = cache / "manifest.json"
    text = path.read_text()
    changed = json.dumps(json.loads(text) | {"classes": 5})
    for damaged in (text[:-40], changed, "[]", "{}"):
        path.write_text(damaged)
        assert targets_problem(cache) is not None
    path.unlink()
    assert "missing" in str(targets_problem(cache))


def test_beyond_a_thousand_classes_the_largest_are_kept_from_disk_to_batch(pack: Pack, tmp_path: Path) -> None:
    weights = torch.randn(3 * SIZE * SIZE, 1200, generator=torch.Generator().manual_seed(0))

    def many(images: Tensor) -> Tensor:
        return images.flatten(1).float() / 255 @ weights

    maker = make_maker(pack, predict=many, classes=1200)
    write_all(maker, tmp_path / "targets")
    targets = open_targets(tmp_path / "targets", make_origin(pack), ROWS)
    size = (tmp_path / "targets" / "logits.bin").stat().st_size
    assert size == 2 * len(ROWS) * maker.form.dtype.itemsize < 2 * len(ROWS) * 1200
    batch = next(iter(TrainLoader(pack, ROWS, DATA, SIZE, 7, seed=3, views=2).epoch(0)))
    found, expected = targets.lookup(0, batch.rows), many(batch.images)
    torch.testing.assert_close(found.logits.softmax(1), expected.softmax(1), rtol=2e-2, atol=1e-4)
    assert found.moments is not None
    assert targets.centre(ROWS).shape == (len(ROWS), 1200)
