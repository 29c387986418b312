"""The views of schema.sql: each column's number from rows that were written by hand."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from scipy import stats as scipy_stats

from engine.collect import collect
from engine.home.paths import Home
from store.journal import JournalWriter
from store.metrics import METRICS
from store.results import open_snapshot
from tests.helpers.synthetic import Arm, SyntheticHome
from tests.store.telling import CPU, NOT_IN_CELLS, RESULTS, tell_run, wilson_interval


def ask(home: Home, sql: str) -> list[dict[str, Any]]:
    with open_snapshot(home) as db:
        cursor = db.execute(sql)
        names = [part[0] for part in cursor.description or []]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def test_every_column_of_results_has_its_own_figure(made: SyntheticHome) -> None:
    made.record("paper", [tell_run(made, seed) for seed in (1, 0)], "arm")
    collect(made.home)
    second, first = ask(made.home, "from results")
    low, high = wilson_interval(6, 8)
    where = {"experiment": "paper", "arm": "arm", "cell": "data.split=60/20/20", "split": "60/20/20", "state": "done"}
    untold = {"speedup_low": None, "speedup_high": None}  # of jobs without rounds
    tested = {**untold, "test_images": 8, "test_low": pytest.approx(low), "test_high": pytest.approx(high)}
    assert first == {**where, **{name: pytest.approx(value) for name, value in RESULTS.items()},
                     "seed": 0, "run": "run-arm0", **tested}  # fmt: skip
    doubled = {name: pytest.approx(2 * value) for name, value in RESULTS.items()} | {
        "infer_batch_size": 32,
        "infer_oom_batch_size": 256,
    }
    assert second == {**where, **doubled, "seed": 1, "run": "run-arm1", **tested}


def test_every_metric_of_cells_has_its_mean_spread_and_interval(made: SyntheticHome) -> None:
    from scipy import stats

    made.record("paper", [tell_run(made, seed) for seed in (0, 1, 3)], "arm")
    collect(made.home)
    rows = {row.pop("metric"): row for row in ask(made.home, "from cells")}
    assert rows.keys() == RESULTS.keys() - {*NOT_IN_CELLS}
    half = stats.t.ppf(0.975, 2) * math.sqrt(7 / 3) / math.sqrt(3)  # of 1, 2, 4
    for metric, row in rows.items():
        one = RESULTS[metric]
        low, high = bent_interval(one * 7 / 3, one * half, METRICS[metric].unit == "fraction")
        if METRICS[metric].is_signed:
            low, high = one * 7 / 3 - one * half, one * 7 / 3 + one * half
        assert row == {
            "experiment": "paper", "arm": "arm", "cell": "data.split=60/20/20", "split": "60/20/20", "n": 3,
            "mean": pytest.approx(one * 7 / 3), "std": pytest.approx(one * math.sqrt(7 / 3)),
            "low": pytest.approx(low), "high": pytest.approx(high), "not_finite": 0,
        }  # fmt: skip


def test_a_gain_may_be_below_zero_at_one_end(made: SyntheticHome) -> None:
    """Means of gains over chance have the plain interval, on whichever side of 0 they lie."""
    runs = made.experiment("paper", {"a": Arm()}, (0, 1))
    for run, gain in zip(runs, (0.01, 0.03), strict=True):
        with JournalWriter(made.home.job(run["jobs"]["explain"]).attempt(1).journal) as journal:
            journal.measurement("deletion_gain", gain, "1", **CPU, batch_size=1)
    collect(made.home)
    row, half = spread_of(made, "deletion_gain"), scipy_stats.t.ppf(0.975, 1) * 0.01
    assert (row["low"], row["high"]) == (pytest.approx(0.02 - half), pytest.approx(0.02 + half))
    assert row["low"] < 0


def bent_interval(mean: float, half: float, is_share: bool) -> tuple[float, float]:
    """The interval of a share on the logit scale, of any other figure on the log scale, by the delta method."""
    if is_share:
        middle, wide = math.log(mean / (1 - mean)), half / (mean * (1 - mean))
        return 1 / (1 + math.exp(-(middle - wide))), 1 / (1 + math.exp(-(middle + wide)))
    return mean * math.exp(-half / mean), mean * math.exp(half / mean)


def spread_of(made: SyntheticHome, metric: str) -> dict[str, Any]:
    (row,) = ask(made.home, f"select n, mean, std, low, high from cells where metric = '{metric}'")
    return row


def test_an_accuracy_never_leaves_what_a_share_can_be(made: SyntheticHome) -> None:
    runs = made.experiment("paper", {"a": Arm()}, (0, 1))
    for run, top1 in zip(runs, (0.99, 0.93), strict=True):
        with JournalWriter(made.home.job(run["jobs"]["student"]).attempt(1).journal) as journal:
            journal.metric("test_top1", top1, step=99, epoch=2)
    collect(made.home)
    row = spread_of(made, "test_top1")
    assert (row["n"], row["mean"]) == (2, pytest.approx(0.96))
    assert 0 < row["low"] < 0.93
    assert 0.99 < row["high"] < 1
    assert spread_of(made, "train_images_per_second")["low"] > 0


@pytest.mark.parametrize("top1", [0.0, 1.0])
def test_an_accuracy_at_the_edge_stays_there(made: SyntheticHome, top1: float) -> None:
    runs = made.experiment("paper", {"a": Arm()}, (0, 1))
    for run in runs:
        with JournalWriter(made.home.job(run["jobs"]["student"]).attempt(1).journal) as journal:
            journal.metric("test_top1", top1, step=99, epoch=2)
    collect(made.home)
    assert spread_of(made, "test_top1") == {"n": 2, "mean": top1, "std": 0.0, "low": top1, "high": top1}


def test_one_measurement_of_all_seeds_is_one_sample(made: SyntheticHome) -> None:
    runs = made.experiment("paper", {"a": Arm()}, (0, 1, 2))
    shared = [{**run, "jobs": {**run["jobs"], "measure": runs[0]["jobs"]["measure"]}} for run in runs]
    made.record("paper", shared, "a")
    collect(made.home)
    for metric in ("infer_images_per_second", "infer_latency"):
        row = spread_of(made, metric)
        assert (row["n"], row["std"], row["low"], row["high"]) == (1, None, None, None)
    assert spread_of(made, "train_images_per_second")["n"] == 3, "that is measured in every run"


def test_cells_are_told_apart_by_experiment_arm_and_split(made: SyntheticHome) -> None:
    one, two = tell_run(made, 0), tell_run(made, 1, arm="other")
    made.record("paper", [one, two], "arm")
    made.record("again", [one], "arm")
    collect(made.home)
    rows = ask(made.home, "select experiment, arm, n, mean from cells where metric = 'macs' order by all")
    assert [tuple(row.values()) for row in rows] == [
        ("again", "arm", 1, 5003.0),
        ("paper", "arm", 1, 5003.0),
        ("paper", "other", 1, 10006.0),
    ]


def test_best_epoch_counts_where_the_best_was_kept(made: SyntheticHome) -> None:
    made.record("paper", [tell_run(made, 0, checkpoint="best_val")], "arm")
    collect(made.home)
    assert ask(made.home, "select val_top1 from results") == [{"val_top1": 0.09}]


def test_student_stands_in_for_what_no_other_job_measured(made: SyntheticHome) -> None:
    """Not pruned, not measured, taught without a split, its speed logged as a series."""
    attempt, journal = made.attempt(made.job("train-a", "train"), 1)
    with journal:
        journal.metric("train_images_per_second", 90.0, step=1, epoch=0)
        journal.measurement("params", 21.0, "1", **CPU, batch_size=1)
        journal.teacher("test", "teacher_top1", 0.6)
        journal.teacher("test", "top1", 0.9)
        journal.predictions("test", ["a", "b"], [1, 1], [1, 1], [0.5, 0.5])
    made.finish("train-a", attempt, 5.0)
    made.record("paper", [_plain_run("a", {"student": "train-a"})], "arm")
    collect(made.home)
    (row,) = ask(made.home, "from results")
    low, high = wilson_interval(2, 2)
    assert {name: value for name, value in row.items() if value is not None} == {
        "experiment": "paper", "arm": "arm", "cell": "c", "seed": 0, "split": "s", "run": "run-a", "state": "done",
        "train_images_per_second": 90.0, "params": 21, "teacher_test_top1": 0.6, "train_seconds": 5.0,
        "test_images": 2, "test_low": pytest.approx(low), "test_high": pytest.approx(high),
    }  # fmt: skip


def _plain_run(key: str, jobs: dict[str, str]) -> dict[str, Any]:
    return {"run": f"run-{key}", "arm": "arm", "cell": "c", "seed": 0, "split": "s", "settings": {}, "jobs": jobs}


def test_measure_on_a_cpu_alone_counts_with_most_threads(made: SyntheticHome) -> None:
    attempt, journal = made.attempt(made.job("measure-a", "measure"), 1)
    with journal:
        for threads, speed, latency in ((1, 9.0, 5.0), (2, 7.0, 6.0)):
            where: dict[str, Any] = {"device": "cpu", "precision": "fp32", "batch_size": 4, "threads": threads}
            journal.measurement("infer_images_per_second", speed, "images/s", **where)
            journal.measurement("infer_latency", latency, "ms", **where)
    made.finish("measure-a", attempt)
    made.record("paper", [_plain_run("a", {"measure": "measure-a"})], "arm")
    collect(made.home)
    query = "select infer_images_per_second, infer_batch_size, infer_latency from results"
    assert [tuple(row.values()) for row in ask(made.home, query)] == [(7.0, 4, 6.0)]


OWN, BASE = [40.0, 44.0, 38.0, 41.0], [50.0, 51.0, 49.5, 52.0]
AT_FOUR: dict[str, Any] = {"device": "cpu", "precision": "fp32", "batch_size": 4, "threads": 2}


@pytest.fixture
def rounds(made: SyntheticHome) -> SyntheticHome:
    """Two measure jobs: one beside the baseline, at two loads, one alone."""
    beside = [{**AT_FOUR, "own": OWN, "base": BASE}, {**AT_FOUR, "batch_size": 8, "own": BASE, "base": OWN}]
    for job, loads in (("measure-a", beside), ("measure-b", [{**AT_FOUR, "own": OWN, "base": None}])):
        attempt, journal = made.attempt(made.job(job, "measure"), 1)
        with journal:
            journal.fact("rounds", loads)
        made.finish(job, attempt)
    made.record("paper", [_plain_run("a", {"measure": "measure-a"}), _plain_run("b", {"measure": "measure-b"})], "arm")
    collect(made.home)
    return made


def test_every_round_is_a_row(rounds: SyntheticHome) -> None:
    query = "select * from speed_rounds where batch_size = 4 order by job, round"
    rows = [tuple(row.values()) for row in ask(rounds.home, query)]
    beside = [("measure-a", "cpu", "fp32", 4, 2, at, OWN[at - 1], BASE[at - 1]) for at in (1, 2, 3, 4)]
    assert rows == [*beside, *(("measure-b", "cpu", "fp32", 4, 2, at, OWN[at - 1], None) for at in (1, 2, 3, 4))]


def test_a_speed_up_in_sql_is_the_t_interval_of_log_ratios(rounds: SyntheticHome) -> None:
    rows = {row["batch_size"]: row for row in ask(rounds.home, "select * from speedups")}
    logs = [math.log(own / base) for own, base in zip(OWN, BASE, strict=True)]
    low, high = scipy_stats.ttest_1samp(logs, 0.0).confidence_interval(0.95)
    told = [rows[4][name] for name in ("ratio", "low", "high")]
    assert told == pytest.approx([math.exp(np.mean(logs)), math.exp(low), math.exp(high)])
    assert [rows[8][name] for name in ("ratio", "high", "low")] == pytest.approx([1 / value for value in told])
    assert {(row["job"], row["n"]) for row in rows.values()} == {("measure-a", 4)}, "one alone has no ratio"


def test_the_baseline_is_as_fast_as_itself_once_it_was_measured(made: SyntheticHome) -> None:
    attempt, journal = made.attempt(made.job("measure-a", "measure"), 1)
    with journal:
        journal.measurement("infer_images_per_second", 9.0, "images/s", **AT_FOUR)
    made.finish("measure-a", attempt)
    other = {**_plain_run("b", {"measure": "measure-a"}), "arm": "other"}
    unmeasured = {**_plain_run("c", {"measure": "measure-b"}), "seed": 1}
    made.record("paper", [_plain_run("a", {"measure": "measure-a"}), other, unmeasured], "arm")
    collect(made.home)
    rows = ask(made.home, "select arm, seed, infer_speedup from results order by all")
    assert [tuple(row.values()) for row in rows] == [("arm", 0, 1.0), ("arm", 1, None), ("other", 0, None)]


@pytest.mark.parametrize(("correct", "images"), [(0, 7), (7, 7), (1, 3), (37, 50)])
def test_wilson_interval_in_sql_is_that_of_scipy(made: SyntheticHome, correct: int, images: int) -> None:
    attempt, journal = made.attempt(made.job("train-a", "train"), 1)
    with journal:
        guess = [int(number < correct) for number in range(images)]
        journal.predictions("test", [f"{number}" for number in range(images)], [1] * images, guess, [0.5] * images)
    made.finish("train-a", attempt)
    made.record("paper", [_plain_run("a", {"student": "train-a"})], "arm")
    collect(made.home)
    (row,) = ask(made.home, "select test_images, test_low, test_high from results")
    assert (row["test_low"], row["test_high"]) == pytest.approx(wilson_interval(correct, images), abs=1e-12)
    assert row["test_images"] == images


@pytest.mark.parametrize(
    ("states", "found"),
    [
        (("done", "done"), "done"), (("done", "failed"), "failed"), (("failed", "cancelled"), "failed"),
        (("cancelled", "running"), "cancelled"), (("running", "paused"), "running"), (("paused", "queued"), "paused"),
        (("queued", "blocked"), "queued"), (("blocked", "done"), "blocked"),
    ],
)  # fmt: skip
def test_run_has_the_state_of_the_job_that_matters_most(
    made: SyntheticHome, monkeypatch: pytest.MonkeyPatch, states: tuple[str, str], found: str
) -> None:
    jobs = {"train-a": states[0], "prune-a": states[1]}
    for job, state in jobs.items():
        kind = job.split("-")[0]
        made.done(job, kind) if state == "done" else made.job(job, kind)
    monkeypatch.setattr("engine.collect._read_states", lambda _: jobs)
    made.record("paper", [_plain_run("a", {"student": "train-a", "prune": "prune-a"})], "arm")
    collect(made.home)
    assert ask(made.home, "select state from runs") == [{"state": found}]


def test_part_of_each_image_is_read_from_the_split_and_the_pack(made: SyntheticHome) -> None:
    attempt, journal = made.attempt(made.job("pack-a", "pack"), 1)
    with journal:
        journal.fact("samples 2", ["c", "d", "e"])
        journal.fact("samples 0", ["a", "b"])
    made.finish("pack-a", attempt)
    attempt, journal = made.attempt(made.job("train-a", "train"), 1)
    with journal:
        journal.fact("split", {"digest": "d", "pack": "pack-a", "letters": "tvs-t"})
    made.finish("train-a", attempt)
    collect(made.home)
    rows = ask(made.home, "select * from splits order by sample")
    assert [tuple(row.values()) for row in rows] == [
        ("train-a", "d", part, sample)
        for part, sample in zip(("train", "val", "test", "unused", "train"), "abcde", strict=True)
    ]
    assert ask(made.home, "select position from samples where sample = 'd'") == [{"position": 3}]


def test_line_that_came_last_counts_for_teachers_and_facts(made: SyntheticHome) -> None:
    for number, value in ((1, 0.9), (2, 0.2)):
        _, journal = made.attempt(made.job("train-a", "train"), number)
        with journal:
            if number > 1:
                journal.resumed(1, 5, 99)
            journal.teacher("val", "top1", 0.5)
            journal.teacher("val", "top1", value)
            journal.teacher("test", "top1", 0.7)
            journal.fact("split", {"x": value})
    collect(made.home)
    rows = ask(made.home, "select part, value from teachers order by part")
    assert [tuple(row.values()) for row in rows] == [("test", 0.7), ("val", 0.2)]
    assert ask(made.home, "select value ->> '$.x' as x from facts") == [{"x": "0.2"}]


def test_last_best_and_count_of_a_series_are_told(made: SyntheticHome) -> None:
    _, journal = made.attempt(made.job("train-a", "train"), 1)
    with journal:
        for step, value in ((3, 4.0), (1, 9.0), (2, 1.0), (3, 5.0), (2, math.inf), (1, math.nan)):
            journal.metric("loss", value, step=step, epoch=0)
    collect(made.home)
    assert [tuple(row.values()) for row in ask(made.home, "from metrics_last")] == [
        ("train-a", "loss", 5.0, 1.0, 9.0, 6, 2)
    ]


def test_measurements_and_metrics_keep_every_field(made: SyntheticHome, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("time.time", lambda: 1.5)
    _, journal = made.attempt(made.job("train-a", "train"), 1)
    with journal:
        where: dict[str, Any] = {"device": "cuda", "precision": "bf16", "batch_size": 8, "threads": 3}
        journal.measurement("speed", 2.5, "images/s", **where, p5=1.25, p95=3.75, n=30)
        journal.metric("lr", 0.125, step=7, epoch=2)
        journal.predictions("val", ["a"], [4], [5], [0.25])
    monkeypatch.undo()
    collect(made.home)
    assert [tuple(row.values()) for row in ask(made.home, "from measurements")] == [
        ("train-a", "speed", "cuda", "bf16", 8, 3, 2.5, "images/s", 1.25, 3.75, 30)
    ]
    assert [tuple(map(str, row.values())) for row in ask(made.home, "from metrics")] == [
        ("train-a", "1", "lr", "7", "2", "0.125", "1970-01-01 00:00:01.500000")
    ]
    assert [tuple(row.values()) for row in ask(made.home, "from predictions")] == [("train-a", "val", "a", 4, 5, 0.25)]


def test_attempts_figures_and_provenance_reach_their_tables(made: SyntheticHome) -> None:
    made.done("train-a", "train", {"pack": "pack-b", "targets": "pack-a"}, {"seed": 3})
    collect(made.home)
    (job,) = ask(made.home, "from jobs")
    assert job == {
        "job": "train-a", "kind": "train", "state": "done", "seconds": 12.0, "needs": ["pack-a", "pack-b"],
        "settings": '{"seed":3}', "figures": "{}",
    }  # fmt: skip
    (attempt,) = ask(
        made.home, "select * replace (started_at::varchar as started_at, ended_at::varchar as ended_at) from attempts"
    )
    assert attempt == {
        "job": "train-a", "attempt": 1, "outcome": "done", "reason": "", "host": "bench", "device": "cpu",
        "slot": "cpu:0", "started_at": "2025-10-09 08:53:20", "ended_at": "2025-10-09 08:53:32",
    }  # fmt: skip
    (ran,) = ask(made.home, "from provenance")
    assert {name: value for name, value in ran.items() if value is not None} == {
        "job": "train-a", "attempt": 1, "git_commit": "c0ffee" * 6, "python": "3.11", "torch": "2.15.0",
        "timm": "1.0.31", "host": "bench", "device": "cpu", "spec_digest": "s", "data_digest": "d", "more": "{}",
    }  # fmt: skip
