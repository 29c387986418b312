"""The contact sheet: takes packed images and a spec's `data`, gives one picture of the views a student will see."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from engine.core.data.loader import TrainLoader, render_rows, resolve_view_seed
from engine.core.data.mixing import is_mixing
from engine.core.data.pack import Pack
from engine.core.data.views import render_center
from engine.core.data.wordnet import class_title
from engine.inputs.splits import Rows
from engine.spec import Data

GAP, CAPTION, FONT_SIZE = 4, 14, 10
BACK, INK = (255, 255, 255), (30, 30, 30)


def draw_sheet(
    pack: Pack, rows: Rows, data: Data, size: int, views: int = 6, seed: int = 0, mixed_from: Rows | None = None
) -> Image.Image:
    """Return a sheet with a line for each of `rows`: evaluation's centre crop, then views 0..views-1, the class above.

    Where images are mixed, a last line shows the first images of epoch 0 over the training rows `mixed_from`. `size` is
    the side of a picture in pixels: geometry is relative, so a small sheet shows what a large network sees.
    """
    shown = [_view_column(pack, rows, data, size, view, seed) for view in range(views)]
    lines = []
    for number, row in enumerate(rows.tolist()):
        centre = render_center(pack.image(row), size, data.crop_share, data.interpolation).permute(1, 2, 0).numpy()
        about = f"{class_title(pack.class_names[int(pack.labels[row])])}   {pack.keys[row][:8]}"
        lines.append((f"{about}   centre, then {_view_words(views)}", [centre, *(held[number] for held in shown)]))
    if mixed_from is not None and is_mixing(data.augment):
        lines.append(_mixed_line(pack, mixed_from, data, size, (views + 1) // 2 * 2, seed))
    return _draw_lines(lines, size, views + 1)


def _view_words(views: int) -> str:
    return "view 0" if views == 1 else f"views 0 to {views - 1}"


def _mixed_line(pack: Pack, rows: Rows, data: Data, size: int, count: int, seed: int) -> tuple[str, list[Any]]:
    """Return the first images of seed's epoch 0 as they are mixed, `count` of them (even), and what they are."""
    batch = next(iter(TrainLoader(pack, rows, data, size, count, seed, data.views).epoch(0)))
    shares = batch.mix.share.tolist() if batch.mix else []
    titles = [class_title(pack.class_names[label]).split(" ", 1)[-1] for label in batch.labels.tolist()]
    words = (f"{share:.2f} {title}" for share, title in zip(shares, titles, strict=True))
    return f"mixed in pairs, the own share: {', '.join(words)}", list(batch.images.permute(0, 2, 3, 1).numpy())


def _draw_lines(lines: list[tuple[str, list[Any]]], size: int, columns: int) -> Image.Image:
    """Return a picture of lines, each a caption over images (uint8, size x size x 3)."""
    step, line = size + GAP, size + CAPTION + GAP
    sheet = Image.new("RGB", (GAP + columns * step, GAP + len(lines) * line), BACK)
    pen = ImageDraw.Draw(sheet)
    pen.font = _caption_font()
    for number, (caption, images) in enumerate(lines):
        top = GAP + number * line
        pen.text((GAP, top), caption, fill=INK)
        for column, pixels in enumerate(images):
            sheet.paste(Image.fromarray(np.ascontiguousarray(pixels)), (GAP + column * step, top + CAPTION))
    return sheet


def _caption_font() -> Any:
    """Return the font that matplotlib ships, found without importing it: Pillow's own has no letter beyond ASCII."""
    package = importlib.util.find_spec("matplotlib")
    for folder in (package.submodule_search_locations or ()) if package else ():
        file = Path(folder) / "mpl-data" / "fonts" / "ttf" / "DejaVuSans.ttf"
        if file.is_file():
            return ImageFont.truetype(file, FONT_SIZE)
    return ImageFont.load_default()


def _view_column(pack: Pack, rows: Rows, data: Data, size: int, view: int, seed: int) -> Any:
    """Return view number `view` of all rows, uint8 (B, size, size, 3)."""
    images = render_rows(pack, rows, view, resolve_view_seed(data, seed), data.augment, size)
    return images.permute(0, 2, 3, 1).numpy()
