"""A number of the table leads back to the runs, jobs, code and machines it came from."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.collect import collect
from engine.errors import QueryError
from engine.home import Home
from engine.trace import trace_number
from store.journal import JournalWriter
from store.results import run_query
from tests.synthetic import ARMS, SyntheticHome


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    made = SyntheticHome(tmp_path_factory.mktemp("home"))
    made.experiment("paper", ARMS, seeds=(0, 1))
    collect(made.home)
    return made.home


@pytest.mark.parametrize(
    ("metric", "kind"),
    [("test_top1", "prune"), ("infer_images_per_second", "measure"), ("params", "measure"), ("host_peak_rss", "prune")],
)
def test_each_value_names_the_job_that_logged_it(home: Home, metric: str, kind: str) -> None:
    trace = trace_number(home, "paper/proposed_pruned", metric)
    assert len(trace.sources) == 2
    for source in trace.sources:
        assert source.job is not None
        assert source.job.startswith(kind)
        assert source.attempts == "1"
        assert "c0ffee" in source.code
        assert source.machine == "bench cpu"


def test_its_query_gives_the_number_of_the_table(home: Home) -> None:
    trace = trace_number(home, "paper/original", "test_top1")
    row = run_query(home, trace.sql).rows[0]
    assert row[2] == trace.cells[0]["mean"] == pytest.approx(sum(one.value or 0 for one in trace.sources) / 2)
    assert trace.lines()[0].startswith("sql: select")


def test_unknown_names_bring_the_nearest(home: Home, tmp_path: Path) -> None:
    with pytest.raises(QueryError, match="did you mean 'paper/original'"):
        trace_number(home, "paper/orignal", "test_top1")
    with pytest.raises(QueryError, match="test_top1"):
        trace_number(home, "paper/original", "test_top")


def test_code_that_differed_from_its_commit_is_kept_and_named(tmp_path: Path) -> None:
    made = SyntheticHome(tmp_path)
    runs = made.experiment("paper", {"only": ARMS["original"]}, seeds=(0, 1))
    digest = "ab" * 32
    path = made.home.job(runs[1]["jobs"]["student"]).attempt(1).provenance
    path.write_text(json.dumps(json.loads(path.read_text()) | {"git_dirty": True, "changes_digest": digest}))
    made.home.changes(digest).parent.mkdir()
    made.home.changes(digest).write_text("+a line\n")
    collect(made.home)
    trace = trace_number(made.home, "paper/only", "test_top1")
    assert [path.read_text() for path in trace.changes] == ["+a line\n"]
    code = [line for line in trace.lines() if line.startswith("code:")]
    assert len(code) == 2
    assert runs[1]["run"] in next(line for line in code if "with changes" in line)


def test_run_that_a_table_names_leads_to_its_arm(home: Home) -> None:
    run = trace_number(home, "paper/proposed", "test_top1").sources[1].run
    assert trace_number(home, run, "test_top1") == trace_number(home, "paper/proposed", "test_top1")


def test_time_of_training_is_traced_to_every_job_that_it_is_the_sum_of(home: Home) -> None:
    trace = trace_number(home, "paper/proposed_pruned", "train_seconds")
    for source in trace.sources:
        assert source.job is not None
        assert [job.partition("-")[0] for job in source.job.split(" and ")] == ["prune", "train"]


def test_accuracy_of_the_teacher_is_traced_to_its_targets_and_not_to_the_student(tmp_path: Path) -> None:
    made = SyntheticHome(tmp_path)
    made.job("targets-one", "targets")
    attempt, journal = made.attempt("targets-one", 1)
    with journal:
        journal.teacher("test", "top1", 0.9)
    made.finish("targets-one", attempt)
    runs = made.experiment("paper", {"only": ARMS["original"]}, seeds=(0,))
    student = made.home.job(runs[0]["jobs"]["student"]).attempt(1)
    with JournalWriter(student.journal) as journal:
        journal.teacher("test", "agreement", 0.8)
    made.record("paper", [{**runs[0], "jobs": {**runs[0]["jobs"], "targets": "targets-one"}}], "only")
    collect(made.home)
    trace = trace_number(made.home, "paper/only", "teacher_test_top1")
    assert [(source.value, source.job) for source in trace.sources] == [(0.9, "targets-one")]
