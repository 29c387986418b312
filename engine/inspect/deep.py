"""Every file that counts, read and held against its checksum: takes a home, gives a finding for each that is damaged.

Jobs are held against what their results vouch for, packs and targets against their manifests. Long on a large home: it
reads all of it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from engine.errors import HomeError
from engine.home.commits import Damage, find_damage, is_vouched, vouched_files
from engine.home.control_files import read_details, read_outcome
from engine.home.files import read_object
from engine.home.paths import Home, JobFolder
from engine.home.records import find_record_damage
from engine.inspect.doctor import CURES, RESTORE, Finding, guard
from store.journal import read_journal
from store.queue import Queue, QueueFault
from store.results import read_everything

Tell = Callable[[int, int], object]
AGAIN = "remove its folder {}: the next job that needs it makes it again"


@dataclass
class Tally:
    """What was found to be whole."""

    jobs: int = 0
    files: int = 0
    bytes: int = 0
    without: list[str] = field(default_factory=list)


def examine_files(home: Home, tell: Tell) -> Iterator[Finding]:
    """Yield a finding for each damaged file, at last one for what is whole; `tell(done, all)` is called on the way."""
    jobs, caches, tally = home.jobs(), _list_caches(home), Tally()
    steps = len(jobs) + len(caches) + 1
    for number, folder in enumerate(jobs):
        tell(number, steps)
        for damage in _guarded(folder, tally):
            yield _bad(home, damage.path, damage.what, RESTORE)
    for damage in (*find_record_damage(home, deep=True), *_find_undone(home)):
        yield _bad(home, damage.path, damage.what, RESTORE)
    for number, (folder_of, problem_of) in enumerate(caches, len(jobs)):
        tell(number, steps)
        found = guard(_name(home, folder_of), lambda: Finding("", True, problem_of(home, folder_of) or ""))  # noqa: B023
        if found.what:
            yield _bad(home, folder_of, found.what, AGAIN.format(folder_of))
    if home.results_db.exists() and (problem := read_everything(home.results_db)):
        yield _bad(home, home.results_db, problem, CURES["results.duckdb"])
    tell(steps, steps)
    yield Finding("files", True, _sum_up(tally, len(caches)))


def _bad(home: Home, path: Path, what: str, fix: str) -> Finding:
    return Finding(_name(home, path), False, what, fix)


def _name(home: Home, path: Path) -> str:
    return str(path.relative_to(home.root) if path.is_relative_to(home.root) else path)


def _sum_up(tally: Tally, caches: int) -> str:
    whole = f"{tally.jobs} jobs with {tally.files} files of {tally.bytes / 1e6:,.1f} MB are as they were committed"
    without = f"; {len(tally.without)} jobs of an older xp are without checksums" if tally.without else ""
    return f"{whole}{without}; {caches} packs and targets were read"


# Jobs -----------------------------------------------------------------------------------------------------------------


def _guarded(folder: JobFolder, tally: Tally) -> Iterator[Damage]:
    """Whatever a folder holds, the others are looked at as well."""
    try:
        yield from _examine_job(folder, tally)
    except Exception as error:
        yield Damage(folder.root, f"cannot be examined: {type(error).__name__}: {error}")


def _examine_job(folder: JobFolder, tally: Tally) -> Iterator[Damage]:
    damage = [*find_damage(folder, deep=True), *_find_asides(folder)]
    yield from damage
    result = read_object(folder.result)
    if damage or result is None:
        return
    if not is_vouched(result):
        tally.without.append(folder.job)
        yield from _read_unvouched(folder)
        return
    files = vouched_files(result)
    tally.jobs, tally.files = tally.jobs + 1, tally.files + len(files)
    tally.bytes += sum(one.bytes for one in files)


def _find_asides(folder: JobFolder) -> Iterator[Damage]:
    """Yield the verdicts of a job, and how it is done, where they are damaged: no figure is, but a budget may be."""
    for attempt in folder.attempts():
        if attempt.outcome.exists() and read_outcome(attempt) is None:
            yield Damage(attempt.outcome, "is damaged: its checksum does not hold, or it is no verdict")
    try:
        read_details(folder)
    except HomeError as error:
        yield Damage(folder.details, error.what)


def _read_unvouched(folder: JobFolder) -> Iterator[Damage]:
    """Without checksums there is only whether lines can be read, and whether their numbers go on without a gap."""
    for attempt in folder.attempts():
        lines, _ = read_journal(attempt.journal)
        numbers = [line.get("seq") for line in lines]
        if numbers != list(range(1, len(numbers) + 1)):
            yield Damage(attempt.journal, "has lines that cannot be read, or lacks some")


def _find_undone(home: Home) -> Iterator[Damage]:
    """What the queue knows to be done, and no folder tells."""
    done: list[str] = []
    # One that cannot be read is told by its own check.
    with suppress(QueueFault), Queue.open_readonly(home.queue_db) as queue:
        done = [job for job, state in queue.job_states().items() if state == "done"]
    for job in sorted(done):
        folder = home.job(job)
        if not folder.result.exists() and not any(find_damage(folder)):
            yield Damage(folder.result, "is gone, and the queue knows the job to be done")


# Caches ---------------------------------------------------------------------------------------------------------------


def _list_caches(home: Home) -> list[tuple[Path, Callable[[Home, Path], str | None]]]:
    """Return the folder of each pack and of all targets, with what examines it. One that is absent is no damage."""
    return [
        (path, problem)
        for kind, problem in CACHES.items()
        for path in sorted((home.cache / kind).glob("*"))
        if path.is_dir() and path.suffix != ".tmp"
    ]


def _pack_problem(home: Home, folder: Path) -> str | None:
    from engine.core.data.pack import pack_problem  # here, as most homes are looked at without this

    spec = (read_object(home.job(folder.name).spec) or {}).get("settings") or {}
    manifest = read_object(folder / "manifest.json") or {}
    asked = {name: spec.get("data", {}).get(name) for name in ("short_side", "format")} | {"digest": spec.get("digest")}
    problem = pack_problem(folder, read_data=True)
    other = [name for name, value in asked.items() if value is not None and manifest.get(name) != value]
    return problem or (f"is not the pack of {folder.name}: other {', '.join(other)}" if other else None)


def _targets_problem(home: Home, folder: Path) -> str | None:
    from engine.core.distill.targets import targets_problem  # here, because it loads torch

    info = (read_object(folder / "manifest.json") or {}).get("info") or {}
    return targets_problem(folder) or (None if info.get("job") == folder.name else f"are those of {info.get('job')}")


CACHES: dict[str, Callable[[Home, Path], str | None]] = {"pack": _pack_problem, "targets": _targets_problem}
