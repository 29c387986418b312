"""A wall clock that jumps by an hour while jobs run: nothing is given up, nothing waits an hour."""

from __future__ import annotations

import time

import pytest

from engine.home.paths import Home
from engine.inspect.status import read_status
from store.queue import Queue
from tests.helpers.queueing import Probe, states, submit_probes, told_process, until
from tests.schedule.worker.working import outcomes, working


@pytest.mark.parametrize("jump", [-3600.0, 3600.0])
def test_a_clock_that_jumps_by_an_hour_changes_nothing(
    home: Home, monkeypatch: pytest.MonkeyPatch, jump: float
) -> None:
    """One job waits out a back-off and one runs when the clock jumps; leases, back-off and status take no notice."""
    shift, honest = [0.0], time.time
    monkeypatch.setattr(time, "time", lambda: honest() + shift[0])
    probes = [
        Probe("train-1", does={"do": "crash", "times": 1}),
        Probe("train-2", does={"do": "sleep", "go": str(home.root / "go")}),
    ]
    submit_probes(home, "one", probes)
    began = time.monotonic()
    with working(home, slots=2):
        told_process(home, "train-2")
        until(lambda: outcomes(home)[:1] == ["crashed"])
        shift[0] = jump
        (view,) = read_status(home)
        assert all(job.running_for >= 0.0 for job in view.running)
        assert view.seconds_left < 60.0
        assert all(job.running_for < 600.0 for job in view.running), "since its process began, and not by the clock"
        assert len(view.running) > 0
        until(lambda: states(home)["train-1"] == "done")
        (home.root / "go").touch()
    assert time.monotonic() - began < 600.0, "an hour was waited out"
    (done,) = read_status(home)
    with Queue.open_readonly(home.queue_db) as queue:
        taken, _ = queue.experiments()[0].measured["train"]
    assert 0.0 < taken < 600.0, "what jobs took has no hour in it"
    assert done.seconds_left == 0.0
    assert (outcomes(home), outcomes(home, "train-2")) == (["crashed", "done"], ["done"])
