"""Image files become pixels: takes a file's bytes, gives RGB uint8 as it should be seen, or an error that names it.

What a file declares is checked before anything of it is decoded, and pixels are converted strip by strip, so that a
small file cannot take the machine's memory: images being decoded at the same time have `image_pixels` together, about
7 bytes for each.
"""

from __future__ import annotations

import io
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, UnidentifiedImageError
from PIL.ImageFile import ImageFile

from engine.errors import DataError
from engine.home.limits import limits, raise_limit

Pixels = NDArray[np.uint8]

# engine/home/limits.py has the limit. Pillow's own, of twice as many pixels, would hold where a person raises ours.
Image.MAX_IMAGE_PIXELS = None

FORMATS = ("JPEG", "PNG", "GIF", "WEBP", "BMP", "DIB", "TIFF", "AVIF")
"""What may be in a file, whatever it is called. Others run programs (EPS), or take any memory (JPEG 2000)."""
WEIGHTS: Mapping[str, int] = {"WEBP": 3, "AVIF": 3}
"""These decoders hold several copies of an image."""
MOST_PASSES = 20
"""Times that `image_pixels` may be gone over: a progressive JPEG has about 10 scans, and could have a million."""
STRIP = 1 << 22  # pixels converted at a time
ORIENTATION, TILE_WIDTH, TILE_HEIGHT = 0x0112, 322, 323
"""EXIF's tag, where 1 is upright; TIFF's tags."""
SKIP = "or set data.broken: skip to leave such files out (they are counted)"
TEXTS = {
    b"<!doctype html": "a web page",
    b"<html": "a web page",
    b"<svg": "a drawing in SVG",
    b"<?xml": "a text in XML",
}


class Budget:
    """What is shared by all who decode at the same time: `hold` waits until there is room."""

    def __init__(self) -> None:
        self._held, self._freed, self._own = 0, threading.Condition(), threading.local()

    @contextmanager
    def hold(self, weight: int, most: int) -> Iterator[None]:
        """Hold `weight` of `most`, to the end of this thread's scope where it is in one; who is alone may hold any."""
        with self._freed:
            self._freed.wait_for(lambda: not self._held or self._held + weight <= most)
            self._held += weight
        try:
            yield
        finally:
            if getattr(self._own, "weights", None) is None:
                self._free(weight)
            else:
                self._own.weights.append(weight)

    @contextmanager
    def scope(self) -> Iterator[None]:
        """A piece of work with one image: what it holds is free when the work is done, not when it is decoded."""
        self._own.weights = []
        try:
            yield
        finally:
            self._free(sum(self._own.weights))
            self._own.weights = None

    def _free(self, weight: int) -> None:
        with self._freed:
            self._held -= weight
            self._freed.notify_all()


class Quiet:
    """Keeps Pillow's warnings of odd EXIF and palettes back: from the first thread that decodes to the last.

    warnings.catch_warnings is for one thread: of two, the first to leave would take the filter from the other.
    """

    def __init__(self) -> None:
        self._lock, self._inside, self._filters = threading.Lock(), 0, ExitStack()

    @contextmanager
    def all_threads(self) -> Iterator[None]:
        with self._lock:
            self._inside += 1
            if self._inside == 1:
                self._filters.enter_context(warnings.catch_warnings())
                warnings.simplefilter("ignore")
        try:
            yield
        finally:
            with self._lock:
                self._inside -= 1
                if not self._inside:
                    self._filters.close()


BUDGET, QUIET = Budget(), Quiet()


def decode_image(content: bytes, where: str) -> Pixels:
    """Return the image as it should be seen: upright, RGB, 8 bits, first frame. Raises DataError when it is broken.

    Also when it has more pixels than `limits().image_pixels`, by what its header says.
    """
    try:
        with QUIET.all_threads(), Image.open(io.BytesIO(content), formats=known_formats()) as image:
            weight = _check_header(image, content, where)
            with BUDGET.hold(weight, limits().image_pixels):
                return to_rgb(image)
    except (MemoryError, DataError):
        # Too little memory is not the file's fault: it must not be left out as broken.
        raise
    except Exception as error:  # Pillow's plugins raise nearly anything on a damaged file
        what = f"this image is broken: {_damage(content, error)}"
        raise DataError(what, where=where, fix=f"remove or replace it, {SKIP}") from error


def name_mode(content: bytes) -> str:
    """Return how an image file that can be decoded keeps its pixels, such as `RGB` or `CMYK turned`."""
    with QUIET.all_threads(), Image.open(io.BytesIO(content), formats=known_formats()) as image:
        words = [image.mode]
        words += ["turned"] if image.getexif().get(ORIENTATION, 1) != 1 else []
        # Not the number of frames, which takes a look at each.
        words += ["animated"] if getattr(image, "is_animated", False) else []
    return " ".join(words)


@lru_cache(maxsize=1)
def known_formats() -> tuple[str, ...]:
    """Return those of FORMATS that this Pillow reads."""
    Image.init()
    return tuple(name for name in FORMATS if name in Image.OPEN)


def _check_header(image: ImageFile, content: bytes, where: str) -> int:
    """Return how many pixels of memory the image will take. Raises DataError when its header says too many."""
    width, height = image.size
    most, format = limits().image_pixels, image.format or ""
    # A progressive JPEG is held as coefficients too until its last scan.
    copies = WEIGHTS.get(format, 2 if "progressive" in image.info else 1)
    weight = copies * max(width * height, _tile_pixels(image))
    if weight > most:
        what = f"this image is {width:,} x {height:,} pixels"
        if width * height <= most:
            what += f", and decoding it as {format} takes what {weight:,} pixels take"
        fix = f"make it smaller, {SKIP}; {raise_limit('image_pixels')}"
        raise DataError(what, where=where, fix=fix)
    # Within an image these two bytes are nothing else.
    scans = content.count(b"\xff\xda") if format in ("JPEG", "MPO") else 0
    if scans * width * height > MOST_PASSES * most:
        fix = f"write it anew, {SKIP}"
        raise DataError(f"this image has {scans:,} scans of {width:,} x {height:,} pixels", where=where, fix=fix)
    return weight


def _tile_pixels(image: ImageFile) -> int:
    """Return the pixels of a TIFF's tile, which may be larger than the image, else 0."""
    tags: Any = getattr(image, "tag_v2", {})
    sides = [tags.get(TILE_WIDTH, 0), tags.get(TILE_HEIGHT, 0)]
    return int(sides[0] * sides[1]) if all(isinstance(side, int) for side in sides) else 0


def _damage(content: bytes, error: Exception) -> str:
    if not content:
        return "the file is empty"
    if isinstance(error, UnidentifiedImageError):  # its own words name a buffer in memory
        start = content[:200].lstrip().lower()
        text = next((words for mark, words in TEXTS.items() if start.startswith(mark)), None)
        return f"it is {text}" if text else "it is in no format that is known"
    return str(error) or type(error).__name__


def to_rgb(image: Image.Image) -> Pixels:
    """Return H x W x 3 uint8. Transparency shows white; 16-bit grey keeps its upper 8 bits."""
    image.load()
    turn = image.getexif().get(ORIENTATION, 1)
    convert = _converter(image)
    pixels = np.empty((image.height, image.width, 3), dtype=np.uint8)
    for top, strip in _strips(image):
        pixels[top : top + strip.height] = convert(strip)
    # Before it is turned: two copies are enough.
    image.close()
    return np.ascontiguousarray(TURNS[turn](pixels)) if turn in TURNS else pixels


def _strips(image: Image.Image) -> Iterator[tuple[int, Image.Image]]:
    """Yield some rows of the image at a time, and the number of the first; a small image as it is."""
    rows = max(1, STRIP // max(1, image.width))
    if rows >= image.height:
        yield 0, image
        return
    for top in range(0, image.height, rows):
        yield top, image.crop((0, top, image.width, min(top + rows, image.height)))


def _converter(image: Image.Image) -> Callable[[Image.Image], NDArray[np.uint8]]:
    """Return what makes RGB (or one grey channel) of a strip of this image."""
    if image.mode.startswith("I") or image.mode == "F":
        return _grey_converter(image)
    if "transparency" in image.info or image.mode in ("RGBA", "LA", "PA", "RGBa", "La"):
        return _on_white
    return lambda strip: np.asarray(strip if strip.mode == "RGB" else strip.convert("RGB"))


def _on_white(strip: Image.Image) -> NDArray[np.uint8]:
    clear = strip.convert("RGBA")
    white = Image.new("RGBA", clear.size, (255, 255, 255, 255))
    return np.asarray(Image.alpha_composite(white, clear).convert("RGB"))


def _grey_converter(image: Image.Image) -> Callable[[Image.Image], NDArray[np.uint8]]:
    """One channel of 16 bits or more; 32-bit files name no range: the largest value of the whole image tells."""
    kind = np.asarray(image.crop((0, 0, 1, 1))).dtype
    top = 0.0 if kind.itemsize == 2 else max(float(_levels(strip).max(initial=0.0)) for _, strip in _strips(image))

    def convert(strip: Image.Image) -> NDArray[np.uint8]:
        levels = _levels(strip)
        if kind.itemsize == 2 or (kind.kind != "f" and top > 255.0):
            # 65535 = 255 * 257: 16 bits to 8.
            levels = levels / 257.0
        elif kind.kind == "f" and top <= 1.0:
            levels = levels * 255.0
        return np.clip(np.rint(levels), 0, 255).astype(np.uint8)[:, :, None]

    return convert


def _levels(strip: Image.Image) -> NDArray[np.float64]:
    return np.nan_to_num(np.asarray(strip).astype(np.float64))


TURNS: Mapping[int, Callable[[Pixels], Pixels]] = {
    2: lambda pixels: pixels[:, ::-1],
    3: lambda pixels: pixels[::-1, ::-1],
    4: lambda pixels: pixels[::-1],
    5: lambda pixels: pixels.swapaxes(0, 1),
    6: lambda pixels: pixels.swapaxes(0, 1)[:, ::-1],
    7: lambda pixels: pixels.swapaxes(0, 1)[::-1, ::-1],
    8: lambda pixels: pixels.swapaxes(0, 1)[::-1],
}
"""What makes an image upright, by the tag's number."""
