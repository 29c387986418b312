"""Submissions that grow: what is added, what stays, who is asked; orders to stop and to go on."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.errors import XpError
from engine.home.paths import Home, open_home
from engine.home.records import read_record, record_problem
from engine.schedule.growing import (
    DUE,
    WORD,
    add_runs,
    extend_search,
    grow_record,
    is_due,
    mark_search,
    open_searches,
    stop_search,
)
from store.queue import Queue
from tests.helpers.queueing import Probe, make_record, submit_probes
from tests.search.objective import make_spec, submit_study


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return open_home(tmp_path / "home", create=True)


def newest(home: Home) -> dict[str, Any]:
    return read_record(home.records("study")[-1])


def test_a_submitted_search_is_open_and_due(home: Home) -> None:
    submit_study(home, make_spec())
    assert open_searches(home) == ["study"]
    assert is_due(home, "study")
    mark_search(home, "study", None)
    assert open_searches(home) == []
    assert not is_due(home, "study")


def test_what_is_added_brings_what_it_needs_and_replaces_its_place() -> None:
    old = make_record("one", [Probe("train-1", ("pack-1",)), Probe("pack-1")])
    new = make_record("one", [Probe("train-2", ("pack-1",)), Probe("pack-1")])
    run = {**new["runs"][0], "seed": 7}
    grown = add_runs(old, [run], new["jobs"])
    assert [entry["job"] for entry in grown["jobs"]] == ["train-2", "pack-1", "train-1"]
    again = add_runs(grown, [{**run, "jobs": {"role0": "pack-1"}}], new["jobs"])
    assert [one["run"] for one in again["runs"]] == ["run-train-1", "run-pack-1", "run-train-2"]
    assert [entry["job"] for entry in again["jobs"]] == ["pack-1", "train-1"], "nobody needs the other any more"


def test_a_grown_record_is_sealed_and_queued_and_a_failed_job_stays_failed(home: Home) -> None:
    submit_probes(home, "study", [Probe("train-1")])
    more = make_record("study", [Probe("train-2")])
    with Queue(home.queue_db) as queue:
        queue.request_cancel(["train-1"])
    run = {**more["runs"][0], "seed": 9}
    grown = grow_record(home, "study", 1, lambda record: {**add_runs(record, [run], more["jobs"]), "number": 1})
    assert grown is not None
    assert record_problem(home.records("study")[-1], newest(home)) is None
    with Queue(home.queue_db) as queue:
        assert queue.job_states() == {"train-1": "cancelled", "train-2": "queued"}
        assert {row.experiment for row in queue.experiments()} == {"study"}


def test_what_was_submitted_anew_is_not_changed(home: Home) -> None:
    submit_probes(home, "study", [Probe("train-1")])
    submit_probes(home, "study", [Probe("train-2")])
    before = newest(home)
    assert grow_record(home, "study", 1, lambda record: {**record, "title": "other"}) is None
    assert newest(home) == before


def test_stopped_and_extended(home: Home) -> None:
    submit_study(home, make_spec(trials=5))
    mark_search(home, "study", None)
    stop_search(home, "study")
    assert newest(home)[WORD]["stopped"]
    assert home.search_mark("study").read_text() == DUE
    extend_search(home, "study", 8)
    assert (newest(home)[WORD]["stopped"], newest(home)[WORD]["asked"]) == (False, 8)
    with pytest.raises(XpError, match="8 trials of each arm"):
        extend_search(home, "study", 7)
    submit_study(home, make_spec(trials=5))
    assert newest(home)[WORD]["asked"] == 8, "submitted again it stays extended"


def test_orders_about_what_is_no_search_say_so(home: Home) -> None:
    submit_probes(home, "study", [Probe("train-1")])
    with pytest.raises(XpError, match="searches nothing"):
        stop_search(home, "study")
    with pytest.raises(XpError, match="no experiment 'studi'"):
        stop_search(home, "studi")
