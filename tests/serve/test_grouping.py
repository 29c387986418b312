"""Runs in groups: their means and intervals are those of the view `cells`, and one sample counts once."""

from __future__ import annotations

import pytest

from engine.analysis.statistics import t_interval
from engine.home.paths import Home
from engine.report.number_text import NONE
from engine.serve.grouping import Group, bend, make_groups, summarise
from engine.serve.run_rows import Column, RunLine, RunTable
from engine.serve.site import Site
from store.metrics import METRICS

LINE = RunLine("run-1", "study", "sparse", "default", 0, "60/20/20", "done", "train-1", "measure-1")


@pytest.mark.parametrize("name", ["test_top1", "val_loss", "train_images_per_second", "infer_images_per_second"])
def test_intervals_are_those_of_the_view_of_cells(done_home: Home, name: str) -> None:
    with Site(done_home).snapshot() as snapshot:
        assert snapshot is not None
        table = RunTable(done_home, snapshot)
        asked = "select experiment, arm, cell, n, mean, low, high from cells where metric = ?"
        told = {tuple(row[:3]): row[3:] for row in snapshot.db.execute(asked, [name]).fetchall()}
        groups = make_groups(table.lines, lambda line: f"{line.experiment} {line.arm} {line.cell}")
        assert len(groups) == len(told) == 7
        for group in groups:
            line = group.lines[0]
            n, mean, low, high = told[line.experiment, line.arm, line.cell]
            found = summarise(group, table.columns[name], table.values(name)).interval
            assert found is not None
            assert [found.n, found.mean] == pytest.approx([n, mean])
            assert [found.low, found.high] == pytest.approx([low, high])


def test_runs_that_share_a_job_are_one_sample() -> None:
    lines = (LINE, LINE._replace(run="run-2", experiment="other"), LINE._replace(run="run-3", final_job="train-3"))
    group, column = Group("sparse", lines), Column("test_top1", "top1", "figure", METRICS["test_top1"])
    found = summarise(group, column, lambda line: 0.5 if line.final_job == "train-1" else 0.7)
    assert found.text.endswith("(n=2)")
    assert found.value == pytest.approx(0.6)
    once = Column("infer_latency", "latency", "figure", METRICS["infer_latency"])
    assert summarise(group, once, lambda line: 3.0).text == "3.00 (n=1)"


def test_a_setting_is_told_where_it_is_one() -> None:
    lines = (LINE, LINE._replace(run="run-2", seed=1))
    group = Group("sparse", lines)
    assert summarise(group, Column("arm", "arm", "field"), lambda line: line.arm).text == "sparse"
    assert summarise(group, Column("seed", "seed", "field"), lambda line: float(line.seed)).text == "2 values"
    assert (group.arm, group.arms, group.states) == ("study/sparse", 1, {"done": 2})


def test_a_group_without_figures_has_no_mean() -> None:
    column = Column("test_top1", "top1", "figure", METRICS["test_top1"])
    assert summarise(Group("a", (LINE,)), column, lambda line: None).text == NONE
    assert summarise(Group("a", (LINE,)), column, lambda line: float("nan")).interval is None


def test_a_gain_has_the_interval_that_sql_gives() -> None:
    gains = iter((0.01, 0.03))
    group = Group("a", (LINE, LINE._replace(run="run-2", seed=1, final_job="job-2")))
    column = Column("deletion_gain", "gain", "figure", METRICS["deletion_gain"])
    interval = summarise(group, column, lambda line: next(gains)).interval
    assert interval == t_interval([0.01, 0.03])


def test_an_interval_never_leaves_its_quantity() -> None:
    bent = bend(t_interval([0.90, 0.999]), is_share=True)
    assert bent.low is not None
    assert bent.high is not None
    assert 0 < bent.low < bent.mean < bent.high < 1
    above = bend(t_interval([0.1, 3.0]), is_share=False)
    assert above.low is not None
    assert above.low > 0
    assert bend(t_interval([-1.0, 2.0, -3.0]), is_share=False).low == t_interval([-1.0, 2.0, -3.0]).low
