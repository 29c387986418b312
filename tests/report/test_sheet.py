"""Look-ups by arm and point: what is not there is None, and never a number."""

from __future__ import annotations

import math
from typing import Any

import pytest

from engine.report.sheet import Sheet
from tests.report.rows import make_rows, run_row


def cell(metric: str, **more: Any) -> dict[str, Any]:
    row = {"arm": "a", "cell": "one", "metric": metric, "n": 2, "mean": 0.5, "std": 0.1, "not_finite": 0}
    return {**row, "low": 0.4, "high": 0.6, **more}


def sheet_of(cells: list[dict[str, Any]], **more: Any) -> Sheet:
    runs = [run_row("b", 0, "two"), run_row("a", 1, "one"), run_row("a", 0, "one"), run_row("b", 1, "one")]
    return Sheet(make_rows(runs, "a", cells=cells, **more))


def test_arms_and_points_keep_the_order_of_the_runs() -> None:
    sheet = sheet_of([])
    assert (sheet.arms, sheet.points) == (["b", "a"], ["two", "one"])
    assert [run["seed"] for run in sheet.runs["a", "one"]] == [1, 0]
    assert list(sheet.settings) == [("b", "two"), ("a", "one"), ("b", "one")]
    assert sheet.settings["a", "one"] == {"data.split": "60/20/20"}


def test_a_baseline_without_runs_is_none() -> None:
    assert sheet_of([]).baseline == "a"
    assert sheet_of([], about={"baseline": "gone"}).baseline is None


def test_mean_and_half_are_those_of_their_cell() -> None:
    sheet = sheet_of(
        [cell("params", low=0.25, high=0.75), cell("macs", n=0, mean=None, low=None), cell("speed", n=1, low=None)]
    )
    assert (sheet.mean("a", "one", "params"), sheet.half("a", "one", "params")) == (0.5, 0.25)
    assert (sheet.mean("a", "one", "macs"), sheet.half("a", "one", "macs")) == (None, None)
    assert (sheet.mean("a", "one", "speed"), sheet.half("a", "one", "speed")) == (0.5, None)
    for arm, point, metric in (("b", "one", "params"), ("a", "two", "params"), ("a", "one", "other")):
        assert sheet.mean(arm, point, metric) is None
        assert sheet.half(arm, point, metric) is None


def test_seeds_without_a_finite_value_are_left_out() -> None:
    values = {0: 0.5, 1: None, 2: math.nan, 3: math.inf, 4: 0.0}
    runs = [run_row("a", seed, test_top1=value) for seed, value in values.items()]
    sheet = Sheet(make_rows(runs, cells=[]))
    assert sheet.seeds("a", "default", "test_top1") == {0: 0.5, 4: 0.0}
    assert sheet.seeds("b", "default", "test_top1") == {}


@pytest.mark.parametrize(
    ("known", "shown"),
    [
        (("host_peak_rss", "cuda_peak_allocated", "cuda_peak_reserved"), "cuda_peak_reserved"),
        (("host_peak_rss", "cuda_peak_allocated"), "cuda_peak_allocated"),
        (("host_peak_rss",), "host_peak_rss"),
        ((), "host_peak_rss"),
    ],
)
def test_one_memory_is_shown_the_gpus_before_the_hosts(known: tuple[str, ...], shown: str) -> None:
    assert sheet_of([cell(name) for name in known]).shown("memory").name == shown


def test_an_arm_is_pruned_where_any_point_asked_it() -> None:
    sheet = sheet_of([cell("prune_asked", mean=0.2), cell("prune_asked", arm="b", mean=0.0)])
    assert (sheet.is_pruned("a"), sheet.is_pruned("b")) == (True, False)
    assert not sheet.is_from_scratch("a"), "it was pruned itself"


def test_written_are_the_settings_that_the_spec_names() -> None:
    spec = '{"arms": {"a": {"train.lr": 1, "student": {"arch": "x"}}, "b": {}}}'
    assert sheet_of([], about={"spec": spec}).written == {"train.lr", "student.arch"}
    assert sheet_of([]).written == set()
