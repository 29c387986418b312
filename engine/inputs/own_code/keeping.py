"""The copies that jobs run from: takes code, keeps it in the home by its digest; gives it to who runs it, as it was.

A file that is edited while a job waits does not change the job. What lies there is checked against its digest, and runs
only where the home trusts it: a copy that came with somebody's archive does not.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from engine.errors import JobError, XpError
from engine.home.files import read_object, write_atomic, write_json
from engine.home.paths import Home, open_home
from engine.inputs.own_code.finding import Code, read_code
from engine.inputs.own_code.trust import is_trusted_copy, lend_trust
from engine.spec.own_code import DIGEST_DIGITS, Reference

ABOUT, FILES = "about.json", "files"
VARIABLE = "XP_OWN_CODE"
"""The home whose copies this process and its children run: set by xp for itself."""


def keep_code(home: Home, code: Code) -> Path:
    """Write the files of `code` into the home where they are not yet; return the folder that imports begin at."""
    folder = home.own_code / code.digest[:DIGEST_DIGITS]
    for name, text in code.files.items():
        path = folder / FILES / name
        # Comments may have changed: whoever looks for a line finds it where it is now.
        if not path.is_file() or path.read_bytes() != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(path, text)
    about = {"digest": code.digest, "module": code.module, "root": str(code.root), "parts": dict(code.parts)}
    known = read_object(folder / ABOUT) or {}
    if {name: known.get(name) for name in about} != about:
        write_json(folder / ABOUT, {**about, "at": known.get("at", time.time())})
    os.utime(folder / ABOUT)
    return folder / FILES


def kept_at(folder: Path) -> float:
    """Return when a copy was last asked for (unix), 0 where nothing tells."""
    try:
        return (folder / ABOUT).stat().st_mtime
    except OSError:
        return 0.0


def use_home(home: Home) -> None:
    """Let this process and its children run the copies of `home`."""
    os.environ[VARIABLE] = str(home.root)


def open_copy(reference: Reference) -> tuple[Path, Code]:
    """Return the folder that a settled reference is imported from, and its code, checked.

    Raises JobError where the copy is gone, changed, or not trusted here.
    """
    root = os.environ.get(VARIABLE)
    if not reference.digest or not root:
        fix = "run it through a spec: xp plan SPEC keeps a copy of the code that jobs run"
        raise XpError(f"{reference} names code that no plan has settled", fix=fix)
    home = open_home(root)
    folder = home.own_code / reference.digest
    code = _read_copy(reference, folder / FILES)
    if code is None or code.digest[:DIGEST_DIGITS] != reference.digest or _has_more(folder / FILES, code):
        what = "is gone" if code is None else "is not what it was"
        fix = "submit the experiment again: the code is copied anew, and a changed one makes other jobs"
        raise JobError(f"the copy of {reference.place} {what}", where=str(folder), fix=fix)
    if not is_trusted_copy(home, code.digest, reference.name):
        fix = "read it; if it is yours, submit its spec with --trust"
        raise JobError(f"{reference.place} may not run in this home", where=str(folder), fix=fix)
    return folder / FILES, code


def _read_copy(reference: Reference, files: Path) -> Code | None:
    try:
        return read_code(reference, files, reference.place)
    except (XpError, IndexError):
        return None


def _has_more(files: Path, code: Code) -> bool:
    """Whether files lie there that are none of the code's: Python might run a compiled one in the place of a text."""
    return {path.relative_to(files).as_posix() for path in files.rglob("*") if not path.is_dir()} != set(code.files)


def lend_copies(home: Home, other: Home) -> None:
    """Let another home of the same owner, such as one to try things in, run what may run in this one."""
    if home.own_code.is_dir() and home.root != other.root:
        shutil.copytree(home.own_code, other.own_code, dirs_exist_ok=True)
        lend_trust(home, other)


@dataclass(frozen=True)
class Kept:
    """A copy in a home: its digest, the module and folder that it was copied from, what each file says, and when."""

    digest: str
    module: str
    root: str
    parts: Mapping[str, str]
    at: float

    @property
    def origin(self) -> tuple[str, str]:
        return self.root, self.module

    def place(self, name: str) -> str:
        """Return where a file of it lay: what a person edits."""
        return str(Path(self.root) / name)


def list_kept(home: Home) -> list[Kept]:
    """Return the copies of a home; one that is damaged is left out."""
    folders = sorted(home.own_code.iterdir()) if home.own_code.is_dir() else []
    return [kept for folder in folders if (kept := _read_kept(folder)) is not None]


def _read_kept(folder: Path) -> Kept | None:
    about = read_object(folder / ABOUT) or {}
    module, root, parts = (about.get(word) for word in ("module", "root", "parts"))
    if not (isinstance(module, str) and isinstance(root, str) and isinstance(parts, dict)):
        return None
    return Kept(
        folder.name, module, root, {str(name): str(told) for name, told in parts.items()}, float(about.get("at", 0.0))
    )


def original_place(home: Home, digest: str, file: str) -> str:
    """Return where a kept file lay when it was copied: what a person edits."""
    root = (read_object(home.own_code / digest / ABOUT) or {}).get("root")
    return str(Path(str(root)) / file) if root else file
