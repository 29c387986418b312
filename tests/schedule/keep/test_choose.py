"""What a sweep would take is what nothing needs, old enough, and built by nobody; a look changes nothing."""

from __future__ import annotations

import os
import time

import pytest
from filelock import FileLock

from engine.home.files import read_json, write_json
from engine.home.paths import Home
from engine.home.seals import SELF, seal
from engine.schedule.growing import mark_search
from engine.schedule.keep.choose import Wish, choose
from engine.schedule.keep.needs import find_needs
from tests.helpers.keeping import files_of, put_job

DAY = 86400.0
CHECKPOINTS = {f"jobs/{job}/attempts/1/checkpoints" for job in ("train-a", "train-b", "train-c", "pack-p", "targets-t")}


def chosen(home: Home, wish: Wish = Wish()) -> dict[str, str]:  # noqa: B008  # frozen
    needed = find_needs(home, with_history=wish.history)
    return {entry.path: entry.kind for entry in choose(home, needed, needed, wish)}


def test_what_nothing_needs_is_chosen(home: Home) -> None:
    before = files_of(home.root, "queue.db")
    found = chosen(home)
    assert {path for path, kind in found.items() if kind == "checkpoints"} == CHECKPOINTS
    assert {path: kind for path, kind in found.items() if kind != "checkpoints"} == {
        "jobs/pack-old": "job", "jobs/train-old": "job", "pack/pack-old": "pack",
    }  # fmt: skip
    assert files_of(home.root, "queue.db") == before


def test_sizes_are_what_the_disk_gave(home: Home) -> None:
    needed = find_needs(home)
    entries = {entry.path: entry.bytes for entry in choose(home, needed, needed, Wish())}
    assert entries["pack/pack-old"] >= 9000
    assert entries["jobs/train-a/attempts/1/checkpoints"] >= 10_000


def test_the_newest_checkpoints_stay_if_asked(home: Home) -> None:
    assert "jobs/train-a/attempts/1/checkpoints/000001.pt" in chosen(home, Wish(keep_checkpoints=1))
    assert "jobs/train-a/attempts/1/checkpoints/000002.pt" not in chosen(home, Wish(keep_checkpoints=1))
    assert not any("checkpoints" in path for path in chosen(home, Wish(keep_checkpoints=2)))


def test_a_state_that_longer_trainings_begin_with_stays_while_there_may_be_some(home: Home) -> None:
    job = home.job("train-a")
    branch = job.attempt(1).branch
    branch.mkdir()
    (branch / "000002.pt").write_bytes(b"state")
    write_json(job.details, {"rungs": [3, 9]})
    found = chosen(home)
    assert "jobs/train-a/attempts/1/checkpoints" in found
    assert "jobs/train-a/attempts/1/branch" not in found
    write_json(job.details, {"rungs": []})
    assert chosen(home)["jobs/train-a/attempts/1/branch"] == "checkpoints"


def test_a_search_that_ended_needs_no_state_of_its_shorter_trials(home: Home) -> None:
    job = home.job("train-a")
    branch = job.attempt(1).branch
    branch.mkdir()
    write_json(job.details, {"rungs": [3, 9]})
    (path,) = home.records("one")
    record = {key: value for key, value in read_json(path).items() if key != SELF}
    write_json(path, seal({**record, "search": {"trials": []}}))
    mark_search(home, "one", "waiting")
    assert "jobs/train-a/attempts/1/branch" not in chosen(home)
    mark_search(home, "one", None)
    assert "jobs/train-a/attempts/1/branch" in chosen(home)


def test_checkpoints_of_an_unfinished_job_stay(home: Home) -> None:
    home.job("train-a").result.unlink()
    assert "jobs/train-a/attempts/1/checkpoints" not in chosen(home)


def test_what_changed_lately_stays_if_asked(home: Home) -> None:
    assert chosen(home, Wish(older=DAY)) == {}
    for path in (home.job("train-old").root, home.pack("pack-old")):
        for one in (path, *path.rglob("*")):
            os.utime(one, (time.time() - 2 * DAY,) * 2)
    assert chosen(home, Wish(older=DAY)) == {"jobs/train-old": "job", "pack/pack-old": "pack"}


def test_what_is_being_built_stays(home: Home) -> None:
    with FileLock(home.pack("pack-old").with_name("pack-old.lock")):
        assert "pack/pack-old" not in chosen(home)
    assert "pack/pack-old" in chosen(home)


@pytest.mark.parametrize(("job", "goes"), [("pack-old", True), ("pack-p", True), ("pack-new", False)])
def test_what_a_killed_builder_left_goes_unless_it_goes_on(home: Home, job: str, goes: bool) -> None:
    """`pack-new` is needed and not there: its next builder goes on from what is left."""
    put_job(home, "pack-new", done=False)
    home.pack(f"{job}.0123abcd.tmp").mkdir()
    needed = {**find_needs(home), "pack-new": "one"}
    found = {entry.path: entry.kind for entry in choose(home, needed, needed, Wish())}
    assert (found.get(f"pack/{job}.0123abcd.tmp") == "leftovers") == goes


def test_a_cache_that_others_may_need_stays(home: Home) -> None:
    needed = find_needs(home)
    assert not any(entry.place == "cache" for entry in choose(home, needed, None, Wish()))


def test_jobs_that_another_home_lent_stay(home: Home) -> None:
    home.job("train-lent").root.symlink_to(home.job("train-a").root)
    assert "jobs/train-lent" not in chosen(home)
