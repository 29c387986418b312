"""A shard that is found again is whole and of the same images; its bytes are on the disk before it says so."""

from __future__ import annotations

import io
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.core.data import shards
from engine.core.data.likeness import THUMB_SIDE
from engine.core.data.shards import Packed, PackShards, ShardRows
from engine.core.data.sources import Sample
from engine.home import files as home

MARK = "3 256 raw 90 skip"
SAMPLES = [Sample(Path(f"/set/{number}.png"), number // 3, f"{number:064x}", part="train") for number in range(6)]
CHUNKS = [SAMPLES[:3], SAMPLES[3:]]


def item_of(number: int) -> Packed | None:
    """Image `number` on its way: the second is broken, the third too small for a thumbnail."""
    thumb = np.full((THUMB_SIDE, THUMB_SIDE), number, dtype=np.uint8)
    seen = None if number == 2 else thumb
    return None if number == 1 else Packed(bytes([number]) * (10 + number), (5, 2 + number), seen)


ITEMS = [[item_of(number) for number in numbers] for numbers in (range(3), range(3, 6))]
CONTENT = b"".join(item.raw for items in ITEMS for item in items if item)


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """A folder with two shards."""
    writer = PackShards(tmp_path, MARK)
    for number in range(2):
        writer.append(number, CHUNKS[number], ITEMS[number])
    return tmp_path


def told(rows: ShardRows) -> list[object]:
    thumbs = [None if one is None else one.tolist() for one in rows.thumbs]
    return [rows.samples, rows.sizes, rows.shapes, thumbs, rows.skipped]


def expected_rows(number: int) -> list[object]:
    kept = [(sample, item) for sample, item in zip(CHUNKS[number], ITEMS[number], strict=True) if item]
    thumbs = [None if item.thumb is None else item.thumb.tolist() for _, item in kept]
    skipped = ["/set/1.png"] if number == 0 else []
    samples, sizes = [sample for sample, _ in kept], [len(item.raw) for _, item in kept]
    return [samples, sizes, [item.shape for _, item in kept], thumbs, skipped]


def test_a_later_builder_finds_what_was_appended(written: Path) -> None:
    found = PackShards(written, MARK).complete(CHUNKS)
    assert [told(rows) for rows in found] == [expected_rows(0), expected_rows(1)]
    assert (written / "data.bin").read_bytes() == CONTENT


def test_rows_are_told_when_they_are_appended_and_put_together(tmp_path: Path) -> None:
    writer, rows = PackShards(tmp_path, MARK), ShardRows()
    for number in range(2):
        appended = writer.append(number, CHUNKS[number], ITEMS[number])
        assert told(appended) == expected_rows(number)
        rows.extend(appended)
    assert told(rows) == [[*one, *other] for one, other in zip(expected_rows(0), expected_rows(1), strict=True)]  # type: ignore[misc]


OTHERS = [{"label": 7}, {"part": "val"}, {"key": "f" * 64}, {"path": Path("/set/new.png")}, {"member": "a/1.png"}]


@pytest.mark.parametrize("change", OTHERS)
def test_a_shard_of_other_images_is_not_taken(written: Path, change: dict[str, object]) -> None:
    chunks = [CHUNKS[0], [replace(SAMPLES[3], **change), *CHUNKS[1][1:]]]  # type: ignore[arg-type]
    assert len(PackShards(written, MARK).complete(chunks)) == 1
    assert (written / "data.bin").read_bytes() == CONTENT[:22]


def test_a_shard_packed_in_another_way_is_not_taken(written: Path) -> None:
    assert PackShards(written, MARK.replace("256", "128")).complete(CHUNKS) == []
    assert (written / "data.bin").read_bytes() == b""


@pytest.mark.parametrize(("place", "kept"), [(3, 0), (25, 1)])
def test_a_shard_whose_bytes_changed_ends_the_search(written: Path, place: int, kept: int) -> None:
    (written / "data.bin").write_bytes(CONTENT[:place] + b"?" + CONTENT[place + 1 :])
    assert len(PackShards(written, MARK).complete(CHUNKS)) == kept
    assert (written / "data.bin").read_bytes() == (CONTENT[:22] if kept else b"")


def test_what_follows_the_last_complete_shard_is_cut_off(written: Path) -> None:
    (written / "shards/000001.npz").unlink()
    writer = PackShards(written, MARK)
    assert len(writer.complete(CHUNKS)) == 1
    assert (written / "data.bin").read_bytes() == CONTENT[:22]
    writer.append(1, CHUNKS[1], ITEMS[1])
    assert (written / "data.bin").read_bytes() == CONTENT


def without(path: Path, name: str) -> bytes:
    with np.load(path) as held:
        left = {key: held[key] for key in held.files if key != name}
    content = io.BytesIO()
    np.savez(content, **left)
    return content.getvalue()


@pytest.mark.parametrize("damage", ["empty", "text", "half", "no sha256", "no mark", "no kept"])
def test_a_damaged_shard_is_as_good_as_none(written: Path, damage: str) -> None:
    path = written / "shards/000001.npz"
    whole = path.read_bytes()
    contents = {"empty": b"", "text": b"this is no archive", "half": whole[: len(whole) // 2]}
    path.write_bytes(contents[damage] if damage in contents else without(path, damage.split()[1]))
    assert len(PackShards(written, MARK).complete(CHUNKS)) == 1


def test_a_shards_bytes_are_on_the_disk_before_it_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer, said = PackShards(tmp_path, MARK), list[str]()
    honest = home.write_atomic
    monkeypatch.setattr(os, "fsync", lambda handle: said.append(f"synced {os.fstat(handle).st_size}"))

    def write_atomic(path: Path, content: bytes) -> None:
        said.append(f"named {path.name}")
        monkeypatch.undo()
        honest(path, content)

    monkeypatch.setattr(shards, "write_atomic", write_atomic)
    writer.append(0, CHUNKS[0], ITEMS[0])
    assert said == ["synced 22", "named 000000.npz"]
    assert len(PackShards(tmp_path, MARK).complete(CHUNKS)) == 1


def test_clearing_leaves_the_images_alone(written: Path) -> None:
    PackShards(written, MARK).clear()
    assert [path.name for path in written.iterdir()] == ["data.bin"]
    assert (written / "data.bin").read_bytes() == CONTENT
