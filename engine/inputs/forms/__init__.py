"""Sets of images as people have them: takes what data.root names, gives files or members with class and part.

A form says by names alone whether a path is of it, lists its images, and leaves their bytes to a container. Bytes of
an image are those of its file; pixels without a file (CIFAR, IDX, NumPy) are handed on as the .bmp that they make.

    known       which files hold arrays, by their names
    labels      which class a label names; several for one image, and measures, are refused
    columns     which columns of a table are the image, its class, its part
    table       .csv and .tsv with a path, a class and perhaps a part in each row
    parquet     .parquet files with the bytes of an image in each row, as data sets on the hub are kept
    shards      WebDataset: .tar files with KEY.jpg beside KEY.cls or KEY.json
    cifar       CIFAR-10 and CIFAR-100, python or binary, packed or not
    cifar_pickle   the python version, read without running what a pickle may hold
    idx         MNIST and its like
    arrays      .npz files, and folders of .npy files
    pixels      arrays of images as containers
    bitmap      pixels as a .bmp
    containers  who gives the bytes of a member
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.errors import DataError
from engine.inputs.folders import ImageFile, choose_classes, find_images
from engine.inputs.forms.known import is_arrays, is_cifar, is_idx
from engine.inputs.forms.parquet import is_parquet, list_parquet
from engine.inputs.forms.shards import is_shards, list_shards
from engine.inputs.forms.table import is_table, list_table


@dataclass(frozen=True)
class Form:
    """`fits` looks at names alone; `images` takes the path and data.label, gives images in an order that counts not."""

    fits: Callable[[Path], bool]
    images: Callable[[Path, str | None], list[ImageFile]]


def find_form(root: Path) -> str | None:
    """Return which of FORMS the path is of, None for class folders and archives of them."""
    return next((name for name, form in FORMS.items() if form.fits(root)), None)


def list_form(
    root: Path, classes: list[str] | None = None, label: str | None = None
) -> tuple[list[ImageFile], tuple[str, ...]]:
    """Return the images that `root` holds, whatever its form, and the class names in the order of their labels.

    Raises DataError as `find_images` does, for a form that is damaged, and for labels that are no classes.
    """
    form = find_form(root)
    if form is None:
        _refuse_label(root, label)
        return find_images(root, classes)
    images = FORMS[form].images(root, label)
    names = choose_classes(root, sorted({image.class_name for image in images}), classes, "class")
    # Within a class in the order of their places, as in folders.
    by_class: dict[str, list[ImageFile]] = {name: [] for name in names}
    for image in images:
        if image.class_name in by_class:
            by_class[image.class_name].append(image)
    return [image for name in names for image in by_class[name]], names


def _refuse_label(root: Path, label: str | None) -> None:
    if label is not None:
        what = f"data.label is {label!r}, and the classes here are folders"
        raise DataError(what, where=str(root), fix="leave data.label away")


# NumPy is loaded where arrays are read: most sets are files of images.


def _list_idx(path: Path, label: str | None) -> list[ImageFile]:
    from engine.inputs.forms.idx import list_idx

    return list_idx(path, label)


def _list_cifar(path: Path, label: str | None) -> list[ImageFile]:
    from engine.inputs.forms.cifar import list_cifar

    return list_cifar(path, label)


def _list_arrays(path: Path, label: str | None) -> list[ImageFile]:
    from engine.inputs.forms.arrays import list_arrays

    return list_arrays(path, label)


FORMS: Mapping[str, Form] = {
    "table": Form(is_table, list_table),
    "parquet": Form(is_parquet, list_parquet),
    "idx": Form(is_idx, _list_idx),
    "cifar": Form(is_cifar, _list_cifar),
    "arrays": Form(is_arrays, _list_arrays),
    "shards": Form(is_shards, list_shards),
}
