"""Which files of a home belong to experiments: takes a home and names, gives files by their names in an archive.

Of each experiment all its submissions; of the newest one's jobs what their numbers are made of. Neither logs (they
are long, and may hold what is nobody else's business) nor checkpoints; trained networks only when asked for.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.archive.members import LeftOut
from engine.errors import QueryError, closest_hint
from engine.home.commits import vouched_files
from engine.home.files import read_object
from engine.home.paths import AttemptFolder, Home, JobFolder
from engine.home.records import jobs_of, read_record
from engine.spec.own_code import settled_digests

NETWORKS = (".safetensors", ".onnx", ".data", ".pt", ".pt2", ".pte", ".bin")


@dataclass(frozen=True)
class Gathered:
    """Files of a home, by their path in it; what of its jobs is left out; when the newest was submitted (unix)."""

    files: dict[str, Path]
    left_out: tuple[LeftOut, ...]
    submitted_at: float


def gather_files(home: Home, names: Sequence[str], *, with_weights: bool = False) -> Gathered:
    """Return the files that the results of these experiments rest on.

    Raises QueryError for an experiment that was never submitted here, HomeError for a damaged submission.
    """
    records = {name: read_record(_newest(home, name)) for name in names}
    jobs = sorted({job for record in records.values() for job in jobs_of(record)})
    found = [path for name in names for path in (*home.records(name), *home.certificates(name))]
    left: list[LeftOut] = []
    for folder in map(home.job, jobs):
        found += _job_files(folder, with_weights)
        left += [] if with_weights else _left_out(home, folder)
    found += [*_code_changes(home, jobs), *_own_code(home, jobs)]
    files = {path.relative_to(home.root).as_posix(): path for path in found}
    return Gathered(files, tuple(left), max(float(record["submitted_at"]) for record in records.values()))


def _newest(home: Home, name: str) -> Path:
    records = home.records(name)
    if not records:
        known = [path.name for path in home.experiments()]
        fix = closest_hint(name, known) if known else "submit it first: xp submit SPEC"
        raise QueryError(f"there is no experiment {name!r} here", where=str(home.root), fix=fix)
    return records[-1]


def _job_files(folder: JobFolder, with_weights: bool) -> Iterator[Path]:
    own = (folder.spec, folder.details, folder.control, folder.result)
    yield from (path for path in own if path.is_file())
    for attempt in folder.attempts():
        yield from _attempt_files(attempt)
        for path in sorted(attempt.artifacts.rglob("*")):
            if path.is_file() and not path.is_symlink() and (with_weights or path.suffix not in NETWORKS):
                yield path


def _attempt_files(attempt: AttemptFolder) -> Iterator[Path]:
    # A compacted journal is the truth where it is; beside it the old one is a leftover.
    journal = attempt.compacted if attempt.compacted.is_file() else attempt.journal
    told = (journal, attempt.compacted_sum, attempt.provenance, attempt.handle, attempt.outcome)
    return (path for path in told if path.is_file())


def _left_out(home: Home, folder: JobFolder) -> Iterator[LeftOut]:
    place = folder.root.relative_to(home.root)
    for one in vouched_files(read_object(folder.result) or {}):
        if one.name.endswith(NETWORKS) and not one.is_outside():
            yield LeftOut(name=(place / one.name).as_posix(), bytes=one.bytes, sha256=one.sha256)


def _own_code(home: Home, jobs: Sequence[str]) -> list[Path]:
    """Return the copies of people's own code that jobs name: a number is traced to it, and it may be read."""
    specs = (home.job(job).spec for job in jobs)
    texts = (path.read_text(encoding="utf-8", errors="replace") for path in specs if path.is_file())
    digests = sorted({digest for text in texts for digest in settled_digests(text)})
    return [path for digest in digests for path in sorted((home.own_code / digest).rglob("*")) if path.is_file()]


def _code_changes(home: Home, jobs: Sequence[str]) -> list[Path]:
    """Return the changes of the code that attempts ran with, each once."""
    origins = (read_object(one.provenance) or {} for job in jobs for one in home.job(job).attempts())
    digests = sorted({str(about["changes_digest"]) for about in origins if about.get("changes_digest")})
    return [path for path in map(home.changes, digests) if path.is_file()]
