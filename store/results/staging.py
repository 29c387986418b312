"""Text on its way into DuckDB: takes journal lines and rows, gives staged files and the SQL that reads them typed.

A staged file is read by DuckDB's own JSON reader: about 100 times as fast as inserting row by row.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from store.file_names import exact

LINE_COLUMNS = {
    "_job": "VARCHAR", "_attempt": "INTEGER", "v": "INTEGER", "seq": "BIGINT", "type": "VARCHAR", "at": "DOUBLE",
    "name": "VARCHAR", "value": "JSON", "step": "BIGINT", "epoch": "INTEGER", "unit": "VARCHAR", "device": "VARCHAR",
    "precision": "VARCHAR", "batch_size": "INTEGER", "threads": "INTEGER", "p5": "JSON", "p95": "JSON", "n": "INTEGER",
    "part": "VARCHAR", "sample": "VARCHAR[]", "label": "INTEGER[]", "predicted": "INTEGER[]",
    "confidence": "VARCHAR[]", "attempt": "VARCHAR", "upto": "BIGINT",
}  # fmt: skip
# A journal line with its types, as the tables and a compacted journal hold it. A number that JSON has no word for
# comes as text; a fact may be any JSON and is kept as its text.
# In a line times are unix seconds.
TYPED_LINE = """
    _job as job, _attempt as attempt, v, seq, type, make_timestamp(("at" * 1e6)::bigint) as "at", name,
    case when type <> 'fact' then try_cast(value ->> '$' as double) end as value,
    case when type = 'fact' then value::varchar end as fact,
    step, epoch, unit, device, precision, batch_size, threads,
    try_cast(p5 ->> '$' as double) as p5, try_cast(p95 ->> '$' as double) as p95, n, part, sample, label, predicted,
    list_transform(confidence, lambda text: try_cast(text as double)) as confidence,
    try_cast(attempt as integer) as from_attempt, upto
"""


@dataclass(frozen=True)
class Lines:
    """Whole journal lines of one attempt, from byte `offset` of its file on."""

    job: str
    attempt: int
    offset: int
    data: bytes


@dataclass(frozen=True)
class Compacted:
    """A compacted journal: all lines of one attempt as a Parquet file of `bytes` bytes."""

    job: str
    attempt: int
    path: Path
    bytes: int


def stage_lines(chunks: Iterable[Lines], stage: Path) -> int:
    """Write journal lines, each with its job and attempt in front; return the bytes of the longest."""
    longest = 1 << 20
    with open(stage, "wb") as out:
        for chunk in chunks:
            # By text: to parse every line and write it again would cost what DuckDB's reader saves.
            name = f'{{"_job":{json.dumps(chunk.job)},"_attempt":{chunk.attempt},'.encode()
            is_line = chunk.data[:1] == b"{"
            out.write(name if is_line else b"")
            out.write(memoryview(chunk.data.replace(b"\n{", b"\n" + name))[is_line:])
            longest = max(longest, _longest_line(chunk.data))
    # Room for the job and the attempt in front.
    return longest + 1024


def typed_lines(stage: Path, longest: int) -> str:
    """Return the query that gives staged lines with their types; a damaged line gives no row."""
    return (
        f"select {TYPED_LINE} from read_json('{exact(stage)}', format = 'newline_delimited', ignore_errors = true, "
        f"columns = {columns_text(LINE_COLUMNS)}, maximum_object_size = {longest}) where seq is not null"
    )


def compacted_lines(files: Iterable[Path]) -> str:
    """Return the query that gives the lines of compacted journals."""
    names = ", ".join(f"'{exact(path)}'" for path in files)
    return f"select * from read_parquet([{names}], union_by_name = true)"


def stage_rows(rows: Iterable[Mapping[str, Any]], stage: Path, kinds: Mapping[str, str]) -> str:
    """Write rows as JSON and return the query that reads them by column name; an empty text for no rows."""
    text = "".join(json.dumps(row, separators=(",", ":")) + "\n" for row in rows)
    if not text:
        return ""
    stage.write_text(text)
    return (
        f"select {', '.join(map(quote_name, kinds))} from read_json('{exact(stage)}', format = 'newline_delimited', "
        f"columns = {columns_text(kinds)}, maximum_object_size = {len(text) + 1024})"
    )


def quote_name(name: str) -> str:
    return f'"{name}"'


def columns_text(kinds: Mapping[str, str]) -> str:
    return "{" + ", ".join(f"'{name}': '{kind}'" for name, kind in kinds.items()) + "}"


def _longest_line(data: bytes, enough: int = 1 << 20) -> int:
    """Return the length of the longest line, or `enough` where none is longer; looks only where one could end."""
    longest, start = enough, 0
    while len(data) - start > enough:
        end = data.rfind(b"\n", start, start + enough)
        if end < start:  # no end so near: a longer line
            end = data.find(b"\n", start + enough)
            end = len(data) if end < 0 else end
            longest = max(longest, end - start)
        start = end + 1
    return longest
