"""A student hears the same from a cache as from the teacher in the step."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from engine.core.data.loader import TrainLoader
from engine.core.data.normalize import normalize
from engine.core.data.pack import Pack
from engine.core.distill.answering import Ask, CachedTeacher, OnlineTeacher
from engine.core.distill.encoding import count_steps
from engine.core.distill.make import Maker
from engine.core.distill.targets import open_targets
from engine.core.distill.temperature import schedule_temperature
from engine.core.train.loop import Loop
from engine.inputs.looks import Look
from engine.inputs.splits import make_split
from engine.spec import Augment, Data, Distill, Train
from tests.core.train.toy import DATA as TOY
from tests.core.train.toy import Notes, make_loop

from .linear import DATA, ROWS, SIZE, make_maker, make_origin, write_all

TRAIN = Train(epochs=2, batch_size=64, lr=1e-2, precision="fp32", threads=1)
WORDS = Distill.model_validate({"temperature": {"from": 4.0, "to": 1.0}})


@cache
def make_teacher(size: int = 8) -> nn.Module:
    with torch.random.fork_rng():
        torch.manual_seed(3)
        layers = [nn.Conv2d(3, 32, 3), nn.GELU(), nn.Conv2d(32, 32, 3), nn.GELU(), nn.Flatten()]
        return nn.Sequential(*layers, nn.Linear(32 * (size - 4) ** 2, 10)).eval()


def predict(images: Tensor) -> Tensor:
    with torch.no_grad():
        answer: Tensor = make_teacher(images.shape[-1])(normalize(images, (0.5,) * 3, (0.2,) * 3)) * 30
    return answer


def toy_maker(pack: Pack, batch: int) -> Maker:
    data = TOY.model_copy(update={"views": 2})
    split = make_split(pack.keys, pack.labels, pack.class_names, data.split, 0)
    look = Look(8, 0.875, "bicubic")
    return make_maker(
        pack, origin=make_origin(pack, rows=split.train, data=data), predict=predict, look=look, batch=batch
    )


def train_with(pack: Pack, ask: Ask) -> Loop:
    loop = make_loop(pack, Notes(), train=TRAIN, distill=WORDS, teacher=ask, schedule=schedule_temperature(WORDS, 2, 6))
    torch.manual_seed(1)
    loop.run()
    return loop


def test_asked_in_equal_batches_cached_and_online_give_bit_equal_students(pack: Pack, tmp_path: Path) -> None:
    maker = toy_maker(pack, batch=1)
    write_all(maker, tmp_path / "targets")
    targets = open_targets(tmp_path / "targets", maker.origin, maker.origin.rows)
    cached = train_with(pack, CachedTeacher(targets))
    online = train_with(pack, OnlineTeacher(maker, Look(8, 0.875, "bicubic"), batch=1))
    other = train_with(
        pack, OnlineTeacher(replace(maker, predict=lambda images: -predict(images)), Look(8, 0.875, "bicubic"), batch=1)
    )
    one, two, three = (loop.network.state_dict() for loop in (cached, online, other))
    assert all(torch.equal(one[name], two[name]) for name in one)
    assert not all(torch.equal(one[name], three[name]) for name in one)


def test_asked_in_other_batches_targets_differ_by_two_steps_at_most(pack: Pack, tmp_path: Path) -> None:
    maker = toy_maker(pack, batch=64)
    write_all(maker, tmp_path / "targets")
    cached = CachedTeacher(open_targets(tmp_path / "targets", maker.origin, maker.origin.rows))
    online = OnlineTeacher(maker, Look(8, 0.875, "bicubic"), batch=37)
    data = maker.origin.data
    for epoch in range(2):
        for batch in TrainLoader(pack, maker.origin.rows, data, 8, 50, seed=5, views=2).epoch(epoch):
            pair = (ask(batch).logits.numpy().astype(np.float16) for ask in (cached, online))
            assert count_steps(*pair) <= 2


def test_a_calibrated_teacher_is_divided_on_both_ways(pack: Pack, tmp_path: Path) -> None:
    maker = toy_maker(pack, batch=1)
    write_all(maker, tmp_path / "targets")
    targets = open_targets(tmp_path / "targets", maker.origin, maker.origin.rows)
    batch = next(iter(TrainLoader(pack, maker.origin.rows, maker.origin.data, 8, 20, 0, 2).epoch(0)))
    plain = CachedTeacher(targets)(batch).logits
    torch.testing.assert_close(CachedTeacher(targets, 3.0)(batch).logits, plain / 3)
    torch.testing.assert_close(OnlineTeacher(maker, Look(8, 0.875, "bicubic"), 3.0, batch=1)(batch).logits, plain / 3)


def test_a_teacher_of_another_size_sees_the_same_crop_at_its_own(pack: Pack) -> None:
    seen: list[Tensor] = []

    def watch(images: Tensor) -> Tensor:
        seen.append(images)
        return predict(images)

    data = DATA.model_copy(update={"augment": Augment(crop_scale=[0.5, 0.5], flip=0.0)})
    maker = make_maker(pack, origin=make_origin(pack, data=data), predict=watch, look=Look(24, 0.875, "bicubic"))
    batch = next(iter(TrainLoader(pack, ROWS, data, SIZE, 8, 0, 2).epoch(0)))
    OnlineTeacher(maker, Look(SIZE, 0.875, "bicubic"))(batch)
    assert seen[0].shape == (8, 3, 24, 24)
    small = nn.functional.interpolate(seen[0].float(), SIZE, mode="bicubic", antialias=True)
    assert (small - batch.images).abs().mean() < 6
    assert OnlineTeacher(maker, Look(24, 0.875, "bicubic"))(replace(batch, images=seen[0])).logits.shape == (8, 10)


@pytest.mark.parametrize("linear", [True, False])
def test_mixed_images_are_answered_linearly_or_looked_at(pack: Pack, tmp_path: Path, linear: bool) -> None:
    augment = Augment(mixup=0.8, mix_targets="linear" if linear else None)
    data = Data.model_validate({**TOY.model_dump(), "views": 2, "augment": augment.model_dump()})
    maker = replace(toy_maker(pack, batch=1), origin=make_origin(pack, data=data))
    batch = next(iter(TrainLoader(pack, ROWS, data, 8, 16, 0, 2).epoch(0)))
    assert batch.mix is not None
    online = OnlineTeacher(maker, Look(8, 0.875, "bicubic"), batch=1)(batch).logits
    if linear:
        write_all(maker, tmp_path / "targets")
        cached = CachedTeacher(open_targets(tmp_path / "targets", maker.origin, ROWS))(batch).logits
        assert torch.equal(online, cached)
        return
    looked = predict(batch.images)
    torch.testing.assert_close(online, looked - looked.amax(1, keepdim=True), rtol=2e-3, atol=1e-2)
