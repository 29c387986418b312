"""The contact sheet: takes packed images and a spec's `data`, gives one picture of the views a student will see."""

from __future__ import annotations

import importlib.util
import re
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw

from engine.core.data.loader import render_rows, resolve_view_seed
from engine.core.data.pack import Pack
from engine.core.data.splits import Rows
from engine.core.data.views import render_center
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


def class_title(name: str) -> str:
    """Return a class folder's name, with its meaning where it is a WordNet id of ImageNet: `n01440764 tench`."""
    if not re.fullmatch(r"n\d{8}", name):
        return name
    meaning = _wordnet_names().get(name)
    return f"{name} {meaning}" if meaning else name


@lru_cache(maxsize=1)
def _wordnet_names() -> dict[str, str]:
    """Return id -> first name from the table that timm ships, found without importing timm; nothing where it is not."""
    package = importlib.util.find_spec("timm")
    for folder in (package.submodule_search_locations or ()) if package else ():
        table = Path(folder) / "data" / "_info" / "imagenet_synset_to_lemma.txt"
        if table.is_file():
            pairs = (line.partition("\t") for line in table.read_text().splitlines())
            return {name: meaning.split(",")[0] for name, _, meaning in pairs}
    return {}
