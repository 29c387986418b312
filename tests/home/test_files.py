"""Writes that survive a kill, whole or absent, and reads without trust."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from filelock import FileLock, Timeout

from engine.errors import HomeError
from engine.home.files import (
    encode_json,
    publish_folder,
    read_json,
    read_object,
    write_atomic,
    write_json,
    write_together,
)
from tests.helpers.recording import DiskRecord


def test_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    write_json(path, {"a": 1})
    with pytest.raises(ValueError, match="JSON"):
        write_json(path, {"a": float("nan")})
    with pytest.raises(TypeError):
        write_atomic(path, 3)  # type: ignore[arg-type]  # what a bug would pass
    assert read_json(path) == {"a": 1}
    assert [name.name for name in tmp_path.iterdir()] == ["a.json"]


def test_json_reads_back_as_it_was_and_has_a_line_for_each_entry_of_its_outer_levels(tmp_path: Path) -> None:
    value = {"runs": [{"b": 1, "a": {"c": [1.5, None, True]}}, {}], "jobs": {"x": {"y": []}}, "name": 'ü"\n', "no": []}
    write_json(tmp_path / "a.json", value)
    assert read_json(tmp_path / "a.json") == value
    assert (tmp_path / "a.json").read_text().splitlines() == [
        "{",
        ' "jobs": {',
        '  "x": {"y": []}',
        " },",
        ' "name": "\\u00fc\\"\\n",',
        ' "no": [],',
        ' "runs": [',
        '  {"a": {"c": [1.5, null, true]}, "b": 1},',
        "  {}",
        " ]",
        "}",
    ]


def test_files_written_together_are_all_synced_with_their_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The new name is synced after it is there, and the file before it has that name."""
    synced: list[tuple[str, bool]] = []
    fsync = os.fsync

    def note(handle: int) -> None:
        path = Path(os.readlink(f"/proc/self/fd/{handle}"))
        synced.append((path.name, path.is_dir() and (path / "spec.json").exists()))
        fsync(handle)

    monkeypatch.setattr(os, "fsync", note)
    files = {tmp_path / f"job-{number}" / "spec.json": f"{number}\n" for number in range(20)}
    for path in files:
        path.parent.mkdir()
    write_together(files)
    assert {path: path.read_text() for path in files} == files
    assert len([name for name, _ in synced if name.startswith(".spec.json.")]) == 20
    assert sorted(name for name, has_file in synced if has_file) == sorted(path.parent.name for path in files)
    assert all(len(list(path.parent.iterdir())) == 1 for path in files)


def test_files_that_cannot_all_be_written_leave_nothing_half_made(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_together({tmp_path / "a": "1", tmp_path / "absent" / "b": "2"})
    assert list(tmp_path.iterdir()) == []


def test_damaged_json_names_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_text("{")
    with pytest.raises(HomeError, match=r"a\.json"):
        read_json(tmp_path / "a.json")


def test_valid_folder_is_not_built_again_and_invalid_one_is(tmp_path: Path) -> None:
    final = tmp_path / "pack" / "a"
    built = []

    def build(folder: Path) -> None:
        built.append(folder)
        (folder / "data").write_text("whole")

    def is_valid(folder: Path) -> bool:
        return (folder / "data").read_text() == "whole"

    assert publish_folder(final, build, is_valid)
    assert not publish_folder(final, build, is_valid)
    (final / "data").write_text("damaged")
    assert publish_folder(final, build, is_valid)
    assert len(built) == 2
    assert is_valid(final)


def test_killed_builder_leaves_nothing_that_counts(tmp_path: Path) -> None:
    final = tmp_path / "a"
    leftover = tmp_path / "a.0123abcd.tmp"
    leftover.mkdir()
    (leftover / "data").write_text("half")
    publish_folder(final, lambda folder: write_atomic(folder / "data", "whole"), lambda _: True)
    assert not leftover.exists()
    assert (final / "data").read_text() == "whole"


def test_file_is_synced_before_its_name_and_the_folder_after(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = DiskRecord(tmp_path, monkeypatch)
    write_json(tmp_path / "a.json", {"a": 1})
    assert disk.events == ["sync .a.json.*.tmp", "replace .a.json.*.tmp a.json", "sync ."]


def test_bytes_and_their_view_are_written_as_they_are(tmp_path: Path) -> None:
    write_atomic(tmp_path / "a", b"\xff\x00")
    write_atomic(tmp_path / "b", memoryview(b"\xff\x00"))
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes() == b"\xff\x00"


def test_write_that_is_killed_at_its_rename_leaves_nothing_beside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(KeyboardInterrupt):
        write_atomic(tmp_path / "a", "1")
    with pytest.raises(KeyboardInterrupt):
        write_together({tmp_path / "b": "2"})
    assert list(tmp_path.iterdir()) == []


def test_files_written_together_are_all_synced_before_the_first_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = DiskRecord(tmp_path, monkeypatch)
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    write_together({tmp_path / "one" / "a": "1", tmp_path / "one" / "b": "2", tmp_path / "two" / "c": "3"})
    syncs = sorted(f"sync {name}" for name in ("one/.a.*.tmp", "one/.b.*.tmp", "two/.c.*.tmp"))
    names = ["replace one/.a.*.tmp one/a", "replace one/.b.*.tmp one/b", "replace two/.c.*.tmp two/c"]
    assert sorted(disk.events[:3]) == syncs
    assert disk.events[3:6] == names
    assert sorted(disk.events[6:]) == ["sync one", "sync two"]


def test_published_folder_is_synced_file_by_file_before_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def build(folder: Path) -> None:
        (folder / "inner").mkdir()
        (folder / "data").write_text("1")
        (folder / "inner" / "more").write_text("2")

    disk = DiskRecord(tmp_path, monkeypatch)
    assert publish_folder(tmp_path / "a", build, lambda _: True)
    assert sorted(disk.events[:2]) == ["sync a.*.tmp/data", "sync a.*.tmp/inner/more"]
    assert disk.events[2:] == ["sync a.*.tmp", "sync a.*.tmp/inner", "replace a.*.tmp a", "sync ."]


def test_builder_that_resumes_gets_the_newest_leftover_and_the_others_go(tmp_path: Path) -> None:
    final, old, new = tmp_path / "a", tmp_path / "a.00000001.tmp", tmp_path / "a.00000000.tmp"
    others = [
        tmp_path / name for name in ("ab.00000002.tmp", "a.0000000g.tmp", "a.000000002.tmp", "a.00000003.tmp.old")
    ]
    for at, folder in enumerate((old, new, *others)):
        folder.mkdir()
        (folder / "data").write_text(folder.name)
        os.utime(folder, (at, at))
    (final / "damaged").mkdir(parents=True)
    assert publish_folder(final, lambda folder: (folder / "more").write_text("2"), lambda _: False, resume=True)
    assert sorted(path.name for path in final.iterdir()) == ["data", "more"]
    assert (final / "data").read_text() == new.name
    assert not old.exists()
    assert not new.exists()
    assert all(path.is_dir() for path in others), "what only looks alike is somebody else's"


def test_builder_that_does_not_resume_starts_in_an_empty_folder(tmp_path: Path) -> None:
    (tmp_path / "a.0123abcd.tmp").mkdir()
    (tmp_path / "a.0123abcd.tmp" / "data").write_text("half")
    found: list[int] = []
    publish_folder(tmp_path / "a", lambda folder: found.append(len(list(folder.iterdir()))), lambda _: True)
    assert found == [0]


def test_builder_holds_the_lock_of_its_folder(tmp_path: Path) -> None:
    def build(_: Path) -> None:
        with pytest.raises(Timeout):
            FileLock(tmp_path / "deep" / "a.lock", timeout=0).acquire()

    assert publish_folder(tmp_path / "deep" / "a", build, lambda _: True)


def test_json_keys_of_deep_levels_are_sorted_and_lists_laid_out() -> None:
    assert (
        encode_json([{"b": {"z": 1, "a": 2}}, (1, 2)]) == '[\n {\n  "b": {"a": 2, "z": 1}\n },\n [\n  1,\n  2\n ]\n]\n'
    )
    assert encode_json({}) == "{}\n"


def test_what_is_worth_nothing_after_a_crash_is_not_synced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = DiskRecord(tmp_path, monkeypatch)
    write_atomic(tmp_path / "a.json", "1", sync=False)
    assert disk.events == ["replace .a.json.*.tmp a.json (not synced)"]
    assert (tmp_path / "a.json").read_text() == "1"


def test_an_object_is_read_or_none(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    assert read_object(path) is None
    assert read_object(tmp_path) is None
    for text, found in (
        ('{"a": 1}', {"a": 1}),
        ('{"a": ', None),
        ("[1]", None),
        ("3", None),
        ("\x00", None),
        ("{}", {}),
    ):
        path.write_text(text)
        assert read_object(path) == found
    path.write_bytes(b"\xff{}")
    assert read_object(path) is None
