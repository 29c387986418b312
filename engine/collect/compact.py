"""Journals of finished jobs as Parquet: takes what is finished in a home, leaves files a tenth as large.

Only what cannot change any more is compacted: a committed job whose every attempt has its verdict. Small journals stay
as they are, because as Parquet they would be larger. Which of two files is the truth: `compact.py` of store/results.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import asdict
from functools import partial
from pathlib import Path

from engine.home.files import write_json
from engine.home.paths import AttemptFolder, Home
from engine.home.seals import FileSum, seal, sum_start
from store.results import Compacted, Compactor, Ingest

SMALLEST = 64 << 10  # bytes of a journal
SECONDS = 5.0  # after which a collection leaves the rest to the next one: its caller may have others waiting


def compact_journals(home: Home, waiting: list[tuple[str, int]], seconds: float = SECONDS) -> int:
    """Compact the journals of these (job, attempt), all of whose lines are in the ingest; return how many it did.

    The caller holds the lock of the ingest.
    """
    if not waiting:
        return 0
    until, count = time.monotonic() + seconds, 0
    with Ingest(home.ingest_db) as ingest, closing(Compactor(home.ingest_db.with_name("compact.stage"))) as compactor:
        for one in _compact_each(home, compactor, waiting):
            # A kill before this line does no harm: the next collection finds the Parquet file and reads it anew.
            ingest.note_compacted(one)
            count += 1
            if time.monotonic() > until:
                break
    return count


def _compact_each(home: Home, compactor: Compactor, waiting: list[tuple[str, int]]) -> Iterator[Compacted]:
    for job, attempt in waiting:
        folder = home.job(job).attempt(attempt)
        done = clear_leftover(job, folder)
        if done is None and folder.journal.exists():
            done = compactor.compact(job, attempt, folder.journal, folder.compacted, partial(_vouch, folder))
        if done is not None:
            yield done


def _vouch(folder: AttemptFolder, beside: Path) -> None:
    """Write the checksum of the file that is about to be the compacted journal; a kill here leaves it for the next."""
    size, digest = sum_start(beside)
    write_json(folder.compacted_sum, seal(asdict(FileSum(folder.compacted.name, size, digest))))


def clear_leftover(job: str, folder: AttemptFolder) -> Compacted | None:
    """Return the compacted journal of an attempt if it has one, and remove what a kill left beside it."""
    folder.compacted.with_name(f".{folder.compacted.name}.tmp").unlink(missing_ok=True)
    if not folder.compacted.exists():
        return None
    # It has its name, so it was compared with the journal, and is the truth.
    folder.journal.unlink(missing_ok=True)
    return Compacted(job, folder.number, folder.compacted, folder.compacted.stat().st_size)
