"""Files that survive a kill: takes a path and what belongs there, gives it whole or not at all; reads without trust.

A file that must be whole or absent goes through `write_atomic`, a folder through `publish_folder`; what another
process may be writing is read with `read_object`.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from engine.errors import HomeError

WRITERS = 8  # files that wait for the disk side by side


def write_atomic(path: Path, data: bytes | memoryview | str, *, sync: bool = True) -> None:
    """Write `data` so that `path` is the old content or the new, whole, whatever is killed when.

    Without `sync` that holds for a process that is killed and not for a machine: for what is worth nothing after one.
    """
    beside = _name_beside(path)
    try:
        beside.write_bytes(data.encode() if isinstance(data, str) else data)
        if sync:
            # The file before the rename, its folder after it: a name that survives a power cut has its content.
            sync_path(beside)
        os.replace(beside, path)
    except BaseException:
        # A Ctrl-C too must leave nothing behind.
        beside.unlink(missing_ok=True)
        raise
    if sync:
        sync_path(path.parent)


def write_together(files: Mapping[Path, str]) -> None:
    """Write many files, each as `write_atomic` does. They wait for the disk side by side: it syncs several at once."""
    beside = {path: _name_beside(path) for path in files}
    try:
        for path, text in files.items():
            beside[path].write_bytes(text.encode())
        _sync_all(list(beside.values()))
        # Renamed only when every content is on the disk.
        for path in files:
            os.replace(beside[path], path)
        # Each folder once, when all its renames are done.
        _sync_all(list({path.parent for path in files}))
    except BaseException:
        for left in beside.values():
            left.unlink(missing_ok=True)
        raise


def _sync_all(paths: Sequence[Path]) -> None:
    def sync_some(first: int) -> None:
        for path in paths[first::WRITERS]:
            sync_path(path)

    with ThreadPoolExecutor(WRITERS) as writers:
        # list, because an error in a thread is raised when its result is asked for.
        list(writers.map(sync_some, range(WRITERS)))


def _name_beside(path: Path) -> Path:
    # In the same folder, as a rename is atomic only within one file system; a name of its own for each writer.
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")


def write_json(path: Path, value: Any) -> None:
    """Write `value` as JSON through `write_atomic`."""
    write_atomic(path, encode_json(value))


def encode_json(value: Any) -> str:
    """Return `value` as JSON, keys sorted, its two outer levels laid out and each entry below them on a line.

    json lays out all levels in Python, which takes ten times as long: a second for a record of a thousand runs.
    """
    return _lay_out(value, 2, "\n") + "\n"


def _lay_out(value: Any, levels: int, pad: str) -> str:
    if not levels or not value or not isinstance(value, dict | list | tuple):
        # NaN is no JSON, and other readers would refuse the file.
        return json.dumps(value, sort_keys=True, allow_nan=False)
    inner = pad + " "
    if isinstance(value, dict):
        entries = (f"{json.dumps(str(key))}: {_lay_out(value[key], levels - 1, inner)}" for key in sorted(value))
        return "{" + inner + ("," + inner).join(entries) + pad + "}"
    return "[" + inner + ("," + inner).join(_lay_out(item, levels - 1, inner) for item in value) + pad + "]"


def read_regular(path: Path, most: int = -1) -> bytes:
    """Return what a file holds. Raises ValueError for a pipe, which might never answer, and a device without an end.

    And for a file of more than `most` bytes, where that is given: it is read no further.
    """
    with os.fdopen(os.open(path, os.O_RDONLY | os.O_NONBLOCK), "rb") as handle:
        if not stat.S_ISREG(os.fstat(handle.fileno()).st_mode):
            raise ValueError("it is no regular file")
        raw = handle.read(most + 1 if most >= 0 else -1)
    if 0 <= most < len(raw):
        raise ValueError(f"it has more than {most:,} bytes")
    return raw


def read_json(path: Path) -> Any:
    """Read JSON. Raises HomeError naming the file when it is damaged; FileNotFoundError stays itself."""
    try:
        return json.loads(read_regular(path))
    except (ValueError, RecursionError) as error:
        fix = "remove it if it can be made again, or restore it from a copy"
        raise HomeError(f"the file is damaged: {error}", where=str(path), fix=fix) from error


def read_object(path: Path) -> dict[str, Any] | None:
    """Return the JSON object in a file, or None when there is none that can be read: absent, torn, something else."""
    return _read_object(path, -1)


SMALL = 1 << 20  # bytes: no file that one attempt has about itself comes near it


def read_small(path: Path) -> dict[str, Any] | None:
    """Return what `read_object` does of a file that is small where it is whole; None for a larger one too."""
    return _read_object(path, SMALL)


def _read_object(path: Path, most: int) -> dict[str, Any] | None:
    try:
        return parse_object(read_regular(path, most))
    except (OSError, ValueError):
        return None


def parse_object(text: str | bytes) -> dict[str, Any] | None:
    """Return the JSON object that a text is, None for what is none."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return found if isinstance(found, dict) else None


def publish_folder(
    final: Path, build: Callable[[Path], object], is_valid: Callable[[Path], bool], *, resume: bool = False
) -> bool:
    """Make the folder `final` by `build(tmp)` unless a valid one is there; return whether it was built.

    One builder at a time per folder, over all processes and homes (`<final>.lock`). The work lies in
    `<final>.<uuid>.tmp` until it is synced and renamed, so a killed builder leaves nothing that counts. With `resume`
    the newest such folder is handed to `build` as it was left; else it is empty.
    """
    # Only now, because hardly a command makes a folder, and every one of them imports this file.
    from filelock import FileLock

    final.parent.mkdir(parents=True, exist_ok=True)
    # The lock's file stays: if it were removed, two builders could hold two locks of one name.
    with FileLock(final.with_name(final.name + ".lock")):
        # Another builder may have finished while we waited for the lock.
        if final.is_dir() and is_valid(final):
            return False
        beside = _clear_leftovers(final, keep_newest=resume)
        if beside is None:
            beside = final.with_name(f"{final.name}.{uuid.uuid4().hex[:8]}.tmp")
            beside.mkdir()
        build(beside)
        # The contents first, then the name: a folder that has its name is whole.
        _sync_tree(beside)
        os.replace(beside, final)
        sync_path(final.parent)
    return True


def _clear_leftovers(final: Path, *, keep_newest: bool) -> Path | None:
    """Under the lock every `.tmp` of this key belongs to a builder that was killed, and an invalid folder to nobody.

    Return the newest of the killed builders' folders where that is to be kept.
    """
    # Only names that we make: another key may begin like this one.
    pattern = re.compile(re.escape(final.name) + r"\.[0-9a-f]{8}\.tmp")
    left = sorted(
        (path for path in final.parent.iterdir() if pattern.fullmatch(path.name)), key=lambda path: path.stat().st_mtime
    )
    kept = left.pop() if left and keep_newest else None
    for path in left:
        shutil.rmtree(path)
    # A folder cannot be renamed onto one that holds files.
    if final.exists():
        shutil.rmtree(final)
    return kept


def _sync_tree(root: Path) -> None:
    for path in _walk_files(root):
        sync_path(path)
    for folder in [root, *(path for path in root.rglob("*") if path.is_dir())]:
        sync_path(folder)


def _walk_files(root: Path) -> Iterator[Path]:
    return (path for path in root.rglob("*") if path.is_file())


def sync_path(path: Path) -> None:
    """Make a file durable, or the renames in a folder: a name lives in the folder, not in the file."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
