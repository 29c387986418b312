"""What the tables and views say of finished jobs: cells, intervals, figures, what the paper published."""

from __future__ import annotations

import shutil

import pytest

from engine.collect import collect
from engine.home.files import write_json
from tests.collect.reading import read_rows
from tests.helpers.synthetic import ARMS, Arm, SyntheticHome
from tests.store.telling import wilson_interval


def test_cells_answer_the_paper_question(made: SyntheticHome) -> None:
    made.experiment("paper", ARMS)
    assert collect(made.home).is_published
    found = dict(read_rows(made.home, "select arm, mean from cells where metric = 'test_top1'"))
    assert found.keys() == ARMS.keys()
    right = read_rows(
        made.home,
        "select arm, avg((label = predicted)::int) from runs join final_jobs using (run) join predictions using (job) "
        "where part = 'test' group by arm",
    )
    assert found == pytest.approx(dict(right))


def test_cells_equal_numpy_and_scipy(made: SyntheticHome) -> None:
    import numpy as np
    from scipy import stats
    from scipy.special import expit, logit

    made.experiment("paper", {"only": ARMS["original"]}, seeds=(0, 1, 2, 3, 4))
    collect(made.home)
    values = [value for (value,) in read_rows(made.home, "select test_top1 from results")]
    n, mean, std, low, high = read_rows(
        made.home, "select n, mean, std, low, high from cells where metric = 'test_top1'"
    )[0]
    assert (n, mean, std) == (5, pytest.approx(np.mean(values)), pytest.approx(np.std(values, ddof=1)))
    middle, wide = logit(np.mean(values)), stats.t.ppf(0.975, 4) * stats.sem(values) / (mean * (1 - mean))
    assert (low, high) == pytest.approx((expit(middle - wide), expit(middle + wide))), "on the logit scale"


def test_one_run_has_wilsons_interval_over_its_test_images(made: SyntheticHome) -> None:
    made.experiment("paper", ARMS, seeds=(0,))
    collect(made.home)
    rows = read_rows(made.home, "select test_top1, test_images, test_low, test_high from results")
    for share, images, low, high in rows:
        assert images == 200
        assert (low, high) == pytest.approx(wilson_interval(round(share * images), images))


def test_one_seed_has_neither_spread_nor_interval(made: SyntheticHome) -> None:
    made.experiment("paper", {"only": Arm()}, seeds=(0,))
    collect(made.home)
    found = read_rows(made.home, "select n, std, low, high from cells where metric = 'test_top1'")
    assert found == [(1, None, None, None)]


def test_results_have_a_row_for_runs_that_have_not_begun(made: SyntheticHome) -> None:
    runs = made.experiment("paper", ARMS, seeds=(0,))
    shutil.rmtree(made.home.job(runs[0]["jobs"]["student"]).root / "attempts")
    made.home.job(runs[0]["jobs"]["student"]).result.unlink()
    collect(made.home)
    states = read_rows(made.home, "select state, test_top1 is null from results order by state")
    assert states == [("done", False), ("done", False), ("queued", True)]


def test_pruned_arm_is_read_from_its_prune_job(made: SyntheticHome) -> None:
    made.experiment("paper", ARMS, seeds=(0,))
    collect(made.home)
    row = read_rows(made.home, "select prune_asked, prune_achieved, params from results where arm = 'proposed_pruned'")
    assert row == [(0.2, pytest.approx(0.196), 17_100_000)]
    assert read_rows(made.home, "select distinct prune_asked from results where arm = 'original'") == [(None,)]


def test_part_evaluated_twice_counts_as_the_last_time(made: SyntheticHome) -> None:
    job = made.job("train-a", "train")
    _, journal = made.attempt(job, 1)
    journal.predictions("val", ["a", "b"], [1, 2], [0, 0], [0.5, 0.5])
    journal.predictions("val", ["a", "b"], [1, 2], [1, 2], [0.9, float("nan")])
    journal.close()
    collect(made.home)
    rows = read_rows(made.home, "select sample, predicted, isnan(confidence) from predictions order by sample")
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
    row = read_rows(
        made.home, "select n, not_finite, isfinite(mean) from cells where experiment = 'other' and metric = 'test_top1'"
    )
    assert row == [(2, 1, True)]
    assert read_rows(made.home, "select isnan(last), best_max, not_finite from metrics_last where job = 'train-x'") == [
        (True, None, 1)
    ]


def test_newest_record_alone_defines_the_runs(made: SyntheticHome) -> None:
    runs = made.experiment("paper", ARMS, seeds=(0, 1))
    collect(made.home)
    made.record("paper", runs[:2], "original")
    collect(made.home)
    assert read_rows(made.home, "select distinct arm from runs") == [("original",)]
    assert read_rows(made.home, "select count(*) from jobs where state = 'done'")[0][0] > 8


def test_shared_job_serves_two_experiments(made: SyntheticHome) -> None:
    runs = made.experiment("one", {"only": Arm()}, seeds=(0,))
    made.record("two", runs, "only")
    collect(made.home)
    assert read_rows(made.home, "select experiment, test_top1 is not null from results order by 1") == [
        ("one", True),
        ("two", True),
    ]
    assert read_rows(made.home, "select count(*) from run_jobs") == [(4,)]


def test_published_figures_have_both_readings(made: SyntheticHome) -> None:
    collect(made.home)
    row = read_rows(made.home, "select relative_baseline, absolute_baseline from published where change = -0.62")
    assert row == [(pytest.approx(73.645 / (1 - 0.0062), abs=1e-3), pytest.approx(73.645 + 0.62))]
    assert read_rows(
        made.home, "select count(*) from published where metric = 'memory' and absolute_change is not null"
    ) == [(0,)]


def test_state_comes_from_the_queue_where_there_is_one(made: SyntheticHome, monkeypatch: pytest.MonkeyPatch) -> None:
    states = {"train-a": "running", "pack-a": "running"}
    monkeypatch.setattr("engine.collect._read_states", lambda home: states)
    made.job("train-a", "train")
    made.done("pack-a", "pack")
    collect(made.home)
    assert read_rows(made.home, "select job, state from jobs order by job") == [
        ("pack-a", "done"),
        ("train-a", "running"),
    ]
    states["train-a"] = "failed"
    collect(made.home)
    assert read_rows(made.home, "select state from jobs where job = 'train-a'") == [("failed",)]


def test_failure_reason_reaches_the_attempts(made: SyntheticHome) -> None:
    job = made.job("train-a", "train")
    attempt, journal = made.attempt(job, 1)
    journal.close()
    made.outcome(attempt, "crashed", "out of disk")
    collect(made.home)
    assert read_rows(made.home, "select outcome, reason, host from attempts") == [("crashed", "out of disk", "bench")]


def test_times_are_utc_without_a_zone(made: SyntheticHome) -> None:
    path = made.record("paper", [], "none")
    write_json(path, {"name": "paper", "submitted_at": "2026-01-02T03:04:05+02:00", "runs": []})
    collect(made.home)
    assert str(read_rows(made.home, "select submitted_at from experiments")[0][0]) == "2026-01-02 01:04:05"
