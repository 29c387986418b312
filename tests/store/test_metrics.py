"""The table of metrics: nothing of an entry can be forgotten, and every figure is logged by some job."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields
from pathlib import Path
from typing import Any

import pytest

from store.metrics import METRICS, Metric, UnknownMetric, metric_of
from tests.store.telling import LATER

ENGINE = Path(__file__).parents[2] / "engine"
LOGGING = ("core", "run")  # the rooms that are inside a job


TOLD = METRICS.keys() - LATER.keys()  # those whose numbers are written by hand in telling.py


def names_where(**fixed: object) -> set[str]:
    return {name for name in TOLD if all(getattr(METRICS[name], key) == value for key, value in fixed.items())}


def test_metric_without_one_of_its_fields_is_refused() -> None:
    told: Mapping[str, Any] = {one.name: getattr(METRICS["params"], one.name) for one in fields(Metric)}
    assert all(one.default is MISSING and one.default_factory is MISSING for one in fields(Metric))
    for name in told:
        with pytest.raises(TypeError, match=name):
            Metric(**{key: value for key, value in told.items() if key != name})


def test_unknown_metric_is_told_where_it_belongs() -> None:
    assert metric_of("macs").name == "macs"
    with pytest.raises(UnknownMetric, match=r"'steps' is no metric of store/metrics\.py") as caught:
        metric_of("steps")
    assert "METRICS" in caught.value.fix


def test_kinds_of_metrics_are_as_a_reader_expects() -> None:
    costs = {"infer_latency", "cuda_peak_allocated", "cuda_peak_reserved", "host_peak_rss", "train_seconds"}
    speeds = {"infer_images_per_second", "train_images_per_second"}
    sizes = {"params", "macs", "params_before", "prune_asked", "prune_achieved", "epochs_spent"}
    losses = {"test_loss", "val_loss", "train_loss"}
    assert names_where(better="lower") == costs | losses | {"params", "macs"}
    assert names_where(better="neither") == {"params_before", "prune_asked", "prune_achieved", "epochs_spent"}
    assert names_where(device_bound=True) == costs | speeds
    assert names_where(measured="once") == {"infer_images_per_second", "infer_latency"}
    assert names_where(exact=True) == sizes - {"prune_achieved"}
    assert names_where(images="none") == sizes
    assert names_where(images="test") == {"test_top1", "test_loss"}
    assert names_where(is_share=True) == {"test_top1", "val_top1", "teacher_test_top1"}


def test_predictions_are_of_the_accuracy_on_test_images_alone() -> None:
    """Of no other figure can two networks be compared image by image by them."""
    assert [name for name, one in METRICS.items() if one.is_of_predictions] == ["test_top1"]


def test_times_of_trainings_are_no_rounds_side_by_side() -> None:
    """Memory is counted and not timed; what a measuring job times is taken in turns."""
    apart = {"train_images_per_second", "train_seconds", "seconds_taken_over"}
    assert {name for name, one in METRICS.items() if one.is_timed_apart} == apart


def test_gains_alone_may_be_below_zero() -> None:
    assert {name for name, one in METRICS.items() if one.is_signed} == {name for name in METRICS if "_gain" in name}


def test_units_follow_from_the_names() -> None:
    assert names_where(unit="images/s") == {name for name in TOLD if name.endswith("images_per_second")}
    assert names_where(unit="nats") == {name for name in TOLD if name.endswith("loss")}
    assert names_where(unit="bytes") == {name for name in TOLD if "peak" in name}
    assert names_where(is_share=True) <= names_where(unit="fraction")


def test_logged_names_are_those_of_the_source() -> None:
    assert METRICS["train_images_per_second"].logged == ("train_images_per_second",) * 2
    assert METRICS["teacher_test_top1"].logged == ("test_top1",)
    assert [name for name, one in METRICS.items() if not one.logged] == ["epochs_spent", "train_seconds"]


def _joined_parts(nodes: Sequence[ast.AST]) -> list[ast.Constant]:
    values = [value for node in nodes if isinstance(node, ast.JoinedStr) for value in node.values]
    return [value for value in values if isinstance(value, ast.Constant)]


def test_every_metric_is_logged_inside_a_job() -> None:
    files = [path for room in LOGGING for path in (ENGINE / room).rglob("*.py")]
    nodes = [node for path in files for node in ast.walk(ast.parse(path.read_text()))]
    told = {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    middles = {str(part.value) for part in _joined_parts(nodes) if re.fullmatch("_[a-z]+_", str(part.value))}
    needed = {name for one in METRICS.values() for name in one.logged}
    made = {name for name in needed if any(middle in name for middle in middles)}  # as f"{curve}_auc_{kind}"
    assert needed - told - made == set(), "no job logs these: their columns would stay empty"
