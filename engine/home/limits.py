"""What a reader of foreign bytes may be asked to take: defaults, and the words of `XP_LIMITS`, which change them.

    XP_LIMITS="image_pixels=400M archive_ratio=2000" xp submit ...

Every reader of an archive, an image, a spec or weights asks `limits()` and refuses what is larger, naming the limit,
so that a file of a few megabytes cannot take the machine's memory. Sizes take K, M, G and T (powers of 1000).
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass, fields, replace
from functools import lru_cache

from engine.errors import HomeError, closest_hint

VARIABLE = "XP_LIMITS"
MOST = 10**15  # of anything; above it a size is a slip of the finger
SHOWN = 80  # letters of a word that an error shows
SCALES = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


@dataclass(frozen=True)
class Limits:
    """The largest that is read; ratios are of unpacked to packed bytes, depths count nested levels."""

    image_bytes: int = 64 * 10**6
    image_pixels: int = 80 * 10**6
    member_bytes: int = 2 * 10**9
    archive_ratio: int = 200
    archive_members: int = 5 * 10**6
    folder_depth: int = 64
    yaml_bytes: int = 10**6
    yaml_depth: int = 64
    yaml_nodes: int = 20_000
    number_digits: int = 40
    text_characters: int = 10_000
    weights_bytes: int = 200 * 10**9
    annotation_bytes: int = 10**6
    box_table_bytes: int = 500 * 10**6


@lru_cache(maxsize=1)
def read_limits(text: str) -> Limits:
    """Return the limits with the words of `text` in them; HomeError names a word or size that is none."""
    changes: dict[str, int] = {}
    for word in filter(None, re.split(r"[\s,;]+", text.strip())):
        name, size = _read_word(word)
        if name in changes:
            raise HomeError(f"{VARIABLE}: {name} is given twice", fix="keep the one that is meant")
        changes[name] = size
    return replace(Limits(), **changes)


def limits() -> Limits:
    """Return the limits of this process."""
    return read_limits(os.environ.get(VARIABLE, ""))


def raise_limit(name: str) -> str:
    """Return the fix that an error about a limit gives."""
    now = getattr(limits(), name)
    return f"if it is meant to be this large, raise the limit: {VARIABLE}='{name}=...' (now {now:,})"


def _read_word(word: str) -> tuple[str, int]:
    name, _, size = word.partition("=")
    known = [field.name for field in fields(Limits)]
    if name not in known:
        raise HomeError(f"{VARIABLE}: no limit is called {_shown(name)}", fix=closest_hint(name, known))
    # int() takes the digits of other scripts too.
    found = re.fullmatch(r"([0-9]{1,15})([KMGT]?)", size.upper())
    most = int(found[1]) * SCALES[found[2]] if found else 0
    if not 0 < most <= MOST:
        what = f"{VARIABLE}: {_shown(word)} is no size from 1 to {MOST:,}"
        raise HomeError(what, fix=f"write it as in {name}=200M")
    return name, most


def _shown(word: str) -> str:
    return repr(word if len(word) <= SHOWN else word[:SHOWN] + "...")
