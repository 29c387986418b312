"""Reading files into the store: what is new, once, whatever is damaged, replaced or gone."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import duckdb
import pytest
from filelock import FileLock

from engine.collect import collect, rebuild
from engine.errors import HomeError
from engine.home.files import read_json, write_json
from engine.home.paths import Home
from store.journal import JournalWriter, read_bytes
from store.queue import Queue
from store.readonly import StoreError
from store.results import run_query
from tests.collect.reading import export_rows, log_steps, read_rows, read_steps
from tests.helpers.queueing import Probe, make_record
from tests.helpers.recording import DiskRecord
from tests.helpers.synthetic import ARMS, Arm, SyntheticHome


def test_second_collection_finds_nothing_and_publishes_nothing(made: SyntheticHome) -> None:
    made.experiment("paper", ARMS, seeds=(0,))
    collect(made.home)
    stamp = made.home.results_db.stat().st_mtime_ns
    report = collect(made.home)
    assert (report.jobs, report.bytes, report.is_published) == (0, 0, False)
    assert made.home.results_db.stat().st_mtime_ns == stamp


def test_running_job_is_seen_while_it_writes(made: SyntheticHome) -> None:
    job = made.job("train-a", "train")
    _, journal = made.attempt(job, 1)
    log_steps(journal, 1, 2)
    collect(made.home)
    assert read_steps(made.home, job) == [1, 2]
    log_steps(journal, 3)
    collect(made.home)
    assert read_steps(made.home, job) == [1, 2, 3]
    assert read_rows(made.home, "select last, best_min, n from metrics_last") == [(3.0, 1.0, 3)]
    journal.close()


def test_removed_job_and_experiment_leave_no_rows(made: SyntheticHome) -> None:
    runs = made.experiment("paper", {"only": Arm()}, seeds=(0, 1))
    collect(made.home)
    shutil.rmtree(made.home.job(runs[0]["jobs"]["student"]).root)
    shutil.rmtree(made.home.experiment("paper"))
    collect(made.home)
    before = export_rows(made.home)
    assert before["runs"] == []
    rebuild(made.home)
    assert export_rows(made.home) == before


def test_rebuild_gives_the_same_rows(made: SyntheticHome) -> None:
    made.experiment("paper", ARMS, splits=("60/20/20", "80/10/10"))
    collect(made.home)
    before = export_rows(made.home)
    assert len(before["predictions"]) > 1000
    rebuild(made.home)
    assert export_rows(made.home) == before
    made.home.ingest_db.unlink()
    collect(made.home)
    assert export_rows(made.home) == before


def test_results_of_an_earlier_versions_jobs_stay(made: SyntheticHome) -> None:
    """Collecting copies what is written and understands no settings; whoever would run on them refuses them."""
    made.experiment("paper", {"only": Arm()}, seeds=(0,))
    rebuild(made.home)
    before = export_rows(made.home)
    (job,) = read_rows(made.home, "select job from run_jobs where role = 'student'")[0]
    settings = {"lr": 0.1, "view_version": 1, "long": "gone"}
    for version in (1, 9):
        write_json(
            made.home.job(job).spec, {**read_json(made.home.job(job).spec), "version": version, "settings": settings}
        )
        rebuild(made.home)
        after = export_rows(made.home)
        assert {table for table in before if after[table] != before[table]} <= {"jobs"}
        assert read_rows(made.home, f"select settings ->> '$.long', state from jobs where job = '{job}'") == [
            ("gone", "done")
        ]


@pytest.mark.parametrize("damage", [b"", b"not a database" * 500])
def test_damaged_ingest_file_is_built_anew(made: SyntheticHome, damage: bytes) -> None:
    made.experiment("paper", {"only": Arm()}, seeds=(0,))
    collect(made.home)
    before = export_rows(made.home)
    made.home.ingest_db.write_bytes(damage)
    collect(made.home)
    assert export_rows(made.home) == before


def test_replaced_journal_is_read_from_its_start(made: SyntheticHome) -> None:
    job = made.job("train-a", "train")
    attempt, journal = made.attempt(job, 1)
    log_steps(journal, 1, 2, 3)
    journal.close()
    collect(made.home)
    attempt.journal.unlink()
    with JournalWriter(attempt.journal) as again:
        log_steps(again, 9)
    collect(made.home)
    assert read_steps(made.home, job) == [9]


def test_damaged_files_do_not_stop_the_rest(made: SyntheticHome) -> None:
    made.experiment("paper", {"only": Arm()}, seeds=(0,))
    broken = made.job("train-b", "train")
    attempt, journal = made.attempt(broken, 1)
    journal.close()
    attempt.journal.write_bytes(
        b'{"v":1,"seq":1,"type":"metric","at":1.0,"name":"a","value":1.0,"step":1,"epoch":0}\n{"v":1,\x00 oh\n\n'
    )
    attempt.provenance.write_text("{")
    made.home.experiment("half").mkdir()
    (made.home.experiment("half") / "1.json").write_text('{"runs": [')
    collect(made.home)
    assert read_steps(made.home, broken) == [1]
    assert read_rows(made.home, "select count(*) from results where test_top1 is not null") == [(1,)]


def test_job_without_a_journal_is_still_done(made: SyntheticHome) -> None:
    job = made.done("pack-a", "pack")
    made.home.job(job).attempt(1).journal.unlink()
    collect(made.home)
    assert read_rows(made.home, "select state, seconds from jobs") == [("done", 12.0)]


def test_journal_longer_than_a_batch_comes_in_whole(made: SyntheticHome, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.collect.BATCH_BYTES", 700)
    job = made.job("train-a", "train")
    _, journal = made.attempt(job, 1)
    log_steps(journal, *range(50))
    journal.close()
    made.experiment("paper", {"only": Arm()}, seeds=(0,))
    collect(made.home)
    assert read_steps(made.home, job) == list(range(50))


def test_job_that_writes_faster_than_it_is_read_holds_up_no_collection(
    made: SyntheticHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = made.job("train-a", "train")
    _, journal = made.attempt(job, 1)
    steps = iter(range(20))

    def read_while_it_writes(path: Path, offset: int, most: int) -> bytes:
        log_steps(journal, next(steps))  # raises StopIteration where the reading has no end
        return read_bytes(path, offset, most)

    monkeypatch.setattr("engine.collect.read_bytes", read_while_it_writes)
    for seen in (1, 2, 3):
        assert collect(made.home).is_published
        assert len(read_steps(made.home, job)) == seen
    journal.close()


def test_loser_of_the_lock_leaves_at_once(made: SyntheticHome) -> None:
    with FileLock(made.home.ingest_lock):
        assert collect(made.home).is_skipped
    assert not collect(made.home).is_skipped


def test_lazy_collection_waits_with_a_large_snapshot(made: SyntheticHome, monkeypatch: pytest.MonkeyPatch) -> None:
    collect(made.home)
    monkeypatch.setattr("engine.collect.COPY_RATE", 1.0)
    made.done("pack-a", "pack")
    assert not collect(made.home, lazy=True).is_published
    assert read_rows(made.home, "from jobs") == []
    assert collect(made.home).is_published
    assert len(read_rows(made.home, "from jobs")) == 1


def test_store_of_another_release_is_built_anew_and_its_snapshot_refused(made: SyntheticHome) -> None:
    made.experiment("paper", {"only": Arm()}, seeds=(0,))
    collect(made.home)
    before = export_rows(made.home)
    for path in (made.home.ingest_db, made.home.results_db):
        with duckdb.connect(str(path)) as db:
            db.execute("update raw.meta set value = '1' where name = 'version'")
    with pytest.raises(StoreError, match="another release of xp: `xp rebuild`"):
        run_query(made.home, "select 1")
    collect(made.home)
    assert export_rows(made.home) == before


def test_new_database_is_renamed_after_the_old_ones_log_is_gone(
    made: SyntheticHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    collect(made.home)
    log = made.home.ingest_db.with_name("ingest.duckdb.wal")
    log.write_bytes(b"of the old file")
    disk = DiskRecord(made.home.root, monkeypatch)
    rebuild(made.home)
    names = ("unlink cache/ingest.duckdb.wal", "replace cache/ingest.duckdb.*.tmp cache/ingest.duckdb (not synced)")
    assert [event for event in disk.events if event in names] == list(names)
    assert disk.events[-2:] == ["sync .results.duckdb.*.tmp", "replace .results.duckdb.*.tmp results.duckdb"]


def test_leftovers_of_killed_collectors_go_and_other_files_stay(made: SyntheticHome) -> None:
    cache = made.home.ingest_db.parent
    left = [
        cache / "ingest.duckdb.0a.tmp",
        cache / "ingest.duckdb.0a.tmp.wal",
        made.home.root / ".results.duckdb.0a.tmp",
    ]
    kept = [made.home.root / "results.txt", made.home.ingest_db.with_name("digests.json")]
    for path in (*left, *kept):
        path.write_text("x")
    collect(made.home)
    assert [path.exists() for path in (*left, *kept)] == [False, False, False, True, True]


def test_report_counts_jobs_and_bytes_of_all_batches(made: SyntheticHome, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.collect.BATCH_JOBS", 2)
    size = 0
    for name in "abcde":
        attempt, journal = made.attempt(made.job(f"train-{name}", "train"), 1)
        log_steps(journal, 1, 2)
        journal.close()
        size += attempt.journal.stat().st_size
    report = collect(made.home)
    assert (report.jobs, report.bytes, report.is_published, report.is_skipped) == (5, size, True, False)
    assert str(report).startswith(f"5 jobs and {size:,} bytes of journals read in ")
    assert len(read_rows(made.home, "from jobs")) == 5


def test_skipped_collection_says_so(made: SyntheticHome) -> None:
    with FileLock(made.home.ingest_lock):
        assert str(collect(made.home)) == "another process is collecting"
        with pytest.raises(HomeError, match="another process is collecting"):
            rebuild(made.home, wait=0.0)


def test_lazy_collection_publishes_what_was_never_published_and_what_is_small(
    made: SyntheticHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert collect(made.home, lazy=True).is_published
    made.done("pack-a", "pack")
    monkeypatch.setattr("engine.collect.COPY_RATE", 1e30)
    assert collect(made.home, lazy=True).is_published
    made.home.results_db.unlink()
    assert collect(made.home, lazy=True).is_published


def test_change_that_was_not_published_is_published_by_the_next_collection(
    made: SyntheticHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    collect(made.home)
    monkeypatch.setattr("engine.collect.COPY_RATE", 1.0)
    made.done("pack-a", "pack")
    assert not collect(made.home, lazy=True).is_published
    report = collect(made.home)
    assert (report.jobs, report.is_published) == (0, True)


def test_settled_job_gets_one_glance_and_is_read_again_with_a_new_attempt(
    made: SyntheticHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    made.done("train-a", "train")
    collect(made.home)
    looked: list[str] = []
    monkeypatch.setattr("engine.collect.sign_job", lambda folder: looked.append(folder.job))
    assert collect(made.home).jobs == 0
    assert looked == []
    monkeypatch.undo()
    _, journal = made.attempt("train-a", 2)
    journal.close()
    assert collect(made.home).jobs == 1


def test_done_job_whose_attempt_has_no_verdict_is_looked_at_again(made: SyntheticHome) -> None:
    made.done("train-a", "train")
    made.home.job("train-a").attempt(1).outcome.unlink()
    collect(made.home)
    assert read_rows(made.home, "select outcome, slot from attempts") == [("done", None)]
    made.outcome(made.home.job("train-a").attempt(1), "done")
    assert collect(made.home).jobs == 1
    assert read_rows(made.home, "select outcome, slot from attempts") == [("done", "cpu:0")]


def test_folder_without_a_spec_is_no_job_yet(made: SyntheticHome) -> None:
    made.home.job("train-a").root.mkdir()
    assert collect(made.home).jobs == 0
    made.job("train-a", "train")
    assert collect(made.home).jobs == 1


def test_job_that_left_the_queue_is_queued_and_a_done_one_stays(
    made: SyntheticHome, monkeypatch: pytest.MonkeyPatch
) -> None:
    states = {"train-a": "failed", "train-b": "running"}
    monkeypatch.setattr("engine.collect._read_states", lambda _: states)
    made.job("train-a", "train")
    made.done("train-b", "train")
    collect(made.home)
    states.clear()
    collect(made.home)
    assert read_rows(made.home, "select job, state from jobs order by job") == [
        ("train-a", "queued"),
        ("train-b", "done"),
    ]
    assert not collect(made.home).is_published, "nothing moved"


def test_states_come_from_the_queue_of_the_home(made: SyntheticHome) -> None:
    made.job("train-a", "train")
    with Queue(made.home.queue_db) as queue:
        queue.add_experiment(make_record("one", [Probe("train-a")]))
        queue.request_pause(["train-a"])
    collect(made.home)
    assert read_rows(made.home, "select state from jobs") == [("paused",)]


def test_published_figures_are_read_again_when_their_file_changes(
    made: SyntheticHome, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    collect(made.home)
    ((count,),) = read_rows(made.home, "select count(*) from published")
    monkeypatch.setattr("engine.collect.PUBLISHED", tmp_path / "published.csv")
    monkeypatch.setattr("engine.collect.read_published", lambda: [{"phase": "1", "section": "x"}])
    collect(made.home)
    assert count > 1
    assert read_rows(made.home, "select phase, section from published") == [(1, "x")]


@pytest.mark.parametrize("again", [collect, rebuild])
def test_results_that_find_no_room_say_so_and_leave_nothing_behind(
    made: SyntheticHome, monkeypatch: pytest.MonkeyPatch, again: Callable[[Home], object]
) -> None:
    made.done("train-a", "train")
    collect(made.home)
    made.done("train-b", "train")
    before = made.home.results_db.read_bytes()

    def fill(*_: object) -> None:
        raise duckdb.IOException("IO Error: Could not write file: No space left on device")

    monkeypatch.setattr("store.results.ingest.Ingest.replace", fill)
    with pytest.raises(HomeError, match="the results cannot be written: the disk is full\nfix: make room"):
        again(made.home)
    assert made.home.results_db.read_bytes() == before
    assert list(made.home.ingest_db.parent.glob("*.tmp*")) == []
    monkeypatch.undo()
    again(made.home)
    assert len(read_rows(made.home, "select job from jobs")) == 2
