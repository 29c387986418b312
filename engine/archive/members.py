"""The names in an archive: takes a folder or an opened .zip, gives its members by name; and what is said about all.

home/            experiments/NAME/N.json, jobs/JOB/..., code/*.diff, own_code/..., certificates/NAME/*.json: the truth
results/         every relation of the results as Parquet
report/NAME/     the pages and figures
specs/           NAME.yaml as it was submitted, NAME.resolved.json with every default
environment/     the packages that attempts ran with, as requirements
checksums.sha256 what `sha256sum -c` reads: every member but itself and archive.json
archive.json     what this is, sealed, with the sha256 of the former
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Annotated, Literal, Protocol

from pydantic import BaseModel, Field

from engine.spec.base import NAME

ABOUT, SUMS, CRATE, README, LICENCE = (
    "archive.json", "checksums.sha256", "ro-crate-metadata.json", "README.md", "LICENSE",
)  # fmt: skip
HOME, RESULTS, REPORT, SPECS, ENVIRONMENT = "home", "results", "report", "specs", "environment"
DERIVED = (RESULTS, REPORT, SPECS, ENVIRONMENT)
FORMATS: tuple[Literal["md", "html", "tex"], ...] = ("md", "html", "tex")
ARCHIVE_VERSION = 1
CHUNK = 1 << 20


# Of an experiment or an arm: a folder of the report has it.
Name = Annotated[str, Field(pattern=NAME)]


class LeftOut(BaseModel):
    """A file that a job committed and that is not inside: its path in the home, its bytes and sha256."""

    name: str
    bytes: int
    sha256: str


class About(BaseModel):
    """archive.json: what is inside, who made it by what, and the sum of the sums."""

    version: int
    experiments: list[Name] = Field(min_length=1)
    xp: str
    code: str
    made_with: dict[str, str]
    formats: list[Literal["md", "html", "tex"]]
    licence: str | None = None
    left_out: list[LeftOut] = []
    checksums: str


class Members(Protocol):
    """Files by their names in an archive."""

    def names(self) -> list[str]: ...
    def open(self, name: str) -> IO[bytes]: ...


@dataclass(frozen=True)
class FolderMembers:
    """The files below a folder."""

    root: Path

    def names(self) -> list[str]:
        found = (path for path in self.root.rglob("*") if path.is_file())
        return sorted(path.relative_to(self.root).as_posix() for path in found)

    def open(self, name: str) -> IO[bytes]:
        return open(self.root / name, "rb")


def pieces(handle: IO[bytes]) -> Iterator[bytes]:
    """Yield what a file holds, in pieces of a bounded size."""
    while piece := handle.read(CHUNK):
        yield piece


def digest_member(members: Members, name: str) -> str:
    """Return the sha256 of a member."""
    total = hashlib.sha256()
    with members.open(name) as handle:
        for piece in pieces(handle):
            total.update(piece)
    return total.hexdigest()


def unpack_below(members: Members, folder: str, target: Path) -> None:
    """Write the members below `folder` under `target`. Their names have been checked (opened.py)."""
    for name in members.names():
        if name.startswith(f"{folder}/"):
            path = target / name.removeprefix(f"{folder}/")
            path.parent.mkdir(parents=True, exist_ok=True)
            with members.open(name) as source, open(path, "wb") as copy:
                shutil.copyfileobj(source, copy, CHUNK)


def write_sums(members: Members, names: Iterable[str]) -> str:
    """Return the checksums of members as `sha256sum` writes them."""
    return "".join(f"{digest_member(members, name)}  {name}\n" for name in names)


def read_sums(text: str) -> dict[str, str]:
    """Return name -> sha256. Raises ValueError where a line is none."""
    lines = [line.split("  ", 1) for line in text.splitlines()]
    if not all(len(line) == 2 and len(line[0]) == 64 for line in lines):
        raise ValueError("a line of it is no checksum")
    return {name: digest for digest, name in lines}
