"""Batches are decided by seed and epoch; pixels by the view alone, whatever the batch size, workers, cache or start."""

from __future__ import annotations

import hashlib
import math
import threading
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from engine.core.data.augment import augment_views
from engine.core.data.decode import Pixels
from engine.core.data.loader import EvalLoader, PixelCache, TrainLoader, epoch_order, render_rows
from engine.core.data.mixing import mix_pairs
from engine.core.data.pack import Pack
from engine.core.data.views import Crop, render_view
from engine.spec import Augment, Data

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


JITTER = Augment(color_jitter=0.4)


def oblong_loader(
    pack: Pack, rows: Sequence[int], views: int | None, augment: Augment = JITTER, seed: int = 1, view_seed: int = 5
) -> TrainLoader:
    data = Data(source="digits", image_size=SIZE, augment=augment, view_seed=view_seed)
    return TrainLoader(pack, np.array(rows), data, SIZE, 2, seed, views)


def test_finite_views_over_epochs_0_1_0_equal_a_fresh_render(oblong_packs: dict[str, Pack]) -> None:
    pack, rows = oblong_packs["raw"], np.array([4, 0, 3, 1])
    loader = oblong_loader(pack, rows.tolist(), 2)
    for epoch, view in ((0, 0), (1, 1), (0, 0), (3, 1)):
        fresh = dict(zip(rows.tolist(), render_rows(pack, rows, view, 5, JITTER, SIZE), strict=True))
        seen = pixels_by_row(loader, epoch)
        assert seen.keys() == fresh.keys()
        assert all(torch.equal(image, fresh[row]) for row, image in seen.items())


def drawn(key: str, view: int, use: str, block: int = 0) -> list[float]:
    """The draws of view seed 0, worked out without the engine."""
    raw = hashlib.blake2b(f"2 0 {view} {key} {use} {block}".encode(), digest_size=64).digest()
    return [(int.from_bytes(raw[first : first + 8], "little") >> 11) / 2**53 for first in range(0, 64, 8)]


def plain_view(image: Pixels, key: str, view: int) -> Tensor:
    """The default crop and flip in pixels of the image, step by step as the draws say."""
    height, width = image.shape[:2]
    first, box = drawn(key, view, "crop"), None
    for block in range(4):
        draws = drawn(key, view, "crop", block)[: 8 if block else 6]
        for area, ratio in zip(draws[::2], draws[1::2], strict=True):
            pixels, shape = (0.35 + 0.65 * area) * width * height, 0.75 * (16 / 9) ** ratio
            wide, tall = math.sqrt(pixels * shape), math.sqrt(pixels / shape)
            if box is None and wide <= width and tall <= height:
                box = first[6] * (width - wide), first[7] * (height - tall), wide, tall
    if box is None:  # the widest central one that is at most 4 to 3, or 3 to 4
        wide, tall = min(width, height * 4 / 3), min(height, width * 4 / 3)
        box = (width - wide) / 2, (height - tall) / 2, wide, tall
    shown = cut_out(image, *box)
    return shown.flip(2) if drawn(key, view, "flip")[0] < 0.5 else shown


def cut_out(image: Pixels, left: float, top: float, wide: float, tall: float) -> Tensor:
    if min(image.shape[:2]) < 64:
        box = (left, top, left + wide, top + tall)
        small = Image.fromarray(image).resize((SIZE, SIZE), Image.Resampling.BICUBIC, box=box)
        return torch.from_numpy(np.array(small)).permute(2, 0, 1)
    rows, columns = (slice(round(start), round(start) + round(span)) for start, span in ((top, tall), (left, wide)))
    cut = torch.from_numpy(np.array(image[rows, columns])).permute(2, 0, 1)[None]
    return F.interpolate(cut, (SIZE, SIZE), mode="bicubic", antialias=True)[0]


def test_views_of_oblong_images_are_those_that_the_draws_say(oblong_packs: dict[str, Pack]) -> None:
    """Pinned too: targets that were kept for these views may outlive a release."""
    pack = oblong_packs["raw"]
    data = Data(source="digits", image_size=SIZE)
    loader, total = TrainLoader(pack, np.arange(6), data, SIZE, 4, 0, None), hashlib.sha256()
    for epoch in range(3):
        for row, image in sorted(pixels_by_row(loader, epoch).items()):
            expected = plain_view(pack.image(row), pack.keys[row], epoch)
            assert (image.int() - expected.int()).abs().max() <= (1 if min(pack.size(row)) < 64 else 0)
            total.update(image.numpy().tobytes())
    assert total.hexdigest()[:16] == "508b96e6597e8540"


def test_order_follows_the_runs_seed_and_pixels_the_view_seed(oblong_packs: dict[str, Pack]) -> None:
    pack, rows = oblong_packs["raw"], [5, 1, 2, 4]
    batches = list(oblong_loader(pack, rows, 2).epoch(3))
    order = [rows[place] for place in epoch_order(4, 1, 3)]
    assert [row for batch in batches for row in batch.rows.tolist()] == order
    assert [label for batch in batches for label in batch.labels.tolist()] == pack.labels[order].tolist()
    assert [batch.view for batch in batches] == [1, 1]
    assert [batch.mix for batch in batches] == [None, None]
    fresh = render_rows(pack, np.array(order), 1, 5, JITTER, SIZE)
    assert torch.equal(torch.cat([batch.images for batch in batches]), fresh)


def test_the_runs_seed_draws_views_where_data_says_run(oblong_packs: dict[str, Pack]) -> None:
    data = Data(source="digits", image_size=SIZE, augment=JITTER, view_seed="run")
    loader = TrainLoader(oblong_packs["raw"], np.arange(6), data, SIZE, 6, 3, None)
    (batch,) = loader.epoch(0)
    fresh = render_rows(oblong_packs["raw"], batch.rows.numpy(), 0, 3, JITTER, SIZE)
    assert torch.equal(batch.images, fresh)


def test_pairs_are_mixed_by_the_runs_seed_and_the_epoch_not_the_view(oblong_packs: dict[str, Pack]) -> None:
    pack, augment = oblong_packs["raw"], Augment(mixup=0.8)
    for batch in oblong_loader(pack, range(6), 1, augment).epoch(3):
        plain = render_rows(pack, batch.rows.numpy(), 0, 5, augment, SIZE)
        mixed, mix = mix_pairs(plain, [pack.keys[row] for row in batch.rows], 1, 3, augment)
        assert batch.mix is not None
        assert batch.mix.share.tolist() == mix.share.tolist()
        assert torch.equal(batch.images, mixed)


def test_rendered_rows_are_cropped_then_augmented(oblong_packs: dict[str, Pack]) -> None:
    pack, rows = oblong_packs["jpeg"], np.array([3, 0, 5])
    keys = [pack.keys[row] for row in rows]
    crops = [render_view(pack.image(row), pack.keys[row], 2, 5, JITTER, SIZE) for row in rows]
    expected = augment_views(torch.stack(crops), keys, 2, 5, JITTER)
    assert torch.equal(render_rows(pack, rows, 2, 5, JITTER, SIZE), expected)


def test_orders_are_those_of_splitmix64_written_in_whole_numbers() -> None:
    def mix(state: int) -> int:
        state = (state + 0x9E3779B97F4A7C15) % 2**64
        state = (state ^ state >> 30) * 0xBF58476D1CE4E5B9 % 2**64
        state = (state ^ state >> 27) * 0x94D049BB133111EB % 2**64
        return state ^ state >> 31

    for count, seed, epoch in ((50, 0, 0), (50, 7, 3), (9, 2**40, 250)):
        start = mix(mix(seed) + epoch)
        ranks = [mix(start + place * 0x9E3779B97F4A7C15) for place in range(1, count + 1)]
        assert epoch_order(count, seed, epoch).tolist() == sorted(range(count), key=lambda place: ranks[place])


def test_evaluation_shows_the_central_square_of_oblong_images(oblong_packs: dict[str, Pack]) -> None:
    pack, rows = oblong_packs["raw"], [row for row in range(6) if max(oblong_packs["raw"].size(row)) == 120]
    data = Data(source="digits", image_size=SIZE, crop_share=0.75)
    (batch,) = EvalLoader(pack, np.array(rows[::-1]), data, SIZE, 8)
    assert len(batch.rows) == 2
    for row, image in zip(batch.rows.tolist(), batch.images, strict=True):
        top, left = (9, 33) if pack.size(row) == (72, 120) else (33, 9)
        assert torch.equal(image, cut_out(pack.image(row), left, top, 54, 54))


def test_kept_pixels_are_rendered_once_and_the_caller_may_change_them(
    oblong_packs: dict[str, Pack], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = Data(source="digits", image_size=SIZE)
    loader = oblong_loader(oblong_packs["raw"], range(6), 2)
    judge = EvalLoader(oblong_packs["raw"], np.arange(6), data, SIZE, 4)
    rendered: list[int] = []
    honest = loader.decoded.render

    def count(rows: Sequence[int], crops: Sequence[Crop], size: int, kind: Any) -> Tensor:
        rendered.extend(rows)
        return honest(rows, crops, size, kind)

    monkeypatch.setattr(loader.decoded, "render", count)
    for epoch in (0, 1, 2, 3):
        for batch in loader.epoch(epoch):
            batch.images.zero_()
    assert sorted(rendered) == sorted([*range(6)] * 2)
    assert all(image.any() for image in pixels_by_row(loader, 0).values())
    rendered.clear()
    assert [len(list(judge)) for _ in range(2)] == [2, 2]
    assert sorted(rendered) == [*range(6)]


def test_a_set_of_one_image_is_a_batch_of_one(photo_pack: Pack) -> None:
    loader = make_loader(photo_pack, batch_size=8, count=1)
    assert loader.steps_per_epoch == 1
    assert [batch.rows.tolist() for batch in loader.epoch(0)] == [[0]]
