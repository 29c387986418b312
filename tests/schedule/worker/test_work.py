"""The scheduler at work: order, outcomes, budgets, slots, and the way it comes and goes."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engine.home.paths import Home
from engine.schedule.worker import run_worker
from store.queue import Queue
from tests.helpers.queueing import Probe, states, submit_probes
from tests.schedule.worker.working import outcomes, reason, work


def test_jobs_run_after_what_they_need_and_each_once(home: Home) -> None:
    submit_probes(
        home, "one", [Probe("pack-1"), Probe("train-1", ("pack-1",)), Probe("train-2", ("pack-1",), cost=9.0)]
    )
    collected: list[Home] = []
    assert work(home, collect=collected.append) == 0
    assert set(states(home).values()) == {"done"}
    with Queue.open_readonly(home.queue_db) as queue:
        rows = sorted(queue.attempt_rows(), key=lambda row: row.started_at)
        assert [row.job for row in rows] == ["pack-1", "train-2", "train-1"]
        assert {run.state for run in queue.experiment_rows("one")} == {"done"}
    outcome = json.loads(home.job("pack-1").attempt(1).outcome.read_text())
    assert (outcome["outcome"], outcome["exit"], outcome["slot"]) == ("done", 0, "cpu:0")
    assert collected[-1] is home
    assert not home.scheduler_file.exists()


def test_a_collector_that_fails_stops_no_job(home: Home) -> None:
    def broken(_: Home) -> None:
        raise OSError("locked")

    submit_probes(home, "one", [Probe("train-1")])
    assert work(home, collect=broken) == 0
    assert states(home) == {"train-1": "done"}


def test_a_crashing_job_is_tried_again_and_then_failed_with_its_last_line(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.schedule.policy.FIRST_WAIT", 0.05)
    probes = [
        Probe("train-1", does={"do": "crash"}),
        Probe("measure-1", ("train-1",)),
        Probe("train-2", does={"do": "crash", "times": 1}),
    ]
    submit_probes(home, "one", probes)
    assert work(home) == 0
    assert states(home) == {"train-1": "failed", "measure-1": "blocked", "train-2": "done"}
    assert outcomes(home) == ["crashed"] * 3
    assert "the probe was told to crash" in reason(home)
    with Queue.open_readonly(home.queue_db) as queue:
        found = {run.run: run.state for run in queue.experiment_rows("one")}
    assert found == {"run-train-1": "failed", "run-measure-1": "failed", "run-train-2": "done"}


@pytest.mark.parametrize(("status", "expected"), [(85, "preempted"), (86, "oom"), (87, "nan"), (88, "crashed")])
def test_every_exit_status_has_its_outcome(
    home: Home, status: int, expected: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.schedule.policy.FIRST_WAIT", 0.01)
    submit_probes(home, "one", [Probe("train-1", does={"do": "exit", "exit": status})])
    assert work(home) == 0
    assert set(outcomes(home)) == {expected}
    assert states(home) == {"train-1": "failed"}


def test_a_result_on_disk_counts_whatever_the_queue_says(home: Home) -> None:
    submit_probes(home, "one", [Probe("train-1"), Probe("train-2", ("train-1",))])
    home.job("train-1").result.write_text('{"attempt": 1}')
    assert work(home) == 0
    assert states(home) == {"train-1": "done", "train-2": "done"}
    assert outcomes(home) == []


def test_a_job_without_its_folder_fails_with_the_reason(home: Home) -> None:
    submit_probes(home, "one", [Probe("train-1")])
    home.job("train-1").spec.unlink()
    assert work(home) == 0
    assert "its folder is gone" in reason(home)


def test_a_measure_job_runs_beside_nothing(home: Home) -> None:
    probes = [Probe(f"train-{number}", does={"do": "sleep", "seconds": 0.15}, cost=9.0) for number in range(3)]
    submit_probes(home, "one", [*probes, Probe("measure-1", kind="measure", does={"do": "sleep", "seconds": 0.1})])
    assert work(home, slots=2) == 0
    with Queue.open_readonly(home.queue_db) as queue:
        rows = {row.job: (row.started_at, row.ended_at or 0.0) for row in queue.attempt_rows()}
    begin, end = rows.pop("measure-1")
    assert all(other_end <= begin or other_begin >= end for other_begin, other_end in rows.values())
    assert rows["train-0"][0] < rows["train-1"][1], "the others did run two at a time"


def test_an_idle_scheduler_looks_once_more_before_it_leaves(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    submit_probes(home, "one", [Probe("train-1")])
    serve = run_worker.__globals__["_serve"]
    rounds: list[int] = []

    def serve_and_be_late(*words: Any) -> None:
        serve(*words)
        if not rounds:
            submit_probes(home, "two", [Probe("train-2")])
        rounds.append(1)

    monkeypatch.setitem(run_worker.__globals__, "_serve", serve_and_be_late)
    assert work(home) == 0
    assert states(home) == {"train-1": "done", "train-2": "done"}
    assert len(rounds) == 2
