"""Submitting: what is written, and that the same submit again changes nothing."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import DataError
from engine.home import Home, open_home, read_json, write_json
from engine.identity import make_id
from engine.load import load_spec
from engine.plan import make_plan
from engine.submit import Submission, submit_plan
from store.queue import Queue

QUICKSTART = Path(__file__).parent.parent / "specs" / "quickstart.yaml"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return open_home(tmp_path / "home", create=True)


def submit(home: Home, *overrides: str) -> Submission:
    return submit_plan(make_plan(load_spec(QUICKSTART, overrides), home), home)


def test_same_submit_again_writes_no_second_record(home: Home) -> None:
    assert (submit(home).number, submit(home).number) == (1, 1)
    assert len(home.records("quickstart")) == 1


def test_job_folder_holds_exactly_what_its_id_is_made_of(home: Home) -> None:
    submit(home)
    for folder in home.jobs():
        settings = read_json(folder.spec)
        assert make_id(settings["kind"], settings) == folder.job


def test_changed_submit_says_what_changed(home: Home) -> None:
    submit(home)
    second = submit(home, "seeds=[0]", "train.weight_decay=0.1")
    assert second.number == 2
    assert "changed: original, default, seed 0" in second.changes
    assert "no longer part: original, default, seed 1" in second.changes
    with Queue.open_readonly(home.queue_db) as queue:
        assert {run.seed for run in queue.experiment_rows("quickstart")} == {0}


def test_done_jobs_are_not_queued_again(home: Home) -> None:
    submit(home)
    pack = next(folder for folder in home.jobs() if folder.job.startswith("pack-"))
    attempt = pack.attempt(1)
    attempt.root.mkdir(parents=True)
    write_json(attempt.result, {"attempt": 1, "seconds": 1.0})
    pack.commit(attempt)
    assert submit(home).done == 1
    with Queue.open_readonly(home.queue_db) as queue:
        assert queue.job_states()[pack.job] == "done"


def test_absent_images_refuse_the_submit_and_write_nothing(home: Home, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="nothing was submitted"):
        submit(home, "data.source=folder", f"data.root={tmp_path}/nowhere")
    assert home.jobs() == []
    assert home.records("quickstart") == []


def test_first_jobs_are_ready_and_the_rest_wait_for_them(home: Home) -> None:
    submit(home)
    with Queue.open_readonly(home.queue_db) as queue:
        states = queue.job_states()
    ready = {job.split("-")[0] for job, state in states.items() if state == "queued"}
    assert ready == {"pack", "measure"}
    assert {state for job, state in states.items() if job.startswith("train")} == {"blocked"}
