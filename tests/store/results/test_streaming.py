"""Answers of any length: exact types, every row, and nothing but one read-only query."""

from __future__ import annotations

import csv
import io
from decimal import Decimal
from pathlib import Path
from typing import IO, Any

import pyarrow as pa
import pytest
from pyarrow import feather, ipc, parquet

from engine.collect import collect
from engine.home.paths import Home
from store.readonly import StoreError
from store.results import run_query
from store.results.streaming import BATCH, STREAMS, stream_query
from tests.helpers.synthetic import Arm, SyntheticHome

TYPES = (
    "select 1::bigint as a, 2::smallint as a, 1.50::decimal(6,2) as d, 'x'::varchar as t, [1.5, null] as l, "
    "timestamp '2026-01-02 03:04:05.000006' as w, 'nan'::double as n, null::integer as z, {'k': true} as s"
)


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    made = SyntheticHome(tmp_path_factory.mktemp("home"))
    made.experiment("paper", {"a": Arm(images=5)}, seeds=(0,))
    collect(made.home)
    return made.home


def stream(home: Home, sql: str, kind: str, most: int | None = None) -> tuple[int, bytes]:
    out = io.BytesIO()
    return stream_query(home, sql, kind, out, most=most, seconds=60.0), out.getvalue()


def table_of(kind: str, data: bytes) -> pa.Table:
    if kind == "arrow_stream":
        return ipc.open_stream(data).read_all()
    return (parquet.read_table if kind == "parquet" else feather.read_table)(io.BytesIO(data))


@pytest.mark.parametrize("kind", ["parquet", "arrow", "arrow_stream"])
def test_types_are_exact_and_names_apart(home: Home, kind: str) -> None:
    count, data = stream(home, TYPES, kind)
    table = table_of(kind, data)
    assert count == table.num_rows == 1
    assert [(field.name, str(field.type)) for field in table.schema] == [
        ("a", "int64"), ("a_2", "int16"), ("d", "decimal128(6, 2)"), ("t", "string"),
        ("l", table.schema.field("l").type.__str__()), ("w", "timestamp[us]"), ("n", "double"), ("z", "int32"),
        ("s", "struct<k: bool>"),
    ]  # fmt: skip
    row = table.to_pylist()[0]
    assert (row["d"], row["l"], row["z"]) == (Decimal("1.50"), [1.5, None], None)
    assert row["n"] != row["n"]


@pytest.mark.parametrize("kind", STREAMS)
@pytest.mark.parametrize("most", [None, 7, BATCH + 1])
def test_every_row_is_there_unless_fewer_are_asked_for(home: Home, kind: str, most: int | None) -> None:
    rows = 2 * BATCH + 5
    count, data = stream(home, f"select range as n from range({rows})", kind, most)
    assert count == (rows if most is None else most)
    if kind == "csv":
        assert data.decode().splitlines() == ["n", *map(str, range(count))]
    else:
        assert table_of(kind, data).column("n").to_pylist() == list(range(count))


def test_csv_is_as_a_reader_of_csv_expects(home: Home) -> None:
    _, data = stream(home, 'select \'a,"b"\n\' as "x,y", null as z, 0.1::double as d', "csv")
    assert list(csv.reader(io.StringIO(data.decode()))) == [["x,y", "z", "d"], ['a,"b"\n', "", "0.1"]]


@pytest.mark.parametrize("kind", STREAMS)
@pytest.mark.parametrize(
    "sql", ["select nope", "drop table jobs", "select 1; select 2", "select * from read_csv('/etc/passwd')"]
)
def test_what_is_no_query_is_refused(home: Home, kind: str, sql: str) -> None:
    with pytest.raises(StoreError):
        stream(home, sql, kind)


def test_empty_answer_has_its_columns(home: Home) -> None:
    count, data = stream(home, "select job, attempt from metrics where false", "parquet")
    assert (count, table_of("parquet", data).column_names) == (0, ["job", "attempt"])


def test_relation_comes_out_as_it_is(home: Home) -> None:
    _, data = stream(home, "select * from metrics order by all", "parquet")
    rows: list[Any] = [tuple(row.values()) for row in table_of("parquet", data).to_pylist()]
    assert rows == run_query(home, "select * from metrics order by all").rows


def test_file_that_cannot_be_written_is_an_error(home: Home, tmp_path: Path) -> None:
    class Full(io.BytesIO):
        def write(self, _: Any) -> int:
            raise OSError(28, "No space left on device")

    out: IO[bytes] = Full()
    with pytest.raises(OSError, match="No space"):
        stream_query(home, "select * from range(10)", "csv", out, most=None, seconds=60.0)
