"""What compressing saves when networks run: milliseconds, ratios with intervals, what a mask comes to, the chart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from engine.report.compression_speeds import _figure_text, _mask_word, figures_of
from engine.report.number_text import NONE
from engine.report.tables import Table
from store.metrics import METRICS
from tests.report.compressing import EAGER, compressed, ran, ratio, section, speed
from tests.report.test_compression import row

COMPILED = replace(EAGER, runtime="compiled")
BESIDE = ran(whole=speed(100.0), small=speed(125.0, ratio(1.25)))


def table(*rows: dict[str, Any], beside: Any = BESIDE) -> Table:
    return section([compressed("small")], [beside], rows).tables[2]


def figure(arm: str, name: str, value: float, batch: int = 1, **more: Any) -> dict[str, Any]:
    about = {"arm": arm, "cell": "default", "job": "j", "device": "cpu", "precision": "fp32", "threads": 1}
    return {**about, "name": name, "batch_size": batch, "value": value, "p95": None, **more}


def test_milliseconds_and_rates_have_intervals_and_the_ratio_to_the_whole_arm() -> None:
    told = row(table(), "small")
    assert told["ms at batch 1"].startswith("8.00 [")
    assert told["times as fast"].startswith("1.25 [1.2")
    assert told["images/s at batch 64"].startswith("340 [")
    assert row(table(), "whole")["times as fast"] == NONE
    assert table().title == "Measured: eager, 1 thread, cpu, fp32"


def test_the_slowest_calls_are_those_of_this_way_and_batch() -> None:
    rows = [figure("small", "infer_latency", 8.0, p95=11.0), figure("small", "infer_latency", 9.0, p95=13.0),
            figure("small", "infer_latency", 9.0, 64, p95=99.0), figure("small", "infer_latency_eager", 9.0, p95=77.0),
            figure("small", "infer_latency", 9.0, p95=55.0, threads=2)]  # fmt: skip
    assert row(table(*rows), "small")["p95 [ms]"] == "12.0", "the mean over its networks"
    assert "p95 [ms]" not in table().columns


def test_a_figure_that_anything_logs_has_its_column_with_its_share() -> None:
    rows = [figure("small", "infer_energy", 1.5, 64), figure("whole", "infer_energy", 2.0, 64),
            figure("small", "infer_energy", 9.0, 1)]  # fmt: skip
    assert row(table(*rows), "small")["energy of an image [J]"] == "1.50 (75.0 %)", "of the largest batch"
    assert row(table(*rows), "whole")["energy of an image [J]"] == "2.00"


def test_figures_belong_to_the_runtime_that_their_name_ends_with() -> None:
    assert METRICS["infer_energy"] in figures_of(EAGER)
    assert METRICS["infer_energy"] not in figures_of(COMPILED)
    speeds = {"infer_latency", "infer_images_per_second", "infer_speedup", "infer_latency_compiled"}
    assert not speeds & {one.name for way in (EAGER, COMPILED) for one in figures_of(way)}


def test_short_times_are_told_in_parts_of_a_second() -> None:
    seconds = replace(METRICS["train_seconds"], name="load_seconds_x")
    assert [_figure_text(seconds, value) for value in (0.0123, 75.0)] == ["0.0123 s", "1 min 15 s"]


def test_an_arm_that_was_not_run_in_a_way_has_no_row_there() -> None:
    told = section([compressed("small"), compressed("mask")], [BESIDE]).tables[2]
    assert [cells[0].text for cells in told.rows] == ["whole", "small"]


def test_other_ways_have_tables_of_their_own() -> None:
    compiled = replace(BESIDE, way=COMPILED)
    titles = [one.title for one in section([compressed("small")], [BESIDE, compiled]).tables[2:]]
    assert titles == ["Measured: eager, 1 thread, cpu, fp32", "Measured: compiled, 1 thread, cpu, fp32"]


@pytest.mark.parametrize(
    ("times", "errors", "word"),
    [
        ([1.0], [0.01], "mask_free"),
        ([1.02, 0.99], [0.01, 0.01], "mask_free"),
        ([1.0], [0.2], "mask_unclear"),
        ([1.0, 1.05], [0.01, 0.2], "mask_unclear"),
        ([1.3], [0.01], "mask_moved"),
        ([1.0, 0.8], [0.01, 0.01], "mask_moved"),
    ],
)
def test_a_mask_saves_nothing_only_where_that_was_seen(
    times: Sequence[float], errors: Sequence[float], word: str
) -> None:
    ratios = [ratio(one, error) for one, error in zip(times, errors, strict=True)]
    assert _mask_word(ratios) == word


def test_arms_are_on_the_chart_where_they_have_both_figures() -> None:
    front = {"whole": 0.97, "small": 0.5, "mask": 0.01}
    beside = ran(front=front, whole=speed(100.0), small=speed(125.0), mask=speed(100.0, level=90.0))
    (chart,) = section([compressed("small")], [beside]).charts
    assert [(one.arm, one.kind, one.standing) for one in chart.points] == [
        ("whole", "whole", "on the front"), ("small", "smaller layers", "open"), ("mask", "mask", "behind it"),
    ]  # fmt: skip
    assert [round(one.ms, 3) for one in chart.points] == [10.0, 8.0, 11.111]
    assert all(one.span and one.span[0] < one.ms < one.span[1] for one in chart.points)
    assert section([compressed("small")], [ran(front={"whole": 1.0}, whole=speed(1.0))]).charts == []


def test_charts_of_many_tables_are_the_first_and_that_is_said() -> None:
    front = {"whole": 0.97, "small": 0.5}
    many = [ran(way=replace(EAGER, threads=at), front=front, whole=speed(9.0), small=speed(9.5)) for at in range(1, 11)]
    found = section([compressed("small")], many)
    assert [chart.name for chart in found.charts] == [f"front_{at}" for at in range(1, 9)]
    assert "Charts of the first 8 of 10 tables." in found.chart_notes
