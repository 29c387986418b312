"""The contact sheet shows the centre crop and exactly the views that the loader renders."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image

from engine.core.data import preview
from engine.core.data.decode import Pixels
from engine.core.data.loader import TrainLoader, render_rows
from engine.core.data.pack import Pack
from engine.core.data.preview import CAPTION, GAP, draw_sheet
from engine.core.data.views import render_center
from engine.spec import Augment, Data


def test_mixing_has_a_line_of_its_own(photo_pack: Pack) -> None:
    data = Data(source="digits", image_size=32, augment=Augment(mixup=0.8))
    rows = np.arange(30)
    sheet = np.asarray(draw_sheet(photo_pack, rows[:1], data, 32, views=3, mixed_from=rows))
    assert sheet.shape[0] == GAP + 2 * (32 + CAPTION + GAP)
    batch = next(iter(TrainLoader(photo_pack, rows, data, 32, 4, 0, None).epoch(0)))
    top, left = GAP + (32 + CAPTION + GAP) + CAPTION, GAP + 3 * (32 + GAP)
    np.testing.assert_array_equal(sheet[top : top + 32, left : left + 32], batch.images[3].permute(1, 2, 0).numpy())


def test_the_sheet_shows_what_a_student_sees(photo_pack: Pack) -> None:
    data = Data(source="digits", image_size=32, augment=Augment(rand_augment="rand-m9-inc1"))
    rows = np.array([4, 17])
    sheet = np.asarray(draw_sheet(photo_pack, rows, data, 32, views=3))
    assert sheet.shape == (GAP + 2 * (32 + CAPTION + GAP), GAP + 4 * (32 + GAP), 3)
    batch = next(iter(TrainLoader(photo_pack, rows, data, 32, 2, 0, None).epoch(1)))
    place = batch.rows.tolist().index(17)
    top, left = GAP + (32 + CAPTION + GAP) + CAPTION, GAP + 2 * (32 + GAP)
    np.testing.assert_array_equal(sheet[top : top + 32, left : left + 32], batch.images[place].permute(1, 2, 0).numpy())


Lines = list[tuple[str, list[Pixels]]]


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[Lines]:
    """What the sheet is drawn of: captions and pictures."""
    held: list[Lines] = []
    honest = preview._draw_lines

    def note(lines: Lines, size: int, columns: int) -> Image.Image:
        held.append(lines)
        return honest(lines, size, columns)

    monkeypatch.setattr(preview, "_draw_lines", note)
    return held


def test_captions_name_class_key_and_views(photo_pack: Pack, drawn: list[Lines]) -> None:
    data, rows = Data(source="digits", image_size=32, crop_share=0.5, view_seed=3), np.array([25, 4])
    sheet = np.asarray(draw_sheet(photo_pack, rows, data, 32, views=2, seed=8, mixed_from=np.arange(30)))
    keys = [photo_pack.keys[row][:8] for row in rows]
    captions = [f"c   {keys[0]}   centre, then views 0 to 1", f"a   {keys[1]}   centre, then views 0 to 1"]
    assert [caption for caption, _ in drawn[0]] == captions
    for (_, shown), row in zip(drawn[0], rows, strict=True):
        views = [render_rows(photo_pack, np.array([row]), view, 3, data.augment, 32)[0] for view in range(2)]
        expected = [render_center(photo_pack.image(row), 32, 0.5), *views]
        for pixels, image in zip(shown, expected, strict=True):
            np.testing.assert_array_equal(pixels, image.permute(1, 2, 0).numpy())
    assert (sheet[GAP : GAP + CAPTION, GAP:] != 255).any()  # the caption is written, and in its line
    draw_sheet(photo_pack, rows, data, 32, views=1)
    assert drawn[1][0][0].endswith("centre, then view 0")


def test_a_runs_own_view_seed_is_shown(photo_pack: Pack, drawn: list[Lines]) -> None:
    data = Data(source="digits", image_size=32, view_seed="run")
    draw_sheet(photo_pack, np.array([7]), data, 32, views=1, seed=8)
    expected = render_rows(photo_pack, np.array([7]), 0, 8, data.augment, 32)[0]
    np.testing.assert_array_equal(drawn[0][0][1][1], expected.permute(1, 2, 0).numpy())


def test_the_mixed_line_tells_each_images_own_share(photo_pack: Pack, drawn: list[Lines]) -> None:
    data = Data(source="digits", image_size=32, augment=Augment(mixup=0.8))
    draw_sheet(photo_pack, np.array([7]), data, 32, views=3, seed=8, mixed_from=np.arange(30))
    batch = next(iter(TrainLoader(photo_pack, np.arange(30), data, 32, 4, 8, None).epoch(0)))
    assert batch.mix is not None
    shares = zip(batch.mix.share.tolist(), batch.labels.tolist(), strict=True)
    words = ", ".join(f"{share:.2f} {'abc'[label]}" for share, label in shares)
    assert drawn[0][1][0] == f"mixed in pairs, the own share: {words}"
    assert len(drawn[0][1][1]) == 4  # three views: the next even number
    draw_sheet(photo_pack, np.array([7]), data, 32, views=3)
    assert len(drawn[1]) == 1
