"""Objects as a network sees them: takes boxes or a mask of an original image, gives the pixels of a view on them.

A view samples the original at a grid: each of its pixels has a centre, and that centre lies somewhere in the original.
The way there is that of the pixels themselves, the other way round: the view's crop of the packed image, and the
packed image's shrinking. A pixel of the view is of the object where its centre is.
"""

from __future__ import annotations

import warnings
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from engine.core.data.views import Crop, cut_edges
from engine.errors import DataError
from engine.inputs.box_files import Annotation, Size, check_inside
from engine.inputs.folders import name_place

Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]


@dataclass(frozen=True)
class ViewGrid:
    """Where the centres of a view's pixels lie in the original image: `down` and `across` (S,), in its pixels."""

    down: Floats
    across: Floats


def view_grid(original: Size, packed: Size, crop: Crop, size: int) -> ViewGrid:
    """Return the grid of a view of `size` pixels a side: the crop of a packed image of an original; heights first."""
    left, right, top, bottom = cut_edges(crop, *packed)
    steps = (np.arange(size) + 0.5) / size
    down = (top + steps * (bottom - top)) * (original[0] / packed[0])
    across = (left + steps * (right - left)) * (original[1] / packed[1])
    return ViewGrid(down, across[::-1] if crop.flip else across)


def see_object(annotation: Annotation, original: Size, grid: ViewGrid) -> Mask | None:
    """Return (S, S) bool: the pixels of a view that are of the objects of an upright image of that size.

    None where a mask marks nothing of the whole image. Raises DataError for boxes beyond the image, an annotation of an
    image of another size, and a broken mask.
    """
    _check_size(annotation, original)
    if annotation.mask is not None:
        whole = read_pixels(annotation.mask)
        return None if not whole.any() else whole[np.ix_(grid.down.astype(np.int64), grid.across.astype(np.int64))]
    check_inside(annotation, original)
    seen = np.zeros((len(grid.down), len(grid.across)), dtype=bool)
    for box in annotation.boxes:
        rows = (grid.down >= box.top) & (grid.down < box.bottom)
        seen |= rows[:, None] & (grid.across >= box.left) & (grid.across < box.right)
    return seen


def _check_size(annotation: Annotation, original: Size) -> None:
    if annotation.size is None or annotation.size == original:
        return
    (height, width), (tall, wide) = annotation.size, original
    what = f"this is of an image of {width} x {height} pixels, and the image under data.root has {wide} x {tall}"
    turned = " as they are seen, turned upright," if (height, width) == (wide, tall) else ""
    fix = f"bring boxes of the images{turned} as they lie under data.root"
    raise DataError(what, where=annotation.place, fix=fix)


def read_pixels(path: Path) -> Mask:
    """Return the pixels (H, W) of a mask file that are not 0; transparency says nothing. Raises DataError."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of large images: the header was looked at before
            with Image.open(path, formats=["PNG"]) as image:
                bands, values = image.getbands(), np.asarray(image)
    except MemoryError:
        raise
    except Exception as error:  # Pillow's plugins raise nearly anything on a damaged file
        what = f"this mask is broken: {str(error) or type(error).__name__}"
        raise DataError(what, where=name_place(path), fix="save it again as PNG, or remove it") from error
    marked = values != 0
    if marked.ndim == 2:
        return np.asarray(marked, dtype=bool)
    return np.asarray(marked[..., [band != "A" for band in bands]].any(axis=-1), dtype=bool)
