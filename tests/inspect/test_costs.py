"""Hours by experiment and user: what counts, and that rows add up."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.home.paths import Home
from engine.inspect import costs
from engine.inspect.costs import NOBODY, SHARED, Cost, sum_costs
from store.queue import Queue, Verdict
from tests.helpers.queueing import Probe, make_home, submit_probes

HOUR = 3600.0
OTHER = 12345  # a user's number that nobody here has


def probe(job: str, gpus: float = 1.0, cpus: int = 4) -> Probe:
    return Probe(job, does={"resources": {"gpus": gpus, "cpus": cpus}})


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return make_home(tmp_path)


def run(home: Home, job: str, slot: str, hours: float | None, attempt: int = 1, outcome: str = "done") -> None:
    """An attempt from 0; of one that runs, the hours are None."""
    with Queue(home.queue_db) as queue:
        assert queue.lease(job, attempt, slot, boot_id="boot", expires=60.0, now=0.0)
        if hours is not None:
            state = "done" if outcome == "done" else "queued"
            queue.finish(job, attempt, Verdict(outcome, state), hours * HOUR)


def row(home: Home, name: str) -> Cost:
    return next(one for one in sum_costs(home, 10 * HOUR).experiments if one.name == name)


def test_gpu_hours_are_shares_and_cpu_hours_cores(home: Home) -> None:
    submit_probes(home, "one", [probe("train-1"), probe("train-2", 0.5), probe("train-3", 1.0, cpus=3)])
    run(home, "train-1", "0", 2.0)
    run(home, "train-2", "0@n1/a-0", 3.0)
    run(home, "train-3", "cpu:0@n1/a-1", 1.0)
    told = row(home, "one")
    assert (told.gpu_hours, told.cpu_hours, told.attempts) == (3.5, 3.0, 3)


def test_attempts_that_failed_or_run_count_too(home: Home) -> None:
    submit_probes(home, "one", [probe("train-1"), probe("train-2")])
    run(home, "train-1", "0", 1.0, outcome="lost")
    run(home, "train-1", "0", 2.0, attempt=2)
    run(home, "train-2", "1", None)
    assert row(home, "one").gpu_hours == 13.0


def test_what_several_need_stands_apart(home: Home) -> None:
    submit_probes(home, "one", [probe("train-1"), probe("train-2")])
    submit_probes(home, "two", [probe("train-1")])
    run(home, "train-1", "0", 4.0)
    run(home, "train-2", "0", 1.0)
    found = {one.name: (one.gpu_hours, one.shared_gpu_hours) for one in sum_costs(home).experiments}
    assert found == {"one": (1.0, 4.0), "two": (0.0, 4.0), SHARED: (4.0, 0.0)}


def test_users_are_who_own_the_submissions(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(costs, "user_name", lambda uid: "ada" if uid == os.getuid() else "bo")
    submit_probes(home, "one", [probe("train-1"), probe("train-2")])
    submit_probes(home, "two", [probe("train-2"), probe("train-3")])
    stat = Path.stat
    second = home.records("two")[-1]

    class Owned:
        st_uid = OTHER

    monkeypatch.setattr(Path, "stat", lambda path, **more: Owned() if path == second else stat(path, **more))
    for number, hours in ((1, 1.0), (2, 2.0), (3, 4.0)):
        run(home, f"train-{number}", "0", hours)
    found = sum_costs(home)
    assert {one.name: one.gpu_hours for one in found.users} == {"ada": 1.0, "bo": 4.0, SHARED: 2.0}
    assert sum(one.gpu_hours for one in found.users) == sum(one.gpu_hours for one in found.experiments) == 7.0


def test_a_job_of_no_experiment_is_nobodys(home: Home) -> None:
    submit_probes(home, "one", [probe("train-1")])
    run(home, "train-1", "0", 1.0)
    home.records("one")[-1].unlink()
    assert [(one.name, one.gpu_hours) for one in sum_costs(home).experiments] == [(NOBODY, 1.0)]


def test_a_home_without_attempts_costs_nothing(home: Home) -> None:
    submit_probes(home, "one", [probe("train-1")])
    assert sum_costs(home).as_json() == {"experiments": [], "users": []}
