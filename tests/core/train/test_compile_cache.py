"""What a kill of the linker leaves in the compiler's cache goes; whole ones stay, and those that are being made."""

from __future__ import annotations

import _ctypes
import sys
from pathlib import Path

import pytest
from filelock import FileLock

from engine.core.train.compile_cache import drop_cut_libraries

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="libraries of another form")
WHOLE = Path(_ctypes.__file__).read_bytes()


def keep(folder: Path, name: str, raw: bytes) -> Path:
    path = folder / name[1:3] / name
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(raw)
    return path


def test_whole_libraries_stay_and_cut_ones_go(tmp_path: Path) -> None:
    whole = keep(tmp_path, "cabwhole.main.so", WHOLE)
    cut = [keep(tmp_path, f"cab{end}.so", WHOLE[:end]) for end in (0, 30, 300, len(WHOLE) // 2, len(WHOLE) - 1)]
    cut.append(keep(tmp_path, "cabzeros.so", bytes(len(WHOLE))))
    assert drop_cut_libraries(tmp_path) == sorted(cut)
    assert whole.read_bytes() == WHOLE
    assert not any(path.exists() for path in cut)
    assert drop_cut_libraries(tmp_path) == []


def test_a_library_that_a_compiler_is_at_stays(tmp_path: Path) -> None:
    (tmp_path / "locks").mkdir()
    cut = keep(tmp_path, "cabbusy.main.so", WHOLE[:300])
    with FileLock(tmp_path / "locks" / "cabbusy.lock"):
        assert drop_cut_libraries(tmp_path) == []
    assert drop_cut_libraries(tmp_path) == [cut]


def test_a_cache_that_is_not_there_yet_has_none(tmp_path: Path) -> None:
    assert drop_cut_libraries(tmp_path / "none") == []
