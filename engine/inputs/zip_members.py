"""The members of a .zip: takes an opened one, gives its files by name, or a refusal before any of them is inflated.

What the directory states is checked against itself and the limits; what comes out is counted, as it may be more.
"""

from __future__ import annotations

import stat
import zipfile
from collections.abc import Iterator
from pathlib import Path

from engine.errors import DataError
from engine.home.limits import limits, raise_limit
from engine.inputs.inflate import grown_too_far, most_unpacked
from engine.inputs.member_names import MemberNames, place_text

LOCAL_HEADER = 30
"""Bytes that stand before a member at least, beside its name."""
PIECE = 1 << 16
METHODS = {zipfile.ZIP_STORED: "stored", zipfile.ZIP_DEFLATED: "deflated"}
"""Of these zipfile inflates no more than is asked for; of bzip2 45 bytes can make 46 MB at once."""


def zip_files(path: Path, packed: zipfile.ZipFile) -> dict[str, zipfile.ZipInfo]:
    """Return the files of an opened .zip by name. Raises DataError naming a member that cannot be one of images."""
    names, total, files = MemberNames(path), 0, dict[str, zipfile.ZipInfo]()
    for entry in packed.infolist():
        names.count()
        total += entry.file_size
        # Not is_dir, which fails on a name that is empty.
        if not entry.filename.endswith("/"):
            # As it is written: zipfile ends a name at a zero byte.
            files[names.add(entry.orig_filename)] = entry
            _check_entry(path, entry)
    _check_overlap(path, packed.infolist())
    if total > most_unpacked(path):
        raise grown_too_far(path)
    return files


def zip_pieces(packed: zipfile.ZipFile, entry: zipfile.ZipInfo) -> Iterator[bytes]:
    """Yield the content of a member; zipfile raises BadZipFile where it is not what the directory states."""
    with packed.open(entry) as content:
        while piece := content.read(PIECE):
            yield piece


def _check_entry(path: Path, entry: zipfile.ZipInfo) -> None:
    where = place_text(path, entry.filename)
    if entry.flag_bits & 1:
        fix = "unpack it with its password, and name the folder"
        raise DataError("this member is encrypted", where=where, fix=fix)
    kind = stat.S_IFMT(entry.external_attr >> 16)
    if kind == stat.S_IFLNK:
        fix = "pack what the links lead to (zip without -y), or leave them out"
        raise DataError("this member is a link", where=where, fix=fix)
    if entry.compress_type not in METHODS:
        what = f"this member is packed by method {entry.compress_type}, and xp reads {' and '.join(METHODS.values())}"
        raise DataError(f"{what} ones", where=where, fix="unpack it, and name the folder")
    check_size(where, entry.file_size)


def check_size(where: str, size: int) -> None:
    """Raise DataError for a member that states more bytes than one may have."""
    if size > limits().member_bytes:
        raise DataError(f"this member has {size:,} bytes", where=where, fix=raise_limit("member_bytes"))


def _check_overlap(path: Path, entries: list[zipfile.ZipInfo]) -> None:
    """Members that share their packed bytes are how a small file unpacks to any size (D. Fifield 2019)."""
    end, last = 0, ""
    for entry in sorted(entries, key=lambda entry: entry.header_offset):
        if entry.header_offset < end:
            what = f"this member lies in the same bytes as {last[:100]}"
            raise DataError(what, where=place_text(path, entry.filename), fix="fetch or pack it again")
        end = entry.header_offset + LOCAL_HEADER + len(entry.orig_filename) + entry.compress_size
        last = entry.filename
