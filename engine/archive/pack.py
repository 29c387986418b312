"""A folder as one .zip: takes a folder and a name, gives the file whole or not at all, the same bytes each time.

Members in the order of their names, without times, owners or extra fields. What is packed already is stored.
"""

from __future__ import annotations

import os
import shutil
import stat
import uuid
import zipfile
from pathlib import Path

from engine.archive.members import CHUNK, FolderMembers
from engine.home.files import sync_path

EPOCH = (1980, 1, 1, 0, 0, 0)  # the first that a .zip can tell
PACKED = (".png", ".npz", ".parquet", ".pdf", *(".safetensors", ".pt", ".pt2", ".onnx", ".pte"))
UNIX = 3
LARGE = 1 << 31  # bytes from which on a member needs the wide form


def pack_folder(folder: Path, target: Path) -> int:
    """Write the files below `folder` as the .zip `target`, and return how many; a kill leaves no half file there."""
    beside = target.with_name(f".{target.name}.{uuid.uuid4().hex[:8]}.tmp")
    names = FolderMembers(folder).names()
    try:
        with zipfile.ZipFile(beside, "w") as packed:
            for name in names:
                _add(packed, name, folder / name)
        sync_path(beside)
        os.replace(beside, target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    sync_path(target.absolute().parent)
    return len(names)


def _add(packed: zipfile.ZipFile, name: str, path: Path) -> None:
    entry = zipfile.ZipInfo(name, EPOCH)
    entry.create_system, entry.external_attr = UNIX, (stat.S_IFREG | 0o644) << 16
    entry.compress_type = zipfile.ZIP_STORED if path.suffix in PACKED else zipfile.ZIP_DEFLATED
    size = path.stat().st_size
    entry.file_size = size
    with open(path, "rb") as source, packed.open(entry, "w", force_zip64=size >= LARGE) as member:
        shutil.copyfileobj(source, member, CHUNK)
