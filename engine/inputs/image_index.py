"""Which images lie in which part, before any work: takes a pack's id and the words of `data`, gives keys by part.

By the index of the pack where it is made; else by the files themselves, whose near-duplicates nobody has looked for
yet: a split of those is off by the few images that such groups move.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from engine.errors import DataError
from engine.home.files import read_object
from engine.home.paths import Home
from engine.inputs.content import NamedImage, data_content, named_images
from engine.inputs.splits import split_pack
from engine.spec import Data
from engine.spec.data import SOURCE_WORDS
from engine.spec.job_settings import PackSettings

Rows = NDArray[np.int64]
Keys = frozenset[bytes]
KEY_BYTES = 6
"""Bytes of its sha256 that an image counts by: among 100,000 by 100,000 images a wrong match is expected 4e-5 times."""
GIVEN = ("", "train", "val", "test")


def short_keys(digests: Iterable[str]) -> Keys:
    """Return the first KEY_BYTES bytes of each sha256 (hex)."""
    return frozenset(bytes.fromhex(digest[: 2 * KEY_BYTES]) for digest in digests)


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


@dataclass(frozen=True)
class Parts:
    """Keys of the images of each part of a split; `is_exact` as that of their index."""

    train: Keys
    val: Keys
    test: Keys
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


@dataclass
class ImageBook:
    """The parts of splits, each worked out once; `pack_words(pack)` gives what a pack's job is of, and its root."""

    home: Home
    pack_words: Callable[[str], tuple[PackSettings, str | None] | None]
    _indexes: dict[str, ImageIndex | None] = field(default_factory=dict)
    _parts: dict[tuple[str, str], Parts | None] = field(default_factory=dict)

    def parts(self, pack: str, data: Data) -> Parts | None:
        """Return the parts of `pack` as `data` splits it, None where the images are not here any more."""
        key = pack, split_text(data)
        if key not in self._parts:
            self._parts[key] = self._find_parts(pack, data)
        return self._parts[key]

    def _find_parts(self, pack: str, data: Data) -> Parts | None:
        if pack not in self._indexes:
            self._indexes[pack] = packed_index(self.home.pack(pack)) or self._listed(pack)
        index = self._indexes[pack]
        if index is None:
            return None
        try:
            split = split_pack(index, data)
        except DataError:  # a class too small for it: whoever is to be trained by it is told so elsewhere
            return None
        rows = (split.train, split.val, split.test)
        train, val, test = (short_keys(index.keys[row] for row in part.tolist()) for part in rows)
        return Parts(train, val, test, index.is_exact)

    def _listed(self, pack: str) -> ImageIndex | None:
        """List the images themselves, where they are still those that the pack is of."""
        words = self.pack_words(pack)
        if words is None:
            return None
        settings, root = words
        has_root = SOURCE_WORDS[settings.data.source].has_root
        if has_root and root is None:
            return None
        data = settings.data.located(root if has_root else None)
        try:
            content = data_content(data, self.home.digests)
            if has_root and content.digest != settings.digest:
                return None
            return listed_index(data, named_images(data, self.home.digests), content.class_names)
        except DataError:
            return None


def split_text(data: Data) -> str:
    """Return the words that decide which images of a pack are trained on, as a person says them."""
    words = [f"{data.split}, split seed {data.split_seed}"]
    words += ["nested"] if data.nested else []
    words += ["the set's own test part"] if data.given == "test" else []
    return ", ".join(words)
