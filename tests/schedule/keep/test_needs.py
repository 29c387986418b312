"""What something rests on is needed, however far away it is; what nothing rests on is not."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine.errors import HomeError
from engine.home.files import write_json
from engine.home.paths import Home
from engine.home.pins import write_pin
from engine.launch.process import boot_id, host_name, see_process
from engine.schedule.keep.needs import find_needs, may_live
from store.queue import Queue
from tests.helpers.keeping import ONE, put_experiment, put_job

SHA = "ab" * 32


def test_newest_submissions_need_their_jobs(home: Home) -> None:
    assert find_needs(home) == {
        "pack-p": "one", "train-a": "one", "targets-t": "one", "train-b": "one", "train-c": "two",
    }  # fmt: skip


def test_earlier_submissions_need_theirs_if_asked(home: Home) -> None:
    put_experiment(home, "one", {"a@0": ["pack-p", "train-a"]}, {"pack-p": (), "train-a": ("pack-p",)}, at=3.0)
    assert "train-b" not in find_needs(home)
    assert find_needs(home, with_history=True)["train-b"] == "one"


def test_what_would_go_is_left_out(home: Home) -> None:
    assert find_needs(home, {"one": None}) == {"pack-p": "two", "train-c": "two"}


def test_needs_of_needs_are_needed(home: Home) -> None:
    put_job(home, "train-new", ["train-old"])
    put_experiment(home, "three", {"a@0": ["train-new"]}, {"train-new": ()})
    assert find_needs(home).keys() >= {"train-new", "train-old", "pack-old"}


def test_weights_that_another_began_with_are_needed(home: Home) -> None:
    write_json(home.job("train-old").result, {"attempt": 1, "weights_sha256": SHA})
    assert "train-old" not in find_needs(home)
    put_job(home, "train-new", weights=f"sha256:{SHA}")
    put_experiment(home, "three", {"a@0": ["train-new"]}, {"train-new": ()})
    assert "made from its weights" in find_needs(home)["train-old"]
    assert find_needs(home)["pack-old"]


def test_a_network_that_details_name_is_needed(home: Home) -> None:
    path = home.job("train-old").attempt(1).artifacts / "weights.safetensors"
    write_json(home.job("train-c").details, {"weights": str(path)})
    assert find_needs(home)["train-old"] == "two"


def test_pinned_runs_keep_their_jobs(home: Home, tmp_path: Path) -> None:
    write_pin(home, "one", "frozen numbers", tmp_path / "one.frozen.json", ["run-one-b-0"])
    put_experiment(home, "one", {"a@0": ["pack-p", "train-a"]}, {"pack-p": (), "train-a": ("pack-p",)}, at=3.0)
    needed = find_needs(home)
    assert "frozen numbers in" in needed["train-b"]
    assert "targets-t" in needed
    for path in home.pins("one").iterdir():
        path.unlink()
    assert "train-b" not in find_needs(home)


def test_a_pin_of_an_unknown_run_stops_everything(home: Home) -> None:
    write_pin(home, "one", "archive", Path("x.zip"), ["run-one-z-9"])
    with pytest.raises(HomeError, match=r"no submission tells which jobs run-one-z-9 has"):
        find_needs(home)


def test_a_damaged_submission_stops_everything(home: Home) -> None:
    (home.experiment("one") / "1.json").write_text("{}")
    with pytest.raises(HomeError, match="this submission is damaged"):
        find_needs(home)


def test_what_runs_is_needed_with_what_it_reads(home: Home) -> None:
    put_experiment(home, "run", {"a@0": ["train-run"]}, {"train-run": ()})
    put_job(home, "train-run", ["pack-old"], done=False)
    with Queue(home.queue_db) as queue:
        assert queue.lease("train-run", 1, "cpu:0", boot_id="b", expires=9e9, now=1.0)
        queue.remove_experiment("run")
    assert find_needs(home, {"run": None}).keys() >= {"train-run", "pack-old"}


def test_what_verify_resume_borrows_is_needed(home: Home) -> None:
    place = home.verify_root / "1234abcd" / "jobs" / "train-old"
    place.parent.mkdir(parents=True)
    place.symlink_to(home.job("train-old").root)
    assert find_needs(home).keys() >= {"train-old", "pack-old"}


@pytest.mark.parametrize(
    ("change", "lives"), [({}, True), ({"start_time": 1}, False), ({"boot_id": "x"}, False), ({"host": "far"}, True)]
)
def test_an_attempt_without_a_verdict_may_live(home: Home, change: dict[str, object], lives: bool) -> None:
    attempt, seen = home.job("train-old").attempt(1), see_process(os.getpid())
    assert seen is not None
    assert not may_live(attempt), "it has its verdict"
    attempt.outcome.unlink()
    about = {"pid": os.getpid(), "start_time": seen.start, "host": host_name(), "boot_id": boot_id()}
    write_json(attempt.handle, {**about, **change})
    assert may_live(attempt) == lives
    assert ("train-old" in find_needs(home)) == lives


def test_names_that_lead_out_are_no_jobs(home: Home) -> None:
    write_json(home.job("train-a").spec, {"kind": "train", "needs": {"x": "../../etc", "y": "pack-p"}})
    assert set(find_needs(home)) == {*ONE, "train-c"}
