"""The queries of the commands and the report: what each says of one home whose every figure is known."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb
import pytest

from engine.collect import collect
from store.results import open_snapshot
from tests.helpers.synthetic import SyntheticHome
from tests.store.telling import tell_run

QUERIES = Path(__file__).parents[2] / "store" / "queries"
CLAIMS = (
    {
        "id": "k",
        "text": "it is so",
        "metric": "macs",
        "arm": "arm",
        "against": "other",
        "expect": "less",
        "margin": 0.5,
    },
)


@pytest.fixture(scope="module")
def db(tmp_path_factory: pytest.TempPathFactory) -> Iterator[duckdb.DuckDBPyConnection]:
    """Experiment `paper`: arm `arm` with seeds 1 and 0, arm `other` with seed 0, one run that has failed half-way."""
    made = SyntheticHome(tmp_path_factory.mktemp("home"))
    runs = [tell_run(made, 1), tell_run(made, 0), tell_run(made, 0, arm="other"), _resumed_run(made)]
    made.record("paper", runs, "arm", CLAIMS)
    made.record("again", [runs[2]], "other")
    collect(made.home)
    with open_snapshot(made.home) as opened:
        yield opened


def _resumed_run(made: SyntheticHome) -> dict[str, Any]:
    """A student whose attempt 10 went on from attempt 9; with curves, a split and bins of confidence; not done."""
    for number in (9, 10):
        attempt, journal = made.attempt(made.job("train-long", "train"), number)
        with journal:
            if number == 10:
                journal.resumed(9, 2, 2)
            for step, value in ((1, 0.25), (2, 0.5)) if number == 9 else ((3, 0.75), (4, float("inf"))):
                journal.metric("val_top1", value, step=step, epoch=step // 2)
            journal.metric("lr", 0.5, step=9, epoch=0)
            journal.fact("split", {"digest": "d"})
            journal.fact("reliability", {"val": [number]})
            journal.fact("micro_batch", 16)
            journal.teacher("test", "agreement", 0.5)
            journal.teacher("test", "nll", 0.25)
            journal.predictions("test", ["b", "a"], [1, 2], [1, 1], [0.5, 0.5])
        made.outcome(attempt, "lost" if number == 9 else "crashed", f"reason {number}")
    where = {"arm": "long", "cell": "c", "seed": 4, "split": "s", "settings": {}}
    return {**where, "run": "run-long", "jobs": {"student": "train-long"}}


def ask(db: duckdb.DuckDBPyConnection, query: str, **values: Any) -> list[tuple[Any, ...]]:
    return db.execute((QUERIES / f"{query}.sql").read_text(), values or None).fetchall()


def test_experiments_and_claims_are_listed(db: duckdb.DuckDBPyConnection) -> None:
    assert ask(db, "claims_experiments") == [("again",), ("paper",)]
    assert ask(db, "claims_of", name="paper") == [("k", "it is so", "macs", "arm", "other", "less", 0.5)]
    assert ask(db, "claims_of", name="again") == []
    assert ask(db, "trace_arms") == [("again/other",), ("paper/arm",), ("paper/long",), ("paper/other",)]
    assert ask(db, "trace_run", run="run-other0") == [("again/other",)]


def test_images_come_in_one_order_whatever_the_journal_had(db: duckdb.DuckDBPyConnection) -> None:
    ((job, images, correct),) = ask(db, "compare_images", jobs=["train-long"])
    assert (job, correct) == ("train-long", "01"), "a as 2, which is wrong, and b as 1"
    told = {
        job: images for job, images, _ in ask(db, "compare_images", jobs=["train-long", "prune-arm0", "prune-arm1"])
    }
    assert told["train-long"] == images != told["prune-arm0"] == told["prune-arm1"]
    assert ask(db, "compare_images", jobs=["prune-arm0"])[0][2] == "11111100"
    assert ask(db, "compare_samples", jobs=["train-long"]) == [("train-long", ["a", "b"])]


def test_an_image_without_an_answer_is_not_told_right() -> None:
    with duckdb.connect() as held:
        held.execute(
            "create table predictions (job varchar, part varchar, sample varchar, label integer, predicted integer)"
        )
        held.execute("insert into predictions values ('j', 'test', 'a', 1, null), ('j', 'test', 'b', 1, 1)")
        assert ask(held, "compare_images", jobs=["j"])[0][2] == "01"


def test_cells_have_their_runs_behind_them_in_the_order_of_seeds(db: duckdb.DuckDBPyConnection) -> None:
    rows = {row[:3]: row[3:] for row in ask(db, "freeze_cells", name="paper")}
    n, mean, std, low, high, runs = rows[("arm", "data.split=60/20/20", "macs")]
    assert (n, mean, runs) == (2, 7504.5, ["run-arm0", "run-arm1"])
    assert std == pytest.approx(5003 / 2**0.5)
    assert (low * high) ** 0.5 == pytest.approx(7504.5), "even on the log scale"
    assert rows[("other", "data.split=60/20/20", "macs")][5] == ["run-other0"]
    assert list(rows) == sorted(rows)
    traced = ask(db, "trace_cells", experiment="paper", arm="arm", metric="macs")
    assert traced == [("data.split=60/20/20", 2, 7504.5, std, low, high)]


def test_attempts_behind_a_number_are_named_in_their_order(db: duckdb.DuckDBPyConnection) -> None:
    ((run, job, attempts, *_),) = ask(db, "trace_origins", experiment="paper", arm="long", metric="val_top1")
    assert (run, job, attempts) == ("run-long", "train-long", "9, 10")


@pytest.mark.parametrize(
    ("metric", "job"),
    [
        ("macs", "measure-arm0"), ("test_top1", "prune-arm0"), ("params", "measure-arm0"),
        ("teacher_test_top1", "targets-arm0"), ("train_seconds", "prune-arm0 and train-arm0"),
    ],
)  # fmt: skip
def test_number_comes_from_the_last_job_that_logged_it(db: duckdb.DuckDBPyConnection, metric: str, job: str) -> None:
    found = {row[0]: row[1:] for row in ask(db, "trace_origins", experiment="paper", arm="arm", metric=metric)}
    assert found.keys() == {"run-arm0", "run-arm1"}
    assert found["run-arm0"] == (job, "1", f"commit {'c0ffee' * 6}", [], "bench cpu")


def test_runs_are_compared_with_their_last_jobs_and_where_they_ran(db: duckdb.DuckDBPyConnection) -> None:
    cursor = db.execute((QUERIES / "compare_runs.sql").read_text(), {"experiment": "paper", "arm": "arm"})
    names = [part[0] for part in cursor.description or []]
    rows = [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]
    assert [row["run"] for row in rows] == ["run-arm1", "run-arm0"], "in the order of the spec"
    about = ("final_job", "measure_job", "code", "measure_code", "images", "train_device", "measure_device", "macs")
    assert [rows[1][name] for name in about] == [
        "prune-arm0", "measure-arm0", "c0ffeec0ffee", "c0ffeec0ffee", "d", "cpu", "cpu",
        5003,
    ]  # fmt: skip


def test_rounds_come_with_the_networks_that_were_measured(tmp_path: Path) -> None:
    made, at = SyntheticHome(tmp_path), {"precision": "fp32", "threads": 1}
    loads = [{**at, "device": device, "batch_size": batch, "own": [1.0 * batch, 2.0 * batch], "base": [3.0, 4.0]}
             for device, batch in (("cpu", 64), ("cuda", 1), ("cuda", 8))]  # fmt: skip
    for job, needs in (("measure-a", {}), ("measure-b", {"parent": "prune-1"})):
        settings = {"network": {"arch": "a"}, "against": {"arch": "b"}}
        attempt, journal = made.attempt(made.job(job, "measure", needs, settings), 1)
        with journal:
            journal.fact("rounds", loads)
        made.finish(job, attempt)
    made.record("paper", [], "arm")
    collect(made.home)
    with open_snapshot(made.home) as db:
        jobs = ["measure-a", "measure-b", "measure-c"]
        largest = ask(db, "compare_rounds", jobs=jobs, smallest=False, apart=None)
        smallest = ask(db, "compare_rounds", jobs=jobs[:1], smallest=True, apart=None)
    networks = [('{"arch":"a"}', '{"arch":"b"}'), (None, '{"arch":"b"}')]
    assert largest == [
        *(("measure-a", at, own, base, *networks[0]) for at, own, base in ((1, 8.0, 3.0), (2, 16.0, 4.0))),
        *(("measure-b", at, own, base, *networks[1]) for at, own, base in ((1, 8.0, 3.0), (2, 16.0, 4.0))),
    ]
    assert [row[:3] for row in smallest] == [("measure-a", 1, 1.0), ("measure-a", 2, 2.0)]


def test_experiment_pays_once_for_a_job(db: duckdb.DuckDBPyConnection) -> None:
    ((title, baseline, submitted, submission, _, _, seconds),) = ask(db, "report_about", name="paper")
    assert (title, baseline, submitted, submission) == ("The paper experiment", "arm", "2025-10-09 08:53 UTC", 1)
    assert seconds == 29.0 * (2 + 1 + 1)


def test_jobs_that_are_not_done_say_why_their_last_attempt_ended(db: duckdb.DuckDBPyConnection) -> None:
    assert ask(db, "report_jobs", name="paper") == [("train-long", "train", "queued", 1, 2, "reason 10")]
    assert ask(db, "report_jobs", name="again") == []


def test_curves_hold_the_last_finite_value_of_each_epoch(db: duckdb.DuckDBPyConnection) -> None:
    rows = ask(db, "report_curves", name="paper")
    assert [row for row in rows if row[0] == "long"] == [
        ("long", "c", "student", "val_top1", 0, 0.25, 0.25, 0.25, 1, 1),
        ("long", "c", "student", "val_top1", 1, 0.75, 0.75, 0.75, 1, 1),
    ]
    recovered = [row for row in rows if row[:3] == ("arm", "data.split=60/20/20", "prune")]
    assert recovered, "what a pruned arm logs in its recovery"
    assert {row[8:] for row in recovered} == {(2, 2)}
    assert all(least <= mean <= most for mean, least, most in (row[5:8] for row in recovered))
    assert {row[9] for row in rows if row[0] == "other"} == {1}


def test_facts_of_splits_bins_and_micro_batches_are_those_of_the_experiment(db: duckdb.DuckDBPyConnection) -> None:
    assert ask(db, "report_images", name="paper") == [("split", '{"digest":"d"}')]
    assert ask(db, "report_bins", name="paper") == [("train-long", '{"val":[10]}')]
    assert ask(db, "report_splits", name="paper") == [("long", "c", "student", "16", [4])]
    for query in ("report_images", "report_bins", "report_splits"):
        assert ask(db, query, name="again") == []


def test_students_are_told_with_how_near_they_came(db: duckdb.DuckDBPyConnection) -> None:
    assert ask(db, "report_students", name="paper") == [("long", "c", "test", "agreement", 0.5, 0.5, 0.5, 1)]


def test_teacher_is_told_with_whom_it_teaches(db: duckdb.DuckDBPyConnection) -> None:
    rows = ask(db, "report_teachers", name="again")
    told = {row[2:4]: row[4] for row in rows}
    assert told == {("test", "top1"): 0.13, ("val", "top1"): 0.91, ("test", "nll"): 0.92, ("train", "top1"): 0.97}
    assert {row[:2] + row[5:9] for row in rows} == {("targets-other0", "60/20/20", "other", "other", False, False)}


def test_runs_and_cells_of_a_report_come_in_order(db: duckdb.DuckDBPyConnection) -> None:
    assert [row[5] for row in ask(db, "report_runs", name="paper")] == [
        "run-arm1",
        "run-arm0",
        "run-other0",
        "run-long",
    ]
    rows = ask(db, "report_cells", name="paper")
    assert rows == sorted(rows, key=lambda row: row[:3])
    assert {row[0] for row in rows} == {"arm", "other", "long"}


def test_places_where_jobs_ran_are_counted(db: duckdb.DuckDBPyConnection) -> None:
    rows = ask(db, "report_origins", name="paper")
    assert [(row[0], row[1], row[4], row[-1]) for row in rows] == [("bench", "cpu", "2.15.0", 16)]


def test_figures_of_measure_jobs_come_by_arm_and_load(db: duckdb.DuckDBPyConnection) -> None:
    rows = ask(db, "report_measured", name="paper")
    assert {row[0] for row in rows} <= {"arm", "other", "long"}
    assert rows == sorted(rows, key=lambda row: row[:8])
    assert {row[2] for row in rows if row[0] == "other"} == {"measure-other0"}
    assert ask(db, "report_measured", name="nothing") == []


def test_last_networks_come_with_their_accuracy_in_the_order_of_the_spec(db: duckdb.DuckDBPyConnection) -> None:
    rows = ask(db, "report_finals", name="paper")
    assert [row[0::2][:2] for row in rows] == [("arm", 1), ("arm", 0), ("other", 0)]
    assert [row[3] for row in rows] == ["prune-arm1", "prune-arm0", "prune-other0"]


def test_rounds_of_an_experiment_come_by_load_and_way(tmp_path: Path) -> None:
    made = SyntheticHome(tmp_path)
    load = {"device": "cpu", "precision": "fp32", "threads": 1, "batch_size": 8}
    told = [{**load, "own": [1.0, 2.0], "base": [3.0, 4.0]}, {**load, "own": [5.0], "base": None, "apart": "compiled"}]
    attempt, journal = made.attempt(made.job("measure-a", "measure", {}, {"network": {"arch": "a"}}), 1)
    with journal:
        journal.fact("rounds", told)
        journal.fact("modes", {"shown": "graph", "apart": ["compiled"], "refused": {}})
        restless = {"batch_size": 8, "threads": 1, "mode": "compiled", "network": "base", "spread": 0.1}
        journal.fact("machine", {"noisy": [restless, {**restless, "mode": "graph", "batch_size": 1}]})
    made.finish("measure-a", attempt)
    run = {"arm": "a", "cell": "c", "seed": 0, "split": "s", "settings": {}, "run": "run-a"}
    made.record("paper", [{**run, "jobs": {"measure": "measure-a"}}], "a")
    collect(made.home)
    with open_snapshot(made.home) as opened:
        rows = ask(opened, "report_rounds", name="paper")
    assert [row[3:12] for row in rows] == [
        ("", "cpu", "fp32", 8, 1, 1, 1.0, 3.0, "graph"), ("", "cpu", "fp32", 8, 1, 2, 2.0, 4.0, "graph"),
        ("compiled", "cpu", "fp32", 8, 1, 1, 5.0, None, "graph"),
    ]  # fmt: skip
    assert [row[12] for row in rows] == [False, False, True], "the other was noisy at another batch"
    assert {row[:3] + row[13:] for row in rows} == {("a", "c", "measure-a", '{"arch":"a"}', None)}


def test_every_sum_and_mean_has_an_order() -> None:
    """DuckDB adds up in several threads: without one, a page made twice had other last digits, and other bytes."""
    texts = {path.name: path.read_text() for path in [*QUERIES.glob("*.sql"), QUERIES.parent / "schema.sql"]}
    calls = re.compile(r"\b(?:avg|sum|stddev_samp)\(((?:[^()]|\((?:[^()]|\([^()]*\))*\))*)\)")
    found = [(name, call) for name, text in texts.items() for call in calls.findall(text)]
    assert len(found) >= 10
    assert [(name, call) for name, call in found if " order by " not in call] == []


def test_a_trial_of_several_lengths_is_one_trial() -> None:
    with duckdb.connect() as made:
        made.execute(
            "create table trials (experiment varchar, arm varchar, trial integer, refused varchar, drawn json,"
            " rung integer, why varchar)"
        )
        drawn = [(0, None, '{"lr": 1}'), (1, "no", '{"lr": 1}'), (2, None, '{"wd": 1}')]
        rows = [("s", "a", *one, 0, "tpe") for one in drawn]
        further = [("s", "a", *drawn[0], rung, "promoted") for rung in (1, 2)]
        left = ("s", "a", 3, "nothing is left", "{}", 0, "exhausted")
        made.executemany("insert into trials values (?, ?, ?, ?, ?, ?, ?)", [*rows, *further, left])
        assert ask(made, "report_searched", name="s") == [("a", 2, 1, "lr, wd")]
