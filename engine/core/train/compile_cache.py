"""The folder in which torch.compile keeps its work: takes it, lets the compiler use it, and takes out what a kill cut.

The linker writes a library under its own name. A kill leaves the beginning of one there, which the compiler takes for
whole: it would fail at it in every later job. While it links it holds a lock, so that a cut one without is nobody's.
"""

from __future__ import annotations

import os
import struct
import sys
from pathlib import Path

from filelock import FileLock, Timeout

ELF = b"\x7fELF"
HEADER = 64  # bytes, of a library of 64 bit
SECTIONS, SIZE_AND_COUNT = 0x28, 0x3A  # where the header says where the table of sections begins, and how long it is


def use_cache(folder: Path) -> None:
    """Let the compiler keep its work in `folder`, read by this process when it first compiles."""
    from torch._inductor import config  # here: most jobs never need it, and it takes a second

    drop_cut_libraries(folder)
    os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(folder)
    config.fx_graph_cache = True
    # Its own generator would draw other masks than the same step without compiling.
    config.fallback_random = True


def drop_cut_libraries(folder: Path) -> list[Path]:
    """Remove the libraries that end too early and that nobody is at; return them. Other systems' are not known."""
    if not sys.platform.startswith("linux"):
        return []
    return [path for path in sorted(folder.glob("*/*.so")) if _is_cut(path) and _drop(path, folder / "locks")]


def _is_cut(path: Path) -> bool:
    """Whether a library is shorter than it says: linkers put the table of sections at its end."""
    try:
        with path.open("rb") as file:
            header, size = file.read(HEADER), os.fstat(file.fileno()).st_size
    except OSError:  # it went meanwhile
        return False
    if len(header) < HEADER or not header.startswith(ELF):
        return True
    [start] = struct.unpack_from("<Q", header, SECTIONS)
    each, count = struct.unpack_from("<HH", header, SIZE_AND_COUNT)
    return size < int(start) + int(each) * int(count)


def _drop(path: Path, locks: Path) -> bool:
    """Remove a library, unless a compiler is at it."""
    locks.mkdir(exist_ok=True)
    try:
        with FileLock(locks / f"{path.name.split('.')[0]}.lock", timeout=0):
            path.unlink(missing_ok=True)
    except (Timeout, OSError):
        return False
    return True
