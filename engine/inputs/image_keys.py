"""Which images lie in which part, before any work: takes a pack's id and the words of `data`, gives keys by part.

By the index of the pack where it is made, else by the files themselves. Loads numpy only when it is asked, because most
plans ask for no part.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from engine.errors import DataError
from engine.home.paths import Home
from engine.inputs.content import data_content, named_images
from engine.spec import Data
from engine.spec.data import source_words
from engine.spec.job_settings import PackSettings

if TYPE_CHECKING:
    from engine.inputs.image_index import ImageIndex

Keys = frozenset[bytes]
KEY_BYTES = 6
"""Bytes of its sha256 that an image counts by: among 100,000 by 100,000 images a wrong match is expected 4e-5 times."""


def short_keys(digests: Iterable[str]) -> Keys:
    """Return the first KEY_BYTES bytes of each sha256 (hex)."""
    return frozenset(bytes.fromhex(digest[: 2 * KEY_BYTES]) for digest in digests)


@dataclass(frozen=True)
class Parts:
    """Keys of the images of each part of a split; `is_exact` as that of their index."""

    train: Keys
    val: Keys
    test: Keys
    is_exact: bool


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
        from engine.inputs.image_index import packed_index
        from engine.inputs.splits import split_pack

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
        from engine.inputs.image_index import listed_index

        words = self.pack_words(pack)
        if words is None:
            return None
        settings, root = words
        has_root = source_words(settings.data.source).has_root
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
