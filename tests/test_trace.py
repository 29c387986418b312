"""A number of the table leads back to the runs, jobs, code and machines it came from."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.collect import collect
from engine.errors import QueryError
from engine.home import Home
from engine.trace import trace_number
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
        assert source.code is not None
        assert "c0ffee" in source.code
        assert "bench cpu" in str(source)


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
