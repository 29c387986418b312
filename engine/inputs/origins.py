"""Whether a photograph is one of ImageNet's: takes a file's name, gives the part of ImageNet that it says it is of.

A network with a head of ImageNet's classes was trained on ImageNet's train images, in whatever folder they lie now. Its
validation images are ILSVRC2012_val_<number>, its train images <WordNet id>_<number>.
"""

from __future__ import annotations

import re
from typing import Literal

Origin = Literal["", "train", "val"]
ORIGINS: tuple[Origin, ...] = ("", "train", "val")
NAMES: dict[Origin, re.Pattern[str]] = {
    "val": re.compile(r"ILSVRC2012_val_\d{8}", re.IGNORECASE),
    "train": re.compile(r"n\d{8}_\d+", re.IGNORECASE),
}


def name_origin(name: str) -> Origin:
    """Return the part of ImageNet that a file's name tells, empty where it tells none."""
    return next((part for part, form in NAMES.items() if form.match(name)), "")
