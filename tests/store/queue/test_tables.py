"""The file of the queue: how it is opened, what older and newer ones are, and that two writers never meet halfway."""

from __future__ import annotations

import gc
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest
from sqlalchemy import text

from store.queue import Queue, QueueFault
from store.queue.tables import SCHEMA_VERSION, open_reader
from tests.helpers.queueing import Probe, make_record
from tests.store.queue.leasing import look, ready, submit

# Says when it has opened the queue, then does each order that it is told, without ever waiting for a lock.
OTHER = """
import sys
from store.queue import Queue, QueueFault
from store.queue import tables
tables.BUSY_SECONDS = 0.0
queue = Queue(sys.argv[1])
print("open", flush=True)
for line in sys.stdin:
    try:
        print(queue.request_pause([line.strip()]), flush=True)
    except QueueFault as fault:
        print(fault.orig, flush=True)
"""


@contextmanager
def other_process(path: Path) -> Iterator[tuple[IO[str], IO[str]]]:
    child = subprocess.Popen(
        [sys.executable, "-c", OTHER, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdin is not None
    assert child.stdout is not None
    with child.stdin as orders, child.stdout as answers:
        assert answers.readline() == "open\n"
        yield orders, answers
        orders.close()
        assert child.wait(timeout=240) == 0


def ask(pipes: tuple[IO[str], IO[str]], job: str) -> str:
    pipes[0].write(job + "\n")
    pipes[0].flush()
    return pipes[1].readline().strip()


def test_a_queue_of_the_first_schema_goes_on(tmp_path: Path) -> None:
    with Queue(tmp_path / "queue.db") as queue:
        queue.add_experiment(make_record("one", [Probe("train-1", cost=9.0)]))
    with sqlite3.connect(tmp_path / "queue.db") as connection:
        connection.execute("ALTER TABLE jobs DROP COLUMN chain")
        connection.execute("PRAGMA user_version=1")
    connection.close()
    with Queue(tmp_path / "queue.db") as queue:
        queue.add_experiment(make_record("two", [Probe("train-2", cost=5.0), Probe("train-1", cost=9.0)]))
        assert ready(queue, "two") == ["train-1", "train-2"]


def test_writer_that_has_read_keeps_other_processes_from_writing_until_it_has_written(queue: Queue) -> None:
    """Where a change began as a reader, the other one would get in between, and this one's writing would fail."""
    submit(queue, "a", "b")
    with other_process(queue.path) as pipes:
        with queue._change() as connection:
            assert connection.execute(text("SELECT count(*) FROM jobs")).scalar_one() == 2
            assert ask(pipes, "b") == "database is locked"
            connection.execute(text("UPDATE experiments SET priority = 7"))
        assert ask(pipes, "b") == "['b']"
    assert queue.job_states() == {"a": "queued", "b": "paused"}
    assert queue.experiments()[0].priority == 7


def test_reading_on_a_writers_connection_keeps_nobody_from_writing(queue: Queue) -> None:
    submit(queue, "a", "b")
    with other_process(queue.path) as pipes, queue._read() as connection:
        assert connection is not None
        assert connection.execute(text("SELECT count(*) FROM jobs")).scalar_one() == 2
        assert ask(pipes, "b") == "['b']"


def test_change_that_fails_halfway_leaves_nothing(queue: Queue) -> None:
    submit(queue, "a")
    record = make_record("one", [Probe("b")], priority=7)
    del record["jobs"][0]["kind"]
    with pytest.raises(KeyError):
        queue.add_experiment(record)
    assert queue.experiments()[0].priority == 0


@pytest.mark.parametrize(
    ("pragma", "value"),
    [
        ("synchronous", 2),  # FULL: a commit outlives the machine
        ("journal_mode", "wal"),
        ("busy_timeout", 30_000),
        ("wal_autocheckpoint", 1000),
        ("cache_size", -65536),
        ("user_version", 2),
    ],
)
def test_writer_is_opened_with_its_settings(queue: Queue, pragma: str, value: object) -> None:
    with queue._read() as connection:
        assert connection is not None
        assert connection.execute(text(f"PRAGMA {pragma}")).scalar_one() == value


def test_reader_maps_the_file_waits_and_cannot_write(queue: Queue) -> None:
    engine = open_reader(queue.path)
    with engine.connect() as connection:
        assert connection.execute(text("PRAGMA mmap_size")).scalar_one() == 1 << 30
        assert connection.execute(text("PRAGMA busy_timeout")).scalar_one() == 30_000
        with pytest.raises(QueueFault, match="readonly"):
            connection.execute(text("DELETE FROM jobs"))
    engine.dispose()


def test_reader_sees_one_state_of_the_queue_to_its_end(queue: Queue) -> None:
    submit(queue, "a")
    with Queue.open_readonly(queue.path) as reader, reader._read() as connection:
        assert connection is not None
        assert connection.execute(text("SELECT count(*) FROM jobs")).scalar_one() == 1
        submit(queue, "b", name="two")
        assert connection.execute(text("SELECT count(*) FROM jobs")).scalar_one() == 1


def test_older_queue_gets_its_chains_once_and_its_new_version(tmp_path: Path) -> None:
    path = tmp_path / "queue.db"
    with Queue(path) as queue:
        queue.add_experiment(make_record("one", [Probe("a", cost=9.0), Probe("b", cost=5.0)]))
    look(path, "ALTER TABLE jobs DROP COLUMN chain")
    look(path, "PRAGMA user_version=1")
    Queue(path).close()
    assert look(path, "SELECT job, chain FROM jobs") == [("a", 9.0), ("b", 5.0)]
    assert look(path, "PRAGMA user_version") == [(SCHEMA_VERSION,)]
    look(path, "UPDATE jobs SET chain = 20.0")
    Queue(path).close()
    assert look(path, "SELECT DISTINCT chain FROM jobs") == [(20.0,)]


def test_queue_of_a_newer_release_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "queue.db"
    Queue(path).close()
    look(path, f"PRAGMA user_version={SCHEMA_VERSION + 1}")
    with pytest.raises(RuntimeError, match="has schema 3; this program knows 2"):
        Queue(path)
    assert look(path, "PRAGMA user_version") == [(SCHEMA_VERSION + 1,)]


def test_every_index_that_claims_and_counts_need_is_there(queue: Queue) -> None:
    found = look(queue.path, "SELECT name FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL ORDER BY 1")
    assert [name for (name,) in found] == [
        "job_needs_back", "jobs_by_state", "jobs_waiting", "ready_by_job", "run_jobs_by_job", "wanted_by_job",
    ]  # fmt: skip


def test_log_is_moved_into_the_file(queue: Queue) -> None:
    submit(queue, "a")
    log = queue.path.with_name("queue.db-wal")
    assert log.stat().st_size > 0
    queue.shrink_log()
    assert log.stat().st_size == 0


def test_file_that_is_no_queue_is_a_fault(tmp_path: Path) -> None:
    (tmp_path / "queue.db").write_text("what is this" * 1000)
    with pytest.raises(QueueFault):
        Queue(tmp_path / "queue.db")


def test_a_read_only_copy_is_read_with_what_its_log_holds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A copy that was made while a scheduler worked, or of a home whose scheduler was killed."""
    (tmp_path / "copy").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with Queue(tmp_path / "queue.db") as queue:
        queue.add_experiment(make_record("one", [Probe("train-1")]))
        for name in ("queue.db", "queue.db-wal"):
            shutil.copy(tmp_path / name, tmp_path / "copy" / name)
    monkeypatch.setattr("store.queue.tables.os.access", lambda *_: False)
    before = sorted(path.name for path in tmp_path.iterdir())
    reader = Queue.open_readonly(tmp_path / "copy" / "queue.db")
    assert reader.experiment_names() == ["one"]
    reader.close()
    del reader
    gc.collect()
    assert sorted(path.name for path in (tmp_path / "copy").iterdir()) == ["queue.db", "queue.db-wal"]
    assert sorted(path.name for path in tmp_path.iterdir()) == before, "no copy of the copy is left"
