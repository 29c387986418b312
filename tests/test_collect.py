"""Collecting: every line that counts, exactly once, whatever resumed, was killed or wrote on as a zombie."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from engine.collect import collect, rebuild
from engine.home import Home, write_json
from engine.stats import wilson_interval
from store.journal import JournalWriter
from store.results import run_query
from tests.synthetic import ARMS, Arm, SyntheticHome

TABLES = ("experiments", "claims", "runs", "jobs", "run_jobs", "attempts", "metrics", "metrics_last", "predictions",
          "measurements", "teachers", "facts", "provenance", "published", "results", "cells")  # fmt: skip


@pytest.fixture
def made(tmp_path: Path) -> SyntheticHome:
    return SyntheticHome(tmp_path / "home")


def _rows(home: Home, sql: str) -> list[tuple[Any, ...]]:
    return run_query(home, sql, limit=1_000_000).rows


def _export(home: Home) -> dict[str, list[str]]:
    return {table: sorted(map(repr, _rows(home, f"from {table}"))) for table in TABLES}


def _steps(home: Home, job: str) -> list[int]:
    return [step for (step,) in _rows(home, f"select step from metrics where job = '{job}' order by step")]


def _log(journal: JournalWriter, *steps: int) -> None:
    for step in steps:
        journal.metric("train_loss", float(step), step=step, epoch=0)


def test_cells_answer_the_paper_question(made: SyntheticHome) -> None:
    made.experiment("paper", ARMS)
    assert collect(made.home).is_published
    found = dict(_rows(made.home, "select arm, mean from cells where metric = 'test_top1'"))
    assert found.keys() == ARMS.keys()
    right = _rows(
        made.home,
        "select arm, avg((label = predicted)::int) from runs join final_jobs using (run) join predictions using (job) "
        "where part = 'test' group by arm",
    )
    assert found == pytest.approx(dict(right))


def test_cells_equal_numpy_and_scipy(made: SyntheticHome) -> None:
    import numpy as np
    from scipy import stats

    made.experiment("paper", {"only": ARMS["original"]}, seeds=(0, 1, 2, 3, 4))
    collect(made.home)
    values = [value for (value,) in _rows(made.home, "select test_top1 from results")]
    n, mean, std, low, high = _rows(made.home, "select n, mean, std, low, high from cells where metric = 'test_top1'")[
        0
    ]
    assert (n, mean, std) == (5, pytest.approx(np.mean(values)), pytest.approx(np.std(values, ddof=1)))
    expected = stats.t.interval(0.95, 4, loc=np.mean(values), scale=stats.sem(values))
    assert (low, high) == pytest.approx(expected)


def test_one_run_has_wilsons_interval_over_its_test_images(made: SyntheticHome) -> None:
    made.experiment("paper", ARMS, seeds=(0,))
    collect(made.home)
    rows = _rows(made.home, "select test_top1, test_images, test_low, test_high from results")
    for share, images, low, high in rows:
        assert images == 200
        assert (low, high) == pytest.approx(wilson_interval(round(share * images), images))


def test_one_seed_has_neither_spread_nor_interval(made: SyntheticHome) -> None:
    made.experiment("paper", {"only": Arm()}, seeds=(0,))
    collect(made.home)
    found = _rows(made.home, "select n, std, low, high from cells where metric = 'test_top1'")
    assert found == [(1, None, None, None)]


def test_results_have_a_row_for_runs_that_have_not_begun(made: SyntheticHome) -> None:
    runs = made.experiment("paper", ARMS, seeds=(0,))
    shutil.rmtree(made.home.job(runs[0]["jobs"]["student"]).root / "attempts")
    made.home.job(runs[0]["jobs"]["student"]).result.unlink()
    collect(made.home)
    states = _rows(made.home, "select state, test_top1 is null from results order by state")
    assert states == [("done", False), ("done", False), ("queued", True)]


def test_pruned_arm_is_read_from_its_prune_job(made: SyntheticHome) -> None:
    made.experiment("paper", ARMS, seeds=(0,))
    collect(made.home)
    row = _rows(made.home, "select prune_asked, prune_achieved, params from results where arm = 'proposed_pruned'")
    assert row == [(0.2, pytest.approx(0.196), 17_100_000)]
    assert _rows(made.home, "select distinct prune_asked from results where arm = 'original'") == [(None,)]


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
    _log(journal, 1, 2)
    collect(made.home)
    assert _steps(made.home, job) == [1, 2]
    _log(journal, 3)
    collect(made.home)
    assert _steps(made.home, job) == [1, 2, 3]
    assert _rows(made.home, "select last, best_min, n from metrics_last") == [(3.0, 1.0, 3)]
    journal.close()


def test_values_redone_after_a_resume_count_once(made: SyntheticHome) -> None:
    job = made.job("train-a", "train")
    first, journal = made.attempt(job, 1)
    _log(journal, 1, 2, 3, 4)
    journal.close()
    made.outcome(first, "lost")
    collect(made.home)
    assert _steps(made.home, job) == [1, 2, 3, 4]
    second, journal = made.attempt(job, 2)
    journal.resumed(1, 2, 2)
    _log(journal, 3)
    collect(made.home)
    assert _steps(made.home, job) == [1, 2, 3]
    _log(journal, 4, 5)
    journal.close()
    made.finish(job, second)
    collect(made.home)
    assert _steps(made.home, job) == [1, 2, 3, 4, 5]
    assert _rows(made.home, "select attempt, count(*) from metrics group by attempt order by attempt") == [
        (1, 2),
        (2, 3),
    ]


def test_resume_without_a_line_number_cuts_after_its_step(made: SyntheticHome) -> None:
    job = made.job("train-a", "train")
    _, journal = made.attempt(job, 1)
    _log(journal, 1, 2, 3, 4)
    journal.teacher("val", "top1", 0.1)
    journal.close()
    _, journal = made.attempt(job, 2)
    journal.resumed(1, 2)
    _log(journal, 3)
    journal.close()
    collect(made.home)
    assert _steps(made.home, job) == [1, 2, 3]
    assert _rows(made.home, "from teachers") == []


def test_attempt_that_starts_over_hides_the_one_before(made: SyntheticHome) -> None:
    job = made.job("train-a", "train")
    _, journal = made.attempt(job, 1)
    _log(journal, 1, 2, 3)
    journal.close()
    _, journal = made.attempt(job, 2)
    collect(made.home)
    assert _steps(made.home, job) == [1, 2, 3]
    _log(journal, 1)
    journal.close()
    collect(made.home)
    assert _steps(made.home, job) == [1]


def test_zombie_that_commits_first_is_the_one_that_counts(made: SyntheticHome) -> None:
    job = made.job("train-a", "train")
    first, old = made.attempt(job, 1)
    _log(old, 1, 2)
    _, new = made.attempt(job, 2)
    new.resumed(1, 1, 1)
    _log(new, 2, 30)
    collect(made.home)
    assert _steps(made.home, job) == [1, 2, 30]
    _log(old, 3)
    made.finish(job, first)
    collect(made.home)
    assert _steps(made.home, job) == [1, 2, 3]
    _log(new, 40)
    collect(made.home)
    assert _steps(made.home, job) == [1, 2, 3]
    before = _export(made.home)
    rebuild(made.home)
    assert _export(made.home) == before
    old.close()
    new.close()


def test_zombie_lines_after_the_cut_never_show(made: SyntheticHome) -> None:
    job = made.job("train-a", "train")
    _, old = made.attempt(job, 1)
    _log(old, 1, 2, 3)
    second, new = made.attempt(job, 2)
    new.resumed(1, 2, 2)
    _log(new, 3, 4)
    _log(old, 4, 5, 6)
    collect(made.home)
    assert _steps(made.home, job) == [1, 2, 3, 4]
    made.finish(job, second)
    _log(old, 7)
    collect(made.home)
    assert _steps(made.home, job) == [1, 2, 3, 4]
    old.close()
    new.close()


def test_chain_of_three_attempts_is_cut_twice(made: SyntheticHome) -> None:
    job = made.job("train-a", "train")
    for number, (source, steps) in enumerate([(None, (1, 2, 3)), ((1, 2, 2), (30, 40, 50)), ((2, 30, 2), (400,))], 1):
        _, journal = made.attempt(job, number)
        if source:
            journal.resumed(*source)
        _log(journal, *steps)
        journal.close()
    collect(made.home)
    assert _steps(made.home, job) == [1, 2, 30, 400]


def test_part_evaluated_twice_counts_as_the_last_time(made: SyntheticHome) -> None:
    job = made.job("train-a", "train")
    _, journal = made.attempt(job, 1)
    journal.predictions("val", ["a", "b"], [1, 2], [0, 0], [0.5, 0.5])
    journal.predictions("val", ["a", "b"], [1, 2], [1, 2], [0.9, float("nan")])
    journal.close()
    collect(made.home)
    rows = _rows(made.home, "select sample, predicted, isnan(confidence) from predictions order by sample")
    assert rows == [("a", 1, False), ("b", 2, True)]


def test_number_that_is_none_is_kept_and_left_out_of_means(made: SyntheticHome) -> None:
    made.experiment("paper", {"only": Arm()}, seeds=(0, 1))
    job = made.job("train-x", "train")
    attempt, journal = made.attempt(job, 1)
    journal.metric("test_top1", float("nan"), step=1, epoch=0)
    journal.close()
    made.finish(job, attempt)
    runs = [*made.experiment("other", {"only": Arm()}, seeds=(0, 1))]
    runs.append({**runs[0], "run": "run-x", "seed": 9, "jobs": {"student": job}})
    made.record("other", runs, "only")
    collect(made.home)
    row = _rows(
        made.home, "select n, not_finite, isfinite(mean) from cells where experiment = 'other' and metric = 'test_top1'"
    )
    assert row == [(2, 1, True)]
    assert _rows(made.home, "select isnan(last), best_max, not_finite from metrics_last where job = 'train-x'") == [
        (True, None, 1)
    ]


def test_newest_record_alone_defines_the_runs(made: SyntheticHome) -> None:
    runs = made.experiment("paper", ARMS, seeds=(0, 1))
    collect(made.home)
    made.record("paper", runs[:2], "original")
    collect(made.home)
    assert _rows(made.home, "select distinct arm from runs") == [("original",)]
    assert _rows(made.home, "select count(*) from jobs where state = 'done'")[0][0] > 8


def test_shared_job_serves_two_experiments(made: SyntheticHome) -> None:
    runs = made.experiment("one", {"only": Arm()}, seeds=(0,))
    made.record("two", runs, "only")
    collect(made.home)
    assert _rows(made.home, "select experiment, test_top1 is not null from results order by 1") == [
        ("one", True),
        ("two", True),
    ]
    assert _rows(made.home, "select count(*) from run_jobs") == [(4,)]


def test_removed_job_and_experiment_leave_no_rows(made: SyntheticHome) -> None:
    runs = made.experiment("paper", {"only": Arm()}, seeds=(0, 1))
    collect(made.home)
    shutil.rmtree(made.home.job(runs[0]["jobs"]["student"]).root)
    shutil.rmtree(made.home.experiment("paper"))
    collect(made.home)
    before = _export(made.home)
    assert before["runs"] == []
    rebuild(made.home)
    assert _export(made.home) == before


def test_published_figures_have_both_readings(made: SyntheticHome) -> None:
    collect(made.home)
    row = _rows(made.home, "select relative_baseline, absolute_baseline from published where change = -0.62")
    assert row == [(pytest.approx(73.645 / (1 - 0.0062), abs=1e-3), pytest.approx(73.645 + 0.62))]
    assert _rows(
        made.home, "select count(*) from published where metric = 'memory' and absolute_change is not null"
    ) == [(0,)]


def test_rebuild_gives_the_same_rows(made: SyntheticHome) -> None:
    made.experiment("paper", ARMS, splits=("60/20/20", "80/10/10"))
    collect(made.home)
    before = _export(made.home)
    assert len(before["predictions"]) > 1000
    rebuild(made.home)
    assert _export(made.home) == before
    made.home.ingest_db.unlink()
    collect(made.home)
    assert _export(made.home) == before


@pytest.mark.parametrize("damage", [b"", b"not a database" * 500])
def test_damaged_ingest_file_is_built_anew(made: SyntheticHome, damage: bytes) -> None:
    made.experiment("paper", {"only": Arm()}, seeds=(0,))
    collect(made.home)
    before = _export(made.home)
    made.home.ingest_db.write_bytes(damage)
    collect(made.home)
    assert _export(made.home) == before


def test_replaced_journal_is_read_from_its_start(made: SyntheticHome) -> None:
    job = made.job("train-a", "train")
    attempt, journal = made.attempt(job, 1)
    _log(journal, 1, 2, 3)
    journal.close()
    collect(made.home)
    attempt.journal.unlink()
    with JournalWriter(attempt.journal) as again:
        _log(again, 9)
    collect(made.home)
    assert _steps(made.home, job) == [9]


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
    assert _steps(made.home, broken) == [1]
    assert _rows(made.home, "select count(*) from results where test_top1 is not null") == [(1,)]


def test_job_without_a_journal_is_still_done(made: SyntheticHome) -> None:
    job = made.done("pack-a", "pack")
    made.home.job(job).attempt(1).journal.unlink()
    collect(made.home)
    assert _rows(made.home, "select state, seconds from jobs") == [("done", 12.0)]


def test_journal_longer_than_a_batch_comes_in_whole(made: SyntheticHome, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.collect.BATCH_BYTES", 700)
    job = made.job("train-a", "train")
    _, journal = made.attempt(job, 1)
    _log(journal, *range(50))
    journal.close()
    made.experiment("paper", {"only": Arm()}, seeds=(0,))
    collect(made.home)
    assert _steps(made.home, job) == list(range(50))


def test_loser_of_the_lock_leaves_at_once(made: SyntheticHome) -> None:
    with FileLock(made.home.ingest_lock):
        assert collect(made.home).is_skipped
    assert not collect(made.home).is_skipped


def test_lazy_collection_waits_with_a_large_snapshot(made: SyntheticHome, monkeypatch: pytest.MonkeyPatch) -> None:
    collect(made.home)
    monkeypatch.setattr("engine.collect.COPY_RATE", 1.0)
    made.done("pack-a", "pack")
    assert not collect(made.home, lazy=True).is_published
    assert _rows(made.home, "from jobs") == []
    assert collect(made.home).is_published
    assert len(_rows(made.home, "from jobs")) == 1


def test_state_comes_from_the_queue_where_there_is_one(made: SyntheticHome, monkeypatch: pytest.MonkeyPatch) -> None:
    states = {"train-a": "running", "pack-a": "running"}
    monkeypatch.setattr("engine.collect._read_states", lambda home: states)
    made.job("train-a", "train")
    made.done("pack-a", "pack")
    collect(made.home)
    assert _rows(made.home, "select job, state from jobs order by job") == [("pack-a", "done"), ("train-a", "running")]
    states["train-a"] = "failed"
    collect(made.home)
    assert _rows(made.home, "select state from jobs where job = 'train-a'") == [("failed",)]


def test_readers_never_fail_while_snapshots_are_replaced(made: SyntheticHome) -> None:
    job = made.job("train-a", "train")
    _, journal = made.attempt(job, 1)
    collect(made.home)
    until, counts = time.monotonic() + 1.5, [0]

    def keep_collecting() -> None:
        while time.monotonic() < until:
            _log(journal, *range(20))
            collect(made.home)

    keeper = threading.Thread(target=keep_collecting)
    keeper.start()
    while time.monotonic() < until:
        counts.append(_rows(made.home, "select count(*) from metrics")[0][0])
    keeper.join()
    journal.close()
    assert counts == sorted(counts)
    assert counts[-1] > 0


def test_failure_reason_reaches_the_attempts(made: SyntheticHome) -> None:
    job = made.job("train-a", "train")
    attempt, journal = made.attempt(job, 1)
    journal.close()
    made.outcome(attempt, "crashed", "out of disk")
    collect(made.home)
    assert _rows(made.home, "select outcome, reason, host from attempts") == [("crashed", "out of disk", "bench")]


def test_times_are_utc_without_a_zone(made: SyntheticHome) -> None:
    path = made.record("paper", [], "none")
    write_json(path, {"name": "paper", "submitted_at": "2026-01-02T03:04:05+02:00", "runs": []})
    collect(made.home)
    assert str(_rows(made.home, "select submitted_at from experiments")[0][0]) == "2026-01-02 01:04:05"


def _kill_collector(home: Home, after: float) -> None:
    code = (
        "import sys; from engine.home import open_home; from engine.collect import collect\n"
        "home = open_home(sys.argv[1]); print(flush=True)\nwhile True: collect(home)"
    )
    child = subprocess.Popen([sys.executable, "-c", code, str(home.root)], stdout=subprocess.PIPE)
    assert child.stdout is not None
    child.stdout.readline()
    time.sleep(after)
    os.kill(child.pid, signal.SIGKILL)
    child.wait()
    child.stdout.close()


@pytest.mark.parametrize("kills", [4, pytest.param(100, marks=pytest.mark.chaos)])
def test_killed_collectors_lose_and_repeat_nothing(made: SyntheticHome, kills: int) -> None:
    job = made.job("train-a", "train")
    attempt, journal = made.attempt(job, 1)
    made.experiment("paper", {"only": Arm()}, seeds=(0,))
    for number in range(kills):
        _log(journal, *range(number * 500, (number + 1) * 500))
        _kill_collector(made.home, 0.02 + 0.4 * (number * 0.37 % 1))
    collect(made.home)
    assert _steps(made.home, job) == list(range(kills * 500))
    made.finish(job, attempt)
    collect(made.home)
    before = _export(made.home)
    rebuild(made.home)
    assert _export(made.home) == before
    journal.close()
    assert not list(made.home.root.rglob("*.tmp")) + list(made.home.root.rglob("*.tmp.wal"))
