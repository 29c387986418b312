"""Images of a source of somebody's own, written down: takes its settled name, options, root, gives class folders.

`python -P -m engine.core.own_code.images` reads a question from a plan, which imports none of the code, and prints how
many images it wrote, or what is wrong. What the code prints is dropped.
"""

from __future__ import annotations

import json
import os
import sys
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image, UnidentifiedImageError

from engine.core.own_code.loading import call_own
from engine.core.own_code.trials import image_problem
from engine.errors import DataError, XpError

SUFFIXES = {"JPEG": ".jpg", "PNG": ".png", "BMP": ".bmp", "WEBP": ".webp", "GIF": ".gif", "TIFF": ".tiff"}


def write_images(settled: str, options: dict[str, Any], root: Path | None, folder: Path) -> int:
    """Write every image that the source gives below `folder`, in a folder for each class; return how many."""
    count = 0
    for one in call_own(settled, options, root):
        problem = image_problem(one)
        if problem is not None:
            raise DataError(f"image {count + 1}: {problem[0]}", where=settled, fix=problem[1])
        name, image = one
        content, suffix = _encode(image, count, settled)
        place = folder / name
        place.mkdir(exist_ok=True)
        (place / f"{count:08d}{suffix}").write_bytes(content)
        count += 1
    if not count:
        raise DataError("it gives no image", where=settled, fix="yield (class, image) for each")
    return count


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
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    root = Path(asked["root"]) if asked["root"] else None
    try:
        told: dict[str, Any] = {"count": write_images(asked["settled"], asked["options"], root, Path(asked["folder"]))}
    except XpError as error:
        told = {"what": error.what, "fix": error.fix}
    except Exception as error:
        told = {"what": f"it raises {type(error).__name__}: {error}", "fix": "mend it, or try it by hand in Python"}
    print(json.dumps(told), file=answers, flush=True)


if __name__ == "__main__":
    main()
