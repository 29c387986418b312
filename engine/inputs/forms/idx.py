"""MNIST and its like: takes a folder with NAME-images-idx3-ubyte and NAME-labels-idx1-ubyte, .gz or not.

The format, by Yann LeCun's page on MNIST: two zero bytes, the type (8: unsigned bytes), the number of dimensions, each
dimension as 4 bytes with the highest first, then the values.
"""

from __future__ import annotations

import math
import re
import struct
import zlib
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.errors import DataError
from engine.home.limits import limits, raise_limit
from engine.inputs.folders import ImageFile
from engine.inputs.forms.known import idx_files
from engine.inputs.forms.labels import name_class, read_names
from engine.inputs.forms.pixels import PixelSet, shape_images
from engine.inputs.inflate import open_plain

UNSIGNED = 8
PARTS = {"train": "train", "t10k": "test", "test": "test", "val": "val"}
FIX = "fetch it again: NAME-images-idx3-ubyte.gz and NAME-labels-idx1-ubyte.gz"


def list_idx(path: Path, label: str | None) -> list[ImageFile]:
    """Return the images of all pairs of files. Raises DataError where one is damaged, or has no labels."""
    if label is not None:
        raise DataError(
            "data.label is given, and these files have one label an image", where=str(path), fix="leave it away"
        )
    return [image for file in idx_files(path) for image in _list_pair(file)]


def open_idx(path: Path) -> PixelSet:
    """Open a file of images. Raises DataError where it is damaged."""
    return PixelSet({"": shape_images(_read_values(path), str(path))})


def _list_pair(file: Path) -> list[ImageFile]:
    labels = _label_file(file)
    count, values = len(_read_values(file)), _read_values(labels)
    if len(values) != count:
        raise DataError(f"{count} images and {len(values)} labels", where=str(labels), fix=FIX)
    names, part = read_names(file.parent), _part_of(file)
    classes = [name_class(int(value), str(labels), names) for value in values]
    return [ImageFile(file, name, str(number), part) for number, name in enumerate(classes)]


def _label_file(file: Path) -> Path:
    wanted = re.sub(r"images([-.])idx3", r"labels\1idx1", file.name, flags=re.IGNORECASE)
    plain = wanted.removesuffix(".gz")
    found = next(
        (file.parent / name for name in (wanted, plain, f"{plain}.gz") if (file.parent / name).is_file()), None
    )
    if found is None:
        raise DataError(f"there is no {wanted} beside it", where=str(file), fix="put the labels beside the images")
    return found


def _part_of(file: Path) -> str:
    name = file.name.lower()
    return next((part for word, part in PARTS.items() if word in name), "")


def _read_values(path: Path) -> NDArray[np.uint8]:
    most = limits().member_bytes
    try:
        with open_plain(path) as file:
            head = file.read(4)
            if len(head) < 4 or head[:2] != b"\0\0" or head[2] != UNSIGNED or not 1 <= head[3] <= 4:
                raise DataError("this is no IDX file of unsigned bytes", where=str(path), fix=FIX)
            shape = struct.unpack(f">{head[3]}I", file.read(4 * head[3]))
            size = math.prod(shape)
            if size > most:
                raise DataError(f"it holds {size:,} bytes", where=str(path), fix=raise_limit("member_bytes"))
            values = file.read(size + 1)
    except (OSError, EOFError, zlib.error, struct.error) as error:
        raise DataError(f"cannot read this file: {error}", where=str(path), fix=FIX) from error
    if len(values) != size:
        raise DataError("it is longer or shorter than its head says", where=str(path), fix=FIX)
    return np.frombuffer(values, dtype=np.uint8).reshape(shape)
