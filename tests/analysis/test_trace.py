"""A number of the table leads back to the runs, jobs, code and machines it came from."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engine.analysis.snapshot import one_snapshot
from engine.analysis.trace import Source, Trace, trace_number
from engine.collect import collect
from engine.errors import QueryError
from engine.home.paths import Home
from store.journal import JournalWriter
from store.metrics import METRICS
from store.results import run_query
from tests.analysis.answering import Answers
from tests.helpers.synthetic import ARMS, SyntheticHome
from tests.store.telling import tell_run


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


def _source(seed: int, **more: Any) -> Source:
    about: dict[str, Any] = {
        "run": f"run-{seed}", "cell": "one", "seed": seed, "value": 0.6123456789, "job": f"train-{seed}",
        "attempts": "1", "code": "commit c", "changes": (), "machine": "bench",
    }  # fmt: skip
    return Source(**{**about, **more})


def test_a_trace_tells_each_cell_with_its_runs() -> None:
    row = {"cell": "one", "n": 2, "mean": 0.6123456789, "std": 0.01, "low": 0.5, "high": 0.7}
    cells = (row, {"cell": "two", "n": 1, "mean": None, "std": None, "low": None, "high": None})
    sources = (
        _source(0), _source(1, value=None, job=None, attempts=None, code="", machine="other"),
        _source(2, cell="two", attempts="1 and 2", code="commit d"), _source(3, cell="three"),
    )  # fmt: skip
    assert Trace("test_top1", "select 1", cells, sources, (Path("x.diff"),)).lines() == [
        "sql: select 1",
        "one: mean 0.612346, std 0.01, 95 % [0.5, 0.7], n 2",
        "  seed 0: 0.612346 from run-0, job train-0, attempt 1",
        "  seed 1: none yet from run-1, no job yet",
        "two: mean none, n 1",
        "  seed 2: 0.612346 from run-2, job train-2, attempt 1 and 2",
        "three: no value yet",
        "  seed 3: 0.612346 from run-3, job train-3, attempt 1",
        "code: commit c (run-0, run-3)",
        "code: commit d (run-2)",
        "changes: x.diff",
        "machine: bench (run-0, run-2, run-3)",
        "machine: other (run-1)",
    ]


def test_a_column_that_is_no_figure_is_not_traced(home: Home) -> None:
    for metric in ("seed", "cell", "test_low"):
        with pytest.raises(QueryError, match=f"there is no metric '{metric}'"):
            trace_number(home, "paper/original", metric)


def test_the_sql_of_a_trace_survives_a_quote() -> None:
    rows = [{"run": "r", "cell": "c", "seed": 0, "macs": 1.0}]
    snapshot = Answers(answer=lambda query, _values: rows if query == "compare_runs" else [])
    trace = trace_number(snapshot, "it's/an 'arm'", "macs")
    assert trace.sql.endswith("where experiment = 'it''s' and arm = 'an ''arm''' and metric = 'macs'")
    assert snapshot.asked == ["compare_runs", "trace_origins", "trace_cells"]


def test_every_metric_is_traced_to_the_jobs_that_logged_it(tmp_path: Path) -> None:
    made = SyntheticHome(tmp_path)
    made.record("paper", [tell_run(made, 0)], "arm")
    collect(made.home)
    with one_snapshot(made.home) as snapshot:
        traces = [trace_number(snapshot, "paper/arm", metric) for metric in METRICS]
    assert [trace.metric for trace in traces if trace.sources[0].value is None or trace.sources[0].job is None] == []
