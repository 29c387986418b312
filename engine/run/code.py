"""Which code runs here: takes the checkout, gives its commit, what differs from it, a digest of what decides figures.

A process asks git once; the fork server asks before it forks, so that its jobs do not pay for it.
"""

from __future__ import annotations

import hashlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from engine.run.reach import OURS, reach_files

CHECKOUT = Path(__file__).resolve().parents[2]
MOST_TEXT = 200_000  # characters of changes that are kept


@dataclass(frozen=True)
class Code:
    """`commit` and `changes` (the diff of engine/ and store/ against it) are None outside a checkout, as in a wheel.

    `digest` is of the files that decide figures; `changes_digest` of all the changes, also where their text was cut.
    """

    digest: str
    commit: str | None = None
    changes: str | None = None
    changes_digest: str | None = None

    @property
    def is_dirty(self) -> bool | None:
        return None if self.changes is None else bool(self.changes)


@cache
def read_code(checkout: Path = CHECKOUT) -> Code:
    """Return what runs in this process, as it was when first asked."""
    digest = digest_files(checkout)
    commit = _ask_git(checkout, "rev-parse", "HEAD") if (checkout / ".git").exists() else None
    if commit is None:
        return Code(digest)
    changes = "".join(_list_changes(checkout))
    whole = hashlib.sha256(changes.encode()).hexdigest() if changes else None
    if len(changes) > MOST_TEXT:
        changes = f"{changes[:MOST_TEXT]}\n... {len(changes) - MOST_TEXT:,} more characters were not kept\n"
    return Code(digest, commit.strip(), changes, whole)


def digest_files(checkout: Path) -> str:
    """Return the sha256 of names and contents of the files that decide figures: those a job can reach by imports.

    A change of reports or commands makes no two runs incomparable.
    """
    total = hashlib.sha256()
    for path in reach_files(checkout):
        total.update(f"{path.relative_to(checkout).as_posix()}\0".encode() + path.read_bytes() + b"\0")
    return total.hexdigest()


def _list_changes(checkout: Path) -> Iterator[str]:
    """Yield the diff of tracked files, and each new file as one that was added."""
    yield _ask_git(checkout, "diff", "HEAD", "--no-color", "--no-ext-diff", "--no-textconv", "--", *OURS) or ""
    names = _ask_git(checkout, "ls-files", "--others", "--exclude-standard", "-z", "--", *OURS) or ""
    for name in filter(None, names.split("\0")):
        lines = (checkout / name).read_text(errors="replace").splitlines()
        yield f"new file {name}\n" + "".join(f"+{line}\n" for line in lines)


def _ask_git(checkout: Path, *words: str) -> str | None:
    """Return what git says, None where there is no git or it refuses."""
    command = ["git", "-C", str(checkout), *words]
    try:
        done = subprocess.run(command, capture_output=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.decode(errors="replace")
