"""A run, its jobs and their attempts."""

from __future__ import annotations

import pytest

from engine.home.files import write_json
from engine.home.paths import Home, open_home
from engine.serve.run_parts import gpus_of, read_jobs, read_run, state_of
from engine.serve.site import Site
from store.queue import Queue
from tests.helpers.queueing import Probe, make_record


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """A queue alone, in which a job was lost once and runs again."""
    made = open_home(tmp_path_factory.mktemp("parts"), create=True)
    record = make_record("one", [Probe("train-1")])
    made.experiment("one").mkdir(parents=True)
    write_json(made.experiment("one") / "1.json", record)
    with Queue(made.queue_db) as queue:
        queue.add_experiment(record)
    return made


def test_a_run_without_results_comes_from_its_record(home: Home) -> None:
    about = read_run(home, None, "run-train-1")
    assert (about.experiment, about.seed, list(about.jobs.values())) == ("one", 0, ["train-1"])
    (job,) = read_jobs(home, about, None)
    assert (job.state, job.attempts, job.progress) == ("queued", (), "")
    assert state_of([job]) == "queued"


def test_jobs_come_in_the_order_they_are_needed(done_home: Home) -> None:
    with Site(done_home).snapshot() as snapshot:
        assert snapshot is not None
        run = snapshot.db.execute("select min(run) from runs where arm = 'proposed_pruned'").fetchall()[0][0]
        about = read_run(done_home, snapshot, run)
        jobs = read_jobs(done_home, about, snapshot)
    assert [job.role for job in jobs] == ["pack", "student", "prune", "measure", "explain"]
    assert about.chain == (about.jobs["student"], about.jobs["prune"])
    assert [len(job.attempts) for job in jobs] == [1] * 5
    assert all(0 <= one.begin <= 1000 and one.begin + one.width <= 1003 for job in jobs for one in job.attempts)
    assert state_of(jobs) == "done"


def test_gpus_are_those_that_a_job_was_given(home: Home) -> None:
    folder = home.job("train-1")
    folder.root.mkdir(parents=True, exist_ok=True)
    assert gpus_of(home, "train-1", "cpu") == gpus_of(home, "train-1", None) == 0
    assert gpus_of(home, "train-1", "NVIDIA H100") == 1
    write_json(folder.details, {"resources": {"gpus": 0.5}})
    assert gpus_of(home, "train-1", "NVIDIA H100") == 0.5
