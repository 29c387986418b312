"""`xp archive verify`: takes a file, says whether it holds, in this order, and stops at the first that does not.

1. Names, sizes and checksums of all members (opened.py).
2. A small home is made of the job folders in it, and from that results, pages, specs and environments, as when it was
   made; each has to be what the archive has.
3. Runs that are asked for are done again (rerun.py).
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from engine.archive.derive import derive_all, open_small_home
from engine.archive.making import code_digest, made_with, own_version
from engine.archive.members import (
    ABOUT,
    DERIVED,
    HOME,
    RESULTS,
    SPECS,
    About,
    FolderMembers,
    Members,
    digest_member,
    unpack_below,
)
from engine.archive.opened import FETCH, find_changed, open_members, read_about
from engine.archive.rerun import Asked, rerun_runs
from engine.errors import ArchiveError, DataError, XpError
from engine.home.paths import Home
from engine.home.records import read_record
from engine.inputs.content import data_counts
from engine.load import load_spec
from engine.load.yaml_tree import read_document
from engine.spec import weights_file
from engine.spec.base import NAME
from engine.spec.cells import expand_cells
from engine.spec.job_file import IMPORTED
from store.readonly import StoreError
from store.results import count_rows, same_rows

Tell = Callable[[str], None]
MOST_TOLD = 20  # lines of one kind


@dataclass(frozen=True)
class Verified:
    """What does not hold, and whether runs that were asked for could not be done again."""

    problems: tuple[str, ...]
    about_sha256: str = ""
    is_short: bool = False

    @property
    def holds(self) -> bool:
        return not self.problems


def verify_archive(path: Path, tell: Tell, asked: Asked | None = None) -> Verified:
    """Check an archive and tell what is found. Raises ArchiveError where it is none, or hostile; DataError for no file.

    Nothing of it is run unless runs are `asked` for.
    """
    with open_members(path) as members, tempfile.TemporaryDirectory(prefix="xp-verify-") as place:
        about, root = read_about(members), Path(place)
        digest = digest_member(members, ABOUT)
        problems = find_changed(members, about)
        if problems:
            return Verified(tuple(problems))
        tell(f"{len(members.names()):,} members are as they were written ({', '.join(about.experiments)})")
        home, report = open_small_home(members, root / "small")
        _check_arms(home, about)
        for line in _shortened(f"was damaged when this was made, and is left out: {one}" for one in report.damaged):
            tell(line)
        problems = list(_derive_again(home, about, members, root / "again", tell))
        if problems:
            return Verified((*problems, *_other_versions(about)))
        _tell_absent(about, root / "again", tell)
        if asked is None or not asked.words:
            return Verified((), digest)
        done = rerun_runs(home, about.experiments, root / "again" / SPECS, asked, root / "rerun", tell)
        return Verified((), digest, is_short=not done)


def _check_arms(home: Home, about: About) -> None:
    """Refuse names that would lead out of a folder of the report: no spec has such. Raises ArchiveError."""
    for name in about.experiments:
        for path in home.records(name)[-1:]:
            arms = {str(run.get("arm")) for run in read_record(path)["runs"]}
            strange = sorted(arm for arm in arms if not re.fullmatch(NAME, arm))
            if strange:
                where = f"{HOME}/{path.relative_to(home.root).as_posix()}"
                raise ArchiveError(f"no arm may be called {strange[0][:80]!r}", where=where, fix=FETCH)


def _derive_again(home: Home, about: About, members: Members, again: Path, tell: Tell) -> Iterator[str]:
    """Yield what comes out otherwise than the archive has it."""
    try:
        derive_all(home, about.experiments, again, about.formats)
    except (XpError, StoreError) as error:
        yield f"cannot be made again from the job folders: {error}"
        return
    ours = FolderMembers(again)
    theirs = {name for name in members.names() if name.split("/")[0] in DERIVED}
    here = {name for name in ours.names() if name.split("/")[0] in DERIVED}
    yield from (f"{name}: nothing in the job folders leads to it" for name in sorted(theirs - here))
    yield from (f"{name}: the job folders lead to it, and it is not there" for name in sorted(here - theirs))
    apart = {name for name in here & theirs if digest_member(ours, name) != digest_member(members, name)}
    tables = sorted(name for name in apart if name.startswith(f"{RESULTS}/"))
    if tables:
        unpack_below(members, RESULTS, again / "theirs")
    unlike = {name for name in tables if not _same_table(again / name, again / "theirs" / name.split("/")[1])}
    rows = sum(count_rows(again / name) for name in here if name.startswith(f"{RESULTS}/"))
    tell(f"results: {rows:,} rows made again from the job folders{_of_them(len(unlike), 'relations')}")
    others = sorted(apart - set(tables))
    pages = sum(name.split("/")[0] not in (RESULTS,) for name in here & theirs)
    tell(f"report, specs, environments: {pages:,} files made again{_of_them(len(others), 'files', 'the same bytes')}")
    yield from (f"{name}: the job folders say otherwise" for name in sorted(unlike))
    yield from (f"{name}: made again, it has other bytes" for name in others)


def _of_them(count: int, word: str, same: str = "the same") -> str:
    return f"; {count} {word} differ" if count else f", {same}"


def _same_table(one: Path, other: Path) -> bool:
    """Another DuckDB may write the same rows as other bytes."""
    try:
        return same_rows(one, other)
    except StoreError:
        return False


def _other_versions(about: About) -> list[str]:
    """Return what may be why: another xp, or another library that draws or writes."""
    mine = {"xp": own_version(), "its code": code_digest()[:12], **made_with()}
    theirs = {"xp": about.xp, "its code": about.code[:12], **about.made_with}
    apart = [f"{name} {theirs[name]} there, {mine.get(name)} here" for name in theirs if theirs[name] != mine.get(name)]
    return [f"may be because of: {', '.join(apart)}"] if apart else []


def _tell_absent(about: About, again: Path, tell: Tell) -> None:
    """Say what is not inside, and what runs need and this machine does not have."""
    if about.left_out:
        size = sum(one.bytes for one in about.left_out)
        tell(f"not inside: {len(about.left_out)} files of trained networks, {size:,} bytes; their sums are in {ABOUT}")
    files = [again / SPECS / f"{name}.yaml" for name in about.experiments]
    for file in filter(_is_imported, files):
        tell(f"{file.stem} was imported from another tool: its runs can be done again by that alone")
    missing = [line for file in files if not _is_imported(file) for line in _absent_inputs(file)]
    for line in dict.fromkeys(missing):
        tell(f"not here, so that its runs cannot be done again on this machine: {line}")


def _is_imported(file: Path) -> bool:
    return IMPORTED in read_document(file).tree


def _absent_inputs(file: Path) -> Iterator[str]:
    """Yield the images and weights files that a spec names and this machine does not have."""
    try:
        spec = load_spec(file)
    except XpError as error:
        yield f"{file.name} is no spec to this xp: {error}".replace("\nfix: ", "; fix: ")
        return
    for cell in expand_cells(spec):
        try:
            data_counts(cell.settings.data)
        except DataError as error:
            yield f"{error.where or 'data'}: {error.what}; --set data.root=DIR names where it is"
        for path, network in cell.settings.networks:
            weights = weights_file(network.weights)
            if weights is not None and not weights.is_file():
                yield f"{path}.weights: {weights}"


def _shortened(lines: Iterator[str]) -> Sequence[str]:
    kept = list(islice(lines, MOST_TOLD + 1))
    return [*kept[:MOST_TOLD], "... and more"] if len(kept) > MOST_TOLD else kept
