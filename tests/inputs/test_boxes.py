"""Each box finds its image by path or by name, or is refused; their digest is of contents and of nothing else."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from engine.errors import DataError, MissingData
from engine.inputs.boxes import index_boxes, match_boxes, match_names, open_boxes
from engine.inputs.content import data_images
from engine.spec import Data
from tests.inputs.test_box_files import box_text, table, voc

HERE = Path("/boxes")


@pytest.fixture
def data(tmp_path: Path) -> Data:
    """Two classes of two images; planning reads no pixel of them."""
    for place in ("ant/1.jpg", "ant/2.jpg", "bee/1.jpg", "bee/3.png"):
        path = tmp_path / "set" / place
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(place.encode())
    (tmp_path / "boxes").mkdir()
    return Data(source="folder", root=str(tmp_path / "set"), boxes=str(tmp_path / "boxes"))


def annotate(data: Data, name: str, *boxes: str) -> Path:
    path = Path(str(data.boxes), name)
    path.parent.mkdir(parents=True, exist_ok=True)
    return voc(path, *(boxes or [box_text(1, 2, 3, 4)]))


def matched(images: list[str], boxes: list[str]) -> dict[str, str]:
    return {images[at]: name for at, name in match_names(images, boxes, HERE).items()}


def test_names_match_by_path_then_by_folder_then_alone() -> None:
    images = ["train/ant/1.jpg", "train/bee/1.jpg", "train/bee/9.JPEG", "test/ant/7.jpg"]
    boxes = ["train/ant/1.xml", "bee/1.png", "9.xml", "./test/ant/7.jpg", "other.xml"]
    assert matched(images, boxes) == dict(zip(images, boxes, strict=False))


def test_a_box_of_an_image_that_is_gone_is_nobodys() -> None:
    """Another image of that name in another class, or another part, is another image."""
    assert matched(["a/1.jpg", "b/2.jpg"], ["b/1.xml"]) == {}
    assert matched(["train/a/1.jpg", "test/a/2.jpg"], ["test/a/1.xml"]) == {}
    assert matched(["train/a/1.jpg", "train/a/1.b.jpg"], ["train/a/1.b"]) == {"train/a/1.b.jpg": "train/a/1.b"}


@pytest.mark.parametrize(
    ("images", "boxes", "what"),
    [
        (["a/1.jpg", "b/1.jpg"], ["1.xml"], "1.xml fits two images: a/1.jpg and b/1.jpg"),
        (["a/1.jpg", "a/1.png"], ["a/1.xml"], "a/1.xml fits two images: a/1.jpg and a/1.png"),
        (["a/1.jpg"], ["x/1.xml", "y/1.xml"], "a/1.jpg fits two boxes: x/1.xml and y/1.xml"),
        (["a/1.jpg"], ["a/1.jpg", "a/1"], "a/1.jpg fits two boxes: a/1 and a/1.jpg"),
    ],
)
def test_names_that_fit_two_are_refused_with_both(images: list[str], boxes: list[str], what: str) -> None:
    with pytest.raises(DataError) as caught:
        match_names(images, boxes, HERE)
    assert caught.value.what == what


def test_images_without_boxes_and_boxes_without_images_are_passed_over(data: Data) -> None:
    annotate(data, "ant/1.xml")
    annotate(data, "3.xml")
    annotate(data, "stranger.xml", "")  # wrong, and of no image here
    images, _ = data_images(data)
    found = match_boxes(data)
    assert {images[at].path.name: one.boxes[0].edges for at, one in found.items()} == {
        "1.jpg": (1, 2, 3, 4),
        "3.png": (1, 2, 3, 4),
    }


def test_boxes_that_match_no_image_at_all_are_refused(data: Data) -> None:
    annotate(data, "stranger.xml")
    with pytest.raises(
        DataError, match=r"none of the 1 names here is that of an image of data.root, such as ant/1.jpg"
    ):
        match_boxes(data)


def test_an_annotation_without_objects_is_none(data: Data) -> None:
    annotate(data, "ant/1.xml")
    voc(Path(str(data.boxes), "3.xml"))
    assert len(match_boxes(data)) == 1


def test_a_folder_has_one_kind_of_files(data: Data, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no \.xml or \.png files"):
        open_boxes(tmp_path / "boxes")
    annotate(data, "1.xml")
    (tmp_path / "boxes" / "1.png").write_bytes(b"")
    with pytest.raises(DataError, match=r"both \.xml and \.png"):
        open_boxes(tmp_path / "boxes")
    (tmp_path / "boxes.zip").write_bytes(b"")
    with pytest.raises(DataError, match=r"no \.csv") as caught:
        open_boxes(tmp_path / "boxes.zip")
    assert "unpacked" in caught.value.fix


def test_the_digest_is_of_contents_alone(data: Data, tmp_path: Path) -> None:
    """Not of names, paths, lines or the file format; of boxes, of the images they are of, and of masks."""
    cache = tmp_path / "digests.json"
    annotate(data, "ant/1.xml", box_text(1, 2, 3, 4), box_text(5, 6, 7, 8))
    first = index_boxes(data, cache)
    shutil.move(tmp_path / "boxes", tmp_path / "moved")
    shutil.move(tmp_path / "set", tmp_path / "images")
    data = data.model_copy(update={"root": str(tmp_path / "images"), "boxes": str(tmp_path / "moved")})
    (tmp_path / "moved" / "ant" / "1.xml").unlink()
    annotate(data, "x/ant/1.xml", box_text(5, 6, 7, 8) + "\n\n", box_text(1.0, 2, 3, 4))
    same = index_boxes(data, cache)
    assert (same.digest, same.path) == (first.digest, tmp_path / "moved")
    assert same.annotations.keys() == first.annotations.keys()
    annotate(data, "x/ant/1.xml", box_text(5, 6, 7, 9), box_text(1, 2, 3, 4))
    other = index_boxes(data, cache).digest
    (tmp_path / "moved" / "x" / "ant" / "1.xml").rename(tmp_path / "moved" / "x" / "ant" / "2.xml")
    assert len({first.digest, other, index_boxes(data, cache).digest}) == 3


def test_a_mask_counts_by_its_content(data: Data, tmp_path: Path) -> None:
    digests = []
    for level in (1, 2, 1):
        Image.fromarray(np.full((4, 4), level, dtype=np.uint8)).save(tmp_path / "boxes" / "3.png")
        digests.append(index_boxes(data, tmp_path / "digests.json").digest)
    assert digests[0] == digests[2] != digests[1]


def test_one_image_that_lies_there_twice_has_one_annotation(data: Data, tmp_path: Path) -> None:
    (tmp_path / "set" / "ant" / "2.jpg").write_bytes(b"ant/1.jpg")
    path = table(tmp_path / "b.csv", "ant/1.jpg,1,2,3,4", "ant/2.jpg,5,6,7,8")
    told = index_boxes(data.model_copy(update={"boxes": str(path)}), tmp_path / "digests.json")
    assert [one.boxes[0].edges for one in told.annotations.values()] == [(1, 2, 3, 4)]


@pytest.mark.parametrize("boxes", ["/nowhere/at/all", "${XP_NO_BOXES}/x"])
def test_absent_boxes_are_missing_data(data: Data, boxes: str, tmp_path: Path) -> None:
    with pytest.raises(MissingData) as caught:
        index_boxes(data.model_copy(update={"boxes": boxes}), tmp_path / "digests.json")
    assert caught.value.where == "data.boxes"
    assert "data.boxes" in caught.value.fix


@pytest.mark.parametrize(("turned", "fits"), [(1, True), (3, True), (6, False), (8, False)])
def test_boxes_of_a_table_are_held_against_the_headers_of_images(
    data: Data, tmp_path: Path, turned: int, fits: bool
) -> None:
    """An image of 50 x 40 pixels as its file has them; one that EXIF turns on its side is seen as 40 x 50."""
    exif = Image.Exif()
    exif[0x0112] = turned
    Image.new("RGB", (50, 40)).save(tmp_path / "set" / "ant" / "1.jpg", exif=exif)
    path = table(tmp_path / "b.csv", "bee/3.png,1,2,999,4", "ant/1.jpg,1,2,50,40")  # the first is no image at all
    data = data.model_copy(update={"boxes": str(path)})
    if fits:
        assert len(match_boxes(data)) == 2
        assert len(index_boxes(data, tmp_path / "digests.json").annotations) == 2
        return
    for look in (match_boxes, lambda one: index_boxes(one, tmp_path / "digests.json")):
        with pytest.raises(DataError, match="lies beyond its image of 40 x 50 pixels") as caught:
            look(data)
        assert caught.value.where == f"{path}:3"
