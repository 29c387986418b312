"""Progress in words says no more than is known: of an open search neither its end nor its time."""

from __future__ import annotations

from typing import Any

from engine.inspect.progress_text import progress_line, time_left
from engine.inspect.status import ExperimentView
from engine.schedule.searched import ArmProgress


def view(**more: Any) -> ExperimentView:
    about: dict[str, Any] = {"runs": {}, "jobs": {"done": 1}, "seconds": {}, "listed": ()}
    return ExperimentView("paper", **{**about, **more})


def test_lines_claim_no_time_for_trials_that_are_to_be_asked_for() -> None:
    arms = (ArmProgress("a", 4, 2, 0, 0, 0, ()),)
    about: dict[str, Any] = {"is_searching": True, "searched": arms}
    done = {"jobs": {"done": 2}, "seconds": {"done": 20.0}}
    assert progress_line(view(jobs={}, **about)) == "paper: searching, no trial is asked for yet"
    assert progress_line(view(**done, **about)) == "paper: 2/2 jobs so far, 50%"
    waits: dict[str, Any] = {"jobs": {"queued": 2}, "seconds": {"queued": 20.0}, "waiting_seconds": {"train": 20.0}}
    assert progress_line(view(**waits, **about)) == "paper: 0/2 jobs so far, 0%, over 20s left"
    assert progress_line(view(**waits)) == "paper: 0/2 jobs, 0%, about 20s left"
    assert (time_left(view(**waits)), time_left(view(**waits, **about)), time_left(view(**done))) == (
        "20s",
        "over 20s",
        "",
    )
