"""What a source gives becomes class folders: arrays as PNG with every pixel, files as they are; or a refusal."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from engine.core.own_code import images
from engine.core.own_code.images import write_images
from engine.errors import DataError
from tests.core.own_code.trying import settle_text

ARRAYS = """
import numpy as np

def Thing(root):
    for number in range(4):
        yield f"class {number % 2}", np.full((5, 6, 3), number, np.uint8)
"""
FILES = """
def Thing(root):
    for path in sorted(root.iterdir()):
        yield path.stem[0], path.read_bytes()
"""


@pytest.fixture(autouse=True)
def own_modules() -> Iterator[None]:
    places = list(sys.path)
    yield
    sys.path[:] = places
    sys.modules.pop("thing", None)


def write(tmp_path: Path, text: str, root: Path | None = None, most: int = 100) -> Path:
    folder = tmp_path / "written"
    folder.mkdir()
    write_images(settle_text(tmp_path, text), {}, root, folder, most)
    return folder


def test_no_more_is_written_than_may_be(tmp_path: Path) -> None:
    assert len(list(write(tmp_path, ARRAYS, most=4).rglob("*.png"))) == 4
    (tmp_path / "written").rename(tmp_path / "before")
    with pytest.raises(DataError, match="it has given 3 images, 0") as caught:
        write(tmp_path, ARRAYS, most=3)
    assert "and goes on" in str(caught.value)
    assert "data.most" in caught.value.fix
    assert len(list((tmp_path / "written").rglob("*.png"))) == 3


def test_a_full_disk_stops_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(total=10**11, free=10**8))
    with pytest.raises(DataError, match="has 100 MB left") as caught:
        write(tmp_path, ARRAYS)
    assert "XP_CACHE" in caught.value.fix
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(total=10**9, free=10**8))
    (tmp_path / "written").rmdir()
    write(tmp_path, ARRAYS)


def test_it_tells_how_far_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "TELL_SECONDS", 0.0)
    told: list[str] = []
    write_images(settle_text(tmp_path, ARRAYS), {}, None, tmp_path, 100, told.append)
    assert [line.partition("Thing@")[2].partition(": ")[2].split(",")[0] for line in told] == [
        f"{count} images" for count in (1, 2, 3, 4)
    ]


def test_arrays_keep_every_pixel(tmp_path: Path) -> None:
    folder = write(tmp_path, ARRAYS)
    paths = sorted(folder.rglob("*.png"))
    assert [path.parent.name for path in paths] == ["class 0", "class 0", "class 1", "class 1"]
    assert [np.unique(np.asarray(Image.open(path))).tolist() for path in paths] == [[0], [2], [1], [3]]


def test_files_are_copied_as_they_are(tmp_path: Path) -> None:
    (tmp_path / "files").mkdir()
    held = BytesIO()
    Image.new("RGB", (4, 4)).save(held, "JPEG")
    (tmp_path / "files" / "a1.bin").write_bytes(held.getvalue())
    (path,) = (path for path in write(tmp_path, FILES, tmp_path / "files").rglob("*") if path.is_file())
    assert (path.suffix, path.read_bytes()) == (".jpg", held.getvalue())


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("def Thing(root):\n    return []\n", "gives no image"),
        ("def Thing(root):\n    yield 'a', b'text'\n", "image 1 is no image that can be read"),
        (ARRAYS.replace("np.uint8", "np.int64"), "image 1: an image is a int64 array"),
        (ARRAYS.replace("class {number % 2}", "test"), "'test' is no name for a folder"),
    ],
)
def test_what_is_no_image_is_refused(tmp_path: Path, text: str, says: str) -> None:
    with pytest.raises(DataError) as caught:
        write(tmp_path, text)
    assert says in str(caught.value)
