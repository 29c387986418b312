"""The copies that jobs run from: takes code, keeps it in the home by its digest; gives it to who runs it, as it was.

A file that is edited while a job waits does not change the job. What lies there is checked against its digest, and runs
only where the home trusts it: a copy that came with somebody's archive does not.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from engine.errors import JobError, XpError
from engine.home.files import read_object, write_atomic, write_json
from engine.home.paths import Home, open_home
from engine.inputs.own_code.finding import Code, read_code
from engine.inputs.own_code.trust import is_trusted_digest
from engine.spec.own_code import DIGEST_DIGITS, Reference

ABOUT, FILES = "about.json", "files"
VARIABLE = "XP_OWN_CODE"
"""The home whose copies this process and its children run: set by xp for itself."""


def keep_code(home: Home, code: Code) -> Path:
    """Write the files of `code` into the home where they are not yet; return the folder that imports begin at."""
    folder = home.own_code(code.digest[:DIGEST_DIGITS])
    for name, text in code.files.items():
        path = folder / FILES / name
        # Comments may have changed: whoever looks for a line finds it where it is now.
        if not path.is_file() or path.read_bytes() != text:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_atomic(path, text)
    about = {"digest": code.digest, "module": code.module, "root": str(code.root), "parts": dict(code.parts)}
    if read_object(folder / ABOUT) != about:
        write_json(folder / ABOUT, about)
    return folder / FILES


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
    folder = home.own_code(reference.digest)
    code = _read_copy(reference, folder / FILES)
    if code is None or code.digest[:DIGEST_DIGITS] != reference.digest:
        what = "is gone" if code is None else "is not what it was"
        fix = "submit the experiment again: the code is copied anew, and a changed one makes other jobs"
        raise JobError(f"the copy of {reference.place} {what}", where=str(folder), fix=fix)
    if not is_trusted_digest(home, code.digest):
        fix = "read it; if it is yours, submit its spec with --trust"
        raise JobError(f"{reference.place} may not run in this home", where=str(folder), fix=fix)
    return folder / FILES, code


def _read_copy(reference: Reference, files: Path) -> Code | None:
    try:
        return read_code(reference, files, reference.place)
    except (XpError, IndexError):
        return None


def kept_parts(home: Home, digest: str) -> Mapping[str, str]:
    """Return what each file of a kept code says, as digests by path; none where there is no such copy."""
    parts = (read_object(home.own_code(digest) / ABOUT) or {}).get("parts")
    return {str(name): str(told) for name, told in parts.items()} if isinstance(parts, dict) else {}


def original_place(home: Home, digest: str, file: str) -> str:
    """Return where a kept file lay when it was copied: what a person edits."""
    root = (read_object(home.own_code(digest) / ABOUT) or {}).get("root")
    return str(Path(str(root)) / file) if root else file
