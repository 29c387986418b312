"""Images come out as Pillow's own whole-image functions make them, and none of them takes more than the limits."""

from __future__ import annotations

import io
import threading
import warnings
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageOps

from engine.core.data import decode
from engine.core.data.decode import BUDGET, Budget, Pixels, decode_image, known_formats, name_mode
from engine.errors import DataError
from tests.hostile.images import tiled_tiff

NOISE = np.random.default_rng(0)


def saved(image: Image.Image, format: str = "PNG", **options: Any) -> bytes:
    held = io.BytesIO()
    image.save(held, format, **options)
    return held.getvalue()


def noise(mode: str, size: tuple[int, int] = (23, 17)) -> Image.Image:
    pixels = NOISE.integers(0, 256, (size[1], size[0], 4), dtype=np.uint8)
    return Image.fromarray(pixels, "RGBA").convert(mode)


def deep(kind: Any, most: float) -> Image.Image:
    return Image.fromarray((NOISE.random((17, 23)) * most).astype(kind))


def palette_with_holes() -> bytes:
    image = noise("RGB").convert("P", palette=Image.Palette.ADAPTIVE)
    return saved(image, transparency=bytes(range(256)))


FILES: dict[str, bytes] = {
    "RGB": saved(noise("RGB")),
    "grey": saved(noise("L")),
    "bits": saved(noise("1")),
    "alpha": saved(noise("RGBA")),
    "grey alpha": saved(noise("LA")),
    "palette": saved(noise("RGB").convert("P", palette=Image.Palette.ADAPTIVE)),
    "palette with holes": palette_with_holes(),
    "a colour that is clear": saved(noise("RGB"), transparency=(1, 2, 3)),
    "CMYK": saved(noise("CMYK"), "JPEG"),
    "16 bits": saved(deep(np.uint16, 65535)),
    "32 bits": saved(deep(np.int32, 9e4), "TIFF"),
    "32 bits, dark": saved(deep(np.int32, 200), "TIFF"),
    "fractions": saved(deep(np.float32, 1), "TIFF"),
    "fractions of 255": saved(deep(np.float32, 255), "TIFF"),
    "JPEG": saved(noise("RGB"), "JPEG"),
    "WebP": saved(noise("RGBA"), "WEBP", lossless=True),
    "GIF": saved(noise("RGB"), "GIF"),
    "BMP": saved(noise("RGB"), "BMP"),
}  # fmt: skip


def whole_rgb(image: Image.Image) -> Pixels:
    """The same by Pillow's functions, each over the whole image: the reference."""
    image.load()
    upright: Any = ImageOps.exif_transpose(image)
    if upright.mode.startswith("I") or upright.mode == "F":
        levels = np.asarray(upright).astype(np.float64)
        if upright.mode.startswith("I;16") or (upright.mode == "I" and levels.max() > 255):
            levels = levels / 257.0
        elif upright.mode == "F" and levels.max() <= 1.0:
            levels = levels * 255.0
        grey = np.clip(np.rint(levels), 0, 255).astype(np.uint8)
        return np.repeat(grey[:, :, None], 3, axis=2)
    if "transparency" in upright.info or "A" in upright.mode:
        upright = upright.convert("RGBA")
        upright = Image.alpha_composite(Image.new("RGBA", upright.size, (255, 255, 255, 255)), upright)
    return np.array(upright.convert("RGB"))


@pytest.mark.parametrize("strip", [1, 60, 1 << 22])
@pytest.mark.parametrize("kind", FILES)
def test_strips_are_what_the_whole_image_is(kind: str, strip: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decode, "STRIP", strip)
    with Image.open(io.BytesIO(FILES[kind])) as image:
        expected = whole_rgb(image)
    assert np.array_equal(decode_image(FILES[kind], kind), expected)


@pytest.mark.parametrize("format", ["JPEG", "PNG", "TIFF", "WEBP"])
@pytest.mark.parametrize("turn", range(10))
def test_each_orientation_is_undone(turn: int, format: str) -> None:
    exif = Image.Exif()
    exif[0x0112] = turn
    content = saved(noise("RGB"), format, exif=exif)
    with Image.open(io.BytesIO(content)) as image:
        expected = whole_rgb(image)
    assert np.array_equal(decode_image(content, "x"), expected)
    assert expected.shape[:2] == ((23, 17) if 5 <= turn <= 8 else (17, 23))


@pytest.mark.parametrize("name", ["RGB", "alpha", "CMYK", "JPEG", "GIF"])
def test_more_pixels_than_the_limit_are_refused_before_they_are_decoded(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XP_LIMITS", f"image_pixels={23 * 17 - 1}")
    monkeypatch.setattr(decode, "to_rgb", lambda image: pytest.fail("it was decoded"))
    with pytest.raises(DataError, match=r"x\.png: this image is 23 x 17 pixels\nfix: .*skip.*image_pixels"):
        decode_image(FILES[name], "x.png")


def test_as_many_pixels_as_the_limit_are_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XP_LIMITS", f"image_pixels={23 * 17}")
    assert decode_image(FILES["RGB"], "x.png").shape == (17, 23, 3)
    with pytest.raises(DataError, match="decoding it as WEBP takes what 1,173 pixels take"):
        decode_image(FILES["WebP"], "x.webp")
    with pytest.raises(DataError, match="decoding it as JPEG takes what 782 pixels take"):
        decode_image(saved(noise("RGB"), "JPEG", progressive=True), "x.jpg")


def test_a_person_may_allow_more_than_pillow_does() -> None:
    assert Image.MAX_IMAGE_PIXELS is None


def test_a_tiff_whose_tile_is_larger_than_it_is_refused() -> None:
    with pytest.raises(DataError, match=r"16 x 16 pixels, and decoding it as TIFF takes what 268,435,456 pixels"):
        decode_image(tiled_tiff(1 << 14), "x.tif")
    assert decode_image(tiled_tiff(16), "x.tif").shape == (16, 16, 3)


def test_a_jpeg_of_endless_scans_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    content = saved(noise("RGB", (100, 100)), "JPEG", progressive=True)
    scans = content.count(b"\xff\xda")
    assert 5 < scans < 20
    monkeypatch.setenv("XP_LIMITS", "image_pixels=20000")
    assert decode_image(content, "x.jpg").shape == (100, 100, 3)
    scan = content[content.rindex(b"\xff\xda") : -2]
    with pytest.raises(DataError, match=r"this image has 4\d scans of 100 x 100 pixels\nfix: write it anew"):
        decode_image(content[:-2] + scan * (41 - scans) + content[-2:], "x.jpg")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the file is empty"),
        (b"\n <!DOCTYPE html><title>404</title>", "it is a web page"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "it is a drawing in SVG"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "it is in no format that is known"),
        (b"P6 2 2 255 " + bytes(12), "it is in no format that is known"),
    ],
)
def test_what_is_no_image_is_told_by_what_it_is(content: bytes, words: str) -> None:
    with pytest.raises(DataError, match=rf"x\.jpg: this image is broken: {words}\nfix: "):
        decode_image(content, "x.jpg")


def test_a_machine_without_memory_does_not_make_an_image_broken(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(image: Image.Image) -> Pixels:
        raise MemoryError

    monkeypatch.setattr(decode, "to_rgb", fail)
    with pytest.raises(MemoryError):
        decode_image(FILES["RGB"], "x.png")


def test_a_mode_is_told_without_counting_frames(monkeypatch: pytest.MonkeyPatch) -> None:
    frames = [noise("RGB") for _ in range(3)]
    content = saved(frames[0], "GIF", save_all=True, append_images=frames[1:])
    monkeypatch.setattr("PIL.GifImagePlugin.GifImageFile.n_frames", property(lambda self: pytest.fail("counted")))
    assert name_mode(content).endswith("animated")
    assert name_mode(FILES["CMYK"]) == "CMYK"


def test_the_formats_are_those_that_pillow_has() -> None:
    assert {"JPEG", "PNG", "GIF", "WEBP", "BMP", "TIFF"} <= set(known_formats())


def test_who_wants_more_than_is_left_waits() -> None:
    budget, order = Budget(), list[str]()

    def second() -> None:
        with budget.hold(60, 100):
            order.append("second")

    with budget.hold(50, 100):
        other = threading.Thread(target=second)
        other.start()
        other.join(0.05)
        order.append("first")
    other.join(10)
    assert order == ["first", "second"]


def test_one_alone_may_hold_more_than_there_is() -> None:
    with Budget().hold(200, 100):
        pass


def test_in_a_scope_it_is_held_until_the_work_is_done() -> None:
    budget, order = Budget(), list[str]()

    def second() -> None:
        with budget.hold(60, 100):
            order.append("second")

    with budget.scope():
        with budget.hold(50, 100):
            pass
        other = threading.Thread(target=second)
        other.start()
        other.join(0.05)
        order.append("work")
    other.join(10)
    assert order == ["work", "second"]
    with budget.hold(100, 100):
        pass


def test_a_broken_image_frees_what_it_held() -> None:
    with pytest.raises(DataError), BUDGET.scope():
        decode_image(saved(noise("RGB", (300, 300)), "JPEG")[:2000], "x.jpg")
    with BUDGET.hold(10**12, 0):
        pass


def test_a_thread_that_leaves_does_not_bring_back_the_warnings_of_another() -> None:
    quiet = decode.Quiet()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        first, second = quiet.all_threads(), quiet.all_threads()
        first.__enter__()
        second.__enter__()
        first.__exit__(None, None, None)
        warnings.warn("kept back", UserWarning, stacklevel=1)
        second.__exit__(None, None, None)
        with pytest.raises(UserWarning, match="told"):
            warnings.warn("told", UserWarning, stacklevel=1)
