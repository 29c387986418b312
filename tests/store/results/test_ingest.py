"""The ingester's own file: what it remembers, what it forgets, how a snapshot is put in its place."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from store.readonly import StoreError
from store.results import Ingest, Lines, Watermark, open_snapshot
from store.results.staging import Compacted
from tests.helpers.recording import DiskRecord


@pytest.fixture
def ingest(tmp_path: Path) -> Iterator[Ingest]:
    with Ingest(tmp_path / "ingest.duckdb") as opened:
        yield opened


def lines(job: str, attempt: int, *steps: int, offset: int = 0) -> Lines:
    text = "".join(
        json.dumps(
            {"v": 1, "seq": step, "type": "metric", "at": 1.0, "name": "a", "value": step, "step": step, "epoch": 0}
        )
        + "\n"
        for step in steps
    )
    return Lines(job, attempt, offset, text.encode())


def ask(ingest: Ingest, sql: str) -> list[tuple[Any, ...]]:
    return ingest._db.execute(sql).fetchall()


def test_snapshot_is_synced_before_it_takes_its_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    disk = DiskRecord(tmp_path, monkeypatch)
    ingest = Ingest(tmp_path / "ingest.duckdb")
    disk.events.clear()
    ingest.publish(tmp_path / "results.duckdb")
    assert [event for event in disk.events if "results" in event] == [
        "sync .results.duckdb.*.tmp",
        "replace .results.duckdb.*.tmp results.duckdb",
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["ingest.duckdb", "results.duckdb"]


def test_publication_that_fails_leaves_the_old_snapshot_and_nothing_beside(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "results.duckdb").write_text("old")
    ingest = Ingest(tmp_path / "ingest.duckdb")

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(KeyboardInterrupt):
        ingest.publish(tmp_path / "results.duckdb")
    assert (tmp_path / "results.duckdb").read_text() == "old"
    assert not list(tmp_path.glob(".*"))


def test_snapshot_holds_the_figures_of_now_and_the_file_is_clean(tmp_path: Path) -> None:
    path = tmp_path / "ingest.duckdb"
    with Ingest(path) as ingest:
        assert ingest.is_dirty, "a new one was never published"
        row = {
            "run": "r",
            "experiment": "e",
            "arm": "a",
            "cell": "c",
            "seed": 1,
            "split": "s",
            "settings": {},
            "position": 0,
        }
        ingest.replace("raw.runs", "experiment", ["e"], [row])
        ingest.publish(tmp_path / "results.duckdb")
    with open_snapshot(tmp_path / "results.duckdb") as db:
        assert db.execute("select run from results").fetchall() == [("r",)]
    with Ingest(path) as ingest:
        assert not ingest.is_dirty
        ingest.set_states({})
        assert ingest.is_dirty


def test_a_copy_that_failed_is_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(source: object, target: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("shutil.copyfile", refuse)
    with pytest.raises(OSError, match="No space"):
        Ingest(tmp_path / "i").publish(tmp_path / "results.duckdb")
    with Ingest(tmp_path / "i") as ingest:
        assert ingest.is_dirty


@pytest.mark.parametrize(
    "change",
    [
        lambda ingest: ingest.replace("jobs", "job", [], []),
        lambda ingest: ingest.forget_jobs(["a"]),
        lambda ingest: ingest.add_lines([lines("a", 1, 1)]),
        lambda ingest: ingest.refresh(["a"]),
    ],
)
def test_every_change_asks_for_a_publication(tmp_path: Path, change: Any) -> None:
    Ingest(tmp_path / "ingest.duckdb").publish(tmp_path / "results.duckdb")
    with Ingest(tmp_path / "ingest.duckdb") as ingest:
        assert not ingest.is_dirty
        change(ingest)
        assert ingest.is_dirty


def test_transaction_that_fails_leaves_nothing_and_one_that_ends_stays(tmp_path: Path) -> None:
    with Ingest(tmp_path / "i") as ingest:
        with pytest.raises(duckdb.Error), ingest.transaction():
            ingest.replace("no_such_table", "job", ["b"], [])
        with ingest.transaction():
            ingest.mark_seen({"job:a": ("x", True)})
    with Ingest(tmp_path / "i") as ingest:
        assert ingest.seen() == {"job:a": ("x", True)}


def test_failed_transaction_takes_back_what_came_before(ingest: Ingest) -> None:
    def halfway() -> None:
        with ingest.transaction():
            ingest.mark_seen({"job:a": ("x", True)})
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        halfway()
    assert ingest.seen() == {}


def test_what_was_seen_is_replaced_item_by_item(ingest: Ingest) -> None:
    ingest.mark_seen({"job:a": ("1", False), "job:b": ("2", True)})
    ingest.mark_seen({"job:a": ("3", True)})
    assert ingest.seen() == {"job:a": ("3", True), "job:b": ("2", True)}
    ingest.forget_seen(["job:b"])
    assert ingest.seen() == {"job:a": ("3", True)}


def test_rows_replace_those_of_their_keys_or_all(ingest: Ingest) -> None:
    for job in ("a", "b", "c"):
        ingest.replace("jobs", "job", [job], [{"job": job, "state": "queued"}])
    ingest.replace("jobs", "job", ["a", "b"], [{"job": "a", "state": "done"}])
    assert ingest.states() == {"a": "done", "c": "queued"}
    ingest.replace("jobs", "job", [], [])
    assert ingest.states() == {"a": "done", "c": "queued"}
    ingest.replace("jobs", "job", None, [{"job": "d", "state": "done"}])
    assert ingest.states() == {"d": "done"}


def test_states_are_set_job_by_job(ingest: Ingest) -> None:
    ingest.replace("jobs", "job", None, [{"job": job, "state": "queued"} for job in "abc"])
    ingest.set_states({"a": "done", "b": "failed"})
    assert ingest.states() == {"a": "done", "b": "failed", "c": "queued"}


def test_watermark_moves_past_the_lines_and_counts_the_damaged_ones(ingest: Ingest) -> None:
    first, torn = lines("a", 1, 1, 2), Lines("a", 2, 0, b"{oh\n" + lines("a", 2, 5).data)
    ingest.add_lines([first, torn])
    more = Lines("a", 2, len(torn.data), b"no\nnor\n")
    ingest.add_lines([more, lines("b", 1, 1)])
    assert ingest.watermarks(["a"]) == {
        ("a", 1): Watermark(len(first.data), 0),
        ("a", 2): Watermark(len(torn.data) + 7, 3),
    }
    assert ask(ingest, "select job, attempt, seq from raw.metrics order by all") == [
        ("a", 1, 1), ("a", 1, 2), ("a", 2, 5), ("b", 1, 1),
    ]  # fmt: skip


def test_lines_in_two_chunks_of_one_attempt_are_counted_together(ingest: Ingest) -> None:
    first = lines("a", 1, 1)
    ingest.add_lines([first, lines("a", 1, 2, 3, offset=len(first.data))])
    assert ingest.watermarks(["a"]) == {("a", 1): Watermark(3 * len(first.data), 0)}


def test_forgotten_job_leaves_no_row_and_others_stay(ingest: Ingest) -> None:
    found = ask(
        ingest,
        "select schema_name || '.' || table_name from duckdb_columns() where column_name = 'job'"
        " and table_oid in (select table_oid from duckdb_tables()) order by all",
    )
    tables = [name for (name,) in found]
    tables.remove("raw.run_jobs")  # an experiment's
    assert len(tables) == 15
    for table in tables:
        for job in ("a", "b"):
            ingest._db.execute(f"insert into {table} (job) values ('{job}')")
    ingest.mark_seen({"job:a": ("x", True), "job:b": ("x", True)})
    ingest.forget_jobs(["a"])
    assert {table: ask(ingest, f"select job from {table}") for table in tables} == {table: [("b",)] for table in tables}
    assert list(ingest.seen()) == ["job:b"]


def test_journals_to_compact_are_the_large_whole_ones_of_settled_jobs(ingest: Ingest) -> None:
    rows = [("a", 1, 100, 0, False), ("a", 2, 99, 0, False), ("b", 1, 100, 1, False), ("c", 1, 100, 0, True),
            ("d", 1, 100, 0, False), ("a", 10, 200, 0, False), ("e", 1, 100, 0, False)]  # fmt: skip
    names = ("job", "attempt", "bytes", "damaged", "compacted")
    ingest.replace("raw.watermarks", "job", None, [dict(zip(names, row, strict=True)) for row in rows])
    ingest.mark_seen({f"job:{job}": ("x", job != "d") for job in "abcd"})
    assert ingest.finished_journals(100) == [("a", 1), ("a", 10)]


def test_compacted_journal_takes_the_place_of_its_watermark(ingest: Ingest) -> None:
    ingest.add_lines([lines("a", 1, 1), lines("a", 2, 1)])
    ingest.note_compacted(Compacted("a", 1, Path("x"), 77))
    marks = ingest.watermarks(["a"])
    assert marks[("a", 1)] == Watermark(77, 0, True)
    assert not marks[("a", 2)].is_compacted


def test_compacted_file_that_cannot_be_read_is_an_error_in_one_line(ingest: Ingest, tmp_path: Path) -> None:
    (tmp_path / "x").write_text("PAR1 oh PAR1")
    with pytest.raises(StoreError, match="cannot read a compacted journal"):
        ingest.add_compacted([Compacted("a", 1, tmp_path / "x", 12)])


def test_quantiles_reach_as_far_as_there_are_seeds(ingest: Ingest) -> None:
    from scipy import stats

    assert ask(ingest, "select min(df), max(df), count(*) from raw.t_quantiles") == [(1, 1000, 1000)]
    rows = dict(ask(ingest, "from raw.t_quantiles"))
    for degrees in (1, 2, 9, 1000):
        assert rows[degrees] == pytest.approx(stats.t.ppf(0.975, degrees))


def test_file_of_another_version_or_none_is_refused_and_let_go(tmp_path: Path) -> None:
    Ingest(tmp_path / "i").close()
    for change in ("update raw.meta set value = '3' where name = 'version'", "drop table raw.meta"):
        with duckdb.connect(str(tmp_path / "i")) as db:
            db.execute(change)
        with pytest.raises(StoreError, match="it has to be built anew"):
            Ingest(tmp_path / "i")


def test_closed_ingest_leaves_no_staged_text(tmp_path: Path) -> None:
    with Ingest(tmp_path / "i") as ingest:
        ingest.add_lines([lines("a", 1, 1)])
        assert (tmp_path / "i.stage").exists()
    assert not (tmp_path / "i.stage").exists()
