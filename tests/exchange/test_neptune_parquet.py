"""What neptune-exporter writes, and what cannot be read any more."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import DataError
from engine.exchange.neptune_parquet import read_neptune
from tests.exchange.sources import START, write_neptune


def test_run_comes_with_all_that_it_tells(tmp_path: Path) -> None:
    (run,) = read_neptune(write_neptune(tmp_path)).runs
    assert (run.group, run.id, run.name, run.started) == ("team/proj", "P-1", "net", START)
    assert run.params == {"config/lr": 0.1, "config/layers": 4}
    assert run.tags == {"tags": ["a", "b"]}
    values = run.read_values()
    loss = values.series["train/loss"]
    assert (loss.steps, loss.values, loss.times) == ([0, 1], [1.0, 0.5], [START + 1, START + 1])
    assert values.left == {"values of kind string_series": 1}


def test_steps_that_are_fractions_are_counted_and_told(tmp_path: Path) -> None:
    values = read_neptune(write_neptune(tmp_path, (0, 0.5, 1))).runs[0].read_values()
    assert values.series["train/loss"].steps == [0, 1, 2]
    assert "fractions" in values.notes[0]


def test_file_that_is_no_parquet_is_left_out(tmp_path: Path) -> None:
    root = write_neptune(tmp_path)
    (root / "bad_part_0.parquet").write_text("no parquet")
    found = read_neptune(root)
    assert len(found.runs) == 1
    assert "bad_part_0" in found.left_out[0]


def test_offline_data_of_its_own_client_is_refused_with_why(tmp_path: Path) -> None:
    (tmp_path / ".neptune").mkdir()
    with pytest.raises(DataError, match="its servers, which are gone"):
        read_neptune(tmp_path)


def test_other_parquet_says_what_it_lacks(tmp_path: Path) -> None:
    import duckdb

    duckdb.sql(f"copy (select 1 as a) to '{tmp_path / 'x.parquet'}' (format parquet)")
    with pytest.raises(DataError, match="no column project_id"):
        read_neptune(tmp_path)
