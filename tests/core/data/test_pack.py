"""A pack gives back what went in, and a damaged one is never taken for whole."""

from __future__ import annotations

import hashlib
import io
import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from engine.core.data import pack as pack_room
from engine.core.data.pack import count_duplicates, is_valid_pack, open_pack, pack_problem, shrink, write_pack
from engine.core.data.sources import Listing, list_images
from engine.errors import DataError
from engine.home.files import publish_folder, read_json, write_json
from engine.inputs.content import data_content
from engine.inputs.splits import split_pack
from engine.spec import Data
from engine.spec.identity import PACK_VERSION

MakeFolder = Callable[..., Path]


def no_progress(done: int, count: int) -> None:
    pass


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "pack"
    path.mkdir()
    return path


def test_a_raw_pack_gives_back_every_pixel(make_folder: MakeFolder, folder: Path, tmp_path: Path) -> None:
    data = Data(source="folder", root=str(make_folder({"a": 3, "b": 4})))
    listing = list_images(data)
    seen: list[int] = []
    write_pack(listing, folder, 256, lambda done, count: seen.append(done))
    pack = open_pack(folder)
    assert seen == list(range(1, 8))
    assert pack.labels.tolist() == [0, 0, 0, 1, 1, 1, 1]
    assert pack.keys == [sample.key for sample in listing.samples]
    for index in range(len(pack)):
        np.testing.assert_array_equal(pack.image(index), listing.read(index))
    assert pack.digest == data_content(data, tmp_path / "digests.json").digest


def test_the_short_side_shrinks_and_never_grows(make_folder: MakeFolder, folder: Path) -> None:
    data = Data(source="folder", root=str(make_folder({"a": 1, "b": 1})))
    write_pack(list_images(data), folder, 35, no_progress)
    assert open_pack(folder).image(0).shape == (35, 45, 3)
    assert shrink(np.zeros((8, 8, 3), dtype=np.uint8), 256).shape == (8, 8, 3)


def test_a_jpeg_pack_is_smaller_and_near(make_folder: MakeFolder, folder: Path) -> None:
    listing = list_images(Data(source="folder", root=str(make_folder({"a": 1, "b": 1}, size=(300, 200)))))
    write_pack(listing, folder, 256, no_progress, format="jpeg")
    pack = open_pack(folder)
    assert (folder / "data.bin").stat().st_size < 2 * 300 * 200
    difference = np.abs(pack.image(1).astype(int) - listing.read(1).astype(int))
    assert difference.mean() < 4


@pytest.mark.parametrize("name", ["data.bin", "index.npz", "manifest.json"])
def test_any_flipped_byte_makes_a_pack_invalid(make_folder: MakeFolder, folder: Path, name: str) -> None:
    listing = list_images(Data(source="folder", root=str(make_folder({"a": 2, "b": 2}))))
    write_pack(listing, folder, 256, no_progress)
    assert is_valid_pack(folder)
    raw = bytearray((folder / name).read_bytes())
    raw[len(raw) // 2] ^= 0xFF
    (folder / name).write_bytes(raw)
    assert not is_valid_pack(folder)


@pytest.mark.parametrize("name", ["data.bin", "index.npz", "manifest.json"])
def test_a_torn_or_missing_file_makes_a_pack_invalid(make_folder: MakeFolder, folder: Path, name: str) -> None:
    listing = list_images(Data(source="folder", root=str(make_folder({"a": 2, "b": 2}))))
    write_pack(listing, folder, 256, no_progress)
    (folder / name).write_bytes((folder / name).read_bytes()[:-3])
    assert not is_valid_pack(folder)
    with pytest.raises(DataError):
        open_pack(folder)
    (folder / name).unlink()
    assert not is_valid_pack(folder)


def test_a_broken_file_stops_the_pack_or_is_counted(make_folder: MakeFolder, folder: Path) -> None:
    root = make_folder({"a": 2, "b": 2})
    (root / "a" / "bad.jpg").write_text("no image")
    listing = list_images(Data(source="folder", root=str(root)))
    with pytest.raises(DataError, match=r"bad\.jpg"):
        write_pack(listing, folder, 256, no_progress)
    assert not is_valid_pack(folder)
    write_pack(listing, folder, 256, no_progress, broken="skip")
    pack = open_pack(folder)
    assert len(pack) == 4
    assert pack.skipped == (str(root / "a" / "bad.jpg"),)


def test_a_class_with_broken_files_only_is_named(make_folder: MakeFolder, folder: Path) -> None:
    root = make_folder({"a": 2})
    (root / "empty_one").mkdir()
    (root / "empty_one" / "bad.jpg").write_text("no image")
    listing = list_images(Data(source="folder", root=str(root)))
    with pytest.raises(DataError, match="empty_one"):
        write_pack(listing, folder, 256, no_progress, broken="skip")


def test_a_pack_of_many_shapes_keeps_them(make_folder: MakeFolder, folder: Path) -> None:
    root = make_folder({"a": 1, "b": 1})
    Image.new("RGB", (1, 1)).save(root / "a" / "dot.png")
    Image.new("RGB", (900, 3)).save(root / "b" / "line.png")
    write_pack(list_images(Data(source="folder", root=str(root))), folder, 64, no_progress)
    shapes = {open_pack(folder).image(index).shape for index in range(4)}
    assert shapes == {(1, 1, 3), (3, 900, 3), (64, 82, 3)}


def pack_slowly(root: Path, final: Path, stop_at: int) -> None:
    """Pack in a process of its own, with shards of 8 images, and kill it (-9) when it has packed `stop_at`."""
    code = (
        "import sys, time; from pathlib import Path; from engine.spec import Data\n"
        "from engine.home.files import publish_folder; from engine.core.data.sources import list_images\n"
        "from engine.core.data import pack; pack.SHARD_IMAGES = 8\n"
        "listing = list_images(Data(source='folder', root=sys.argv[1]))\n"
        "slow = lambda done, count: (print(done, flush=True), time.sleep(0.05))\n"
        "build = lambda folder: pack.write_pack(listing, folder, 256, slow)\n"
        "publish_folder(Path(sys.argv[2]), build, pack.is_valid_pack, resume=True)\n"
    )
    child = subprocess.Popen([sys.executable, "-c", code, str(root), str(final)], stdout=subprocess.PIPE, text=True)
    assert child.stdout is not None
    told = iter(child.stdout.readline, "")
    assert any(line.strip() == str(stop_at) for line in told), "the packing process ended before it was killed"
    child.send_signal(signal.SIGKILL)
    child.wait()
    child.stdout.close()


def resume_pack(root: Path, final: Path) -> tuple[list[int], Listing]:
    """Finish a killed pack; return what its progress said and the listing."""
    listing, seen = list_images(Data(source="folder", root=str(root))), []
    assert publish_folder(
        final,
        lambda folder: write_pack(listing, folder, 256, lambda done, count: seen.append(done)),
        is_valid_pack,
        resume=True,
    )
    return seen, listing


@pytest.mark.slow
def test_a_pack_that_was_killed_goes_on_from_its_complete_shards(
    make_folder: MakeFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_folder({"a": 40, "b": 40}, size=(400, 300))
    final, whole = tmp_path / "cache" / "pack-1", tmp_path / "whole"
    monkeypatch.setattr(pack_room, "SHARD_IMAGES", 8)
    for stop_at in (20, 45):
        pack_slowly(root, final, stop_at)
        assert not final.exists()
        (left,) = final.parent.glob("*.tmp")
        assert not is_valid_pack(left)
        assert len(list(left.glob("shards/*.npz"))) * 8 in (stop_at // 8 * 8, stop_at // 8 * 8 + 8)
    with open(left / "data.bin", "ab") as data:
        data.write(b"half an image")
    seen, listing = resume_pack(root, final)
    done = seen[0]
    assert done >= 40
    assert seen[1:] == list(range(done + 1, 81))
    assert list(final.parent.glob("*.tmp")) == []
    assert sorted(path.name for path in final.iterdir()) == ["data.bin", "index.npz", "manifest.json"]
    whole.mkdir()
    write_pack(listing, whole, 256, no_progress)
    for name in ("data.bin", "index.npz"):
        assert (final / name).read_bytes() == (whole / name).read_bytes()


@pytest.mark.parametrize("damage", ["data.bin", "shards/000001.npz", "missing"])
def test_a_damaged_shard_and_all_behind_it_are_made_again(
    make_folder: MakeFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, damage: str
) -> None:
    root = make_folder({"a": 20, "b": 20}, size=(80, 70))
    final = tmp_path / "cache" / "pack-1"
    monkeypatch.setattr(pack_room, "SHARD_IMAGES", 8)
    listing = list_images(Data(source="folder", root=str(root)))

    def stop(done: int, count: int) -> None:
        if done == 30:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        publish_folder(final, lambda folder: write_pack(listing, folder, 256, stop), is_valid_pack, resume=True)
    (left,) = final.parent.glob("*.tmp")
    if damage == "missing":
        (left / "shards/000001.npz").unlink()
    else:
        raw = bytearray((left / damage).read_bytes())
        raw[len(raw) // 2] ^= 0xFF
        (left / damage).write_bytes(raw)
    seen, _ = resume_pack(root, final)
    assert seen[0] == 8
    assert is_valid_pack(final)
    assert all(np.array_equal(open_pack(final).image(row), listing.read(row)) for row in range(40))


def test_shards_of_other_images_are_not_taken(
    make_folder: MakeFolder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = make_folder({"a": 20, "b": 20}, size=(80, 70))
    final = tmp_path / "cache" / "pack-1"
    monkeypatch.setattr(pack_room, "SHARD_IMAGES", 8)
    pack_slowly(root, final, 20)
    for path in sorted((root / "a").iterdir())[:3]:
        path.unlink()
    _, listing = resume_pack(root, final)
    assert len(open_pack(final)) == 37
    assert open_pack(final).keys == [sample.key for sample in listing.samples]


def test_a_file_that_changes_after_it_was_listed_stops_the_pack(make_folder: MakeFolder, folder: Path) -> None:
    root = make_folder({"a": 2, "b": 2})
    listing = list_images(Data(source="folder", root=str(root)))
    Image.new("RGB", (9, 9)).save(root / "a" / "000.png")
    with pytest.raises(DataError, match=r"000\.png.*changed after it was listed"):
        write_pack(listing, folder, 256, no_progress, broken="skip")


def test_the_digest_of_a_pack_counts_what_was_left_out(make_folder: MakeFolder, folder: Path, tmp_path: Path) -> None:
    root = make_folder({"a": 2, "b": 2})
    (root / "a" / "bad.jpg").write_text("no image")
    data = Data(source="folder", root=str(root))
    write_pack(list_images(data), folder, 256, no_progress, broken="skip")
    assert open_pack(folder).digest == data_content(data, tmp_path / "digests.json").digest


def test_a_pack_remembers_the_folder_that_an_image_came_in(make_folder: MakeFolder, folder: Path) -> None:
    root = make_folder({"train/a": 3, "train/b": 4, "val/a": 1, "val/b": 2})
    write_pack(list_images(Data(source="folder", root=str(root))), folder, 256, no_progress)
    pack = open_pack(folder)
    counted = Counter(zip(pack.labels.tolist(), pack.parts, strict=True))
    assert counted == {(0, "train"): 3, (1, "train"): 4, (0, "val"): 1, (1, "val"): 2}
    split = split_pack(pack, Data(source="folder", root=str(root), split="60/20/20", given="test"))
    assert [pack.parts[row] for row in split.test] == ["val"] * 3
    assert len(split.train) + len(split.val) == 7


def test_the_manifest_states_what_was_packed(make_folder: MakeFolder, folder: Path) -> None:
    root = make_folder({"b": 2, "a": 3})
    (root / "a" / "bad.jpg").write_text("no image")
    data = Data(source="folder", root=str(root), classes=["b", "a"])
    assert write_pack(list_images(data), folder, 40, no_progress, broken="skip") == 0
    about = read_json(folder / "manifest.json")
    assert (about["version"], about["format"], about["short_side"], about["count"]) == (PACK_VERSION, "raw", 40, 5)
    assert (about["classes"], about["skipped"]) == (["b", "a"], [str(root / "a" / "bad.jpg")])
    assert about["duplicates"] == {"groups": 0, "images": 0, "across_labels": 0}
    assert not (folder / "shards").exists()
    for name in ("data.bin", "index.npz"):
        content = (folder / name).read_bytes()
        assert about["files"][name] == {"size": len(content), "sha256": hashlib.sha256(content).hexdigest()}


def test_a_pack_says_which_images_are_near_duplicates(make_folder: MakeFolder, folder: Path) -> None:
    root = make_folder({"a": 3, "b": 2})
    with Image.open(root / "a" / "001.png") as image:
        image.resize((99, 77)).save(root / "b" / "copy.png")
    write_pack(list_images(Data(source="folder", root=str(root))), folder, 256, no_progress)
    pack = open_pack(folder)
    first, second = sorted(row for row in range(6) if pack.keys[row] in pack.group_names)
    assert (pack.labels[first], pack.labels[second]) == (0, 1)
    assert pack.group_names == {pack.keys[first]: pack.keys[first], pack.keys[second]: pack.keys[first]}
    assert pack.groups.tolist() == [first if row == second else row for row in range(6)]
    assert [pack.size(row) for row in (first, second)] == [(70, 90), (77, 99)]


def test_duplicates_are_counted_by_group_image_and_label() -> None:
    groups = np.array([0, 0, 0, 3, 3, 5])
    assert count_duplicates([0, 0, 0, 0, 1, 1], groups) == {"groups": 2, "images": 5, "across_labels": 1}


@pytest.mark.parametrize(("width", "height", "expected"), [(151, 100, (33, 50)), (100, 151, (50, 33)), (33, 90, None)])
def test_shrinking_is_pillows_bicubic_to_rounded_sides(
    width: int, height: int, expected: tuple[int, int] | None
) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)
    small = shrink(pixels, 33)
    if expected is None:
        np.testing.assert_array_equal(small, pixels)
    else:
        size = expected[::-1]
        np.testing.assert_array_equal(small, Image.fromarray(pixels).resize(size, Image.Resampling.BICUBIC))


def test_packed_jpegs_are_pillows_of_quality_90(make_folder: MakeFolder, folder: Path) -> None:
    listing = list_images(Data(source="folder", root=str(make_folder({"a": 1, "b": 1}))))
    write_pack(listing, folder, 256, no_progress, format="jpeg")
    held = io.BytesIO()
    Image.fromarray(listing.read(1)).save(held, "JPEG", quality=90)
    with Image.open(held) as image:
        np.testing.assert_array_equal(open_pack(folder).image(1), image)


def test_opening_holds_every_file_against_its_checksum_but_trusts_very_many_images(
    make_folder: MakeFolder, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_pack(list_images(Data(source="folder", root=str(make_folder({"a": 2, "b": 2})))), folder, 256, no_progress)
    whole = {name: (folder / name).read_bytes() for name in ("data.bin", "index.npz")}
    open_pack(folder).image(0)[:] = 0  # a window on the file: the file stays as it is
    assert (folder / "data.bin").read_bytes() == whole["data.bin"]
    for name, content in (("data.bin", whole["data.bin"] + b"?"), ("index.npz", whole["index.npz"][:-1] + b"?")):
        (folder / name).write_bytes(content)
        with pytest.raises(DataError, match=rf"{name} of the pack .*\nfix: remove this folder"):
            open_pack(folder)
        (folder / name).write_bytes(whole[name])
    swapped = whole["data.bin"][100:] + whole["data.bin"][:100]
    flipped = bytes([whole["data.bin"][0] ^ 1]) + whole["data.bin"][1:]
    for content in (swapped, flipped):
        (folder / "data.bin").write_bytes(content)
        with pytest.raises(DataError, match=r"data\.bin of the pack is damaged\n"):
            open_pack(folder)
    monkeypatch.setattr("engine.core.data.pack.READ_BYTES", len(flipped) - 1)
    assert len(open_pack(folder)) == 4
    assert pack_problem(folder, read_data=True) == "data.bin of the pack is damaged"
    for version in (PACK_VERSION - 1, PACK_VERSION + 1):
        write_json(folder / "manifest.json", read_json(folder / "manifest.json") | {"version": version})
        with pytest.raises(DataError, match=f"the pack is of version {version}, this program reads {PACK_VERSION}"):
            open_pack(folder)
    (folder / "manifest.json").unlink()
    with pytest.raises(DataError, match=r"not whole: manifest\.json is missing"):
        open_pack(folder)


@pytest.mark.parametrize(("side", "words"), [(32, {}), (48, {"format": "jpeg"}), (48, {"broken": "skip"}), (48, {})])
def test_a_killed_packs_shards_are_taken_only_where_images_are_packed_alike(
    make_folder: MakeFolder, folder: Path, monkeypatch: pytest.MonkeyPatch, side: int, words: dict[str, Any]
) -> None:
    listing = list_images(Data(source="folder", root=str(make_folder({"a": 3, "b": 3}))))
    monkeypatch.setattr(pack_room, "SHARD_IMAGES", 2)

    def stop(done: int, count: int) -> None:
        if done == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_pack(listing, folder, 48, stop)
    assert not (folder / "manifest.json").exists()
    alike, seen = (side, words) == (48, {}), list[tuple[int, int]]()
    assert write_pack(listing, folder, side, lambda *told: seen.append(told), **words) == (4 if alike else 0)
    assert seen == [(done, 6) for done in range(4 if alike else 1, 7)]
    assert is_valid_pack(folder)
    assert min(open_pack(folder).size(5)) == side


def test_packing_takes_a_thread_for_each_processor_up_to_16(monkeypatch: pytest.MonkeyPatch) -> None:
    for processors, threads in ((2, 2), (16, 16), (64, 16)):
        monkeypatch.setattr(os, "sched_getaffinity", lambda pid, count=processors: set(range(count)), raising=False)
        assert pack_room.pack_threads() == threads


def test_an_image_far_longer_than_wide_is_refused_or_left_out(make_folder: MakeFolder, tmp_path: Path) -> None:
    root = make_folder({"ant": 2, "bee": 2})
    Image.new("RGB", (200_000, 6)).save(root / "ant" / "long.png")
    listing = list_images(Data(source="folder", root=str(root)))
    (tmp_path / "stop").mkdir()
    with pytest.raises(DataError, match=r"long\.png: this image has a side 33,333 times as long.*\nfix: .*skip"):
        write_pack(listing, tmp_path / "stop", 256, lambda done, count: None)
    (tmp_path / "skip").mkdir()
    write_pack(listing, tmp_path / "skip", 256, lambda done, count: None, broken="skip")
    assert open_pack(tmp_path / "skip").skipped == (str(root / "ant" / "long.png"),)
