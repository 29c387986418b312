"""Logs: the newest attempt's lines, headings where there are several jobs, and each line once while following."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from engine.home.paths import Home
from engine.inspect.logs import follow_logs, read_logs, tail_log
from store.queue import Queue, Verdict
from tests.helpers.queueing import Probe, make_home, submit_probes


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = make_home(tmp_path)
    submit_probes(home, "one", [Probe("train-1"), Probe("train-2")])
    return home


def write_log(home: Home, attempt: int, text: bytes, job: str = "train-1") -> None:
    folder = home.job(job).attempt(attempt)
    folder.root.mkdir(parents=True, exist_ok=True)
    with open(folder.log, "ab") as handle:
        handle.write(text)


def test_the_newest_attempt_is_read_ten_after_nine(home: Home) -> None:
    for attempt in (1, 9, 10):
        write_log(home, attempt, f"of {attempt}\nsecond\n".encode())
    assert list(read_logs(home, ["train-1"])) == ["of 10", "second"]


def test_several_jobs_have_headings(home: Home) -> None:
    write_log(home, 2, b"a line\n")
    assert list(read_logs(home, ["train-1", "train-2"])) == [
        "== train-1, role0 of one/arm/cell@0, attempt 2", "a line", "== train-2, role0 of one/arm/cell@1: not started",
    ]  # fmt: skip
    assert list(read_logs(home, ["train-2"])) == []


def test_an_attempt_without_log_and_odd_bytes_do_no_harm(home: Home) -> None:
    home.job("train-2").attempt(1).root.mkdir(parents=True)
    write_log(home, 1, b"\xff\n")
    heads = [f"== train-{number}, role0 of one/arm/cell@{number - 1}, attempt 1" for number in (1, 2)]
    assert list(read_logs(home, ["train-1", "train-2"])) == [heads[0], "�", heads[1]]


def test_following_gives_each_line_once_until_the_job_ends(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look at the clock writes on; half a line waits for its other half, a new attempt begins anew."""
    steps: Iterator[Callable[[], None]] = iter([
        lambda: write_log(home, 1, b"half"),
        lambda: write_log(home, 1, b" whole\nmore\n"), lambda: write_log(home, 1, b"third\n"),
        lambda: write_log(home, 2, b"again\n"),
        lambda: finish(home),
    ])  # fmt: skip
    monkeypatch.setattr("engine.inspect.logs.time.sleep", lambda _: next(steps)())
    assert list(follow_logs(home, ["train-1"])) == ["half whole", "more", "third", "again", "last"]


def finish(home: Home) -> None:
    write_log(home, 2, b"last\n")
    with Queue(home.queue_db) as queue:
        queue.lease("train-1", 1, "cpu:0", boot_id="boot", expires=60.0, now=1.0)
        queue.finish("train-1", 1, Verdict("done", "done"), 2.0)


def test_following_several_jobs_names_each_line(home: Home) -> None:
    write_log(home, 1, b"one\n")
    write_log(home, 1, b"two\n", "train-2")
    with Queue(home.queue_db) as queue:
        queue.request_cancel(experiment="one")
    assert list(follow_logs(home, ["train-1", "train-2"])) == [
        "train-1, role0 of one/arm/cell@0: one", "train-2, role0 of one/arm/cell@1: two",
    ]  # fmt: skip


def test_following_ends_only_when_none_runs(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    looks: list[float] = []

    def sleep(seconds: float) -> None:
        looks.append(seconds)
        with Queue(home.queue_db) as queue:
            if len(looks) == 1:
                queue.lease("train-1", 1, "cpu:0", boot_id="boot", expires=60.0, now=1.0)
            else:
                queue.finish("train-1", 1, Verdict("crashed", "failed"), 2.0)

    monkeypatch.setattr("engine.inspect.logs.time.sleep", sleep)
    assert list(follow_logs(home, ["train-1"])) == []
    assert looks == [0.3, 0.3], "queued, then running"


def test_a_log_larger_than_what_is_held_is_read_in_parts(home: Home) -> None:
    """64 MB in one line and a last one: neither reader ever holds more than a few parts."""
    write_log(home, 1, b"")
    log = home.job("train-1").attempt(1).log
    with open(log, "r+b") as handle:
        handle.truncate(64 << 20)
        handle.seek(0, 2)
        handle.write(b"\nlast\n")
    with Queue(home.queue_db) as queue:
        queue.request_cancel(experiment="one")
    for read in (read_logs, follow_logs):
        tracemalloc.start()
        sizes = [len(line) for line in read(home, ["train-1"])]
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert sum(sizes) == (64 << 20) + len("last")
        assert peak < 16 << 20


def test_a_tail_is_the_end_of_the_newest_attempt(tmp_path: Path) -> None:
    home = make_home(tmp_path)
    assert tail_log(home, "train-1", 3) == (), "it has not begun"
    for number in (1, 2):
        folder = home.job("train-1").attempt(number)
        folder.root.mkdir(parents=True)
        folder.log.write_text("".join(f"line {number}.{line}\n" for line in range(2000)))
    assert tail_log(home, "train-1", 2) == ("line 2.1998", "line 2.1999")
