"""A compressed file comes out as it went in, and no further than the limits."""

from __future__ import annotations

import bz2
import gzip
import lzma
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.errors import DataError
from engine.home.limits import limits
from engine.inputs import inflate
from engine.inputs.inflate import check_regular, most_unpacked, open_plain

SQUEEZE: dict[str, Callable[[bytes], bytes]] = {
    ".gz": gzip.compress, ".tgz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress, ".tar": bytes,
}  # fmt: skip
TEXT = os.urandom(300_000)


@pytest.mark.parametrize("suffix", SQUEEZE)
def test_bytes_come_out_as_they_went_in(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    path.write_bytes(SQUEEZE[suffix](TEXT))
    with open_plain(path) as plain:
        assert plain.read() == TEXT
        assert plain.read(1) == b""


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz"])
def test_streams_that_follow_each_other_are_one(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    gap = bytes(8) if suffix == ".xz" else b""
    path.write_bytes(SQUEEZE[suffix](TEXT) + gap + SQUEEZE[suffix](b"more") + gap)
    with open_plain(path) as plain:
        assert plain.read() == TEXT + b"more"


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz"])
def test_a_torn_stream_is_an_error(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"x{suffix}"
    path.write_bytes(SQUEEZE[suffix](TEXT)[:-9])
    with open_plain(path) as plain, pytest.raises(EOFError):
        plain.read()


@pytest.mark.parametrize("suffix", [".gz", ".bz2", ".xz"])
def test_what_unpacks_to_far_more_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str) -> None:
    monkeypatch.setenv("XP_LIMITS", "image_bytes=1M archive_ratio=3")
    path = tmp_path / f"x{suffix}"
    path.write_bytes(SQUEEZE[suffix](bytes(1_000_001)))
    with open_plain(path) as plain, pytest.raises(DataError, match=r"more than 1,000,000 bytes, 3 times its own\nfix"):
        plain.read()


def test_a_small_file_may_hold_one_image_and_a_large_one_its_ratio(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x.gz").write_bytes(bytes(1000))
    assert most_unpacked(tmp_path / "x.gz") == limits().image_bytes
    monkeypatch.setenv("XP_LIMITS", "image_bytes=1K archive_ratio=3")
    assert most_unpacked(tmp_path / "x.gz") == 3000


def test_an_xz_file_that_asks_for_much_memory_is_not_inflated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filters = [{"id": lzma.FILTER_LZMA2, "dict_size": 1 << 20}]
    (tmp_path / "x.xz").write_bytes(lzma.compress(TEXT, filters=filters))
    monkeypatch.setattr(inflate, "XZ_MEMORY", 1 << 19)
    with open_plain(tmp_path / "x.xz") as plain, pytest.raises(lzma.LZMAError, match="Memory usage limit"):
        plain.read()


def test_the_memory_for_xz_is_enough_for_its_strongest_setting(tmp_path: Path) -> None:
    assert 65 * 2**20 < inflate.XZ_MEMORY < 300 * 10**6


def test_a_pipe_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.tar")
    with pytest.raises(DataError, match="this is no regular file"):
        open_plain(tmp_path / "x.tar")
    check_regular(Path(__file__))
