"""class Queue: opened for reading or writing, each change in a transaction of its own, two processes at once."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from store.queue import FoundName, Queue
from tests.helpers.queueing import Probe, make_record
from tests.store.queue.leasing import PAIR, submit


def test_reading_needs_no_file_and_no_write_lock(tmp_path: Path, queue: Queue) -> None:
    assert Queue.open_readonly(tmp_path / "absent.db").experiments() == []
    assert not (tmp_path / "absent.db").exists()
    queue.add_experiment(make_record("one", PAIR))
    with queue._change(), Queue.open_readonly(queue.path) as reader:
        assert len(reader.job_states()) == 2
        with pytest.raises(RuntimeError, match="opened for reading"):
            reader.mark_done(["pack-1"])


def test_a_change_by_another_process_is_noticed(queue: Queue) -> None:
    before = queue.data_version()
    queue.add_experiment(make_record("one", PAIR))
    assert queue.data_version() == before, "our own changes are no news"
    with Queue(queue.path) as other:
        other.request_pause(["pack-1"])
    assert queue.data_version() != before


GRAB = """
import sys
from store.queue import Queue, Verdict
queue, mine = Queue(sys.argv[1]), 0
while True:
    claims = queue.ready_jobs("one", 100.0, most=4)
    if not claims:
        break
    for claim in claims:
        if queue.lease(claim.job, 1, "cpu:0", boot_id="b", expires=9.0, now=1.0):
            assert queue.finish(claim.job, 1, Verdict("done", "done"), 2.0) == "done"
            mine += 1
print(mine)
"""


def test_two_processes_never_take_the_same_job(queue: Queue) -> None:
    queue.add_experiment(make_record("one", [Probe(f"train-{number}") for number in range(60)]))
    grabs = [
        subprocess.Popen([sys.executable, "-c", GRAB, str(queue.path)], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    counts = [int(process.communicate(timeout=240)[0]) for process in grabs]
    assert sum(counts) == 60
    assert set(queue.job_states().values()) == {"done"}


PAUSE = """
import sys
from store.queue import Queue
queue, job = Queue(sys.argv[1]), sys.argv[2]
print("open", flush=True)
sys.stdin.readline()
for turn in range(40):
    assert queue.request_pause([job, "shared"])[:1] == [job], turn
    assert job in queue.request_resume([job, "shared"]), turn
print(turn, flush=True)
"""


def test_two_processes_that_read_and_write_at_once_lose_no_change(queue: Queue) -> None:
    """Each change looks before it writes; begun as a reader it would end as `database is locked`."""
    submit(queue, "a", "b", "shared")
    children = [
        subprocess.Popen(
            [sys.executable, "-c", PAUSE, str(queue.path), job],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for job in ("a", "b")
    ]
    for child in children:
        assert child.stdout is not None
        assert child.stdout.readline() == "open\n"
    for child in children:
        assert child.stdin is not None
        child.stdin.write("go\n")
        child.stdin.flush()
    assert [child.communicate(timeout=240) for child in children] == [("39\n", "")] * 2
    assert queue.job_states() == dict.fromkeys(("a", "b", "shared"), "queued")


def test_absent_queue_answers_every_question_with_nothing(tmp_path: Path) -> None:
    reader = Queue.open_readonly(tmp_path / "absent.db")
    assert (reader.data_version(), reader.check_integrity(), reader.waiting(), reader.running()) == (0, [], [], [])
    assert (reader.ready_jobs("one", 1.0), reader.next_wake(1.0), reader.has_work()) == ([], None, False)
    assert (reader.job_states(), reader.jobs_of("one"), reader.job_rows(), reader.attempt_rows()) == ({}, [], [], [])
    assert (reader.experiment_rows(), reader.experiments(), reader.experiment_names()) == ([], [], [])
    assert (reader.notable(None, 3), reader.find_ids("a", 3)) == (([], []), [])
    reader.shrink_log()
    reader.close()


def test_file_whose_maker_has_not_written_the_tables_is_empty(tmp_path: Path) -> None:
    (tmp_path / "queue.db").write_bytes(b"")
    with Queue.open_readonly(tmp_path / "queue.db") as reader:
        assert reader.experiments() == []


def test_readonly_queue_refuses_every_change(queue: Queue) -> None:
    with Queue.open_readonly(queue.path) as reader, pytest.raises(RuntimeError, match="opened for reading"):
        reader.set_priority("one", 3)


def test_reader_counts_as_the_writer_does(queue: Queue) -> None:
    queue.add_experiment(make_record("one", PAIR))
    submit(queue, "x", name="two")
    with Queue.open_readonly(queue.path) as reader:
        assert reader.experiments() == queue.experiments()
        assert reader.experiments("two") == queue.experiments("two") != []


def test_ids_are_found_by_their_beginning_with_and_without_kind(queue: Queue) -> None:
    submit(queue, "train-3f9c", "train-4a", "prune-3f00")
    assert queue.find_ids("prune-3f00", 9)[1:] == [FoundName("job", "prune-3f00", None)]
    assert queue.find_ids("3f", 9) == [FoundName("job", "prune-3f00", None), FoundName("job", "train-3f9c", None)]
    assert queue.find_ids("f9c", 9) == queue.find_ids("rain", 9) == []
    assert queue.find_ids("run-train-4a", 9) == [FoundName("run", "run-train-4a", "one")]
    assert queue.find_ids("train-4a", 9) == [
        FoundName("run", "run-train-4a", "one"),
        FoundName("job", "train-4a", None),
    ]
    assert [found.name for found in queue.find_ids("", 2)] == ["run-prune-3f00", "run-train-3f9c"]
    assert [found.name for found in queue.find_ids("train", 3)] == ["run-train-3f9c", "run-train-4a", "train-3f9c"]
