"""A .zip of somebody else's: takes its path, gives its members, or a refusal before any of them is inflated.

Names, links, overlaps, sizes and how far it may unpack are those of every archive here (inputs/zip_members.py); beyond
that each name has to be one that an archive of an experiment has.
"""

from __future__ import annotations

import hashlib
import json
import re
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from pydantic import ValidationError

from engine.archive.members import (
    ABOUT,
    ARCHIVE_VERSION,
    CRATE,
    DERIVED,
    HOME,
    LICENCE,
    README,
    SUMS,
    About,
    digest_member,
    read_sums,
)
from engine.errors import ArchiveError, DataError
from engine.home.seals import holds
from engine.inputs.inflate import check_regular
from engine.inputs.member_names import place_text
from engine.inputs.zip_members import zip_files

DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, OSError, RuntimeError, ValueError, OverflowError)
SINGLE = (ABOUT, SUMS, CRATE, README, LICENCE)
STEP = "[A-Za-z0-9_][A-Za-z0-9_.=+@, -]*"
IN_HOME = re.compile(rf"{HOME}/((experiments|certificates|jobs|own_code)/{STEP}(/{STEP})+|code/{STEP})")
BELOW = re.compile(rf"({'|'.join(DERIVED)})(/{STEP})+")
FETCH = "fetch it again from where it was published, and compare its sha256 with what stands there"
FOREIGN = "name a file that `xp archive` made"
MOST_ABOUT = 1 << 28  # bytes of archive.json, and of the checksums


class ZipMembers:
    """The members of an archive at `path`, whose names and sizes have been checked."""

    def __init__(self, path: Path, packed: zipfile.ZipFile) -> None:
        self.path, self._packed = path, packed
        self._entries = zip_files(path, packed)
        for name in self._entries:
            if not is_known(name):
                raise ArchiveError("no archive of xp has such a member", where=place_text(path, name), fix=FOREIGN)

    def names(self) -> list[str]:
        return sorted(self._entries)

    def open(self, name: str) -> IO[bytes]:
        return self._packed.open(self._entries[name])

    def read(self, name: str) -> bytes:
        """Return a small member whole. Raises ArchiveError where it is damaged, absent or large."""
        if name not in self._entries:
            raise ArchiveError(f"it has no {name}", where=str(self.path), fix=FOREIGN)
        if self._entries[name].file_size > MOST_ABOUT:
            raise ArchiveError(f"it has more than {MOST_ABOUT:,} bytes", where=place_text(self.path, name), fix=FOREIGN)
        with named(self.path, name), self.open(name) as handle:
            return handle.read(MOST_ABOUT)


def is_known(name: str) -> bool:
    """Whether an archive has members of such a name: below known folders, no hidden files, nothing else."""
    return name in SINGLE or bool(IN_HOME.fullmatch(name) or BELOW.fullmatch(name))


@contextmanager
def open_members(path: Path) -> Iterator[ZipMembers]:
    """Give the members of an archive. Raises ArchiveError where it is none, damaged as a whole, or hostile."""
    try:
        check_regular(path)
        packed = zipfile.ZipFile(path)
    except FileNotFoundError as error:
        raise DataError("there is no such file", where=str(path), fix=FOREIGN) from error
    except DAMAGE as error:
        raise _damaged(path, "", error) from error
    with packed:
        try:
            members = ZipMembers(path, packed)
        except DataError as error:
            raise ArchiveError(f"refused: {error.what}", where=error.where, fix=FETCH) from error
        except DAMAGE as error:
            raise _damaged(path, "", error) from error
        yield members


@contextmanager
def named(path: Path, name: str) -> Iterator[None]:
    """Turn what reading a damaged member raises into an error that names it."""
    try:
        yield
    except DAMAGE as error:
        raise _damaged(path, name, error) from error


def _damaged(path: Path, name: str, error: BaseException) -> ArchiveError:
    where = place_text(path, name) if name else str(path)
    return ArchiveError(f"it cannot be read: {str(error) or type(error).__name__}", where=where, fix=FETCH)


def read_about(members: ZipMembers) -> About:
    """Return what an archive says of itself. Raises ArchiveError where it does not hold, or is of another version."""
    where, raw = place_text(members.path, ABOUT), members.read(ABOUT)
    try:
        told = json.loads(raw)
        about = About.model_validate(told)
    except (ValueError, RecursionError) as error:
        what = error.errors()[0]["msg"] if isinstance(error, ValidationError) else str(error)
        raise ArchiveError(f"it is damaged: {what}", where=where, fix=FETCH) from error
    if not holds(told):
        raise ArchiveError("it is not as it was written: its checksum does not hold", where=where, fix=FETCH)
    if about.version != ARCHIVE_VERSION:
        fix = "verify it with the xp that made it"
        raise ArchiveError(f"version {about.version}, and this xp reads {ARCHIVE_VERSION}", where=where, fix=fix)
    return about


def find_changed(members: ZipMembers, about: About) -> list[str]:
    """Return a line for each member that is not as it was written, is gone, or came in since."""
    raw = members.read(SUMS)
    if hashlib.sha256(raw).hexdigest() != about.checksums:
        return [f"{SUMS}: it is not as it was written"]
    told, here = read_sums(raw.decode()), set(members.names()) - {ABOUT, SUMS}
    lines = [f"{name}: it is gone" for name in sorted(told.keys() - here)]
    lines += [f"{name}: no checksum vouches for it" for name in sorted(here - told.keys())]
    return lines + [line for name in sorted(here & told.keys()) if (line := _problem(members, name, told[name]))]


def _problem(members: ZipMembers, name: str, digest: str) -> str:
    try:
        return "" if digest_member(members, name) == digest else f"{name}: it is not as it was written"
    except DAMAGE as error:
        return f"{name}: it cannot be read: {str(error) or type(error).__name__}"
