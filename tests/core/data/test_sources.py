"""Every readable file comes out upright, RGB, 8 bits; every other one is named."""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from engine.core.data.decode import Pixels, decode_image
from engine.core.data.sources import LISTINGS, list_images, read_bytes
from engine.errors import DataError
from engine.inputs.content import SOURCES
from engine.spec import Data

RED = (200, 30, 40)


def read_image(path: Path) -> Pixels:
    return decode_image(path.read_bytes(), str(path))


def near(pixels: Pixels, colour: tuple[int, int, int], tolerance: int = 6) -> bool:
    return bool((np.abs(pixels.astype(int) - np.array(colour)) <= tolerance).all())


def test_grey_palette_cmyk_and_alpha_come_out_as_rgb(tmp_path: Path) -> None:
    image = Image.new("RGB", (20, 10), RED)
    image.convert("CMYK").save(tmp_path / "cmyk.jpg", quality=100)
    image.convert("P", palette=Image.Palette.ADAPTIVE).save(tmp_path / "palette.png")
    image.save(tmp_path / "plain.bmp")
    for name in ("cmyk.jpg", "palette.png", "plain.bmp"):
        pixels = read_image(tmp_path / name)
        assert pixels.shape == (10, 20, 3)
        assert pixels.dtype == np.uint8
        assert near(pixels, RED), name
    Image.new("L", (20, 10), 77).save(tmp_path / "grey.png")
    assert near(read_image(tmp_path / "grey.png"), (77, 77, 77), 0)


def test_transparency_shows_white(tmp_path: Path) -> None:
    Image.new("RGBA", (4, 4), (10, 20, 30, 0)).save(tmp_path / "clear.png")
    assert near(read_image(tmp_path / "clear.png"), (255, 255, 255), 0)


def test_sixteen_bits_keep_their_brightness(tmp_path: Path) -> None:
    for level in (200, 128 * 257, 65535):
        Image.fromarray(np.full((6, 5), level, dtype=np.uint16)).save(tmp_path / "deep.png")
        expected = round(level / 257)
        assert near(read_image(tmp_path / "deep.png"), (expected,) * 3, 0)


def test_exif_rotation_is_undone(tmp_path: Path) -> None:
    image = Image.new("RGB", (40, 20), (0, 0, 0))
    image.paste(RED, (0, 0, 10, 20))
    exif = Image.Exif()
    exif[0x0112] = 6
    image.save(tmp_path / "turned.jpg", exif=exif, quality=95)
    pixels = read_image(tmp_path / "turned.jpg")
    assert pixels.shape == (40, 20, 3)
    assert pixels[2:8].mean(axis=(0, 1))[0] > 150
    assert pixels[20:].mean() < 10


def test_an_animation_gives_its_first_frame(tmp_path: Path) -> None:
    frames = [Image.new("RGB", (8, 8), colour) for colour in (RED, (0, 255, 0))]
    frames[0].save(tmp_path / "moving.gif", save_all=True, append_images=frames[1:])
    assert near(read_image(tmp_path / "moving.gif"), RED)


@pytest.mark.parametrize("content", [b"", b"not an image", b"\xff\xd8\xff\xe0 torn"])
def test_a_broken_file_is_named(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "bad.jpg").write_bytes(content)
    with pytest.raises(DataError, match=r"bad\.jpg"):
        read_image(tmp_path / "bad.jpg")


def test_a_truncated_jpeg_is_broken(tmp_path: Path) -> None:
    Image.effect_noise((64, 64), 80).convert("RGB").save(tmp_path / "whole.jpg")
    whole = (tmp_path / "whole.jpg").read_bytes()
    (tmp_path / "half.jpg").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(DataError, match=r"half\.jpg"):
        read_image(tmp_path / "half.jpg")


def test_extreme_shapes_are_read(tmp_path: Path) -> None:
    for width, height in ((1, 1), (20000, 10)):
        Image.new("RGB", (width, height), RED).save(tmp_path / "odd.png")
        assert read_image(tmp_path / "odd.png").shape == (height, width, 3)


def test_digits_are_real_images_with_ten_classes() -> None:
    listing = list_images(Data(source="digits"))
    assert len(listing.samples) == 1797
    assert len(listing.class_names) == 10
    pixels = listing.read(0)
    assert pixels.shape == (8, 8, 3)
    assert (pixels.min(), pixels.max()) == (0, 255)
    assert all(sample.path is None for sample in listing.samples)
    ordered = [(sample.label, sample.key) for sample in listing.samples]
    assert ordered == sorted(ordered)
    assert hashlib.sha256(pixels[:, :, 0].tobytes()).hexdigest() == listing.samples[0].key


def test_digits_are_those_of_scikit_learn() -> None:
    bunch, listing = load_digits(), list_images(Data(source="digits"))
    levels = np.rint(bunch.images * 255 / 16).astype(np.uint8)
    theirs = {(int(label), image.tobytes()) for label, image in zip(bunch.target, levels, strict=True)}
    mine = {(sample.label, listing.read(index)[:, :, 0].tobytes()) for index, sample in enumerate(listing.samples)}
    assert len(mine) == 1797
    assert mine == theirs


def test_labels_follow_the_class_list(tmp_path: Path) -> None:
    for number, name in enumerate(("cat", "ant", "bee")):
        (tmp_path / name).mkdir()
        Image.new("RGB", (4, 4), (number, 0, 0)).save(tmp_path / name / "one.png")
    listing = list_images(Data(source="folder", root=str(tmp_path)))
    assert listing.class_names == ("ant", "bee", "cat")
    chosen = list_images(Data(source="folder", root=str(tmp_path), classes=["cat", "ant"]))
    assert chosen.class_names == ("cat", "ant")
    assert [sample.label for sample in chosen.samples] == [0, 1]


@pytest.mark.parametrize("kind", ["zip", "tar", "tar.gz"])
def test_an_archive_gives_what_its_folder_gives(tmp_path: Path, kind: str) -> None:
    root = tmp_path / "set"
    for name in ("ant", "bee"):
        (root / name).mkdir(parents=True)
        for number in range(3):
            Image.effect_noise((9, 7), 60).save(root / name / f"{number}.png")
    archive = tmp_path / f"set.{kind}"
    if kind == "zip":
        with zipfile.ZipFile(archive, "w") as packed:
            for path in root.rglob("*.png"):
                packed.write(path, path.relative_to(tmp_path))
    else:
        with tarfile.open(archive, "w:gz" if kind == "tar.gz" else "w") as tar:
            tar.add(root, "set")
    plain, held = (list_images(Data(source="folder", root=str(path))) for path in (root, archive))
    assert [sample.key for sample in plain.samples] == [sample.key for sample in held.samples]
    assert plain.class_names == held.class_names
    for index in (5, 0, 3):
        np.testing.assert_array_equal(plain.read(index), held.read(index))


@pytest.mark.parametrize("kind", ["tar", "tar.gz"])
def test_links_in_a_tar_are_the_files_that_they_lead_to(tmp_path: Path, kind: str) -> None:
    root = linked_set(tmp_path)
    (root / "ant" / "soft.png").symlink_to("../bee/0.png")
    (root / "latest").symlink_to("ant")
    with tarfile.open(tmp_path / f"set.{kind}", "w:gz" if kind == "tar.gz" else "w") as tar:
        tar.add(root, "set")
    (root / "latest").unlink()  # in a folder it would be one more class
    plain, held = (list_images(Data(source="folder", root=str(path))) for path in (root, tmp_path / f"set.{kind}"))
    assert len(held.samples) == 6
    assert [sample.key for sample in held.samples] == [sample.key for sample in plain.samples]
    for index in range(6):
        np.testing.assert_array_equal(plain.read(index), held.read(index))


def test_a_link_out_of_a_tar_is_named(tmp_path: Path) -> None:
    root = linked_set(tmp_path)
    (root / "bee" / "lost.png").symlink_to("../../elsewhere/9.png")
    with tarfile.open(tmp_path / "set.tar", "w") as tar:
        tar.add(root, ".")
    with pytest.raises(
        DataError, match=r"set\.tar!bee/lost\.png: .*a link to \.\./\.\./elsewhere/9\.png.*\nfix: .*tar -h"
    ):
        list_images(Data(source="folder", root=str(tmp_path / "set.tar")))


def test_a_disk_too_small_to_inflate_an_archive_is_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with tarfile.open(tmp_path / "set.tar.gz", "w:gz") as tar:
        tar.add(linked_set(tmp_path), "set")

    def fill_up(*words: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("engine.inputs.archive.shutil.copyfileobj", fill_up)
    with pytest.raises(DataError, match=r"set\.tar\.gz: there is no room to inflate this archive\nfix: .*TMPDIR"):
        list_images(Data(source="folder", root=str(tmp_path / "set.tar.gz")))


def linked_set(folder: Path) -> Path:
    """Two classes of two images, one more of them a hard link."""
    for name in ("ant", "bee"):
        (folder / "set" / name).mkdir(parents=True)
        for number in range(2):
            Image.effect_noise((9, 7), 60).save(folder / "set" / name / f"{number}.png")
    os.link(folder / "set" / "ant" / "0.png", folder / "set" / "bee" / "hard.png")
    return folder / "set"


def test_the_order_follows_from_content_not_from_names(tmp_path: Path) -> None:
    for name in ("ant", "bee"):
        (tmp_path / name).mkdir()
        for number in range(4):
            Image.effect_noise((9, 7), 60).save(tmp_path / name / f"{number}.png")
    data = Data(source="folder", root=str(tmp_path))
    first = [sample.key for sample in list_images(data).samples]
    (tmp_path / "ant" / "0.png").rename(tmp_path / "ant" / "last.png")
    assert [sample.key for sample in list_images(data).samples] == first


@pytest.mark.skipif("XP_PHOTOS" not in os.environ, reason="XP_PHOTOS names no folder or archive of photographs")
def test_photographs_are_read() -> None:
    listing = list_images(Data(source="folder", root=os.environ["XP_PHOTOS"]))
    assert len(listing.class_names) > 1
    for index in range(0, len(listing.samples), max(1, len(listing.samples) // 20)):
        pixels = listing.read(index)
        assert pixels.dtype == np.uint8
        assert pixels.ndim == 3
        assert pixels.std() > 1


@pytest.mark.parametrize("kind", ["tree", "zip"])
def test_an_image_that_changes_after_it_is_listed_is_named(tmp_path: Path, kind: str) -> None:
    for name, colour in (("a", RED), ("b", (0, 0, 0))):
        (tmp_path / "tree" / name).mkdir(parents=True)
        Image.new("RGB", (9, 9), colour).save(tmp_path / "tree" / name / "x.png")
    root = tmp_path / kind
    if kind == "zip":
        root = Path(shutil.make_archive(str(tmp_path / "set"), "zip", tmp_path / "tree"))
    listing = list_images(Data(source="folder", root=str(root)))
    assert near(listing.read(0), RED, 0)
    if kind == "tree":
        Image.new("RGB", (9, 9), (1, 2, 3)).save(tmp_path / "tree" / "a" / "x.png")
        with pytest.raises(DataError, match="changed after it was listed") as told:
            listing.read(0)
        assert told.value.where is not None
        assert told.value.where.endswith("x.png")
    assert near(listing.read(1), (0, 0, 0), 0), "the others are as they were"


def test_every_source_can_be_read() -> None:
    """Planning asks a source what is there, packing reads it: a word needs both."""
    assert set(LISTINGS) == set(SOURCES)


def test_a_file_of_more_bytes_than_an_image_may_have_is_not_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x.png").write_bytes(bytes(1000))
    monkeypatch.setenv("XP_LIMITS", "image_bytes=1000")
    assert len(read_bytes(tmp_path / "x.png")) == 1000
    monkeypatch.setenv("XP_LIMITS", "image_bytes=999")
    with pytest.raises(DataError, match=r"x\.png: this file has 1,000 bytes\nfix: .*image_bytes"):
        read_bytes(tmp_path / "x.png")
