"""NumPy's files: takes an .npz with x_train, y_train and so on, or a folder of .npy files called so; gives the images.

Names that are known: x_train and y_train, train_images and train_labels, the same with val and test, and for a set
without parts x and y, images and labels, data and targets.
"""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import DataError
from engine.home.limits import limits, raise_limit
from engine.inputs.folders import ImageFile
from engine.inputs.forms.known import PAIRS
from engine.inputs.forms.labels import name_class, read_names, refuse_several
from engine.inputs.forms.pixels import PixelSet, shape_images

FIX = "save it again: numpy.savez(FILE, x_train=..., y_train=..., x_test=..., y_test=...), images as uint8"


def list_arrays(path: Path, label: str | None) -> list[ImageFile]:
    """Return the images of all pairs of arrays. Raises DataError for other types, shapes and labels than are read."""
    if label is not None:
        raise DataError("data.label is given, and arrays have one label an image", where=str(path), fix="leave it away")
    names = read_names(path if path.is_dir() else path.parent)
    found = [image for pair in _find_pairs(path) for image in _list_pair(path, *pair, names)]
    if not found:
        raise DataError("no two arrays here are known as images and labels", where=str(path), fix=FIX)
    return found


def open_arrays(path: Path) -> PixelSet:
    """Open a file of arrays. Raises DataError where it is damaged."""
    if path.suffix.lower() == ".npy":
        return PixelSet({"": shape_images(_load_array(path), str(path))})
    pairs = _find_pairs(path)
    return PixelSet({name: shape_images(_load_member(path, name), f"{path}!{name}") for name, _, _ in pairs})


def _find_pairs(path: Path) -> list[tuple[str, str, str]]:
    """Return names of images, labels and part."""
    known = {file.stem for file in path.glob("*.npy")} if path.is_dir() else _member_names(path)
    found = [(name, labels, part) for name, (labels, part) in PAIRS.items() if name in known and labels in known]
    whole = [pair for pair in found if not pair[2]]
    # Of a set without parts one pair is enough: `x` may be there beside `images`.
    return [pair for pair in found if pair[2]] or whole[:1]


def _list_pair(path: Path, images: str, labels: str, part: str, names: tuple[str, ...] | None) -> Iterator[ImageFile]:
    where = f"{path}!{labels}"
    file = path / f"{images}.npy" if path.is_dir() else path
    loaded = [
        _load_array(path / f"{name}.npy") if path.is_dir() else _load_member(path, name) for name in (images, labels)
    ]
    count, values = len(shape_images(loaded[0], f"{path}!{images}")), _flat_labels(loaded[1], where)
    if len(values) != count:
        raise DataError(f"{count} images and {len(values)} labels", where=where, fix=FIX)
    for number, value in enumerate(values):
        member = str(number) if path.is_dir() else f"{images}/{number}"
        yield ImageFile(file, name_class(value, where, names), member, part)


def _flat_labels(labels: NDArray[Any], where: str) -> list[Any]:
    if labels.ndim == 2 and labels.shape[1] > 1:
        raise refuse_several((f"{labels.shape[1]} columns",), where)
    if labels.ndim not in (1, 2):
        raise DataError(f"labels of {labels.ndim} dimensions", where=where, fix="save one number for each image")
    values: list[Any] = labels.reshape(-1).tolist()
    return [value.decode("utf-8", "replace") if isinstance(value, bytes) else value for value in values]


def _member_names(path: Path) -> set[str]:
    with _named(path), zipfile.ZipFile(path) as packed:
        return {name.removesuffix(".npy") for name in packed.namelist() if name.endswith(".npy")}


def _load_member(path: Path, name: str) -> NDArray[Any]:
    with _named(path), zipfile.ZipFile(path) as packed:
        size = packed.getinfo(f"{name}.npy").file_size
        if size > limits().member_bytes:
            raise DataError(f"it holds {size:,} bytes", where=f"{path}!{name}", fix=raise_limit("member_bytes"))
        with packed.open(f"{name}.npy") as file:
            # No more than was declared, and nothing pickled: that could run anything.
            loaded: NDArray[Any] = np.lib.format.read_array(file, allow_pickle=False)
            return loaded


def _load_array(path: Path) -> NDArray[Any]:
    with _named(path):
        loaded: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
        return loaded


@contextmanager
def _named(path: Path) -> Iterator[None]:
    try:
        yield
    except DataError:
        raise
    except (zipfile.BadZipFile, zlib.error, EOFError, OSError, ValueError, KeyError, RuntimeError) as error:
        what = f"cannot read these arrays: {str(error).splitlines()[0][:200] if str(error) else type(error).__name__}"
        raise DataError(what, where=str(path), fix=FIX) from error
