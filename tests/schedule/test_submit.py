"""Submitting: what is written, and that the same submit again changes nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.errors import DataError
from engine.home.control_files import read_details
from engine.home.files import read_json, write_json, write_together
from engine.home.paths import Home, open_home
from engine.load import load_spec
from engine.plan import make_plan
from engine.schedule.submit import RECORD_VERSION, Submission, submit_plan
from engine.spec.identity import make_id
from store.queue import Queue

QUICKSTART = Path(__file__).parents[2] / "specs" / "quickstart.yaml"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return open_home(tmp_path / "home", create=True)


def submit(home: Home, *overrides: str) -> Submission:
    return submit_plan(make_plan(load_spec(QUICKSTART, overrides), home), home)


def test_same_submit_again_writes_no_second_record(home: Home) -> None:
    assert (submit(home).number, submit(home).number) == (1, 1)
    assert len(home.records("quickstart")) == 1


def test_a_submit_says_what_is_most_likely_not_meant(home: Home) -> None:
    assert submit(home).warnings == ()
    told = submit(home, "data.image_size=64", "data.short_side=32", "train.batch_size=1500").warnings
    assert ["images are packed at 32 px" in told[0], "1500 is more than the" in told[1]] == [True, True]


def test_job_folder_holds_exactly_what_its_id_is_made_of(home: Home) -> None:
    submit(home)
    for folder in home.jobs():
        settings = read_json(folder.spec)
        assert make_id(settings["kind"], settings) == folder.job


def test_a_job_folder_says_how_it_is_done(home: Home) -> None:
    plan = make_plan(load_spec(QUICKSTART, ("data.workers=1",)), home)
    submit_plan(plan, home)
    assert {job.key: read_details(home.job(job.key)) for job in plan.jobs} == {
        job.key: job.details.model_dump(mode="json") for job in plan.jobs
    }
    assert any(job.details.workers == 1 for job in plan.jobs if job.kind == "train")


@pytest.fixture
def written(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The files of jobs that are written from here on."""
    paths: list[str] = []

    def write(files: dict[Path, str]) -> None:
        paths.extend(f"{path.parent.name.split('-')[0]}/{path.name}" for path in files)
        write_together(files)

    monkeypatch.setattr("engine.schedule.submit.write_together", write)
    return paths


def test_only_what_a_newer_submission_changes_is_written(home: Home, written: list[str]) -> None:
    submit(home)
    assert {path.split("/")[1] for path in written} == {"spec.json", "details.json"}
    written.clear()
    submit(home)
    assert written == []
    submit(home, "data.workers=1")
    assert "train/details.json" in written
    assert "pack/details.json" not in written, "a pack has no workers"
    assert not [path for path in written if path.endswith("spec.json")]
    details = [read_details(folder) for folder in home.jobs() if folder.job.startswith("train-")]
    assert {told["workers"] for told in details} == {1}


def test_a_lent_job_stays_as_its_own_home_has_it(home: Home, tmp_path: Path) -> None:
    submit(home)
    lender = next(folder for folder in home.jobs() if folder.job.startswith("train-"))
    borrower = open_home(tmp_path / "other", create=True)
    borrower.job(lender.job).root.symlink_to(lender.root, target_is_directory=True)
    submit(borrower, "data.workers=1")
    assert read_details(lender)["workers"] != 1


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


# The record -----------------------------------------------------------------------------------------------------------


def record_of(home: Home, number: int = -1) -> dict[str, Any]:
    record: dict[str, Any] = read_json(home.records("quickstart")[number])
    return record


def test_the_record_says_what_was_asked_and_what_it_takes(home: Home) -> None:
    plan = make_plan(load_spec(QUICKSTART), home)
    done = submit_plan(plan, home, priority=3)
    record = record_of(home)
    assert (done.name, done.number, done.new, done.done, done.changes) == ("quickstart", 1, len(plan.jobs), 0, ())
    assert (record["name"], record["title"], record["baseline"]) == ("quickstart", plan.spec.title, "original")
    assert (record["priority"], record["version"]) == (3, RECORD_VERSION)
    assert record["spec"] == plan.spec.model_dump(mode="json", exclude_unset=True)
    assert [claim["id"] for claim in record["claims"]] == ["sparse_keeps_up"]
    for row, run in zip(record["runs"], plan.runs, strict=True):
        assert (row["run"], row["arm"], row["cell"], row["seed"]) == (run.run, run.arm, run.cell, run.seed)
        assert (row["split"], row["jobs"], row["settings"]["data"]["split"]) == (run.split, dict(run.jobs), run.split)
    for told, job in zip(record["jobs"], plan.jobs, strict=True):
        assert (told["job"], told["kind"], told["images"]) == (job.key, job.kind, job.images)
        assert sorted(told["needs"]) == told["needs"] == sorted(job.needs.values())
        assert told["details"] == job.details.model_dump(mode="json")


def test_a_chain_is_as_long_as_what_waits_for_it(home: Home) -> None:
    """Own seconds, and those of the longest chain of jobs after it."""
    submit(home)
    rows = {row["job"]: row for row in record_of(home)["jobs"]}
    for row in rows.values():
        users = [other["chain"] for other in rows.values() if row["job"] in other["needs"]]
        assert row["chain"] == pytest.approx(row["cost"] + max(users, default=0.0))
    assert any(row["chain"] > row["cost"] for row in rows.values())


def test_an_experiment_without_title_bears_its_name(home: Home) -> None:
    submit(home, "title=")
    assert record_of(home)["title"] == "quickstart"


def test_a_priority_stays_until_another_is_given(home: Home) -> None:
    spec = load_spec(QUICKSTART)
    numbers = [submit_plan(make_plan(spec, home), home, priority).number for priority in (5, None, 0, None)]
    assert numbers == [1, 1, 2, 2]
    assert [record_of(home, place)["priority"] for place in (0, 1)] == [5, 0]
    assert submit(home, "seeds=[0]").number == 3
    assert record_of(home)["priority"] == 0
    submit_plan(make_plan(spec, home), home, 7)
    submit(home, "seeds=[1]")
    assert record_of(home)["priority"] == 7


def test_new_runs_are_told_before_changed_ones_and_lost_ones_last(home: Home) -> None:
    submit(home, "seeds=[0, 1]")
    changes = submit(home, "seeds=[1, 2]", "train.weight_decay=0.1").changes
    assert [change for change in changes if "original" in change] == [
        "new: original, default, seed 2",
        "changed: original, default, seed 1",
        "no longer part: original, default, seed 0",
    ]
    words = [change.split(":")[0] for change in changes]
    assert words == sorted(words, key=["new", "changed", "no longer part"].index)


def test_what_another_submission_measured_is_no_change(home: Home) -> None:
    submit(home)
    pack = next(folder for folder in home.jobs() if folder.job.startswith("pack-"))
    attempt = pack.attempt(1)
    attempt.root.mkdir(parents=True)
    write_json(attempt.result, {"attempt": 1, "seconds": 900.0})
    pack.commit(attempt)
    again = submit(home)
    assert (again.number, again.done, again.new) == (1, 1, len(record_of(home)["jobs"]) - 1)


def test_another_title_is_another_record_of_the_same_runs(home: Home) -> None:
    submit(home)
    second = submit(home, "title=another")
    assert (second.number, second.changes) == (2, ())
    assert record_of(home)["title"] == "another"


def test_a_refusal_names_what_is_missing_and_its_repair(home: Home, tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        submit(home, "data.source=folder", f"data.root={tmp_path}/nowhere")
    assert f"{tmp_path}/nowhere" in caught.value.what
    assert "\n" not in caught.value.what
    assert caught.value.fix != "bring it here, or change the spec"
    with pytest.raises(DataError) as caught:
        submit(home, f"student.weights={tmp_path}/gone.safetensors")
    assert caught.value.what == f"nothing was submitted: there is no weights file {tmp_path}/gone.safetensors"
    assert caught.value.fix == "bring it here, or change the spec"


def test_a_job_that_is_there_is_not_written_again(home: Home) -> None:
    submit(home)
    spec = home.jobs()[0].spec
    spec.write_text(spec.read_text() + "\n")
    submit(home)
    assert spec.read_text().endswith("\n\n")
