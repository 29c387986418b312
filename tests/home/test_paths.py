"""Every path under a home, where older homes have it; which home is opened; the first commit of a job."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.errors import HomeError
from engine.home.files import write_json
from engine.home.paths import Home, open_home
from tests.helpers.recording import DiskRecord


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return open_home(tmp_path / "home", create=True)


def test_home_comes_from_argument_then_variable_then_here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("XP_HOME", raising=False)
    assert open_home(create=True).root == tmp_path / ".xp"
    monkeypatch.setenv("XP_HOME", str(tmp_path / "var"))
    assert open_home(create=True).root == tmp_path / "var"
    assert open_home(tmp_path / "arg", create=True).root == tmp_path / "arg"


def test_shared_cache_never_holds_a_homes_own_ingest_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XP_CACHE", str(tmp_path / "shared"))
    home = open_home(tmp_path / "home", create=True)
    assert home.cache == tmp_path / "shared"
    assert home.ingest_db.is_relative_to(home.root)


def test_absent_home_is_refused_with_a_fix(tmp_path: Path) -> None:
    with pytest.raises(HomeError, match="fix: submit a spec first"):
        open_home(tmp_path / "nowhere")


def test_first_commit_wins_and_stays(home: Home) -> None:
    job = home.job("train-000000000000")
    for number in (1, 2):
        job.attempt(number).root.mkdir(parents=True)
        write_json(job.attempt(number).result, {"attempt": number})
    assert job.winner() is None
    assert job.commit(job.attempt(2))
    assert not job.commit(job.attempt(1))
    winner = job.winner()
    assert winner is not None
    assert winner.number == 2
    assert [attempt.number for attempt in job.attempts()] == [1, 2]


def test_records_are_ordered_by_number(home: Home) -> None:
    folder = home.experiment("a")
    folder.mkdir()
    for number in (10, 9, 1):
        (folder / f"{number}.json").write_text(json.dumps(number))
    assert [path.stem for path in home.records("a")] == ["1", "9", "10"]


def test_attempts_are_ordered_by_number(home: Home) -> None:
    job = home.job("train-1")
    assert job.attempts() == []
    for name in ("10", "9", "1", "1x"):
        (job.root / "attempts" / name).mkdir(parents=True)
    assert [attempt.number for attempt in job.attempts()] == [1, 9, 10]


def test_commit_syncs_the_folder_after_the_link_and_a_lost_one_does_nothing(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = home.job("train-1")
    for number in (1, 2):
        job.attempt(number).root.mkdir(parents=True)
    disk = DiskRecord(job.root, monkeypatch)
    for number in (1, 2):
        write_json(job.attempt(number).result, {"attempt": number})
    disk.events.clear()
    assert job.commit(job.attempt(2))
    assert disk.events == ["link attempts/2/result.json result.json", "sync ."]
    disk.events.clear()
    assert not job.commit(job.attempt(1))
    assert disk.events == []


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("queue_db", "queue.db"),
        ("results_db", "results.duckdb"),
        ("sql_history", "sql_history"),
        ("ingest_db", "cache/ingest.duckdb"),
        ("ingest_lock", "ingest.lock"),
        ("scheduler_lock", "scheduler.lock"),
        ("scheduler_log", "scheduler.log"),
        ("scheduler_file", "scheduler.json"),
        ("executor_file", "executor.json"),
        ("digests", "cache/digests.json"),
        ("verify_root", "verify"),
        ("experiments_root", "experiments"),
        ("jobs_root", "jobs"),
    ],
)
def test_paths_of_a_home_stay_where_older_homes_have_them(home: Home, name: str, place: str) -> None:
    assert getattr(home, name) == home.root / place


def test_paths_of_a_job_stay_where_older_homes_have_them(home: Home) -> None:
    job = home.job("train-1")
    files = {name: getattr(job, name).relative_to(home.root).as_posix() for name in ("spec", "control", "result")}
    assert files == {
        "spec": "jobs/train-1/spec.json",
        "control": "jobs/train-1/control.jsonl",
        "result": "jobs/train-1/result.json",
    }
    attempt = job.attempt(3)
    names = ("journal", "compacted", "log", "heartbeat", "handle", "provenance", "outcome", "checkpoints", "artifacts")
    assert [getattr(attempt, name).relative_to(job.root).as_posix() for name in (*names, "result")] == [
        f"attempts/3/{name}"
        for name in (
            "journal.jsonl", "journal.parquet", "log.txt", "heartbeat.json", "handle.json", "provenance.json",
            "outcome.json", "checkpoints", "artifacts", "result.json",
        )
    ]  # fmt: skip
    assert home.pack("p") == home.cache / "pack" / "p"
    assert home.targets("t") == home.cache / "targets" / "t"
    assert home.changes("0123456789abcdef0") == home.root / "code" / "0123456789abcdef.diff"


def test_certificates_are_kept_by_experiment_and_machine(home: Home) -> None:
    assert home.certificates("a") == []
    for host in ("two", "on/e"):
        path = home.certificate("a", host)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("{}")
    home.certificate("b", "x").parent.mkdir()
    home.certificate("b", "x").write_text("{}")
    assert [path.name for path in home.certificates("a")] == ["on_e.json", "two.json"]


def test_jobs_and_records_of_an_empty_home_are_none(tmp_path: Path) -> None:
    empty = Home(tmp_path / "none", tmp_path / "none" / "cache")
    assert (empty.jobs(), empty.records("a")) == ([], [])


def test_jobs_are_ordered_by_id_and_other_files_are_no_records(home: Home) -> None:
    for name in ("train-2", "pack-1", "train-1"):
        home.job(name).root.mkdir()
    assert [folder.job for folder in home.jobs()] == ["pack-1", "train-1", "train-2"]
    home.experiment("a").mkdir()
    for name in ("1.json", "notes.json", "2.txt"):
        (home.experiment("a") / name).write_text("{}")
    assert [path.name for path in home.records("a")] == ["1.json"]


def test_new_home_has_its_folders_and_an_opened_one_is_left_alone(tmp_path: Path) -> None:
    home = open_home(tmp_path / "home", create=True)
    folders = (home.experiments_root, home.jobs_root, home.ingest_db.parent, home.cache)
    assert all(folder.is_dir() for folder in folders)
    (tmp_path / "bare").mkdir()
    assert open_home(tmp_path / "bare").root == tmp_path / "bare"
    assert list((tmp_path / "bare").iterdir()) == []
