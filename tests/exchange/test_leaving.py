"""Runs on their way out: all their values, what they were told, and where they stand."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.analysis.snapshot import one_snapshot
from engine.collect import collect
from engine.errors import QueryError
from engine.exchange.importing import Imported
from engine.exchange.leaving import LeavingRun, leaving_runs
from engine.home.paths import Home
from store.results import run_query
from tests.helpers.synthetic import ARMS, SyntheticHome


@pytest.fixture(scope="module")
def paper(tmp_path_factory: pytest.TempPathFactory) -> Home:
    made = SyntheticHome(tmp_path_factory.mktemp("paper"))
    made.experiment("paper", ARMS, seeds=(0, 1))
    collect(made.home)
    return made.home


def leave(home: Home, name: str) -> list[LeavingRun]:
    with one_snapshot(home) as snapshot:
        return list(leaving_runs(snapshot, name))


def test_run_has_every_value_of_its_jobs(paper: Home) -> None:
    runs = leave(paper, "paper")
    assert [(run.arm, run.seed) for run in runs[:3]] == [("original", 0), ("original", 1), ("proposed", 0)]
    logged = run_query(
        paper, "select count(*) from metrics join run_jobs using (job) where run = $$" + runs[0].run + "$$"
    ).rows
    own = sum(len(one.values) for name, one in runs[0].series.items() if not name.startswith("results/"))
    assert own == logged[0][0] > 0
    assert any(name.startswith("prune/") for name in runs[-1].series)


def test_figures_of_results_are_there_by_name(paper: Home) -> None:
    query = "select run, test_top1, infer_latency from results where experiment = 'paper'"
    figures = {row[0]: row[1:] for row in run_query(paper, query).rows}
    for run in leave(paper, "paper"):
        told = tuple(run.series[f"results/{name}"].values[0] for name in ("test_top1", "infer_latency"))
        assert told == figures[run.run]


def test_tags_tell_where_a_run_stands(paper: Home) -> None:
    run = leave(paper, "paper")[0]
    assert run.tags["xp.arm"] == "original"
    assert {"xp.run", "xp.cell", "xp.seed", "xp.experiment", "xp.state", "xp.host"} <= run.tags.keys()
    assert run.params["data.split"] == "60/20/20"
    assert run.started > 1e9


def test_imported_run_leaves_with_its_own_params(brought: tuple[Home, list[Imported]]) -> None:
    run = leave(brought[0], "cifar")[0]
    assert run.params == {"opt.lr": "0.1", "seed": "0"}
    assert run.tags["team"] == "ours"


def test_unknown_experiment_is_refused(paper: Home, tmp_path: Path) -> None:
    with pytest.raises(QueryError):
        leave(paper, "nothing")
