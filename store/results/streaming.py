"""Answers of any length: takes a query and an open file, writes Parquet, Arrow or CSV, a few rows in memory at a time.

Types are DuckDB's own, exactly: a decimal stays one, a list a list. Parquet and Arrow need pyarrow.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import IO, Any

from store.format import csv_head, csv_rows
from store.results.reading import Connection, HasResults, run_locked

BATCH = 50_000  # rows that are read and written at a time
Asked = tuple[str, dict[str, Any]]
Stream = Callable[[Connection, Asked, IO[bytes], int | None], int]


def stream_query(
    home: Path | str | HasResults, sql: str, kind: str, out: IO[bytes], *, most: int | None, seconds: float
) -> int:
    """Write the rows of one read-only statement, at most `most`, and return how many there were.

    `kind` is one of STREAMS. The statement is bounded as that of run_query is, its answer by `seconds` alone. Raises
    StoreError; what is in `out` then is not whole.
    """
    return run_locked(home, sql, lambda db, asked: STREAMS[kind](db, asked, out, most), seconds)


def _write_parquet(db: Connection, asked: Asked, out: IO[bytes], most: int | None) -> int:
    from pyarrow import parquet

    reader = _reader(db, asked)
    with parquet.ParquetWriter(out, reader.schema, compression="zstd") as writer:
        return _hand_over(reader, writer.write_batch, most)


def _write_arrow(db: Connection, asked: Asked, out: IO[bytes], most: int | None) -> int:
    from pyarrow import ipc

    reader = _reader(db, asked)
    with ipc.new_file(out, reader.schema) as writer:
        return _hand_over(reader, writer.write_batch, most)


def _write_arrow_stream(db: Connection, asked: Asked, out: IO[bytes], most: int | None) -> int:
    """A file of Arrow has its table of contents at the end; who reads a pipe needs none."""
    from pyarrow import ipc

    reader = _reader(db, asked)
    with ipc.new_stream(out, reader.schema) as writer:
        return _hand_over(reader, writer.write_batch, most)


def _reader(db: Connection, asked: Asked) -> Any:
    """Return the rows in batches; names that a query gives twice are told apart, as most readers need it."""
    relation = db.sql(asked[0], params=asked[1])
    reader = relation.to_arrow_reader(BATCH)
    names = list(_apart(reader.schema.names))
    if names == reader.schema.names:
        return reader
    from pyarrow import RecordBatch, RecordBatchReader, schema

    renamed = schema([field.with_name(name) for field, name in zip(reader.schema, names, strict=True)])
    batches = (RecordBatch.from_arrays(batch.columns, schema=renamed) for batch in reader)
    return RecordBatchReader.from_batches(renamed, batches)


def _apart(names: list[str]) -> Iterator[str]:
    seen: set[str] = set()
    for name in names:
        number, own = 1, name
        while own in seen:
            number += 1
            own = f"{name}_{number}"
        seen.add(own)
        yield own


def _hand_over(reader: Any, write: Callable[[Any], object], most: int | None) -> int:
    count = 0
    for batch in reader:
        kept = batch if most is None else batch.slice(0, most - count)
        write(kept)
        count += kept.num_rows
        if count == most:
            break
    return count


def _write_csv(db: Connection, asked: Asked, out: IO[bytes], most: int | None) -> int:
    cursor, count = db.execute(*asked), 0
    out.write(csv_head([str(part[0]) for part in cursor.description or ()]).encode())
    while rows := cursor.fetchmany(BATCH if most is None else min(BATCH, most - count)):
        out.write(csv_rows(rows).encode())
        count += len(rows)
    return count


STREAMS: Mapping[str, Stream] = {
    "parquet": _write_parquet,
    "arrow": _write_arrow,
    "arrow_stream": _write_arrow_stream,
    "csv": _write_csv,
}
