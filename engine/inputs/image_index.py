"""The images of a set as a split needs them: takes a pack's folder or a list of files, gives keys, labels and groups.

Near-duplicates are known where a pack is made; by the files alone a split is off by the few images that such groups
move.
"""

from __future__ import annotations

import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.home.files import read_object
from engine.inputs.content import NamedImage
from engine.spec import Data

Rows = NDArray[np.int64]
GIVEN = ("", "train", "val", "test")


def name_groups(keys: Sequence[str], groups: Rows) -> dict[str, str]:
    """Return key -> key of the group's first image, for the images whose group (first row of it) has others."""
    shared = np.flatnonzero(np.bincount(groups, minlength=len(keys))[groups] > 1).tolist()
    return {keys[row]: keys[groups[row]] for row in shared}


@dataclass(frozen=True, eq=False)
class ImageIndex:
    """The images of a pack as a split needs them (splits.Packed); `is_exact` where near-duplicates are known too."""

    keys: Sequence[str]
    labels: Rows
    class_names: tuple[str, ...]
    group_names: Mapping[str, str]
    parts: Sequence[str]
    is_exact: bool


def packed_index(folder: Path) -> ImageIndex | None:
    """Return the index of a pack in the cache, None where there is none that can be read."""
    manifest = read_object(folder / "manifest.json")
    try:
        with np.load(folder / "index.npz") as index:
            keys = [key.tobytes().hex() for key in index["keys"]]
            groups = name_groups(keys, index["groups"])
            parts = [GIVEN[part] for part in index["parts"].tolist()]
            return ImageIndex(keys, index["labels"], tuple((manifest or {})["classes"]), groups, parts, True)
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return None


def listed_index(data: Data, named: Sequence[NamedImage], class_names: Sequence[str]) -> ImageIndex:
    """Return the index of images that nobody has packed yet. In a built-in set nobody looks for near-duplicates."""
    labels = {name: label for label, name in enumerate(class_names)}
    return ImageIndex(
        keys=[key for _, _, key in named],
        labels=np.array([labels[class_name] for class_name, _, _ in named], dtype=np.int64),
        class_names=tuple(class_names),
        group_names={},
        parts=[part for _, part, _ in named],
        is_exact=not data.has_root,
    )
