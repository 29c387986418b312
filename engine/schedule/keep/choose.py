"""What may go: takes a home and what is needed of it, gives the paths that a sweep would take. Changes nothing."""

from __future__ import annotations

import re
import time
from collections.abc import Container, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from engine.home.control_files import read_details
from engine.home.files import read_object
from engine.home.paths import AttemptFolder, Home, JobFolder
from engine.inputs.own_code.keeping import kept_at
from engine.schedule.keep.needs import closed_rungs, may_live
from engine.schedule.keep.own_code import spare_code, spare_images
from engine.schedule.keep.sizes import Ledger
from engine.schedule.keep.trash import Entry
from engine.schedule.keep.usage import CACHE_ENTRY

CODE, IMAGES = "own code", "own images"
CHECKPOINT = re.compile(r"[0-9]{6,}\.pt")


@dataclass(frozen=True)
class Wish:
    """What a person asks of a sweep.

    keep_checkpoints  of each done job, the newest checkpoints that stay
    older             seconds: only what nobody changed for as long goes
    history           whether jobs of earlier submissions stay
    shared_cache      whether entries of a cache outside of the home may go, too
    """

    keep_checkpoints: int = 0
    older: float = 0.0
    history: bool = False
    shared_cache: bool = False


def choose(
    home: Home, needed: Container[str], in_cache: Container[str] | None, wish: Wish, others: Sequence[Home] = ()
) -> Iterator[Entry]:
    """Yield all that nothing needs: checkpoints of done jobs, jobs, packs and targets, own code and its images.

    `in_cache` are the jobs whose entries of the cache are needed, by this home or `others`; None: all stay.
    """
    ledger, closed = Ledger(), closed_rungs(home)
    for folder in home.jobs():
        if folder.root.is_symlink():  # another home's
            continue
        if folder.job not in needed:
            if _is_old(_changed_at(folder), wish):
                yield job_entry(home, folder, ledger)
            continue
        attempts = folder.attempts()
        if _is_settled(folder, attempts) and _is_old(_age_of(folder.result), wish):
            for path in (
                *_spare_branches(folder, attempts, closed),
                *_spare_checkpoints(attempts, wish.keep_checkpoints),
            ):
                yield _entry(home, "checkpoints", path, ledger)
    for path in spare_code(home):
        if _is_old(kept_at(path), wish):
            yield _entry(home, CODE, path, ledger)
    if in_cache is not None:
        yield from _spare_cache(home, in_cache, wish, ledger)
        for path in spare_images(home, others):
            if _is_old(_age_of(path), wish) and not _is_built(path.with_name(path.name.partition(".")[0])):
                yield _cache_entry(home, IMAGES, path, ledger)


def job_entry(home: Home, folder: JobFolder, ledger: Ledger) -> Entry:
    return _entry(home, "job", folder.root, ledger)


def cache_entries(home: Home, job: str, ledger: Ledger) -> Iterator[Entry]:
    """Yield what a job has in the cache, unless somebody builds it now."""
    for kind, path in (("pack", home.pack(job)), ("targets", home.targets(job))):
        if path.exists() and not _is_built(path):
            yield _cache_entry(home, kind, path, ledger)


def _entry(home: Home, kind: str, path: Path, ledger: Ledger) -> Entry:
    return Entry(kind=kind, place="home", path=path.relative_to(home.root).as_posix(), bytes=ledger.count(path))


def _cache_entry(home: Home, kind: str, path: Path, ledger: Ledger) -> Entry:
    return Entry(kind=kind, place="cache", path=path.relative_to(home.cache).as_posix(), bytes=ledger.count(path))


def _is_settled(folder: JobFolder, attempts: Sequence[AttemptFolder]) -> bool:
    """Whether a job is done and none of its attempts is left that might still write."""
    if not folder.result.exists():
        return False
    winner = (read_object(folder.result) or {}).get("attempt")
    return not any(may_live(one) for one in attempts if one.number != winner)


def _spare_checkpoints(attempts: Sequence[AttemptFolder], keep: int) -> Iterator[Path]:
    attempts = [one for one in attempts if one.checkpoints.is_dir() and not one.checkpoints.is_symlink()]
    if not keep:
        yield from (one.checkpoints for one in attempts)
        return
    files = [path for one in reversed(attempts) for path in _by_age(one)]
    yield from files[keep:]


def _spare_branches(folder: JobFolder, attempts: Sequence[AttemptFolder], closed: Container[str]) -> Iterator[Path]:
    """Yield the states that longer trainings were to begin with, where the newest submission asks for none."""
    if folder.job in closed or not read_details(folder).get("rungs"):
        yield from (one.branch for one in attempts if one.branch.is_dir() and not one.branch.is_symlink())


def _by_age(attempt: AttemptFolder) -> list[Path]:
    """Return the checkpoints of an attempt, newest first; their serial says which was later."""
    found = [path for path in attempt.checkpoints.iterdir() if CHECKPOINT.fullmatch(path.name)]
    return sorted(found, key=lambda path: int(path.stem), reverse=True)


def _spare_cache(home: Home, needed: Container[str], wish: Wish, ledger: Ledger) -> Iterator[Entry]:
    for kind, root in (("pack", home.pack("")), ("targets", home.targets(""))):
        for path in sorted(root.iterdir()) if root.is_dir() and not root.is_symlink() else ():
            found = CACHE_ENTRY.fullmatch(path.name)
            # Locks stay: with a new file of the name two builders could hold two locks of one entry.
            if found is None or not path.is_dir() or path.is_symlink() or not _is_old(_age_of(path), wish):
                continue
            entry = path.with_name(found[1])
            # What a killed builder left is where its next one goes on, as long as somebody needs the entry.
            is_spare = found[1] not in needed or (path != entry and entry.exists())
            if is_spare and not _is_built(entry):
                yield _cache_entry(home, kind if path == entry else "leftovers", path, ledger)


def _is_built(entry: Path) -> bool:
    """Whether somebody holds the lock of a cache entry: it is being built, by whatever home."""
    lock = entry.with_name(entry.name + ".lock")
    if not lock.exists():
        return False
    try:
        with FileLock(lock, timeout=0):
            return False
    except Timeout:
        return True


def _is_old(changed: float, wish: Wish) -> bool:
    return not wish.older or time.time() - changed >= wish.older


def _changed_at(folder: JobFolder) -> float:
    """Return when a job was last written, submitted or begun again."""
    paths = (folder.spec, folder.details, folder.result, folder.control, folder.root / "attempts")
    return max(map(_age_of, paths))


def _age_of(path: Path) -> float:
    with suppress(OSError):
        return path.stat().st_mtime
    return 0.0
