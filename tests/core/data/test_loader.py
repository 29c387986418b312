"""Batches are decided by seed and epoch; pixels by the view alone, whatever the batch size, workers, cache or start."""

from __future__ import annotations

import threading

import numpy as np
import pytest
import torch
from torch import Tensor

from engine.core.data.loader import EvalLoader, PixelCache, TrainLoader, epoch_order
from engine.core.data.pack import Pack
from engine.spec import Data

SIZE = 32


def make_loader(
    pack: Pack, *, batch_size: int = 8, seed: int = 0, views: int | None = None, workers: int = 0, count: int = 30
) -> TrainLoader:
    data = Data(source="digits", image_size=SIZE, views=views, workers=workers)
    return TrainLoader(pack, np.arange(count), data, SIZE, batch_size, seed, views)


def pixels_by_row(loader: TrainLoader, epoch: int) -> dict[int, Tensor]:
    return {
        int(row): image for batch in loader.epoch(epoch) for row, image in zip(batch.rows, batch.images, strict=True)
    }


@pytest.mark.parametrize("views", [None, 3])
def test_views_are_bit_equal_across_batch_sizes_seeds_and_workers(photo_pack: Pack, views: int | None) -> None:
    base = pixels_by_row(make_loader(photo_pack, batch_size=30, views=views), 4)
    assert len(base) == 30
    for batch_size, seed, workers in ((1, 0, 0), (7, 5, 1), (64, 1, 2), (8, 0, 2)):
        loader = make_loader(photo_pack, batch_size=batch_size, seed=seed, workers=workers, views=views)
        for row, image in pixels_by_row(loader, 4).items():
            assert torch.equal(image, base[row])


def test_order_is_decided_by_seed_and_epoch() -> None:
    first = epoch_order(1000, 0, 0)
    assert sorted(first.tolist()) == list(range(1000))
    assert np.array_equal(first, epoch_order(1000, 0, 0))
    for seed, epoch in ((0, 1), (1, 0), (1, 1)):
        assert (first == epoch_order(1000, seed, epoch)).mean() < 0.02
    assert epoch_order(8, 0, 0).tolist() == [6, 7, 1, 4, 3, 5, 2, 0]


def test_an_epoch_can_begin_in_its_middle(photo_pack: Pack) -> None:
    whole = list(make_loader(photo_pack, workers=1).epoch(2))
    rest = list(make_loader(photo_pack).epoch(2, start=2))
    assert len(rest) == len(whole) - 2
    for late, early in zip(rest, whole[2:], strict=True):
        assert torch.equal(late.images, early.images)
        assert torch.equal(late.rows, early.rows)
        assert torch.equal(late.labels, early.labels)


def test_finite_views_come_round_again(photo_pack: Pack) -> None:
    loader = make_loader(photo_pack, views=2)
    assert [loader.view_of(epoch) for epoch in range(4)] == [0, 1, 0, 1]
    again, first = pixels_by_row(loader, 2), pixels_by_row(loader, 0)
    fresh = pixels_by_row(make_loader(photo_pack, views=None), 0)
    assert all(torch.equal(again[row], first[row]) and torch.equal(first[row], fresh[row]) for row in range(30))
    other = pixels_by_row(loader, 1)
    assert sum(torch.equal(other[row], first[row]) for row in range(30)) < 3


def test_a_last_batch_of_one_image_is_left_out(photo_pack: Pack) -> None:
    sizes = {
        count: [len(batch.rows) for batch in make_loader(photo_pack, batch_size=8, count=count).epoch(0)]
        for count in (16, 17, 18, 3)
    }
    assert sizes == {16: [8, 8], 17: [8, 8], 18: [8, 8, 2], 3: [3]}
    for count, batches in sizes.items():
        assert make_loader(photo_pack, batch_size=8, count=count).steps_per_epoch == len(batches)


def test_the_view_seed_may_be_the_runs(photo_pack: Pack) -> None:
    data = Data(source="digits", image_size=SIZE, view_seed="run")
    own = [TrainLoader(photo_pack, np.arange(30), data, SIZE, 30, seed, None) for seed in (0, 1)]
    first, second = (pixels_by_row(loader, 0) for loader in own)
    assert not torch.equal(first[0], second[0])
    shared = pixels_by_row(make_loader(photo_pack), 0)
    assert torch.equal(first[0], shared[0])


def test_evaluation_sees_every_row_once_and_in_order(photo_pack: Pack) -> None:
    data = Data(source="digits", image_size=SIZE, workers=1)
    rows = np.array([5, 2, 29, 7, 11])
    loader = EvalLoader(photo_pack, rows, data, SIZE, 2)
    for _ in range(2):
        batches = list(loader)
        assert len(batches) == len(loader) == 3
        assert torch.cat([batch.rows for batch in batches]).tolist() == rows.tolist()
        assert torch.cat([batch.labels for batch in batches]).tolist() == photo_pack.labels[rows].tolist()
        assert {batch.view for batch in batches} == {-1}


def test_a_cache_over_its_limit_keeps_nothing() -> None:
    assert PixelCache(2, 10, 8, limit=2 * 10 * 3 * 64).held is not None
    assert PixelCache(2, 10, 8, limit=2 * 10 * 3 * 64 - 1).held is None
    assert PixelCache(None, 10, 8).held is None


def test_leaving_an_epoch_early_stops_the_workers(photo_pack: Pack) -> None:
    before = threading.active_count()
    batches = make_loader(photo_pack, batch_size=2, workers=2).epoch(0)
    next(batches)
    assert threading.active_count() > before
    batches.close()  # type: ignore[attr-defined]
    assert threading.active_count() == before


def test_digits_render_at_56_pixels(digits_pack: Pack) -> None:
    data = Data(source="digits", image_size=56)
    batch = next(iter(TrainLoader(digits_pack, np.arange(64), data, 56, 64, 0, None).epoch(0)))
    assert batch.images.shape == (64, 3, 56, 56)
    assert batch.images.float().std() > 30
