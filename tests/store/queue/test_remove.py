"""An experiment or a job leaves the queue whole, unless something runs or is wanted."""

from __future__ import annotations

from pathlib import Path

from engine.home.paths import Home
from store.queue import Queue
from tests.helpers.queueing import Probe, faults, make_home, states, submit_probes


def shared(tmp_path: Path) -> Home:
    home = make_home(tmp_path)
    pack = Probe("pack-p", kind="pack")
    submit_probes(home, "one", [pack, Probe("train-1", ("pack-p",))])
    submit_probes(home, "two", [pack])
    return home


def test_an_experiment_leaves_what_others_want(tmp_path: Path) -> None:
    home = shared(tmp_path)
    with Queue(home.queue_db) as queue:
        assert sorted(queue.remove_experiment("one")) == ["pack-p", "train-1"]
        assert queue.experiment_names() == ["two"]
        assert queue.experiment_rows("one") == []
    assert states(home) == {"pack-p": "queued", "train-1": "cancelled"}
    assert faults(home) == []


def test_a_job_that_is_wanted_or_runs_stays(tmp_path: Path) -> None:
    home = shared(tmp_path)
    with Queue(home.queue_db) as queue:
        assert queue.remove_jobs(["pack-p", "train-1", "none"]) == ["pack-p", "train-1"]
        queue.remove_experiment("one")
        assert queue.remove_jobs(["pack-p", "train-1"]) == ["pack-p"]
        assert queue.lease("pack-p", 1, "cpu:0", boot_id="b", expires=9e9, now=1.0)
        queue.remove_experiment("two")
        assert queue.remove_jobs(["pack-p"]) == ["pack-p"], "it runs"
    assert states(home) == {"pack-p": "running"}
    assert faults(home) == []


def test_what_is_unknown_is_no_mistake(tmp_path: Path) -> None:
    home = shared(tmp_path)
    with Queue(home.queue_db) as queue:
        assert queue.remove_experiment("none") == []
        assert queue.remove_jobs([]) == []
