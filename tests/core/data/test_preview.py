"""The contact sheet shows the centre crop and exactly the views that the loader renders."""

from __future__ import annotations

import numpy as np

from engine.core.data.loader import TrainLoader
from engine.core.data.pack import Pack
from engine.core.data.preview import CAPTION, GAP, draw_sheet
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
