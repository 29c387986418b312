"""Which files hold arrays of images, by their names alone: loads no NumPy, since most sets are files of images."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from engine.inputs.archive import is_archive

IDX_IMAGES = re.compile(r"(.+?)[-.]images[-.]idx3-ubyte(\.gz)?", re.IGNORECASE)
CIFAR_TEN = {f"data_batch_{number}": "train" for number in range(1, 6)} | {"test_batch": "test"}
CIFAR_HUNDRED = {"train": "train", "test": "test"}
CIFAR_META = ("batches.meta", "batches.meta.txt", "meta", "fine_label_names.txt", "coarse_label_names.txt")
PARTS = ("train", "val", "test")
WHOLE = (("images", "labels"), ("x", "y"), ("X", "y"), ("data", "targets"), ("data", "labels"))
PAIRS: Mapping[str, tuple[str, str]] = {
    images.format(part): (labels.format(part), part)
    for part in PARTS
    for images, labels in (("x_{}", "y_{}"), ("X_{}", "y_{}"), ("{}_images", "{}_labels"), ("images_{}", "labels_{}"))
} | {images: (labels, "") for images, labels in reversed(WHOLE)}
"""Name of the images -> name of their labels, and the part."""


def is_idx(path: Path) -> bool:
    """Whether it is a file of images as MNIST has them, or a folder with one."""
    return bool(idx_files(path))


def idx_files(path: Path) -> list[Path]:
    """Return the files of images."""
    files = [path] if path.is_file() else sorted(path.iterdir()) if path.is_dir() else []
    return [file for file in files if IDX_IMAGES.fullmatch(file.name) and file.is_file()]


def is_arrays(path: Path) -> bool:
    """Whether it is an .npz, or a folder with images and labels as .npy."""
    if path.is_dir():
        return any(file.stem in PAIRS for file in path.glob("*.npy"))
    return path.suffix.lower() == ".npz" and path.is_file()


def is_cifar(path: Path) -> bool:
    """Whether it is a folder of CIFAR's batches, or an archive that is called as theirs."""
    if path.is_dir():
        held = {file.name for file in path.iterdir()}
        return bool(held & {*CIFAR_META}) and bool(held & cifar_names())
    return is_archive(path) and path.name.lower().startswith("cifar-10")


def is_batch(path: Path) -> bool:
    """Whether it is a batch in a folder of CIFAR."""
    return path.name in cifar_names() and is_cifar(path.parent)


def cifar_names() -> set[str]:
    """Return the names that batches have, python and binary."""
    return {name + ending for name in (*CIFAR_TEN, *CIFAR_HUNDRED) for ending in ("", ".bin")}
