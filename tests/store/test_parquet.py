"""Parquet of others: columns, rows and metadata as they stand there, damage as an error."""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as parquet
import pytest

from store.parquet import ROWS_AT_A_TIME, ParquetError, ask_parquet, parquet_columns, parquet_metadata, stream_parquet


@pytest.fixture
def path(tmp_path: Path) -> Path:
    table = pa.table({"a": list(range(200)), "b": [b"x"] * 200}).replace_schema_metadata({"about": "caf\u00e9"})
    parquet.write_table(table, tmp_path / "it's.parquet", row_group_size=30)
    return tmp_path / "it's.parquet"


def test_columns_have_their_types(path: Path) -> None:
    assert parquet_columns([path]) == {"a": "BIGINT", "b": "BLOB"}


def test_rows_come_in_order_with_their_numbers(path: Path) -> None:
    rows = list(stream_parquet(path, "select file_row_number, a from rows"))
    assert rows == [(number, number) for number in range(200)]
    assert len(rows) > 2 * ROWS_AT_A_TIME


def test_a_question_knows_the_file_of_a_row(path: Path) -> None:
    assert ask_parquet([path], "select distinct filename from rows where a < ?", [3]) == [(str(path),)]


def test_metadata_is_text_by_keys(path: Path) -> None:
    assert parquet_metadata(path)["about"] == "caf\u00e9"


def test_damage_is_an_error(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])
    for ask in (
        lambda: parquet_columns([path]),
        lambda: parquet_metadata(path),
        lambda: list(stream_parquet(path, "from rows")),
    ):
        with pytest.raises(ParquetError):
            ask()
