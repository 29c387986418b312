"""The runs of one experiment as they stand: states, progress of what is paused, last validation, time left."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest

from engine.home.files import write_json
from engine.home.paths import Home
from engine.inspect import run_views
from engine.inspect.run_views import RunView, by_attention, last_value, network_of, read_runs
from store.journal import JournalWriter
from store.queue import Queue, Verdict
from tests.helpers.queueing import make_home

STATES = ("done", "running", "failed", "paused", "queued")


def submit(home: Home) -> None:
    """An arm with a run of each state, each of a student of 10 s and its measure of 10 s, and a pack of nothing."""
    runs = [
        {"run": f"run-{seed}", "arm": "a", "cell": "default", "seed": seed,
         "jobs": {"pack": "pack-0", "student": f"train-{state}", "measure": f"measure-{state}"}}
        for seed, state in enumerate(STATES)
    ]  # fmt: skip
    jobs = [{"job": "pack-0", "kind": "pack", "cost": 0.0, "needs": []}]
    for state in STATES:
        jobs.append({"job": f"train-{state}", "kind": "train", "cost": 10.0, "needs": ["pack-0"]})
        jobs.append({"job": f"measure-{state}", "kind": "measure", "cost": 10.0, "needs": [f"train-{state}"]})
    record: dict[str, Any] = {
        "name": "one",
        "title": "one",
        "submitted_at": 1.0,
        "priority": 0,
        "runs": runs,
        "jobs": jobs,
    }
    with Queue(home.queue_db) as queue:
        queue.add_experiment(record, {"pack-0", "train-done", "measure-done"})
        for state in ("running", "failed", "paused"):
            assert queue.lease(f"train-{state}", 1, "cpu:0", boot_id="b", expires=9.0, now=time.time() - 4.0)
        queue.finish("train-failed", 1, Verdict("crashed", "failed", "no such file"), time.time())
        queue.finish("train-paused", 1, Verdict("preempted", "queued"), time.time())
        queue.request_pause(["train-paused"])


def log(home: Home, job: str, *values: float, attempt: int = 1, step: int = 19) -> None:
    folder = home.job(job).attempt(attempt)
    folder.root.mkdir(parents=True)
    write_json(folder.heartbeat, {"phase": "train", "step": step, "steps": 38, "epoch": 1, "epochs": 4})
    with JournalWriter(folder.journal) as journal:
        for epoch, value in enumerate(values):
            journal.metric("val_top1", value, step=epoch, epoch=epoch)
            journal.metric("val_loss", 9.0, step=epoch, epoch=epoch)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    home = make_home(tmp_path)
    submit(home)
    log(home, "train-running", 0.25, 0.5)
    log(home, "train-paused", 0.75)
    return home


@pytest.fixture
def views(home: Home) -> dict[str, RunView]:
    return {view.state: view for view in read_runs(home, "one")}


def test_each_run_has_its_state_in_the_order_of_the_experiment(home: Home) -> None:
    assert [view.state for view in read_runs(home, "one")] == list(STATES)
    assert [view.run for view in read_runs(home, "one", ["run-2"])] == ["run-2"]


def test_progress_counts_what_was_begun_and_is_paused(views: dict[str, RunView]) -> None:
    shares = {state: view.share for state, view in views.items()}
    half = 0.95 * 0.5 / 2
    assert shares == pytest.approx({"done": 1.0, "running": half, "failed": 0.0, "paused": half, "queued": 0.0})


def test_the_last_validation_is_told_of_what_is_at_work_or_paused(views: dict[str, RunView]) -> None:
    assert (views["running"].value, views["paused"].value, views["queued"].value) == (0.5, 0.75, None)


def test_the_job_that_makes_the_state_is_named(views: dict[str, RunView]) -> None:
    jobs = {state: view.job.job if view.job else None for state, view in views.items()}
    assert jobs == {
        "done": None, "running": "train-running", "failed": "train-failed", "paused": "train-paused",
        "queued": "train-queued",
    }  # fmt: skip
    failed = views["failed"].job
    assert failed is not None
    assert failed.reason == "no such file"


def test_time_left_is_of_what_runs_alone(views: dict[str, RunView]) -> None:
    assert views["running"].seconds_left == pytest.approx(10.0 + 4.0 * (1 / 0.475 - 1), abs=2.0)
    assert [views[state].seconds_left for state in ("paused", "queued", "failed", "done")] == [None] * 4


def test_published_figures_are_told_of_what_is_done(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run_views, "_published", lambda *_: {"run-0": 0.9})
    assert read_runs(home, "one")[0].value == 0.9


def test_an_attempt_that_logged_nothing_yet_leaves_the_word_to_the_one_before(home: Home) -> None:
    home.job("train-running").attempt(2).root.mkdir()
    assert last_value(home, "train-running") == 0.5
    assert last_value(home, "train-running", "no_such") is None
    assert last_value(home, "train-none") is None


def test_failed_and_running_runs_come_first(home: Home) -> None:
    assert [view.state for view in by_attention(read_runs(home, "one"))] == [
        "failed",
        "running",
        "paused",
        "queued",
        "done",
    ]


def test_the_network_of_a_run_is_that_of_its_last_role() -> None:
    assert network_of({"pack": "p", "student": "s", "prune": "r"}) == "r"
    assert network_of({"pack": "p"}) is None


def test_a_run_is_whole_in_json(views: dict[str, RunView]) -> None:
    told = views["paused"].as_json()
    assert told == {
        "run": "run-3", "arm": "a", "cell": "default", "seed": 3, "state": "paused", "share": 0.2375, "val_top1": 0.75,
        "seconds_left": None, "job": "train-paused", "slot": "",
    }  # fmt: skip
