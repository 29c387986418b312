"""Which images lie in which part, by a pack's index where there is one, else by the files themselves."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from engine.core.data.pack import open_pack
from engine.home.paths import Home
from engine.inputs.content import data_content, named_images
from engine.inputs.image_keys import KEY_BYTES, ImageBook, short_keys, split_text
from engine.inputs.splits import Split, split_pack
from engine.spec import Data
from engine.spec.job_settings import PackedData, PackSettings
from tests.inputs.packing import make_pack


def words_of(data: Data, home: Home, root: str | None) -> tuple[PackSettings, str | None]:
    return PackSettings(data=PackedData.of(data), digest=data_content(data, home.digests).digest), root


def keys_of(split: Split, keys: list[str], part: str) -> set[bytes]:
    return {bytes.fromhex(keys[row])[:KEY_BYTES] for row in split.part(part).tolist()}


def test_packed_images_are_split_exactly(home: Home, data: Data) -> None:
    make_pack(home, data)
    pack = open_pack(home.pack("pack-1"))
    split = split_pack(pack, data)
    parts = ImageBook(home, lambda name: None).parts("pack-1", data)
    assert parts is not None
    for part in ("train", "val", "test"):
        assert getattr(parts, part) == keys_of(split, pack.keys, part) != set()
    assert parts.is_exact


def test_images_that_nobody_packed_are_split_as_files(home: Home, data: Data) -> None:
    book = ImageBook(home, lambda name: words_of(data, home, data.root))
    parts = book.parts("pack-1", data)
    assert parts is not None
    assert not parts.is_exact
    assert [len(one) for one in (parts.train, parts.val, parts.test)] == [24, 8, 8]
    given = book.parts("pack-1", data.model_copy(update={"given": "test"}))
    held = {key for _, part, key in named_images(data, home.digests) if part == "val"}
    assert given is not None
    assert given.test == short_keys(held)


def test_images_that_changed_or_went_are_unknown(home: Home, data: Data) -> None:
    settings, root = words_of(data, home, data.root)
    assert ImageBook(home, lambda name: (settings, None)).parts("pack-1", data) is None
    assert ImageBook(home, lambda name: None).parts("pack-1", data) is None
    next(Path(str(root)).rglob("*.png")).unlink()
    assert ImageBook(home, lambda name: (settings, root)).parts("pack-1", data) is None


def test_a_split_that_cannot_be_is_unknown(home: Home, data: Data) -> None:
    book = ImageBook(home, lambda name: words_of(data, home, data.root))
    assert book.parts("pack-1", data.model_copy(update={"split": "98/1/1"})) is None


def test_words_of_a_split_are_told_apart() -> None:
    words: list[dict[str, Any]] = [{}, {"split_seed": 1}, {"nested": True}, {"split": "80/10/10"}]
    folder = {"source": "folder", "root": "images"}
    texts = [split_text(Data.model_validate({**folder, **one})) for one in (*words, {"given": "test"})]
    assert len(set(texts)) == len(texts)
    assert texts[0] == "60/20/20, split seed 0"
