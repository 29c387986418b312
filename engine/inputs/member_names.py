"""Names of an archive's files: takes them as they are written, gives them in one form, or a refusal that says why.

An archive is never unpacked, so no name can do harm on the disk; but one that leads out of it has no class, and two of
one name would be one image less than a person packed.
"""

from __future__ import annotations

import re
from pathlib import Path

from engine.errors import DataError
from engine.home.limits import limits, raise_limit

MOST_NAME = 4096
"""Bytes of a path that an operating system takes."""
FEWEST_BYTES = 64
"""Of the archive for each member: a .zip takes at least 76 for one."""
ALWAYS = 10_000
"""Members that any archive may have, however well they are packed."""
CONTROL = re.compile("[\x00-\x1f\x7f-\x9f]")
REPACK = "pack it again from inside of its folder, as in tar -cf x.tar -C FOLDER ."


class MemberNames:
    """The files of the archive at `path` as they are met: `add` gives a name's one form, and refuses what is wrong."""

    def __init__(self, path: Path) -> None:
        self._path, self._met, self._count = path, set[str](), 0
        self._most = min(limits().archive_members, max(ALWAYS, path.stat().st_size // FEWEST_BYTES))

    def count(self) -> None:
        """Count a member, whatever it is. Raises DataError when they are too many."""
        self._count += 1
        if self._count > self._most:
            what = f"it has more than {self._most:,} members"
            full = self._most == limits().archive_members
            fix = raise_limit("archive_members") if full else "unpack it, and name the folder"
            raise DataError(what, where=str(self._path), fix=fix)

    def add(self, name: str) -> str:
        """Return the name without `.` and double slashes. Raises DataError for one that is wrong or comes again."""
        problem = name_problem(name)
        if problem is not None:
            raise DataError(f"a member {problem[0]}", where=place_text(self._path, name), fix=problem[1])
        plain = plain_name(name)
        if plain in self._met:
            fix = "pack it again, each file once"
            raise DataError("two members have this name", where=place_text(self._path, name), fix=fix)
        self._met.add(plain)
        return plain


def place_text(path: Path, name: str) -> str:
    """Return where a member is, a long name shortened."""
    return written_name(f"{path}!{name if len(name) <= 200 else name[:100] + '...' + name[-60:]}")


def written_name(name: str) -> str:
    r"""Return a name from a disk or an archive as text for anywhere: bytes that are no UTF-8, and orders, as \xe9."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    return CONTROL.sub(lambda found: f"\\x{ord(found[0]):02x}", text)


def plain_name(name: str) -> str:
    """Return `ant/1.png` for ./ant//1.png, as `tar -C folder .` writes it."""
    return "/".join(step for step in name.split("/") if step not in ("", "."))


def name_problem(name: str) -> tuple[str, str] | None:
    """Return what is wrong with a member's name and how to mend it, None where it is right."""
    steps = name.split("/")
    if name.startswith(("/", "\\")) or ".." in re.split(r"[/\\]", name) or re.match(r"[A-Za-z]:[/\\]", name):
        return "leads out of the archive, where it has no class", REPACK
    if "\\" in name:
        return "has a backslash in its name", "pack it again with a tool that writes / between folders"
    if has_control(name):
        return "has control characters in its name", "rename it, and pack it again"
    if not plain_name(name):
        return "has no name", REPACK
    if len(name) > MOST_NAME:
        return f"has a name of {len(name):,} letters", "rename it, and pack it again"
    if len(steps) > limits().folder_depth:
        return f"lies {len(steps) - 1:,} folders deep", raise_limit("folder_depth")
    return None


def has_control(name: str) -> bool:
    """Whether a name holds line breaks, escapes or other characters that are no letters but orders."""
    return CONTROL.search(name) is not None
