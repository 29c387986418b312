"""The store asked for a page: columns that are asked for come before those of the spec, unknown ones are refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.analysis.snapshot import one_snapshot
from engine.collect import collect
from engine.errors import QueryError
from engine.report.reading import check_columns, read_page
from tests.helpers.synthetic import ARMS, SyntheticHome


def test_columns_are_those_asked_for_else_those_of_the_spec(tmp_path: Path) -> None:
    made = SyntheticHome(tmp_path)
    runs = made.experiment("paper", ARMS, seeds=(0,))
    made.record("paper", runs, "original", spec={"report": {"columns": ["params", "test_top1"]}})
    collect(made.home)
    with one_snapshot(made.home) as snapshot:
        spec, asked = (read_page(snapshot, "paper", columns).results[0] for columns in (None, ["macs"]))
    assert list(spec.columns)[3:] == ["params", "test top-1 [%]", "change [points]", "relative"]
    assert list(asked.columns)[3:] == ["MACs, computed"]
    assert not any("Accuracy" in note or "Bold" in note or "Change" in note for note in asked.notes)


def test_curves_are_left_out_where_they_are_not_wanted(tmp_path: Path) -> None:
    made = SyntheticHome(tmp_path)
    made.record("paper", made.experiment("paper", ARMS, seeds=(0,)), "original")
    collect(made.home)
    with one_snapshot(made.home) as snapshot:
        whole, without = (read_page(snapshot, "paper", with_curves=wanted) for wanted in (True, False))
    assert whole.curves
    assert (without.curves, without.results) == ([], whole.results)


def test_a_column_that_is_no_metric_brings_the_nearest() -> None:
    with pytest.raises(QueryError, match="did you mean 'params'"):
        check_columns(["test_top1", "parms"])
