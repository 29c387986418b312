"""CIFAR-10 and CIFAR-100: takes the folder or the archive as it is published, python or binary; gives the images.

The layout, by Krizhevsky's page on CIFAR: an image is 3,072 bytes, red, green, blue, 32 x 32 each; in the binary
version the label stands before it, in CIFAR-100 the coarse and the fine one. data.label is `fine` or `coarse` there.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.errors import DataError
from engine.inputs.archive import is_archive, stream_members
from engine.inputs.folders import ImageFile
from engine.inputs.forms.cifar_pickle import load_pickle
from engine.inputs.forms.known import CIFAR_HUNDRED, CIFAR_META, CIFAR_TEN, cifar_names
from engine.inputs.forms.labels import name_class
from engine.inputs.forms.pixels import PixelSet

PIXELS = 3 * 32 * 32
FIX = "fetch CIFAR again, and name its folder or archive as it comes"
DEPTHS = ("fine", "coarse")
PICKLED = {"label": "labels", "fine": "fine_labels", "coarse": "coarse_labels"}


@dataclass(frozen=True)
class _Batch:
    """`images` are N x 3,072 bytes; `labels` are by what they are called: label, or fine and coarse."""

    images: NDArray[np.uint8]
    labels: Mapping[str, list[int]]


def list_cifar(path: Path, label: str | None) -> list[ImageFile]:
    """Return the images of all batches. Raises DataError where one is damaged."""
    held = _read_files(path)
    images = list[ImageFile]()
    for name, batch in _batches(held, path).items():
        chosen = _choose_labels(batch, label, path)
        names = _class_names(held, chosen, path)
        file = path / name if path.is_dir() else path
        part = {**CIFAR_TEN, **CIFAR_HUNDRED}[Path(name).stem if name.endswith(".bin") else Path(name).name]
        for number, value in enumerate(batch.labels[chosen]):
            member = str(number) if path.is_dir() else f"{name}/{number}"
            images.append(ImageFile(file, name_class(value, f"{path}!{name}", names), member, part))
    if not images:
        raise DataError("there is no batch of CIFAR here", where=str(path), fix=FIX)
    return images


def open_cifar(path: Path) -> PixelSet:
    """Open a batch, or an archive of them. Raises DataError where it is damaged."""
    if is_archive(path):
        return PixelSet({name: _as_images(batch) for name, batch in _batches(_read_files(path), path).items()})
    batch = _read_batch(path.name, path.read_bytes(), str(path), _is_hundred((path.name,)))
    return PixelSet({"": _as_images(batch)})


def _read_files(path: Path) -> dict[str, bytes]:
    """Return what the files of CIFAR hold, by their names in the folder or archive."""
    wanted = {*cifar_names(), *CIFAR_META}
    if path.is_dir():
        return {file.name: file.read_bytes() for file in sorted(path.iterdir()) if file.name in wanted}
    held = stream_members(path, lambda name: name.rpartition("/")[2] in wanted)
    return dict(sorted((name, content) for name, content in held if content is not None))


def _batches(held: Mapping[str, bytes], path: Path) -> dict[str, _Batch]:
    names = [name for name in held if name.rpartition("/")[2] not in CIFAR_META]
    return {name: _read_batch(name, held[name], f"{path}!{name}", _is_hundred(names)) for name in names}


def _is_hundred(names: Iterable[str]) -> bool:
    return all(name.rpartition("/")[2].removesuffix(".bin") in CIFAR_HUNDRED for name in names)


def _read_batch(name: str, content: bytes, where: str, is_hundred: bool) -> _Batch:
    if name.endswith(".bin"):
        return _read_binary(content, where, is_hundred)
    held = load_pickle(content, where)
    images = held.get("data")
    labels = {key: held[name] for key, name in PICKLED.items() if isinstance(held.get(name), list)}
    if not isinstance(images, np.ndarray) or images.dtype != np.uint8 or images.ndim != 2 or images.shape[1] != PIXELS:
        raise DataError("this is no batch of CIFAR", where=where, fix=FIX)
    if not labels or any(len(one) != len(images) for one in labels.values()):
        raise DataError("this batch has other labels than images", where=where, fix=FIX)
    return _Batch(images, labels)


def _read_binary(content: bytes, where: str, is_hundred: bool) -> _Batch:
    ahead = 2 if is_hundred else 1
    if not content or len(content) % (ahead + PIXELS):
        raise DataError("this is no batch of CIFAR: its length is not that of whole images", where=where, fix=FIX)
    rows = np.frombuffer(content, dtype=np.uint8).reshape(-1, ahead + PIXELS)
    names = ("coarse", "fine") if is_hundred else ("label",)
    return _Batch(rows[:, ahead:], {name: rows[:, column].tolist() for column, name in enumerate(names)})


def _as_images(batch: _Batch) -> NDArray[np.uint8]:
    return batch.images.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)


def _choose_labels(batch: _Batch, label: str | None, path: Path) -> str:
    if "label" in batch.labels:
        if label is not None:
            raise DataError("data.label is given, and CIFAR-10 has one label", where=str(path), fix="leave it away")
        return "label"
    if label not in (None, *DEPTHS):
        raise DataError(f"CIFAR-100 has no label {label!r}", where=str(path), fix="set data.label to fine or coarse")
    return label or "fine"


def _class_names(held: Mapping[str, bytes], chosen: str, path: Path) -> list[str] | None:
    """Return the names of the labels, None where the set has none with it."""
    texts = {"label": "batches.meta.txt", "fine": "fine_label_names.txt", "coarse": "coarse_label_names.txt"}
    pickled = {"label": "label_names", "fine": "fine_label_names", "coarse": "coarse_label_names"}
    for name, content in held.items():
        base = name.rpartition("/")[2]
        if base == texts[chosen]:
            return content.decode("utf-8", "replace").split()
        if base in ("batches.meta", "meta"):
            names = load_pickle(content, f"{path}!{name}").get(pickled[chosen])
            return [one.decode() if isinstance(one, bytes) else str(one) for one in names] if names else None
    return None
