"""CIFAR comes out alike from every version that is published, and a pickle runs nothing."""

from __future__ import annotations

import os
import pickle
import tarfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.core.data.sources import list_images
from engine.errors import DataError
from engine.inputs.content import data_content
from engine.inputs.forms import find_form
from engine.inputs.forms.cifar import list_cifar, open_cifar
from engine.inputs.forms.cifar_pickle import load_pickle
from engine.spec import Data
from tests.inputs.forms.making import as_rows, draw_pixels, write_bitmaps, write_pickle

NAMES = ("plane", "car", "bird")
LABELS = [0, 1, 2, 0, 1, 2]
PIXELS = {"train": draw_pixels(6), "test": draw_pixels(6)[::-1] // 2}


def write_ten(folder: Path) -> Path:
    for name, part in (("data_batch_1", "train"), ("test_batch", "test")):
        write_pickle(folder / name, {b"data": as_rows(PIXELS[part]), b"labels": LABELS})
    write_pickle(folder / "batches.meta", {b"label_names": [name.encode() for name in NAMES]})
    return folder


def write_ten_binary(folder: Path) -> Path:
    folder.mkdir()
    for name, part in (("data_batch_1.bin", "train"), ("test_batch.bin", "test")):
        rows = zip(LABELS, as_rows(PIXELS[part]), strict=True)
        (folder / name).write_bytes(b"".join(bytes([label]) + row.tobytes() for label, row in rows))
    (folder / "batches.meta.txt").write_text("\n".join(NAMES))
    return folder


def write_ten_archive(folder: Path) -> Path:
    path = folder.with_name("cifar-10-python.tar.gz")
    with tarfile.open(path, "w:gz") as packed:
        packed.add(write_ten(folder), "cifar-10-batches-py")
    return path


def write_hundred(folder: Path) -> Path:
    for part in PIXELS:
        held = {
            b"data": as_rows(PIXELS[part]),
            b"fine_labels": LABELS,
            b"coarse_labels": [label // 2 for label in LABELS],
        }
        write_pickle(folder / part, held)
    write_pickle(
        folder / "meta", {b"fine_label_names": [name.encode() for name in NAMES], b"coarse_label_names": [b"x", b"y"]}
    )
    return folder


def write_hundred_binary(folder: Path) -> Path:
    folder.mkdir()
    for part, images in PIXELS.items():
        rows = zip(LABELS, as_rows(images), strict=True)
        content = b"".join(bytes([label // 2, label]) + row.tobytes() for label, row in rows)
        (folder / f"{part}.bin").write_bytes(content)
    (folder / "fine_label_names.txt").write_text("\n".join(NAMES))
    (folder / "coarse_label_names.txt").write_text("x\ny\n")
    return folder


@pytest.mark.parametrize("write", [write_ten, write_ten_binary, write_ten_archive, write_hundred, write_hundred_binary])
def test_every_version_equals_a_folder_of_bitmaps(tmp_path: Path, write: Any) -> None:
    for part, images in PIXELS.items():
        write_bitmaps(images, LABELS, NAMES, tmp_path / "bitmaps" / part)
    root = write(tmp_path / "cifar")
    assert find_form(root) == "cifar"
    found = [Data(source="folder", root=str(path)) for path in (root, tmp_path / "bitmaps")]
    first, second = (data_content(data, tmp_path / "digests.json") for data in found)
    assert (first.digest, first.class_names, first.counts) == (second.digest, second.class_names, second.counts)
    listings = [list_images(data) for data in found]
    for index in range(len(listings[0].samples)):
        np.testing.assert_array_equal(listings[0].read(index), listings[1].read(index))


@pytest.mark.parametrize("write", [write_hundred, write_hundred_binary])
def test_cifar_100_has_two_labels(tmp_path: Path, write: Any) -> None:
    root = write(tmp_path / "cifar")
    assert {image.class_name for image in list_cifar(root, "coarse")} == {"x", "y"}
    with pytest.raises(DataError, match=r"no label 'finest'\nfix: set data\.label to fine or coarse"):
        list_cifar(root, "finest")


def test_cifar_10_has_one_label(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="CIFAR-10 has one label"):
        list_cifar(write_ten(tmp_path / "cifar"), "coarse")


class Evil:
    def __reduce__(self) -> tuple[Any, ...]:
        return os.system, ("touch evil",)


def test_a_pickle_runs_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(DataError, match=r"this is no pickle of CIFAR: it asks for \w+\.system"):
        load_pickle(pickle.dumps({"data": Evil()}), "here")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("content", [b"", b"\x80", b"no pickle", pickle.dumps([1, 2])])
def test_what_is_no_dictionary_is_refused(content: bytes) -> None:
    with pytest.raises(DataError, match="here: this is no pickle of CIFAR"):
        load_pickle(content, "here")


@pytest.mark.parametrize(
    "held",
    [{b"data": [1]}, {b"data": np.zeros((2, 5), np.uint8), b"labels": [0, 1]}, {b"data": as_rows(PIXELS["train"])},
     {b"data": as_rows(PIXELS["train"]), b"labels": [0]}],
)  # fmt: skip
def test_a_batch_of_something_else_is_refused(tmp_path: Path, held: Any) -> None:
    root = write_ten(tmp_path / "cifar")
    write_pickle(root / "data_batch_1", held)
    with pytest.raises(DataError, match=r"this (is no batch of CIFAR|batch has other labels than images)"):
        open_cifar(root / "data_batch_1")


def test_a_binary_batch_that_is_cut_is_refused(tmp_path: Path) -> None:
    root = write_ten_binary(tmp_path / "cifar")
    (root / "test_batch.bin").write_bytes((root / "test_batch.bin").read_bytes()[:-1])
    with pytest.raises(DataError, match=r"test_batch\.bin: this is no batch of CIFAR: its length"):
        list_cifar(root, None)
