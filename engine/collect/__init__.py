"""Journals and records -> rows -> results: takes a home, reads what is new in its files, publishes the snapshot.

Files are the truth, so `collect` may run any number of times, be killed anywhere, and lose to another collector:
what was read is remembered in the same transaction as its rows. `rebuild` makes the same rows from nothing.

    files    records, job folders and attempts as rows
    compact  journals of finished jobs as Parquet
    trouble  a home that cannot be written, results that have no room
    damage   files that are not as they were written, which are left out
"""

from __future__ import annotations

import logging
import time
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from filelock import FileLock, Timeout

from engine.collect.compact import SMALLEST, compact_journals
from engine.collect.damage import damage_rows, job_damage
from engine.collect.files import (
    PUBLISHED,
    attempt_row,
    experiment_rows,
    job_row,
    provenance_row,
    read_published,
    sign_file,
    sign_job,
    sign_settled,
    size_of,
    trials_name,
    winner_of,
)
from engine.collect.trouble import is_readonly, store_trouble
from engine.errors import HomeError
from engine.home.commits import Damage
from engine.home.paths import AttemptFolder, Home, JobFolder
from engine.home.records import find_record_damage
from store.journal import read_bytes
from store.readonly import StoreError
from store.results import Compacted, CorruptStore, Ingest, Lines, StoreFault, Watermark, find_corruption

log = logging.getLogger("xp.collect")
# Of journal lines in one transaction: bounds the memory, and what a kill makes us read again.
BATCH_BYTES = 64 << 20
# The same for many jobs with short journals.
BATCH_JOBS = 1000
UNPACKED = 12  # how many times as large the lines of a compacted journal are
# Bytes a second, copied and read once more: what a lazy publication is spaced by, so that it stays below a tenth of
# the time.
COPY_RATE = 100e6


@dataclass(frozen=True)
class CollectReport:
    """What one collection did. `is_skipped`: another process was collecting, and this one left it to that.

    `is_readonly`: nothing can be written here, and what was published stands.
    """

    jobs: int = 0
    bytes: int = 0
    is_published: bool = False
    is_skipped: bool = False
    is_readonly: bool = False
    seconds: float = 0.0
    damaged: tuple[str, ...] = ()  # a line for each file that is left out

    def __str__(self) -> str:
        if self.is_skipped:
            return "another process is collecting"
        return f"{self.jobs} jobs and {self.bytes:,} bytes of journals read in {self.seconds:.1f} s"


@dataclass
class _Batch:
    """Changes of some jobs that go into one transaction."""

    folders: list[JobFolder] = field(default_factory=list)
    seen: dict[str, tuple[str, bool]] = field(default_factory=dict)
    chunks: list[Lines] = field(default_factory=list)
    compacted: list[Compacted] = field(default_factory=list)
    forget: list[str] = field(default_factory=list)
    damaged: dict[str, list[Damage]] = field(default_factory=dict)
    bytes: int = 0


def collect(home: Home, *, wait: float = 0.0, lazy: bool = False) -> CollectReport:
    """Bring the results up to the files, and publish them when anything changed.

    Returns at once, with `is_skipped`, when another process is at it for longer than `wait` seconds. With `lazy` a
    large snapshot is published less often, so that copying takes no more than about a tenth of the time.
    """
    started = time.monotonic()
    if is_readonly(home):
        return CollectReport(is_readonly=True)
    try:
        # One ingester at a time: DuckDB lets one process write a file, and none read it meanwhile.
        with FileLock(home.ingest_lock, timeout=wait):
            report = _collect_locked(home, lazy)
    except Timeout:
        return CollectReport(is_skipped=True, seconds=time.monotonic() - started)
    except (StoreError, StoreFault) as error:
        raise store_trouble(home, error) from error
    return replace(report, seconds=time.monotonic() - started)


def rebuild(home: Home, *, wait: float = 600.0) -> CollectReport:
    """Rebuild the results from experiments/ and jobs/ alone, and replace the old ones."""
    started = time.monotonic()
    try:
        with FileLock(home.ingest_lock, timeout=wait):
            report = _rebuild_locked(home)
    except Timeout as error:
        fix = "wait until it is done, or see with `xp doctor` who holds the lock"
        raise HomeError("another process is collecting", where=str(home.ingest_lock), fix=fix) from error
    except (StoreError, StoreFault) as error:
        raise store_trouble(home, error) from error
    return replace(report, seconds=time.monotonic() - started)


def _collect_locked(home: Home, lazy: bool) -> CollectReport:
    try:
        with find_corruption():
            return _collect_new(home, lazy)
    except CorruptStore as error:  # a block that nobody read before: the files know it all
        log.warning("%s is made anew: %s", home.ingest_db, error)
        return _rebuild_locked(home)


def _collect_new(home: Home, lazy: bool) -> CollectReport:
    home.ingest_db.parent.mkdir(parents=True, exist_ok=True)
    try:
        ingest = Ingest(home.ingest_db)
    except StoreError:  # of another version, or damaged: the files know it all
        return _rebuild_locked(home)
    with ingest:
        jobs, size = _drain_files(home, ingest)
        # Asked for now, as `publish` closes the database.
        waiting, damaged = ingest.finished_journals(SMALLEST), ingest.damaged()
        is_due = (ingest.is_dirty or not home.results_db.exists()) and not (lazy and _published_lately(home))
        if is_due:
            _clear_leftovers(home)
            ingest.publish(home.results_db)
    compact_journals(home, waiting)  # when readers have what they wait for
    return CollectReport(jobs, size, is_due, damaged=damaged)


def _rebuild_locked(home: Home) -> CollectReport:
    home.ingest_db.parent.mkdir(parents=True, exist_ok=True)
    _clear_leftovers(home)
    # Beside the old one, which serves until the rename.
    beside = home.ingest_db.with_name(f"{home.ingest_db.name}.{uuid.uuid4().hex[:8]}.tmp")
    try:
        with Ingest(beside) as ingest:
            jobs, size = _drain_files(home, ingest)
    except BaseException:
        # Its room is wanted, the more so where there was none.
        for path in beside.parent.glob(beside.name + "*"):
            path.unlink(missing_ok=True)
        raise
    # The old file's log goes first: beside the new file it would be taken for its own.
    home.ingest_db.with_name(home.ingest_db.name + ".wal").unlink(missing_ok=True)
    beside.replace(home.ingest_db)
    with Ingest(home.ingest_db) as ingest:
        damaged = ingest.damaged()
        ingest.publish(home.results_db)
    return CollectReport(jobs, size, True, damaged=damaged)


def _clear_leftovers(home: Home) -> None:
    """Under the lock, every temporary file belongs to a collector that was killed."""
    for folder, pattern in ((home.ingest_db.parent, "ingest.duckdb.*.tmp*"), (home.root, ".results.duckdb.*.tmp")):
        for path in folder.glob(pattern):
            path.unlink(missing_ok=True)


def _published_lately(home: Home) -> bool:
    try:
        stat = home.results_db.stat()
    except FileNotFoundError:
        return False
    return time.time() - stat.st_mtime < 10 * stat.st_size / COPY_RATE


def _drain_files(home: Home, ingest: Ingest) -> tuple[int, int]:
    """Read all that is new under the lock; return the number of jobs and of journal bytes that were."""
    seen = ingest.seen()
    _drain_published(ingest, seen)
    _drain_experiments(home, ingest, seen)
    # Before the folders are read: a result that appears in between wins over what the queue said then.
    states = _read_states(home)
    present = {folder.job for folder in home.jobs()}
    gone = [item[4:] for item in seen if item.startswith("job:") and item[4:] not in present]
    if gone:
        with ingest.transaction():
            ingest.forget_jobs(gone)
    jobs = size = 0
    for batch in _batches(home, ingest, seen):
        _write_batch(home, batch, ingest, states)
        jobs, size = jobs + len(batch.seen), size + batch.bytes
    _drain_states(home, ingest, states)
    return jobs, size


def _drain_published(ingest: Ingest, seen: Mapping[str, tuple[str, bool]]) -> None:
    sign = sign_file(PUBLISHED)
    if seen.get("published", ("", False))[0] == sign:
        return
    with ingest.transaction():
        ingest.replace("published", "phase", None, list(read_published()))
        ingest.mark_seen({"published": (sign, True)})


def _drain_experiments(home: Home, ingest: Ingest, seen: Mapping[str, tuple[str, bool]]) -> None:
    """The newest record of a name defines its runs; the rows of a name whose folder is gone go too."""
    names = [path.name for path in home.experiments()]
    # Where there is none, the first is looked for: that it is gone is damage too.
    newest = {name: next(reversed(home.records(name)), home.experiment(name) / "1.json") for name in names}
    # Never settled: the next submission of a name may come at any time.
    signs = {f"experiment:{name}": (sign_file(path), False) for name, path in newest.items()}
    gone = [item for item in seen if item.startswith("experiment:") and item not in signs]
    changed = {
        name: path for name, path in newest.items() if seen.get(f"experiment:{name}") != signs[f"experiment:{name}"]
    }
    if not gone and not changed:
        return
    # Names that are gone are among the keys and not among the rows, so their rows go.
    keys = [*changed, *(item.removeprefix("experiment:") for item in gone)]
    damage = [(one.path.parent.name, one) for one in find_record_damage(home)]
    rows_of_damage = [row for name, one in damage for row in damage_rows(home, [one], experiment=name)]
    with ingest.transaction():
        ingest.replace("damaged", "experiment", keys, [row for row in rows_of_damage if row["experiment"] in keys])
        for table, rows in experiment_rows({name: path for name, path in changed.items() if path.exists()}).items():
            ingest.replace(table, "experiment", [*keys, *map(trials_name, keys)], rows)
        ingest.mark_seen({f"experiment:{name}": signs[f"experiment:{name}"] for name in changed})
        ingest.forget_seen(gone)


def _batches(home: Home, ingest: Ingest, seen: Mapping[str, tuple[str, bool]]) -> Iterator[_Batch]:
    """Yield the changed jobs in batches of about BATCH_BYTES; a journal longer than that comes in several."""
    batch = _Batch()
    changed = list(_changed_jobs(home, seen))
    marks = ingest.watermarks([folder.job for folder, _, _ in changed])
    for folder, sign, settled in changed:
        seen_as = (settled or sign, settled is not None)
        batch.folders.append(folder)
        if damage := job_damage(folder):
            # All of it, also what was read when the file was still whole: a figure has a file that shows it, or is not.
            log.warning("%s is damaged, and its job left out; xp doctor tells more", damage[0].path)
            batch.damaged[folder.job] = damage
            batch.forget.append(folder.job)
            # It is not settled: a copy may be put back.
            seen_as = (sign, False)
        for chunk in () if damage else _new_lines(folder, marks, batch):
            if isinstance(chunk, Compacted):
                batch.compacted.append(chunk)
                # What counts is the lines in memory, not the file.
                batch.bytes += UNPACKED * chunk.bytes
            else:
                batch.chunks.append(chunk)
                batch.bytes += len(chunk.data)
            if batch.bytes >= BATCH_BYTES:
                yield batch
                batch = _Batch([folder])
        # Seen only with its last part: a kill before that makes us look again, from the watermark on.
        batch.seen[f"job:{folder.job}"] = seen_as
        if len(batch.folders) >= BATCH_JOBS:
            yield batch
            batch = _Batch()
    if batch.folders:
        yield batch


def _changed_jobs(home: Home, seen: Mapping[str, tuple[str, bool]]) -> Iterator[tuple[JobFolder, str, str | None]]:
    """Yield jobs that look otherwise than when they were read, with what they look like now, and when they are settled.

    The look is taken before the files are read: what changes in between makes another look, and another reading.
    A settled job (done, every attempt has its verdict) gets one glance, at whether there is a new attempt.
    """
    for folder in home.jobs():
        sign, was_settled = seen.get(f"job:{folder.job}", ("", False))
        if was_settled and sign == sign_settled(folder):
            continue
        now, then_settled = sign_job(folder), sign_settled(folder)
        # A folder without a spec belongs to a submission on its way, unless something was done in it.
        if now == sign or not (folder.spec.exists() or folder.attempts() or folder.result.exists()):
            continue
        is_settled = folder.result.exists() and all(attempt.outcome.exists() for attempt in folder.attempts())
        yield folder, now, then_settled if is_settled else None


def _new_lines(
    folder: JobFolder, marks: Mapping[tuple[str, int], Watermark], batch: _Batch
) -> Iterator[Lines | Compacted]:
    """Yield the journal lines of a job past its watermarks, of the oldest attempt first."""
    attempts = folder.attempts()
    known = {one.number: marks.get((folder.job, one.number), Watermark(0, 0)) for one in attempts}
    # The rows of the old file cannot be told from those of the new one: the job is read from the start.
    if any(_is_other_file(one, known[one.number]) for one in attempts):
        batch.forget.append(folder.job)
        known = dict.fromkeys(known, Watermark(0, 0))
    for one in attempts:
        start = known[one.number].bytes
        if one.compacted.exists():
            if not start:
                yield Compacted(folder.job, one.number, one.compacted, size_of(one.compacted))
            continue
        while data := read_bytes(one.journal, start, BATCH_BYTES):
            yield Lines(folder.job, one.number, start, data)
            start += len(data)
            if len(data) < BATCH_BYTES:  # the end, as it was then: a job that writes on must not hold up the others
                break


def _is_other_file(attempt: AttemptFolder, mark: Watermark) -> bool:
    """Whether what an attempt's lines were read from is no longer there as it was: replaced, or compacted since."""
    if not mark.bytes:
        return False
    if attempt.compacted.exists():
        return not mark.is_compacted or mark.bytes != size_of(attempt.compacted)
    # Journals only grow: a file shorter than what was read is another file.
    return mark.is_compacted or mark.bytes > size_of(attempt.journal)


def _write_batch(home: Home, batch: _Batch, ingest: Ingest, states: Mapping[str, str]) -> None:
    jobs = [folder.job for folder in batch.folders]
    attempts = [(folder.job, attempt) for folder in batch.folders for attempt in folder.attempts()]
    whole = [folder for folder in batch.folders if folder.job not in batch.damaged]
    winners = [(folder.job, winner) for folder in whole if (winner := winner_of(folder)) is not None]
    told = [(folder.job, attempt) for folder in whole for attempt in folder.attempts()]
    with ingest.transaction():
        ingest.forget_jobs(batch.forget)
        ingest.add_lines(batch.chunks)
        ingest.add_compacted(batch.compacted)
        ingest.replace("damaged", "job", jobs, _damage_rows(home, batch))
        ingest.replace("jobs", "job", jobs, [_job_row(folder, states, batch) for folder in batch.folders])
        ingest.replace("attempts", "job", jobs, [attempt_row(job, one, winners) for job, one in attempts])
        ingest.replace("provenance", "job", jobs, [row for job, one in told if (row := provenance_row(job, one))])
        ingest.replace("raw.winners", "job", jobs, [{"job": job, "attempt": number} for job, number in winners])
        # After the lines and the winners, because the chain follows from both.
        ingest.refresh(jobs)
        ingest.mark_seen(batch.seen)


def _damage_rows(home: Home, batch: _Batch) -> list[dict[str, Any]]:
    return [row for job, found in batch.damaged.items() for row in damage_rows(home, found, job=job)]


def _job_row(folder: JobFolder, states: Mapping[str, str], batch: _Batch) -> dict[str, Any]:
    return job_row(folder, states, is_damaged=folder.job in batch.damaged)


def _read_states(home: Home) -> dict[str, str]:
    """Return what the queue says of each job; a home without a queue knows only what is done."""
    if not home.queue_db.exists():
        return {}
    from store.queue import Queue  # here, so that results can be rebuilt where there is no SQLAlchemy

    queue = Queue.open_readonly(home.queue_db)
    try:
        return dict(queue.job_states())
    finally:
        queue.close()


def _drain_states(home: Home, ingest: Ingest, states: Mapping[str, str]) -> None:
    known = ingest.states()
    now = {job: "done" if known[job] == "done" else states.get(job, "queued") for job in known}
    # What has a result changes with the rows of its folder, not here.
    moved = {job: state for job, state in now.items() if state != known[job] and not home.job(job).result.exists()}
    if moved:
        with ingest.transaction():
            ingest.set_states(moved)
