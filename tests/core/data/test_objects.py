"""Objects are seen through the very view that the images are: what a rendered mask shows, without its blur."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from engine.core.data.objects import ViewGrid, read_pixels, see_object, view_grid
from engine.core.data.pack import shrink
from engine.core.data.views import center_crop, render_center, render_crop
from engine.errors import DataError
from engine.inputs.box_files import Annotation, Box

SIDES = st.integers(60, 300)


def boxed(left: float, top: float, right: float, bottom: float) -> Annotation:
    return Annotation("a.xml", (Box(left, top, right, bottom, "a.xml:3"),))


def white_box(size: tuple[int, int], box: tuple[int, int, int, int]) -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    left, top, right, bottom = box
    pixels = np.zeros((*size, 3), dtype=np.uint8)
    pixels[top:bottom, left:right] = 255
    return pixels


@settings(max_examples=40, deadline=None)
@given(SIDES, SIDES, st.integers(48, 256), st.sampled_from([0.6, 0.875, 1.0]), st.integers(16, 96), st.data())
def test_a_box_is_where_its_rendered_mask_is(
    height: int, width: int, short_side: int, share: float, size: int, draw: st.DataObject
) -> None:
    """The middle and the extent of a box inside of the view, to a fraction of a pixel of the rendered mask."""
    short = min(height, width)
    span = [draw.draw(st.integers(short // 4, short // 2)) for _ in range(2)]
    box = (
        width // 2 - span[0] // 2 + draw.draw(st.integers(-3, 3)),
        height // 2 - span[1] // 2 + draw.draw(st.integers(-3, 3)),
    )
    edges = (*box, box[0] + span[0], box[1] + span[1])
    packed = shrink(white_box((height, width), edges), short_side)
    shown = render_center(packed, size, share, "bilinear")[0].double().numpy() / 255
    tall, wide = packed.shape[:2]
    grid = view_grid((height, width), (tall, wide), center_crop(tall, wide, share), size)
    for points, low, high, profile in (
        (grid.across, edges[0], edges[2], shown.max(axis=0)),
        (grid.down, edges[1], edges[3], shown.max(axis=1)),
    ):
        step = points[1] - points[0]
        first, last = ((edge - points[0]) / step + 0.5 for edge in (low, high))
        places = np.arange(size) + 0.5
        slack = 0.15 + 0.15 * size / (share * min(tall, wide))  # of the kernels' rounding, in pixels of both images
        assert profile.sum() == pytest.approx(last - first, abs=2 * slack)
        assert (profile * places).sum() / profile.sum() == pytest.approx((first + last) / 2, abs=slack)


@pytest.mark.parametrize(("size", "short_side"), [((200, 300), 256), ((200, 300), 100), ((40, 61), 256)])
def test_pixels_of_a_box_are_the_bright_ones_of_its_rendered_mask(size: tuple[int, int], short_side: int) -> None:
    height, width = size
    box = (width // 3, height // 5, width // 2 + 9, height // 2)
    packed = shrink(white_box(size, box), short_side)
    tall, wide = packed.shape[:2]
    crop = center_crop(tall, wide, 0.875)
    seen = see_object(boxed(*box), size, view_grid(size, (tall, wide), crop, 64))
    bright = render_crop(packed, crop, 64).numpy()[0] >= 128
    assert seen is not None
    unlike = seen ^ bright
    near = np.pad(seen, 1, mode="edge")
    is_edge = np.stack([near[y : y + 64, x : x + 64] for y in range(3) for x in range(3)])
    assert not unlike[(is_edge == seen).all(axis=0)].any(), "they differ at an edge alone"
    assert unlike.mean() < 0.01


def test_a_mirrored_view_mirrors_the_grid() -> None:
    crop = center_crop(100, 200, 1.0)
    plain, mirrored = (view_grid((100, 200), (100, 200), type(crop)(*args), 10) for args in (
        (crop.left, crop.top, crop.width, crop.height), (crop.left, crop.top, crop.width, crop.height, True)
    ))  # fmt: skip
    assert mirrored.across.tolist() == plain.across[::-1].tolist()
    assert mirrored.down.tolist() == plain.down.tolist()


def test_the_grid_by_hand() -> None:
    """An image of 400 x 200, packed at 100: its middle 80 pixels of 100, seen in 4, begin 120 pixels from the left."""
    grid = view_grid((200, 400), (100, 200), center_crop(100, 200, 0.8), 4)
    assert grid.across.tolist() == [140.0, 180.0, 220.0, 260.0]
    assert grid.down.tolist() == [40.0, 80.0, 120.0, 160.0]


GRID = ViewGrid(np.array([0.5, 1.5, 2.5]), np.array([0.5, 1.5, 2.5, 3.5]))


def test_several_boxes_are_one_object() -> None:
    two = Annotation("a", (Box(0, 0, 1, 1, "a"), Box(2, 1, 4, 3, "a")))
    seen = see_object(two, (3, 4), GRID)
    assert seen is not None
    assert seen.astype(int).tolist() == [[1, 0, 0, 0], [0, 0, 1, 1], [0, 0, 1, 1]]


def test_boxes_of_another_image_are_refused() -> None:
    with pytest.raises(DataError, match="lies beyond its image of 4 x 3 pixels"):
        see_object(boxed(0, 0, 5, 3), (3, 4), GRID)
    other = Annotation("a.xml", size=(30, 40))
    with pytest.raises(DataError, match=r"of an image of 40 x 30 pixels, and the image under data\.root has 4 x 3"):
        see_object(other, (3, 4), GRID)
    with pytest.raises(DataError) as caught:
        see_object(Annotation("a.xml", size=(4, 3)), (3, 4), GRID)
    assert "turned upright" in caught.value.fix


MASK = np.array([[0, 0, 0, 0], [0, 3, 0, 0], [0, 0, 0, 255]], dtype=np.uint8)


@pytest.mark.parametrize("mode", ["L", "P", "1", "I;16", "RGB", "RGBA", "LA"])
def test_what_is_not_zero_in_a_mask_is_object(tmp_path: Path, mode: str) -> None:
    image = Image.fromarray(MASK)
    if mode == "1":
        image = Image.fromarray(MASK > 0)
    elif mode == "I;16":
        image = Image.fromarray(MASK.astype(np.uint16) * 256)
    elif mode == "P":
        image.putpalette(bytes(768))  # of colours that are all black: the numbers count
    else:
        image = image.convert(mode)
    image.save(tmp_path / "m.png")
    assert read_pixels(tmp_path / "m.png").tolist() == (MASK > 0).tolist()
    seen = see_object(Annotation("m", mask=tmp_path / "m.png", size=(3, 4)), (3, 4), GRID)
    assert seen is not None
    assert seen.tolist() == (MASK > 0).tolist()


def test_an_empty_mask_marks_nothing_and_a_broken_one_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "m.png"
    Image.fromarray(np.zeros((3, 4), dtype=np.uint8)).save(path)
    assert see_object(Annotation("m", mask=path, size=(3, 4)), (3, 4), GRID) is None
    path.write_bytes(path.read_bytes()[:45])
    with pytest.raises(DataError, match="this mask is broken"):
        see_object(Annotation("m", mask=path, size=(3, 4)), (3, 4), GRID)
