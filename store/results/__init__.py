"""The results: takes rows and journal lines, gives a published DuckDB snapshot and read-only queries on it.

    ingest   the private database and its publication
    schema   the SQL that makes a database, and its version
    staging  text on its way into DuckDB
    compact  finished journals as Parquet
    export   the results as Parquet
    streaming  answers of any length, into files
    reading  snapshots and queries, for notebooks too
    handle   the connection that is handed out, bounded in time
    bounds   how much memory a query may take

The only room that imports duckdb.
"""

from store.results.compact import Compactor, is_readable
from store.results.export import count_rows, export_relations, same_rows
from store.results.ingest import Ingest, StoreFault, Watermark
from store.results.reading import (
    Begun,
    Connection,
    CorruptStore,
    HasResults,
    QueryResult,
    ask_bounded,
    find_corruption,
    open_snapshot,
    read_everything,
    read_names,
    run_query,
    run_to_parquet,
)
from store.results.staging import Compacted, Lines

__all__ = [
    "Begun",
    "Compacted",
    "Compactor",
    "Connection",
    "CorruptStore",
    "HasResults",
    "Ingest",
    "Lines",
    "QueryResult",
    "StoreFault",
    "Watermark",
    "ask_bounded",
    "count_rows",
    "export_relations",
    "find_corruption",
    "is_readable",
    "open_snapshot",
    "read_everything",
    "read_names",
    "run_query",
    "run_to_parquet",
    "same_rows",
]
