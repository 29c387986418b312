"""What a machine runs out of: known by the error, by its words in a log, and by a look at the disk."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from types import SimpleNamespace

import pytest

from engine.home.paths import Home
from engine.launch.shortages import (
    FULL_DISK,
    LEAST_INODES,
    LEAST_ROOM,
    NO_INODES,
    NO_SPACE,
    SHORTAGES,
    find_shortage,
    home_trouble,
    read_shortage,
    room_trouble,
)


@pytest.mark.parametrize("number", SHORTAGES)
def test_a_shortage_is_known_by_its_number_and_by_its_words(number: int) -> None:
    told = SHORTAGES[number]
    assert find_shortage(OSError(number, "whatever")) == told
    assert read_shortage(f"RuntimeError: cannot write file: {os.strerror(number)} (3)") == told
    assert find_shortage(RuntimeError(f"I/O error: {os.strerror(number)}")) == told


def test_a_shortage_that_led_to_another_error_counts() -> None:
    error = RuntimeError("the checkpoint was not written")
    error.__cause__ = OSError(errno.ENOSPC, NO_SPACE)
    assert find_shortage(error) == FULL_DISK


def test_other_errors_are_no_shortage() -> None:
    error = OSError(errno.ENOENT, "No such file or directory")
    error.__cause__ = error
    assert find_shortage(error) == find_shortage(ValueError("full of it")) == read_shortage("") == ""


def disk_of(free: int, size: int, inodes: int = 0, free_inodes: int = 0) -> SimpleNamespace:
    blocks = {"f_bavail": free // 4096, "f_bfree": size // 4096, "f_frsize": 4096, "f_bsize": 1}
    return SimpleNamespace(**blocks, f_blocks=size // 4096, f_files=inodes, f_favail=free_inodes, f_ffree=inodes)


@pytest.mark.parametrize(
    ("disk", "told"),
    [
        (disk_of(LEAST_ROOM, 1 << 40), ""),
        (disk_of(LEAST_ROOM - 4096, 1 << 40), FULL_DISK),
        (disk_of((50 << 20) // 50, 50 << 20), ""),
        (disk_of((50 << 20) // 50 - 4096, 50 << 20), FULL_DISK),
        (disk_of(1 << 40, 1 << 41, 10**7, LEAST_INODES), ""),
        (disk_of(1 << 40, 1 << 41, 10**7, LEAST_INODES - 1), NO_INODES),
        (disk_of(1 << 40, 1 << 41, 500, 10), ""),
        (disk_of(1 << 40, 1 << 41, 500, 9), NO_INODES),
        (disk_of(1 << 40, 1 << 41, 0, 0), ""),
    ],
)
def test_room_is_64_megabytes_and_500_inodes_or_a_fiftieth(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, disk: SimpleNamespace, told: str
) -> None:
    monkeypatch.setattr(os, "statvfs", lambda folder: disk)
    assert (LEAST_ROOM, LEAST_INODES) == (64 * 1024 * 1024, 500)
    assert room_trouble(tmp_path) == told


def test_a_cache_on_another_disk_needs_room_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    full = disk_of(0, 1 << 40)
    monkeypatch.setattr(os, "statvfs", lambda folder: full if folder.name == "cache" else disk_of(1 << 39, 1 << 40))
    home = Home(tmp_path, tmp_path / "cache")
    assert home_trouble(home) == "", "no cache yet"
    home.cache.mkdir()
    assert home_trouble(home) == FULL_DISK


def test_a_full_disk_is_known_by_its_words() -> None:
    assert NO_SPACE == "No space left on device"
