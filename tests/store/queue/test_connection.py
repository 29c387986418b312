"""Transactions on a queue that is a file: it is one scheduler's, all of it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from store.queue import Queue
from tests.store.queue.leasing import submit, take


def test_a_file_is_shared_with_no_other_host(queue: Queue) -> None:
    submit(queue, "train-1", "train-2")
    assert take(queue, "train-1")
    assert not queue.is_shared
    assert [row.job for row in queue.take_over("another boot", 5.0)] == ["train-1"], "whosever it was"
    assert not queue.works_elsewhere("another boot")


def test_a_file_takes_no_place_on_a_server(queue: Queue, tmp_path: Path) -> None:
    assert not queue.take_place(tmp_path / "other.db")
    (tmp_path / "damaged.db").write_text("{")
    assert not queue.take_place(tmp_path / "damaged.db")


def test_who_opened_it_for_reading_changes_nothing(queue: Queue) -> None:
    with Queue.open_readonly(queue.path) as reader, pytest.raises(RuntimeError, match="opened for reading"):
        reader.mark_done(["train-1"])


def test_a_second_look_leaves_the_locks_of_the_first_connection(queue: Queue) -> None:
    """Closing a file takes all of a process's locks on it: another process would remove the -wal under who is left."""
    submit(queue, "train-1")
    log = queue.path.with_name(f"{queue.path.name}-wal")
    with Queue.open_readonly(queue.path) as reader:
        assert set(reader.job_states()) == {"train-1"}
    other = "import sqlite3, sys; c = sqlite3.connect(sys.argv[1]); c.execute('select * from jobs').close(); c.close()"
    subprocess.run([sys.executable, "-S", "-c", other, str(queue.path)], check=True)
    assert log.exists(), "it took itself for the last one"
    submit(queue, "train-2")
    with Queue.open_readonly(queue.path) as reader:
        assert set(reader.job_states()) == {"train-1", "train-2"}
