"""What a job's commit stands for: takes a job's folder, gives its checksums, and what is no longer as it was then.

A result vouches for itself and for its `files`; a compacted journal has its sum beside it. What an older version of xp
committed has neither: there is only a look at whether it can be read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from engine.home.control_files import read_outcome
from engine.home.files import read_object
from engine.home.paths import AttemptFolder, JobFolder
from engine.home.seals import FileSum, holds, is_sealed, seal
from store.journal import read_span

# What rows are made of; all else is only looked at when somebody asks whether everything is whole.
ROW_SOURCES = ("spec.json", "provenance.json", "journal.jsonl")
JOURNAL = "journal.jsonl"


@dataclass(frozen=True)
class Damage:
    """A file that is not as it was written."""

    path: Path
    what: str

    def __str__(self) -> str:
        return f"{self.path}: {self.what}"


def vouch(job: JobFolder, attempt: AttemptFolder, result: Mapping[str, Any]) -> dict[str, Any]:
    """Return the result with the checksums of the files that it stands for, and its own.

    These are what decides the job, where each attempt was made, its artifacts, and of the journals the lines that
    count: all of its own, and of each attempt that it went on from those before that. They are read: what counts is
    what is there.
    """
    origins = [one.provenance for one in job.attempts() if one.number <= attempt.number]
    found = [path for path in (job.spec, *origins) if path.exists()]
    found += sorted(path for path in attempt.artifacts.rglob("*") if path.is_file())
    names = [path.relative_to(job.root).as_posix() for path in found]
    files = [*(FileSum.of(job.root, name) for name in names), *_sum_journals(job, attempt)]
    return seal({**result, "files": [asdict(one) for one in files]})


def _sum_journals(job: JobFolder, attempt: AttemptFolder) -> Iterator[FileSum]:
    number, upto = attempt.number, None
    while (journal := job.attempt(number).journal).exists():
        span = read_span(journal, upto)
        yield FileSum(journal.relative_to(job.root).as_posix(), span.bytes, span.sha256)
        # Backwards only, so that this ends whatever a line says.
        if span.origin is None or span.origin >= number:
            return
        number, upto = span.origin, span.upto


def find_damage(folder: JobFolder, *, deep: bool = False) -> Iterator[Damage]:
    """Yield what is damaged of a job: of what rows are made of, with `deep` of everything that its result vouches for.

    A job that is not done has nothing to vouch for; what it has lost is only told where its commit is known to be gone.
    """
    if not folder.result.exists():
        yield from _find_lost(folder)
        return
    result = read_object(folder.result)
    problem = "is no JSON object" if result is None else result_problem(folder, result)
    if result is None or problem:
        yield Damage(folder.result, problem or "")
        return
    yield from _find_changed(folder, result, deep)
    # An older version of xp left no sum beside a compacted journal.
    if deep and is_vouched(result):
        counted = counted_attempts(folder, result)
        yield from (Damage(one.compacted_sum, UNVOUCHED) for one in counted if _is_unvouched(one))


UNVOUCHED = "is gone or damaged, so that nothing tells whether the journal.parquet beside it is whole"


def result_problem(folder: JobFolder, result: Mapping[str, Any]) -> str | None:
    """Return what is wrong with what a result says, None where it can be taken at its word."""
    number = result.get("attempt")
    if is_vouched(result) != is_sealed(result) or (is_sealed(result) and not holds(result)):
        return "its checksum does not hold"
    if is_vouched(result) and not _can_vouch(result["files"]):
        return "does not tell which files it stands for"
    if result.get("job", folder.job) != folder.job:
        return f"is the result of {result['job']}"
    if not isinstance(number, int) or isinstance(number, bool):
        return "names no attempt"
    attempt = folder.attempt(number)
    if not attempt.root.is_dir():
        return f"names attempt {number}, which is not there"
    written = read_object(attempt.result)
    if attempt.result.exists() and written != result:
        return f"differs from {attempt.result.relative_to(folder.root)}, which it is a link to"
    return None


def _can_vouch(files: Any) -> bool:
    return isinstance(files, list) and all(FileSum.read(one) for one in files)


def is_vouched(result: Mapping[str, Any]) -> bool:
    """Whether a result says which files it stands for; that of an older version of xp does not."""
    return "files" in result


def vouched_files(result: Mapping[str, Any]) -> list[FileSum]:
    """Return the files that a result stands for, by their path from the job's folder."""
    files = result.get("files", ())
    return [one for told in files if (one := FileSum.read(told))] if isinstance(files, list | tuple) else []


def sound_winner(folder: JobFolder) -> AttemptFolder | None:
    """Return the committed attempt; None too where the result cannot be taken at its word."""
    result = read_object(folder.result)
    return None if result is None or result_problem(folder, result) else folder.attempt(result["attempt"])


def find_artifact_damage(folder: JobFolder, endings: tuple[str, ...]) -> Iterator[Damage]:
    """Yield the committed files with one of these endings that are damaged, and a result that does not tell of them."""
    result = read_object(folder.result) or {}
    if sound_winner(folder) is None:
        yield Damage(folder.result, "does not tell any more what was committed")
    for stated in vouched_files(result):
        problem = stated.problem(folder.root) if stated.name.endswith(endings) else None
        if problem:
            yield Damage(folder.root / stated.name, problem)


def artifact_problem(folder: JobFolder, path: Path) -> str | None:
    """Return what is wrong with a file that a job committed; None too where nothing vouches for it."""
    name, result = path.relative_to(folder.root).as_posix(), read_object(folder.result) or {}
    stated = next((one for one in vouched_files(result) if one.name == name), None)
    return None if stated is None else stated.problem(folder.root)


def _find_changed(folder: JobFolder, result: Mapping[str, Any], deep: bool) -> Iterator[Damage]:
    own = folder.attempt(result["attempt"]).journal
    for stated in vouched_files(result):
        path = folder.root / stated.name
        is_journal = path.name == JOURNAL
        if (is_journal and AttemptFolder(path.parent).compacted.exists()) or not (deep or path.name in ROW_SOURCES):
            continue
        # An attempt that this one went on from may have written on, which does not count.
        problem = stated.problem(folder.root, may_grow=is_journal and path != own)
        if problem:
            yield Damage(path, problem)
    for attempt in counted_attempts(folder, result):
        told = read_compacted_sum(attempt) if attempt.compacted.exists() else None
        problem = told.problem(attempt.root) if told else None
        if problem:
            yield Damage(attempt.compacted, problem)


def counted_attempts(folder: JobFolder, result: Mapping[str, Any]) -> list[AttemptFolder]:
    """Return the attempts whose lines count; where an older version of xp does not tell which, all of them."""
    named = {folder.root / one.name for one in vouched_files(result)}
    return [one for one in folder.attempts() if one.journal in named or not is_vouched(result)]


def read_compacted_sum(attempt: AttemptFolder) -> FileSum | None:
    """Return the sum of an attempt's compacted journal; None where none was written, or it is damaged itself."""
    told = read_object(attempt.compacted_sum)
    return FileSum.read(told) if told is not None and holds(told) else None


def _is_unvouched(attempt: AttemptFolder) -> bool:
    return attempt.compacted.exists() and read_compacted_sum(attempt) is None


def _find_lost(folder: JobFolder) -> Iterator[Damage]:
    attempts = folder.attempts()
    if attempts and not folder.spec.exists():
        yield Damage(folder.spec, "is gone")
    # A verdict of `done` is only given when the result is there. An attempt after it does the job anew.
    last = read_outcome(attempts[-1]) if attempts else None
    if last is not None and last.outcome == "done":
        yield Damage(folder.result, f"is gone, and attempt {attempts[-1].number} is done")
