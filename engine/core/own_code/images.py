"""Images of a source of somebody's own, written down: takes its settled name, options, root, gives class folders.

`python -P -m engine.core.own_code.images` reads a question from a plan, which imports none of the code, and prints how
many images it wrote, or what is wrong; on stderr how far it is. What the code prints is dropped. A source that gives
more than it may, or all of the disk, is stopped.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image, UnidentifiedImageError

from engine.core.own_code.loading import call_own
from engine.core.own_code.trials import image_problem
from engine.errors import DataError, XpError

SUFFIXES = {"JPEG": ".jpg", "PNG": ".png", "BMP": ".bmp", "WEBP": ".webp", "GIF": ".gif", "TIFF": ".tiff"}


KEPT_FREE = 1 << 30  # bytes of the disk that stay free, on a small one a share
KEPT_SHARE, LOOK_EVERY = 0.02, 64  # images
TELL_SECONDS = 10.0


@dataclass
class Given:
    """What a source has given so far, and what it may."""

    settled: str
    folder: Path
    most: int
    tell: Callable[[str], object]
    count: int = 0
    bytes: int = 0
    told_at: float = 0.0

    def __str__(self) -> str:
        return f"{self.count:,} images, {self.bytes / 1e6:,.1f} MB"

    def check(self) -> None:
        """Raise DataError where the next image would be one too many, or leave the disk too little."""
        if self.count >= self.most:
            fix = f"let it end, or allow it more: data.most: {self.most * 10}"
            raise DataError(f"it has given {self}, and goes on", where=self.settled, fix=fix)
        if self.count % LOOK_EVERY == 0:
            disk = shutil.disk_usage(self.folder)
            if disk.free < min(KEPT_FREE, disk.total * KEPT_SHARE):
                what = f"it has given {self}, and the disk of {self.folder.parent} has {disk.free / 1e6:,.0f} MB left"
                fix = "let it give fewer or smaller images, or lay the cache on another disk: XP_CACHE"
                raise DataError(what, where=self.settled, fix=fix)

    def add(self, size: int) -> None:
        self.count, self.bytes = self.count + 1, self.bytes + size
        if time.monotonic() - self.told_at >= TELL_SECONDS:
            self.tell(f"{self.settled}: {self} so far")
            self.told_at = time.monotonic()


def write_images(
    settled: str, options: dict[str, Any], root: Path | None, folder: Path, most: int,
    tell: Callable[[str], object] = lambda line: None,
) -> int:  # fmt: skip
    """Write every image that the source gives below `folder`, in a folder for each class; return how many."""
    given = Given(settled, folder, most, tell, told_at=time.monotonic())
    for one in call_own(settled, options, root):
        given.check()
        problem = image_problem(one)
        if problem is not None:
            raise DataError(f"image {given.count + 1}: {problem[0]}", where=settled, fix=problem[1])
        name, image = one
        content, suffix = _encode(image, given.count, settled)
        place = folder / name
        place.mkdir(exist_ok=True)
        (place / f"{given.count:08d}{suffix}").write_bytes(content)
        given.add(len(content))
    if not given.count:
        raise DataError("it gives no image", where=settled, fix="yield (class, image) for each")
    return given.count


def _encode(image: Any, count: int, settled: str) -> tuple[bytes, str]:
    """Return the bytes of a file and its suffix; an array becomes a PNG, which keeps every pixel."""
    if not isinstance(image, bytes):
        held = BytesIO()
        Image.fromarray(image).save(held, "PNG")
        return held.getvalue(), ".png"
    try:
        with Image.open(BytesIO(image)) as opened:
            return image, SUFFIXES[str(opened.format)]
    except (UnidentifiedImageError, KeyError, OSError) as error:
        fix = f"yield the bytes of a {', '.join(SUFFIXES)} file, or an array of uint8"
        raise DataError(f"image {count + 1} is no image that can be read", where=settled, fix=fix) from error


def main() -> None:
    asked = json.load(sys.stdin)
    answers, told_on = os.fdopen(os.dup(1), "w"), os.fdopen(os.dup(2), "w", buffering=1)
    nowhere = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(nowhere, stream)
    root = Path(asked["root"]) if asked["root"] else None
    try:
        count = write_images(
            asked["settled"], asked["options"], root, Path(asked["folder"]), asked["most"],
            lambda line: print(line, file=told_on),
        )  # fmt: skip
        told: dict[str, Any] = {"count": count}
    except XpError as error:
        told = {"what": error.what, "fix": error.fix}
    except Exception as error:
        told = {"what": f"it raises {type(error).__name__}: {error}", "fix": "mend it, or try it by hand in Python"}
    print(json.dumps(told), file=answers, flush=True)


if __name__ == "__main__":
    main()
