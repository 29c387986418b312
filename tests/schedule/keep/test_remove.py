"""What is removed is gone everywhere and stays gone; what others use stays; until it is undone."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.collect import collect, rebuild
from engine.errors import XpError
from engine.home.files import write_json
from engine.home.paths import Home
from engine.home.pins import write_pin
from engine.home.records import read_record
from engine.schedule.keep.remove import look, remove, without_arm
from engine.schedule.keep.sweep import sweep
from engine.schedule.keep.trash import finish_removals
from engine.schedule.keep.undo import undo
from engine.schedule.worker import rebuild_queue
from engine.schedule.worker.rebuild import heal_queue
from store.queue import Queue
from store.results import open_snapshot
from tests.helpers.keeping import ONE, put_experiment, put_job
from tests.helpers.queueing import faults, states

BOTH = {"pack-p", "train-a", "targets-t", "train-b", "train-c"}


def names_in(home: Home) -> set[str]:
    with Queue.open_readonly(home.queue_db) as queue:
        return set(queue.experiment_names())


def published(home: Home, table: str) -> set[str]:
    with open_snapshot(home) as snapshot:
        return {row[0] for row in snapshot.execute(f"select {table[:-1]} from {table}").fetchall()}


def test_an_experiment_goes_with_what_only_it_needs(home: Home) -> None:
    collect(home)
    outlook, _ = remove(home, "one")
    assert (outlook.jobs, outlook.stay) == (3, ("pack-p",))
    collect(home)
    assert {folder.job for folder in home.jobs()} == {"pack-p", "train-c", "pack-old", "train-old"}
    assert home.pack("pack-p").exists()
    assert not home.targets("targets-t").exists()
    assert names_in(home) == published(home, "experiments") == {"two"}
    assert states(home).keys() == {"pack-p", "train-c"}
    assert published(home, "jobs") == {"pack-p", "train-c", "pack-old", "train-old"}
    assert faults(home) == []


def test_it_stays_gone_after_rebuilds(home: Home) -> None:
    remove(home, "one")
    rebuild_queue(home)
    rebuild(home)
    with Queue(home.queue_db) as queue:
        heal_queue(home, queue)
    assert names_in(home) == published(home, "experiments") == {"two"}


def test_undo_brings_all_of_it_back(home: Home) -> None:
    before = states(home)
    remove(home, "one")
    undo(home)
    assert names_in(home) == {"one", "two"}
    assert states(home) == before
    assert home.targets("targets-t").exists()
    assert faults(home) == []


def test_an_arm_goes_as_one_more_submission(home: Home) -> None:
    outlook, _ = remove(home, "one/b")
    assert sorted(entry.path for entry in outlook.entries) == [
        "jobs/targets-t", "jobs/train-b", "targets/targets-t",
    ]  # fmt: skip
    record = read_record(home.records("one")[-1])
    assert (record["number"], [run["arm"] for run in record["runs"]]) == (2, ["a"])
    assert record["spec"]["arms"].keys() == {"a"}
    assert states(home).keys() == {"pack-p", "train-a", "train-c"}
    undo(home)
    again = read_record(home.records("one")[-1])
    assert (again["number"], [run["arm"] for run in again["runs"]]) == (3, ["a", "b"])
    assert states(home).keys() == BOTH
    assert home.job("train-b").result.exists()


def test_an_arm_is_not_put_back_over_a_newer_submission(home: Home) -> None:
    remove(home, "one/b")
    put_experiment(home, "one", {"a@0": ["pack-p", "train-a"], "a@1": ["pack-p", "train-a"]},
                   {"pack-p": (), "train-a": ("pack-p",)}, at=9.0)  # fmt: skip
    undone = undo(home)
    assert "submitted again since" in undone.notes[0]
    assert len(home.records("one")) == 3
    assert home.job("train-b").result.exists()


def test_claims_about_an_arm_go_with_it() -> None:
    claims = [{"id": "x", "arm": "b", "against": "a"}, {"id": "y", "arm": "a", "against": "c"}]
    runs = [{"arm": arm, "jobs": {"student": f"train-{arm}"}} for arm in "abc"]
    jobs = [{"job": f"train-{arm}", "needs": ["pack-1"] if arm == "a" else []} for arm in "abc"]
    jobs.append({"job": "pack-1", "needs": []})
    record = {"runs": runs, "jobs": jobs, "claims": claims, "spec": {"claims": claims}, "held": ["train-b", "train-c"],
              "added": [["b", "default", 9], ["c", "default", 9]]}  # fmt: skip
    left = without_arm(record, "b")
    assert [claim["id"] for claim in left["claims"]] == [claim["id"] for claim in left["spec"]["claims"]] == ["y"]
    assert [entry["job"] for entry in left["jobs"]] == ["train-a", "train-c", "pack-1"]
    assert (left["held"], left["added"]) == (["train-c"], [["c", "default", 9]])


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("on", "no experiment 'on'.*did you mean 'one'"),
        ("one/bb", "no arm 'bb'.*did you mean 'b'"),
        ("one/a", "a is the baseline of one"),
        ("two/c", "c is the only arm of two.*xp rm two"),
    ],
)
def test_what_cannot_go_is_told(home: Home, text: str, what: str) -> None:
    with pytest.raises(XpError, match=f"(?s){what}"):
        remove(home, text)
    assert names_in(home) == {"one", "two"}


def test_frozen_numbers_hold_an_experiment(home: Home) -> None:
    write_pin(home, "one", "frozen numbers", Path("/paper/one.frozen.json"), ["run-one-b-0"])
    with pytest.raises(XpError, match=r"frozen numbers in /paper/one.frozen.json rests on one"):
        remove(home, "one")
    assert look(home, "one/b").entries == (), "the runs of the arm are those that are frozen"
    remove(home, "one", pinned=True)
    assert names_in(home) == {"two"}


def test_what_runs_for_it_alone_is_stopped_first(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    put_job(home, "train-run", done=False)
    put_experiment(home, "busy", {"a@0": ["train-run"]}, {"train-run": ()})
    with Queue(home.queue_db) as queue:
        assert queue.lease("train-run", 1, "cpu:0", boot_id="b", expires=9e9, now=1.0)
    assert look(home, "busy").running == ("train-run",)
    monkeypatch.setattr("engine.schedule.orders.PATIENCE", 0.0)
    with pytest.raises(XpError, match="still running"):
        remove(home, "busy")
    assert home.records("busy")
    assert home.job("train-run").root.exists()


def test_a_removal_that_was_cut_off_is_finished_by_the_next(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Killed when the files had gone and the queue did not know it yet."""

    class Killed(BaseException):
        """What no handler catches."""

    def die(*_: object) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Queue, "remove_experiment", die)
        with pytest.raises(Killed):
            remove(home, "one")
    assert names_in(home) == {"one", "two"}
    with Queue(home.queue_db) as queue:
        assert finish_removals(home, queue) == ["one"]
        assert finish_removals(home, queue) == []
    swept = sweep(home)
    assert {entry.path for entry in swept.entries} >= {"jobs/train-a", "jobs/train-b", "targets/targets-t"}
    assert faults(home) == []


def test_a_name_that_is_submitted_anew_is_not_taken_again(home: Home) -> None:
    remove(home, "one")
    for job, needs in ONE.items():
        if not home.job(job).root.exists():
            put_job(home, job, needs)
    put_experiment(home, "one", {"a@0": ["pack-p", "train-a"]}, {"pack-p": (), "train-a": ("pack-p",)}, at=5.0)
    with Queue(home.queue_db) as queue:
        assert finish_removals(home, queue) == []
    undone = undo(home)
    assert str(home.experiment("one")) in undone.left
    assert read_record(home.records("one")[-1])["submitted_at"] == 5.0


def test_an_experiment_without_a_readable_submission_can_go(home: Home) -> None:
    (home.experiment("one") / "1.json").write_text("{}")
    remove(home, "one")
    assert names_in(home) == {"two"}


def test_notes_go_and_come_back_with_it(home: Home) -> None:
    write_json(home.notes("one"), {"tags": ["x"], "note": "y"})
    remove(home, "one")
    undo(home)
    assert json.loads(home.notes("one").read_text())["tags"] == ["x"]
