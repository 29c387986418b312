"""Twelve kinds of hostile input end in a right image or in an error that names the file and the repair."""

from __future__ import annotations

import io
import os
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np
import pytest
from PIL import Image

from engine.core.data import sources
from engine.core.data.decode import Pixels
from engine.core.data.pack import is_valid_pack, open_pack, write_pack
from engine.core.data.sources import list_images
from engine.errors import DataError
from engine.inputs.content import data_content
from engine.inspect.images import survey_lines, survey_path
from engine.spec import Data

RED = (200, 30, 40)


def jpeg_bytes() -> bytes:
    held = io.BytesIO()
    Image.effect_noise((80, 70), 60).convert("RGB").save(held, "JPEG", quality=95)
    return held.getvalue()


def animated_gif(path: Path) -> None:
    frames = [Image.new("RGB", (9, 8), colour) for colour in (RED, (0, 255, 0))]
    frames[0].save(path, save_all=True, append_images=frames[1:])


def red(width: int, height: int) -> Image.Image:
    return Image.new("RGB", (width, height), RED)


def looped_link(path: Path) -> None:
    path.symlink_to(path)


def dangling_link(path: Path) -> None:
    path.symlink_to(path.parent / "nowhere")


def is_red(pixels: Pixels) -> bool:
    return bool((np.abs(pixels.astype(int) - np.array(RED)) < 8).all())


def is_mid_grey(pixels: Pixels) -> bool:
    return bool((pixels == 128).all())


Make = Callable[[Path], object]
Looks = Callable[[Pixels], bool]
BECOME_IMAGES: dict[str, tuple[str, Make, tuple[int, int, int], Looks]] = {
    "one pixel": ("x.png", lambda path: red(1, 1).save(path), (1, 1, 3), is_red),
    "20000 by 10": ("x.png", lambda path: red(20000, 10).save(path), (10, 20000, 3), is_red),
    "animated": ("x.gif", animated_gif, (8, 9, 3), is_red),
    "CMYK": ("x.jpg", lambda path: red(9, 8).convert("CMYK").save(path, quality=100), (8, 9, 3), is_red),
    "16 bits": (
        "x.png",
        lambda path: Image.fromarray(np.full((8, 9), 128 * 257, dtype=np.uint16)).save(path),
        (8, 9, 3),
        is_mid_grey,
    ),
}
ARE_BROKEN: dict[str, tuple[str, Make, str]] = {
    "text": ("x.jpg", lambda path: path.write_text("this is no image"), "it is in no format that is known"),
    "truncated": ("x.jpg", lambda path: path.write_bytes(jpeg_bytes()[:2000]), "image file is truncated"),
    "no bytes": ("x.jpg", lambda path: path.write_bytes(b""), "the file is empty"),
}
CANNOT_BE_READ: dict[str, tuple[str, Make]] = {
    "symlink loop": ("x.jpg", looped_link),
    "dangling symlink": ("x.jpg", dangling_link),
    "a pipe": ("x.jpg", os.mkfifo),
}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Two classes of two good images each."""
    for name in ("ant", "bee"):
        (tmp_path / "set" / name).mkdir(parents=True)
        for number in range(2):
            Image.effect_noise((40, 30), 60).save(tmp_path / "set" / name / f"{number}.png")
    return tmp_path / "set"


def pack_of(root: Path, broken: str = "stop") -> Path:
    folder = root.parent / f"pack_{broken}"
    folder.mkdir()
    listing = list_images(Data(source="folder", root=str(root)))
    write_pack(listing, folder, 256, lambda done, count: None, broken=broken)  # type: ignore[arg-type]
    return folder


@pytest.mark.parametrize("kind", sorted(BECOME_IMAGES))
def test_odd_files_become_right_images(root: Path, kind: str) -> None:
    name, make, shape, looks_right = BECOME_IMAGES[kind]
    make(root / "ant" / name)
    listing = list_images(Data(source="folder", root=str(root)))
    (row,) = [row for row, sample in enumerate(listing.samples) if sample.path == root / "ant" / name]
    image = open_pack(pack_of(root)).image(row)
    assert image.shape == shape
    assert looks_right(image)


@pytest.mark.parametrize("kind", sorted(ARE_BROKEN))
def test_broken_files_stop_the_pack_or_are_left_out_and_counted(root: Path, kind: str) -> None:
    name, make, what = ARE_BROKEN[kind]
    make(root / "ant" / name)
    with pytest.raises(DataError, match=rf"ant/{name}: this image is broken: {what}.*\nfix: .*data\.broken: skip"):
        pack_of(root)
    assert not is_valid_pack(root.parent / "pack_stop")
    pack = open_pack(pack_of(root, "skip"))
    assert (len(pack), pack.skipped) == (4, (str(root / "ant" / name),))


@pytest.mark.parametrize("kind", sorted(CANNOT_BE_READ))
def test_files_that_cannot_be_read_are_named_before_anything_is_packed(root: Path, kind: str) -> None:
    name, make = CANNOT_BE_READ[kind]
    make(root / "ant" / name)
    with pytest.raises(DataError, match=rf"ant/{name}: cannot read this image: .*\nfix: "):
        data_content(Data(source="folder", root=str(root)), root.parent / "digests.json")


def test_a_file_that_nobody_may_read_is_named_for_root_too(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listing = list_images(Data(source="folder", root=str(root)))
    honest = open

    def forbid(path: Path, mode: str) -> IO[Any]:
        if path.name == "1.png":
            raise PermissionError(13, "Permission denied")
        return honest(path, mode)

    monkeypatch.setattr(sources, "open", forbid, raising=False)
    forbidden = next(row for row, sample in enumerate(listing.samples) if sample.place.endswith("1.png"))
    with pytest.raises(DataError, match=r"1\.png: cannot read this image: Permission denied\nfix: make it readable"):
        listing.read(forbidden)


@pytest.mark.parametrize("content", [jpeg_bytes(), b"broken"])
def test_a_file_whose_name_is_no_utf8_is_packed_or_named_like_any_other(root: Path, content: bytes) -> None:
    (root / "ant" / os.fsdecode(b"caf\xe9.jpg")).write_bytes(content)
    pack = open_pack(pack_of(root, "skip"))
    assert len(pack) + len(pack.skipped) == 5
    assert [*pack.skipped] == ([str(root / "ant" / r"caf\xe9.jpg")] if content == b"broken" else [])
    survey = survey_path(root, lambda done, count: None)
    "\n".join(survey_lines(survey)).encode()
    assert len(survey.broken) == len(pack.skipped)


def test_a_class_folder_whose_name_is_no_utf8_is_refused(root: Path) -> None:
    (root / "bee").rename(root / os.fsdecode(b"ab\xe9"))
    with pytest.raises(DataError, match=r"class folder 'ab\\xe9' is no UTF-8\nfix: rename the folder"):
        list_images(Data(source="folder", root=str(root)))


def test_links_that_lead_back_up_end(root: Path) -> None:
    (root / "ant" / "again").symlink_to(root, target_is_directory=True)
    assert len(list_images(Data(source="folder", root=str(root))).samples) == 4


def test_a_folder_that_is_called_like_an_image_is_a_folder(root: Path) -> None:
    (root / "ant" / "x.jpg").mkdir()
    Image.new("RGB", (4, 4)).save(root / "ant" / "x.jpg" / "inner.png")
    assert len(list_images(Data(source="folder", root=str(root))).samples) == 5


@pytest.mark.parametrize(("names", "what"), [((), "no class folders"), (("ant",), "one class only, 'ant'")])
def test_a_set_of_no_class_or_one_is_refused(tmp_path: Path, names: tuple[str, ...], what: str) -> None:
    (tmp_path / "set").mkdir()
    for name in names:
        (tmp_path / "set" / name).mkdir()
        Image.new("RGB", (4, 4)).save(tmp_path / "set" / name / "1.png")
    with pytest.raises(DataError, match=rf"{what}.*\nfix: "):
        list_images(Data(source="folder", root=str(tmp_path / "set")))
