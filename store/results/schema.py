"""The schema of results.duckdb: takes schema.sql and the metrics, gives the SQL that makes a database, and its version.

The version is a digest of all the SQL that decides rows, so that a new metric makes the database anew.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from hashlib import sha256
from pathlib import Path

from store.metrics import HERE, METRICS, Metric, UnknownMetric
from store.results.staging import TYPED_LINE

ROOM = Path(__file__).parents[1]
ROWS_VERSION = 5  # to be raised when what `collect` reads of the files becomes other rows, which no SQL shows
DECIDING = ("ingest_lines.sql", "refresh_jobs.sql")
# What tells of a run, or of a metric.
NO_METRICS = frozenset(
    {
        *("seed", "infer_batch_size", "infer_oom_batch_size", "test_images", "test_low", "test_high"),
        *("speedup_low", "speedup_high"),
    }
)
NUMERIC = re.compile(r"U?(TINY|SMALL|BIG|HUGE)?INT(EGER)?|FLOAT|DOUBLE|DECIMAL\b.*")


def schema_sql(metrics: Iterable[Metric] = tuple(METRICS.values())) -> str:
    """Return schema.sql with every metric in the place of its marks."""
    listed = list(metrics)
    marks = {
        "logged_names": _quoted(sorted({name for one in listed for name in one.logged})),
        "metric_columns": ",\n    ".join(f"{one.source} as {one.name}" for one in listed),
        "metric_doubles": ",\n            ".join(f"{one.name}::double as {one.name}" for one in listed),
        "metric_names": ", ".join(one.name for one in listed),
        "once_names": _quoted(one.name for one in listed if one.measured == "once"),
        "signed_names": _quoted(one.name for one in listed if one.is_signed),
        "share_names": _quoted(one.name for one in listed if one.unit == "fraction"),
    }
    text = (ROOM / "schema.sql").read_text()
    for mark, filling in marks.items():
        text = text.replace("{{" + mark + "}}", filling)
    return text


def _quoted(names: Iterable[str]) -> str:
    """Return names as texts of SQL; an empty list is none, so that `in (...)` stays SQL."""
    return ", ".join(f"'{name}'" for name in names) or "''"


def version_of(schema: str) -> str:
    """Return the version of a database that `schema` makes; comments and spaces do not count."""
    parts = [schema, *((ROOM / "queries" / name).read_text() for name in DECIDING), TYPED_LINE]
    bare = [" ".join(re.sub(r"--[^\n]*", "", part).split()) for part in parts]
    return sha256("\n".join([str(ROWS_VERSION), *bare]).encode()).hexdigest()[:12]


def check_columns(columns: Mapping[str, str]) -> None:
    """Raise UnknownMetric for a number of the view `results`, given as column -> type, that METRICS does not know.

    Without an entry it would be compared across devices, and as if more of it were better.
    """
    numbers = [name for name, kind in columns.items() if NUMERIC.fullmatch(kind) and name not in NO_METRICS]
    unknown = [name for name in numbers if name not in METRICS]
    if unknown:
        raise UnknownMetric(f"the view `results` has numbers that are no metrics of {HERE}: {', '.join(unknown)}")


SCHEMA_VERSION = version_of(schema_sql())
