"""The connection that is handed out: what notebooks do with one works, each call ends in time and within its memory."""

from __future__ import annotations

import resource
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import duckdb
import pandas
import pytest

from engine.collect import collect
from store.readonly import StoreError
from store.results import Connection, bounds, open_snapshot
from store.results.bounds import bound_memory
from tests.helpers.synthetic import ARMS, SyntheticHome

ENDLESS = "select sum(a.range * b.range) from range(10000000000) a, range(1000000) b"
ONE_VALUE = "select length(lpad('x', 60_000_000, 'y'))"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = SyntheticHome(tmp_path_factory.mktemp("home"))
    made.experiment("one", {"only": ARMS["original"]}, seeds=(0, 1))
    collect(made.home)
    return made.home.root


def test_it_does_what_duckdbs_own_does(root: Path) -> None:
    with open_snapshot(root) as db, open_snapshot(root, seconds=None) as own:
        assert isinstance(db, duckdb.DuckDBPyConnection)
        assert set(dir(own)) <= set(dir(db))
        query = "select job, kind from jobs order by job"
        expected = own.execute(query).fetchall()
        assert db.execute(query).fetchall() == expected
        assert db.sql(query).filter("kind = 'train'").count("*").fetchall() == [(2,)]
        assert db.cursor().execute(query).fetchmany(1) == expected[:1]
        assert db.cursor().execute(query).description == own.cursor().execute(f"use results; {query}").description
        relation = db.sql(query)
        assert (relation.columns, len(relation), relation.shape) == (["job", "kind"], len(expected), (len(expected), 2))
        assert "kind" in relation
        assert relation.union(db.sql(query)).fetchall() == expected * 2
        assert relation["kind"].fetchall() == [(kind,) for _, kind in expected]
        assert str(relation) == str(own.sql(query))


def test_pandas_arrow_and_a_registered_frame_work(root: Path) -> None:
    query = "select job, kind from jobs order by job"
    with open_snapshot(root) as db:
        rows = db.execute(query).fetchall()
        assert list(db.sql(query).df().itertuples(index=False, name=None)) == rows
        assert [tuple(row.values()) for row in db.sql(query).to_arrow_table().to_pylist()] == rows
        assert sum(batch.num_rows for batch in db.sql(query).to_arrow_reader()) == len(rows)
        with pytest.warns(UserWarning, match="SQLAlchemy"):
            assert pandas.read_sql(query, db).shape == (len(rows), 2)
        db.register("mine", pandas.DataFrame({"job": [rows[0][0]]}))
        assert db.sql("select j.job from jobs j join mine using (job)").fetchall() == [rows[0][:1]]


@pytest.mark.parametrize("seconds", [5.0, None])
def test_no_variable_of_pythons_is_a_table(root: Path, seconds: float | None) -> None:
    mine = pandas.DataFrame({"job": ["a"]})
    with open_snapshot(root, seconds=seconds) as db:
        with pytest.raises(duckdb.CatalogException, match="mine does not exist"):
            db.sql("from mine")
        db.register("mine", mine)
        assert db.sql("from mine").fetchall() == [("a",)]


def test_batches_of_an_endless_join_come_one_after_the_other(root: Path) -> None:
    """The reader of a relation computes what is read: 10^10 rows and more are never there at once."""
    with open_snapshot(root, seconds=30.0) as db:
        reader = db.sql("select a.*, range as place from metrics a, range(10000000000)").to_arrow_reader()
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        assert sum(reader.read_next_batch().num_rows for _ in range(20)) > 20_000
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 500 << 10  # KB


ASK: dict[str, Callable[[Connection], Any]] = {
    "execute": lambda db: db.execute(ENDLESS).fetchall(),
    "relation": lambda db: db.sql(ENDLESS).fetchall(),
    "frame": lambda db: db.sql(ENDLESS).df(),
    "shape": lambda db: db.sql("select * from range(10000000000) a, range(1000000) b where a.range < 0").shape,
    "shown": lambda db: str(db.sql(ENDLESS)),
    "cursor": lambda db: db.cursor().execute(ENDLESS).fetchall(),
}


@pytest.mark.parametrize("ask", ASK)
def test_whatever_computes_ends_in_time_and_the_next_is_answered(root: Path, ask: str) -> None:
    with open_snapshot(root, seconds=0.3) as db:
        begun = time.monotonic()
        with pytest.raises(StoreError, match=r"more than 0\.3 seconds") as caught:
            ASK[ask](db)
        assert time.monotonic() - begun < 5, "of an endless one"
        assert "seconds=" in caught.value.fix
    with open_snapshot(root) as db:
        assert db.sql("select 1").fetchall() == [(1,)]


def test_one_value_is_left_to_its_end_and_nobody_waits_to_close(root: Path) -> None:
    with open_snapshot(root, seconds=0.05) as db, pytest.raises(StoreError, match="was stopped"):
        db.execute(ONE_VALUE).fetchall()
    assert [thread for thread in threading.enumerate() if thread.name == "xp query"], "it goes on"
    with open_snapshot(root) as db:
        assert db.sql("select 1").fetchall() == [(1,)], "the next one waited for its end"
    assert not bounds._LEFT


def test_memory_of_one_value_is_bounded(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = resource.getrlimit(resource.RLIMIT_DATA)
    monkeypatch.setattr("store.results.handle.bound_memory", lambda _: bound_memory(200 << 20))
    with open_snapshot(root) as db, pytest.raises((duckdb.Error, MemoryError)):
        db.execute("select length(repeat('x', 1_000_000_000))").fetchall()
    assert resource.getrlimit(resource.RLIMIT_DATA) == before


def test_it_computes_beside_no_file_of_another_folder(root: Path) -> None:
    with open_snapshot(root) as db:
        assert db.sql("select current_setting('temp_directory')").fetchall() == [("",)]
