"""Work within bounds: what it gives, what it raises, what is left of it when its time is over."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable

import pytest

from store.results import bounds
from store.results.bounds import QueryTooLong, StillEnding, run_bounded


def nothing() -> None:
    pass


def test_what_work_gives_or_raises_is_handed_on() -> None:
    assert run_bounded(lambda: 7, nothing, 60.0) == 7
    with pytest.raises(ZeroDivisionError):
        run_bounded(lambda: 1 // 0, nothing, 60.0)


def test_work_that_heeds_the_interrupt_says_so_itself() -> None:
    asked = threading.Event()

    def work() -> int:
        asked.wait()
        raise InterruptedError

    with pytest.raises(InterruptedError):
        run_bounded(work, asked.set, 0.01)


def test_work_that_heeds_nothing_is_left_and_keeps_others_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bounds, "LEAST_GRACE", 0.01)
    hidden: list[Callable[[], None]] = []
    monkeypatch.setattr("atexit.register", hidden.append)
    end, asked = threading.Event(), threading.Event()
    with pytest.raises(QueryTooLong):
        run_bounded(end.wait, asked.set, 0.01)
    assert asked.is_set()
    assert hidden == [bounds._end_quietly]
    with pytest.raises(StillEnding):
        run_bounded(lambda: 1, nothing, 0.01)
    threading.Timer(0.05, end.set).start()
    assert run_bounded(lambda: 1, nothing, 60.0) == 1, "the next one waits for its end"


def test_a_process_that_leaves_a_query_ends_without_noise() -> None:
    code = (
        "import duckdb\nfrom store.results.bounds import *\ndb = duckdb.connect()\n"
        "ask = lambda: db.execute(\"select length(lpad('x', 2000000000, 'y'))\").fetchall()\n"
        "try:\n    run_bounded(ask, db.interrupt, 0.1)\nexcept QueryTooLong:\n    raise SystemExit(2)\n"
    )
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, env={**os.environ, "PYTHONPATH": "."}
    )
    assert (answer.returncode, answer.stdout, answer.stderr) == (2, "", "")
