"""Arrays of images as containers: takes arrays of uint8, gives the bytes of one image as a .bmp."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import DataError
from engine.inputs.forms.bitmap import write_bitmap

CHANNELS = (1, 3)
Images = NDArray[np.uint8]


@dataclass(frozen=True)
class PixelSet:
    """Images by the name of their array: member `train/17` is the 17th of `train`, from 0; `17` that of ``''``."""

    arrays: Mapping[str, Images]

    def read(self, name: str) -> bytes:
        """Return an image of N x H x W (grey), or N x H x W x 3, as a .bmp."""
        array, _, number = name.rpartition("/")
        return write_bitmap(np.ascontiguousarray(self.arrays[array][int(number)]))


def shape_images(array: NDArray[Any], where: str) -> Images:
    """Return images as N x H x W (grey) or N x H x W x 3, from channels first or last.

    Raises DataError for what is no array of such images.
    """
    if array.dtype != np.uint8:
        fix = "save them as uint8, 0 black, 255 white: of 0 to 1, as (255 * images).round().astype('uint8')"
        raise DataError(f"the images are of type {array.dtype}, not uint8", where=where, fix=fix)
    images = _channels_last(array) if array.ndim == 4 else array
    if images.ndim not in (3, 4) or 0 in images.shape:
        shape = " x ".join(map(str, array.shape))
        fix = "save them as images x height x width, or with 3 channels (RGB) behind"
        raise DataError(f"an array of {shape or 'no dimension'} is no list of images", where=where, fix=fix)
    return images


def _channels_last(array: NDArray[Any]) -> NDArray[Any]:
    if array.shape[3] not in CHANNELS and array.shape[1] in CHANNELS:
        array = array.transpose(0, 2, 3, 1)
    if array.shape[3] not in CHANNELS:
        return array[..., 0, 0, 0]  # of one dimension: no list of images
    return array if array.shape[3] == 3 else array[..., 0]
