"""NumPy's files: images and labels by their names; other types and shapes say what would be read."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.core.data.sources import list_images
from engine.errors import DataError
from engine.inputs.content import data_content
from engine.inputs.forms import find_form
from engine.inputs.forms.arrays import list_arrays, open_arrays
from engine.spec import Data
from tests.inputs.forms.making import draw_pixels, write_bitmaps

LABELS = [0, 1, 0, 1]
PIXELS = draw_pixels(4)


def test_a_folder_of_arrays_equals_one_of_bitmaps(tmp_path: Path) -> None:
    (tmp_path / "set").mkdir()
    np.save(tmp_path / "set" / "images.npy", PIXELS)
    np.save(tmp_path / "set" / "labels.npy", np.array(["ant", "bee", "ant", "bee"]))
    write_bitmaps(PIXELS, LABELS, ("ant", "bee"), tmp_path / "bitmaps")
    assert find_form(tmp_path / "set") == "arrays"
    found = [Data(source="folder", root=str(tmp_path / name)) for name in ("set", "bitmaps")]
    digests = [data_content(data, tmp_path / "digests.json").digest for data in found]
    assert digests[0] == digests[1]
    first, second = (list_images(data).read(3) for data in found)
    np.testing.assert_array_equal(first, second)


@pytest.mark.parametrize("packed", [np.savez, np.savez_compressed])
@pytest.mark.parametrize("form", ["x_{}", "{}_images"])
def test_parts_are_told_by_names(tmp_path: Path, packed: Any, form: str) -> None:
    words = {"x_{}": "y_{}", "{}_images": "{}_labels"}
    held = {form.format(part): PIXELS for part in ("train", "test")}
    held |= {words[form].format(part): np.array(LABELS)[:, None] for part in ("train", "test")}
    packed(tmp_path / "set.npz", **held)
    images = list_arrays(tmp_path / "set.npz", None)
    assert [(image.class_name, image.part) for image in images[::4]] == [("0", "train"), ("0", "test")]
    assert len(images) == 8


def test_grey_and_channels_first_are_read(tmp_path: Path) -> None:
    for name, images in (("grey", PIXELS[..., 0]), ("one", PIXELS[..., :1]), ("first", PIXELS.transpose(0, 3, 1, 2))):
        np.savez(tmp_path / f"{name}.npz", x=images, y=LABELS)
    opened = {name: open_arrays(tmp_path / f"{name}.npz").read("x/2") for name in ("grey", "one", "first")}
    np.savez(tmp_path / "last.npz", x=PIXELS, y=LABELS)
    assert opened["grey"] == opened["one"]
    assert opened["first"] == open_arrays(tmp_path / "last.npz").read("x/2")


@pytest.mark.parametrize(
    ("images", "labels", "said"),
    [
        (PIXELS / 255, LABELS, r"of type float64, not uint8\nfix: save them as uint8"),
        (PIXELS[..., :2], LABELS, "no list of images"),
        (PIXELS[0, 0], LABELS, "an array of 32 x 3 is no list of images"),
        (PIXELS, LABELS[:2], "4 images and 2 labels"),
        (PIXELS, np.eye(4), "multi-label"),
        (PIXELS, [0.5, 1.0, 2.0, 3.0], r"regression"),
        (PIXELS, np.zeros((4, 1, 1)), "labels of 3 dimensions"),
    ],
)
def test_other_types_and_shapes_say_what_is_read(tmp_path: Path, images: Any, labels: Any, said: str) -> None:
    np.savez(tmp_path / "set.npz", x_train=images, y_train=labels)
    with pytest.raises(DataError, match=said):
        list_arrays(tmp_path / "set.npz", None)


def test_objects_are_never_loaded(tmp_path: Path) -> None:
    np.savez(tmp_path / "set.npz", x=PIXELS, y=np.array([{"a": 1}] * 4, dtype=object))
    with pytest.raises(DataError, match=r"cannot read these arrays: Object arrays cannot be loaded"):
        list_arrays(tmp_path / "set.npz", None)


def test_an_array_larger_than_the_limit_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    np.savez_compressed(tmp_path / "set.npz", x=np.zeros_like(PIXELS), y=LABELS)
    monkeypatch.setenv("XP_LIMITS", "member_bytes=1000")
    with pytest.raises(DataError, match=r"set\.npz!x: it holds 12,416 bytes\nfix: .*member_bytes"):
        list_arrays(tmp_path / "set.npz", None)


def test_arrays_with_other_names_are_told_the_known_ones(tmp_path: Path) -> None:
    np.savez(tmp_path / "set.npz", pictures=PIXELS, classes=LABELS)
    with pytest.raises(DataError, match=r"no two arrays here are known as images and labels\nfix: .*x_train"):
        list_arrays(tmp_path / "set.npz", None)
    with pytest.raises(DataError, match="one label an image"):
        list_arrays(tmp_path / "set.npz", "fine")


def test_what_is_no_npz_is_named(tmp_path: Path) -> None:
    (tmp_path / "set.npz").write_bytes(b"no zip")
    with pytest.raises(DataError, match=r"set\.npz: cannot read these arrays"):
        list_arrays(tmp_path / "set.npz", None)
    with zipfile.ZipFile(tmp_path / "set.npz", "w") as packed:
        for name in ("x.npy", "y.npy"):
            packed.writestr(name, b"no array")
    with pytest.raises(DataError, match=r"set\.npz: cannot read these arrays"):
        list_arrays(tmp_path / "set.npz", None)
