"""IDX: a folder as MNIST comes is a set, and a damaged file is named."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.core.data.sources import list_images
from engine.errors import DataError
from engine.inputs.content import data_content
from engine.inputs.forms import find_form
from engine.inputs.forms.idx import list_idx, open_idx
from engine.spec import Data
from tests.inputs.forms.making import draw_pixels, write_bitmaps, write_idx

LABELS = [1, 0, 1, 0]
PIXELS = {"train": draw_pixels(4, is_grey=True), "t10k": draw_pixels(4, is_grey=True)[::-1] // 2}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for prefix, images in PIXELS.items():
        write_idx(tmp_path / "mnist" / f"{prefix}-images-idx3-ubyte.gz", images)
        write_idx(tmp_path / "mnist" / f"{prefix}-labels-idx1-ubyte", np.array(LABELS, dtype=np.uint8))
    return tmp_path / "mnist"


def test_mnist_equals_a_folder_of_bitmaps(root: Path, tmp_path: Path) -> None:
    for prefix, part in (("train", "train"), ("t10k", "test")):
        write_bitmaps(PIXELS[prefix], LABELS, ("0", "1"), tmp_path / "bitmaps" / part)
    assert find_form(root) == "idx"
    found = [Data(source="folder", root=str(path)) for path in (root, tmp_path / "bitmaps")]
    digests = [data_content(data, tmp_path / "digests.json").digest for data in found]
    assert digests[0] == digests[1]
    listing = list_images(found[0])
    assert {sample.part for sample in listing.samples} == {"train", "test"}
    assert listing.mode(0) == "L"


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\0\0\x08", "no IDX file"),
        (b"\0\0\x0d\x03" + b"\0" * 12, "no IDX file of unsigned bytes"),
        (b"\0\0\x08\x03\0\0", "cannot read this file"),
        (b"\0\0\x08\x01\0\0\0\x05abc", "longer or shorter than its head says"),
        (b"\0\0\x08\x01\0\0\0\x02abc", "longer or shorter than its head says"),
    ],
)
def test_a_damaged_file_is_named(tmp_path: Path, content: bytes, said: str) -> None:
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(content)
    with pytest.raises(DataError, match=said):
        open_idx(path)


def test_a_head_that_promises_too_much_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "train-images-idx3-ubyte"
    path.write_bytes(b"\0\0\x08\x03" + b"\xff" * 12)
    with pytest.raises(DataError, match=r"it holds .* bytes\nfix: .*member_bytes"):
        open_idx(path)


def test_labels_stand_beside_and_are_as_many(root: Path) -> None:
    write_idx(root / "train-labels-idx1-ubyte", np.array([1], dtype=np.uint8))
    with pytest.raises(DataError, match="4 images and 1 labels"):
        list_idx(root, None)
    (root / "train-labels-idx1-ubyte").unlink()
    with pytest.raises(DataError, match=r"there is no train-labels-idx1-ubyte\.gz beside it"):
        list_idx(root, None)
    with pytest.raises(DataError, match="one label an image"):
        list_idx(root, "fine")
