"""mlflow.db: every value as MLflow meant it, and files that are none."""

from __future__ import annotations

import math
import sqlite3
from pathlib import Path

import pytest

from engine.errors import DataError
from engine.exchange.foreign import BrokenRun
from engine.exchange.mlflow_database import LARGEST, is_database, read_database
from tests.exchange.sources import START, write_mlflow_db

T = int(START * 1000)


def test_run_comes_with_all_that_it_tells(tmp_path: Path) -> None:
    found = read_database(write_mlflow_db(tmp_path / "mlflow.db", [("acc", 0.5, T, 0, 0), ("acc", 0.6, T + 1, 1, 0)]))
    (run,) = found.runs
    assert (run.group, run.id, run.name, run.status, run.note) == ("cifar", "r1", "net", "FINISHED", "a note")
    assert (run.params, run.tags) == ({"seed": "3"}, {"team": "ours"})
    told = run.read_values().series["acc"]
    assert (told.steps, told.times, told.values) == ([0, 1], [START, START + 0.001], [0.5, 0.6])
    assert "1 runs that were deleted" in found.left_out[0]


def test_numbers_that_sql_has_no_word_for_come_back(tmp_path: Path) -> None:
    rows = [("x", 0.0, T, 0, 1), ("x", LARGEST, T, 1, 0), ("x", -LARGEST, T, 2, 0)]
    told = read_database(write_mlflow_db(tmp_path / "mlflow.db", rows)).runs[0].read_values().series["x"].values
    assert math.isnan(told[0])
    assert told[1:] == [math.inf, -math.inf]


def test_reading_writes_nothing(tmp_path: Path) -> None:
    path = write_mlflow_db(tmp_path / "mlflow.db")
    path.chmod(0o400)
    read_database(path)
    assert [one.name for one in tmp_path.iterdir()] == ["mlflow.db"]


def test_other_database_says_what_it_lacks(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with sqlite3.connect(path) as db:
        db.execute("create table runs (id)")
    db.close()
    with pytest.raises(DataError, match="has no table experiments"):
        read_database(path)


def test_damaged_file_is_told(tmp_path: Path) -> None:
    path = write_mlflow_db(tmp_path / "mlflow.db", [("acc", 0.5, T, 0, 0)])
    path.write_bytes(path.read_bytes()[:4096])
    with pytest.raises(DataError, match="cannot be read"):
        read_database(path)


def test_step_that_is_no_number_breaks_one_run(tmp_path: Path) -> None:
    path = write_mlflow_db(tmp_path / "mlflow.db", [("acc", 0.5, T, "x", 0)])  # type: ignore[list-item]  # SQLite takes it
    with pytest.raises(BrokenRun):
        read_database(path).runs[0].read_values()


def test_text_is_no_database(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("text")
    assert not is_database(tmp_path / "a")
    assert not is_database(tmp_path / "nothing")
