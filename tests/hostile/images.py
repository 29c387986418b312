"""Images that are none, or that would take the machine's memory or time."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from tests.hostile.cases import MOST_WITHOUT_TORCH, Case

REPORT = ("data", "report", "set")
FIX = "fix: "
Raw = Callable[[], bytes]


def good_set(folder: Path) -> Path:
    """Write two classes of two images into `set`, and return it."""
    for number, name in enumerate(("ant", "bee")):
        (folder / "set" / name).mkdir(parents=True)
        for shade in (60, 160):
            Image.new("RGB", (40, 30), (shade, number * 90, 255 - shade)).save(folder / "set" / name / f"{shade}.png")
    return folder / "set"


def encode(image: Image.Image, format: str, **options: Any) -> bytes:
    held = io.BytesIO()
    image.save(held, format, **options)
    return held.getvalue()


def chunk(kind: bytes, content: bytes) -> bytes:
    """Return a chunk of a PNG: length, kind, content, CRC."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width: int, height: int, *chunks: bytes, bits: int = 8, pixels: bytes = b"") -> bytes:
    """Return a grey PNG of that size; `pixels` are its rows, packed, all black where none are given."""
    head = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, 0)
    rows = pixels or zlib.compress(bytes((width * bits + 7) // 8 + 1) * height)
    middle = b"".join(chunks)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + middle + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def large_bits() -> bytes:
    """A black image of one bit a pixel, 13,300 x 13,300: 25 KB."""
    return png(13_300, 13_300, bits=1)


def text_bomb(kind: bytes) -> Raw:
    """Return a small image with 300 texts of 900 KB each, packed to 1 KB."""
    packed = zlib.compress(bytes(900_000).replace(b"\0", b"x"))
    body = b"key\0\0" + packed if kind == b"zTXt" else b"key\0\1\0\0\0" + packed
    return lambda: png(8, 8, *[chunk(kind, body)] * 300)


def icc_bomb() -> bytes:
    """A colour profile of 50 MB, packed to 50 KB."""
    return png(8, 8, chunk(b"iCCP", b"name\0\0" + zlib.compress(bytes(50_000_000))))


def tiff(tags: dict[int, tuple[int, int, int]], content: bytes = b"") -> bytes:
    """Return a little-endian TIFF of one image: tag -> (type, count, value); `content` begins at byte 8."""
    entries = b"".join(struct.pack("<HHII", tag, *tags[tag]) for tag in sorted(tags))
    return b"II*\0" + struct.pack("<I", 8 + len(content)) + content + struct.pack("<H", len(tags)) + entries + bytes(4)


def tiled_tiff(side: int) -> bytes:
    """An image of 16 x 16 pixels in one tile of `side` x `side`, which a decoder makes room for."""
    packed = zlib.compress(bytes(side * side)) if side <= 4096 else zlib.compress(bytes(1 << 20))
    short, long = 3, 4
    tags = {256: (long, 1, 16), 257: (long, 1, 16), 258: (short, 1, 8), 259: (short, 1, 8), 262: (short, 1, 1)}
    tags |= {277: (short, 1, 1), 322: (long, 1, side), 323: (long, 1, side), 324: (long, 1, 8)}
    return tiff(tags | {325: (long, 1, len(packed))}, packed)


def tag_bomb() -> bytes:
    """4,000 tags that all name the same 4 MB: 16 GB for who reads them one by one."""
    content = bytes(4_000_000)
    tags = {256: (4, 1, 8), 257: (4, 1, 8), 258: (3, 1, 8), 259: (3, 1, 1), 262: (3, 1, 1), 273: (4, 1, 8)}
    tags |= {277: (3, 1, 1), 279: (4, 1, 64)}
    return tiff({number: (7, len(content), 8) for number in range(1000, 5000)} | tags, content)


def exif_bomb() -> bytes:
    """The like within 64 KB segments of a JPEG, which are joined to one block of 3 MB."""
    block = tiff(dict.fromkeys(range(1000, 9000), (7, 2900000, 8)), bytes(2_900_000))
    segments = [b"Exif\0\0" + block[first : first + 65_000] for first in range(0, len(block), 65_000)]
    plain = encode(Image.new("RGB", (8, 8)), "JPEG")
    marked = b"".join(b"\xff\xe1" + struct.pack(">H", len(one) + 2) + one for one in segments)
    return plain[:2] + marked + plain[2:]


def many_scans() -> bytes:
    """A progressive JPEG of 4,000 x 4,000 pixels whose last scan comes 5,000 times: minutes of work in 2 MB."""
    plain = encode(Image.new("RGB", (4000, 4000)), "JPEG", progressive=True)
    scan = plain[plain.rindex(b"\xff\xda") : -2]
    return plain[:-2] + scan[:400] * 5000 + plain[-2:]


def many_frames(format: str) -> Raw:
    frames = [Image.new("L", (16, 16), shade % 256) for shade in range(3000)]
    return lambda: encode(frames[0], format, save_all=True, append_images=frames[1:])


def large_screen() -> bytes:
    """A GIF of one pixel on a screen of 65,535 x 65,535."""
    plain = encode(Image.new("P", (1, 1)), "GIF")
    return plain[:6] + b"\xff\xff\xff\xff" + plain[10:]


def large_canvas() -> bytes:
    """The header of a WebP of 16,383 x 16,383 pixels, without any."""
    head = b"VP8X" + struct.pack("<I", 10) + bytes(4) + (16_382).to_bytes(3, "little") * 2
    return b"RIFF" + struct.pack("<I", len(head) + 4) + b"WEBP" + head


def torn() -> bytes:
    return encode(Image.effect_noise((200, 200), 60).convert("RGB"), "JPEG")[:3000]


def broken(name: str, file: str, raw: Raw, *says: str) -> Case:
    """A file in a good set: the report counts one broken image, says why, and goes on with the others."""

    def make(folder: Path) -> None:
        (good_set(folder) / "ant" / file).write_bytes(raw())

    return Case(name, make, REPORT, 0, ("5 images in 2 classes", "broken: 1", file, *says))


def harmless(name: str, file: str, raw: Raw, *says: str, memory: int | None = None) -> Case:
    """A file in a good set that is odd, and an image all the same."""

    def make(folder: Path) -> None:
        (good_set(folder) / "ant" / file).write_bytes(raw())

    return Case(name, make, REPORT, 0, ("5 images in 2 classes", "broken: 0", *says), memory=memory, slow=bool(memory))


def many_large(folder: Path) -> None:
    """Six files of 79 million pixels, 10 KB each: all at once would take 4 GB."""
    good_set(folder)
    raw = png(8_900, 8_900, bits=1)
    for number in range(6):
        (folder / "set" / "bee" / f"{number}.png").write_bytes(raw + bytes(number))


CASES: list[Case] = [
    broken("a png of 177 million pixels", "x.png", large_bits, "13,300 x 13,300 pixels"),
    broken("a gif on a huge screen", "x.gif", large_screen, "65,535 x 65,535 pixels"),
    broken("a webp of a huge canvas", "x.webp", large_canvas),
    broken("a tiff of a huge tile", "x.tif", lambda: tiled_tiff(1 << 15), "1,073,741,824 pixels"),
    broken("a jpeg of endless scans", "x.jpg", many_scans, "scans of 4,000 x 4,000 pixels"),
    broken("a png text bomb", "x.png", text_bomb(b"zTXt"), "Too much memory"),
    broken("a png text bomb in unicode", "x.png", text_bomb(b"iTXt"), "Too much memory"),
    broken("a jpeg that is cut", "x.jpg", torn, "truncated"),
    broken("an empty file", "x.jpg", bytes, "the file is empty"),
    broken("a web page as jpg", "x.jpg", lambda: b"<!DOCTYPE html><h1>404</h1>", "it is a web page"),
    broken("a drawing as png", "x.png", lambda: b"<svg xmlns='http://www.w3.org/2000/svg'/>", "it is a drawing in SVG"),
    broken("postscript as png", "x.png", lambda: b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no format"),
    broken("a png of no width", "x.png", lambda: png(0, 5), "x.png"),
    broken("a colour profile bomb", "x.png", icc_bomb, "too large"),
    harmless("a tiff of tags on tags", "x.tif", tag_bomb),
    harmless("exif of tags on tags", "x.jpg", exif_bomb),
    harmless("a gif of 3,000 frames", "x.gif", many_frames("GIF"), "animated"),
    harmless("a webp of 3,000 frames", "x.webp", many_frames("WEBP"), "animated"),
    harmless("one pixel by 100,000", "x.png", lambda: png(1, 100_000), "1 to 40 pixels"),
    Case(
        "six images of 79 million pixels",
        many_large,
        REPORT,
        0,
        ("10 images", "8900"),
        memory=MOST_WITHOUT_TORCH,
        slow=True,
    ),
]
