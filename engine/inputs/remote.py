"""Images that lie on another machine: takes an address that data.root names, gives the copy of it in a cache.

Nothing is fetched by looking at a spec, planning or running: `xp data fetch` does it, once, and the copy is used from
then on. fsspec knows the ways (https, s3, gs, az, hf, sftp ...); some need a package of their own.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import platformdirs
from filelock import FileLock

from engine.errors import DataError, MissingData
from engine.inputs.member_names import name_problem, plain_name

ADDRESS = re.compile(r"[a-z][a-z0-9+]{1,20}://\S+")
HERE = ("file", "local")
Progress = Callable[[int, int], None]


def is_remote(text: str) -> bool:
    """Whether a path is an address of another machine."""
    return ADDRESS.fullmatch(text) is not None


def find_copy(address: str) -> Path:
    """Return where the copy of an address lies. Raises MissingData, which names `xp data fetch`, where it is not."""
    copy = _copy_of(address)
    if not copy.exists():
        what = f"{address} has not been fetched"
        raise MissingData(what, where="data.root", fix="xp data fetch SPEC copies it here, once, and keeps it")
    return copy


def fetch_copy(address: str, progress: Progress) -> Path:
    """Copy a file, or a folder with all in it, and return where it lies; what was fetched before is kept.

    `progress(bytes fetched, bytes in all)` is called after each file. Raises DataError where it cannot be had.
    """
    copy = _copy_of(address)
    copy.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(copy.parent / "lock"):
        if not copy.exists():
            half = copy.with_name(f".{copy.name}.half")
            _fetch(address, half, progress)
            os.replace(half, copy)
    return copy


def cache_folder() -> Path:
    """Return the folder of copies: in XP_CACHE, else in the person's own cache, as all homes may use them."""
    given = os.environ.get("XP_CACHE")
    return (Path(given).expanduser() if given else platformdirs.user_cache_path("xp")) / "remote"


def _copy_of(address: str) -> Path:
    # An address may hold a signature that is nobody's business, and letters that no file may have.
    mark = hashlib.sha256(address.encode()).hexdigest()[:16]
    name = re.sub(r"[^A-Za-z0-9._-]", "_", address.partition("?")[0].rstrip("/").rpartition("/")[2])[-80:]
    return cache_folder() / mark / (name.lstrip(".") or "set")


def _fetch(address: str, half: Path, progress: Progress) -> None:
    system, path = _open_system(address)
    try:
        files = dict(_list_files(system, path, address))
        done, total = 0, sum(files.values())
        for name, size in files.items():
            target = half / name if name else half
            # A file of the right size is one that was fetched whole: an earlier try goes on.
            if not target.is_file() or target.stat().st_size != size:
                target.parent.mkdir(parents=True, exist_ok=True)
                beside = target.with_name(f".{target.name}.part")
                system.get_file(f"{path}/{name}" if name else path, str(beside))
                os.replace(beside, target)
            done += target.stat().st_size
            progress(done, total)
    except DataError:
        raise
    except Exception as error:  # each way has errors of its own
        what = f"cannot fetch this: {str(error).splitlines()[0][:200] if str(error) else type(error).__name__}"
        fix = f"try again, which goes on where it ended, or copy it yourself and name that folder ({half.parent})"
        raise DataError(what, where=address, fix=fix) from error


def _open_system(address: str) -> tuple[Any, str]:
    """Return what reads an address, and the path there."""
    way = address.partition("://")[0]
    if way in HERE:
        raise DataError("this is an address of this machine", where=address, fix="write its path alone")
    try:
        import fsspec

        system, path = fsspec.core.url_to_fs(address)
    except ImportError as error:
        fix = f"pip install what it asks for: {str(error).splitlines()[0]}"
        raise DataError(f"{way}:// needs a package that is not here", where=address, fix=fix) from error
    except ValueError as error:
        raise DataError(
            f"no way is known to {way}://", where=address, fix="use https, s3, gs, az, hf or sftp"
        ) from error
    return system, str(path)


def _list_files(system: Any, path: str, address: str) -> Iterator[tuple[str, int]]:
    """Yield name, from the folder on, and size of each file; of a single one the name is empty."""
    if not system.isdir(path):
        yield "", int(system.size(path) or 0)
        return
    found = system.find(path, detail=True)
    if not found:
        raise DataError(
            "this folder is empty, or there is none", where=address, fix="look whether the address is right"
        )
    for place, about in sorted(found.items()):
        name = plain_name(place.removeprefix(path).lstrip("/"))
        if problem := name_problem(name):
            raise DataError(f"a file {problem[0]}", where=f"{address}!{name[:200]}", fix=problem[1])
        yield name, int(about.get("size") or 0)
