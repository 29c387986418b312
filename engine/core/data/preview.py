"""The contact sheet: takes packed images and a spec's `data`, gives one picture of the views a student will see."""

from __future__ import annotations

from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from engine.core.data.loader import render_rows, resolve_view_seed
from engine.core.data.pack import Pack
from engine.core.data.splits import Rows
from engine.core.data.views import render_center
from engine.core.data.wordnet import class_title
from engine.spec import Data

GAP, CAPTION = 4, 14
BACK, INK = (255, 255, 255), (30, 30, 30)


def draw_sheet(pack: Pack, rows: Rows, data: Data, size: int, views: int = 6, seed: int = 0) -> Image.Image:
    """Return a sheet with a line for each of `rows`: evaluation's centre crop, then views 0..views-1, the class above.

    `size` is the side of a picture in pixels: geometry is relative, so a small sheet shows what a large network sees.
    """
    step, line = size + GAP, size + CAPTION + GAP
    sheet = Image.new("RGB", (GAP + (views + 1) * step, GAP + len(rows) * line), BACK)
    pen = ImageDraw.Draw(sheet)
    shown = [_view_column(pack, rows, data, size, view, seed) for view in range(views)]
    for number, row in enumerate(rows.tolist()):
        top = GAP + number * line
        title = class_title(pack.class_names[int(pack.labels[row])])
        pen.text((GAP, top), f"{title}   {pack.keys[row][:8]}   centre, then views 0 to {views - 1}", fill=INK)
        centre = render_center(pack.image(row), size, data.crop_share).permute(1, 2, 0).numpy()
        for column, pixels in enumerate([centre, *(held[number] for held in shown)]):
            sheet.paste(Image.fromarray(np.ascontiguousarray(pixels)), (GAP + column * step, top + CAPTION))
    return sheet


def _view_column(pack: Pack, rows: Rows, data: Data, size: int, view: int, seed: int) -> Any:
    """Return view number `view` of all rows, uint8 (B, size, size, 3)."""
    images = render_rows(pack, rows, view, resolve_view_seed(data, seed), data.augment, size)
    return images.permute(0, 2, 3, 1).numpy()
