"""Pages of imported runs: their own metrics, and nothing that only xp could know."""

from __future__ import annotations

from engine.report.number_text import NONE
from engine.report.page import make_page
from tests.report.imported_cases import curve_row, imported_rows, imported_run, last_row
from tests.report.rows import make_rows, run_row


def test_table_has_metrics_under_their_own_names() -> None:
    lasts = (last_row("net", "val/acc", 0.5), last_row("net", "loss", 1.25, 2), last_row("big", "loss", None, 2))
    (table,) = make_page("cifar", imported_rows(imported_run("net"), imported_run("big"), lasts=lasts)).results
    assert table.columns == ["arm", "val/acc", "loss"]
    assert [[cell.text for cell in row] for row in table.rows] == [["net", "0.500", "1.25"], ["big", NONE, NONE]]
    assert table.rows[0][1].source == "val/acc of run-net-0-default"


def test_our_metrics_have_our_table_before_theirs() -> None:
    run = imported_run("net") | {"test_top1": 0.5}
    rows = imported_rows(run, lasts=(last_row("net", "acc", 0.5),))
    assert [table.columns[1] for table in make_page("cifar", rows).results] == ["test top-1 [%]", "acc"]


def test_curves_go_by_step_with_the_spread_of_seeds() -> None:
    rows = tuple(curve_row("net", step, 1.0, n=2) for step in (0, 500))
    (chart,) = make_page("cifar", imported_rows(curves=rows)).curves
    assert (chart.title, chart.along) == ("loss", "step")
    assert chart.lines["net"] == [(0, 1.0), (500, 1.0)]
    assert chart.bands["net"] == [(0, 1.0, 2.0), (500, 1.0, 2.0)]


def test_facts_name_the_source_and_no_resuming() -> None:
    facts = dict(make_page("cifar", imported_rows()).facts)
    assert facts["Imported from"] == "MLflow: /there/mlruns"
    assert "Resume after a kill" not in facts


def test_params_may_differ_and_ids_are_no_difference() -> None:
    page = make_page("cifar", imported_rows(imported_run("net"), imported_run("big", status="FAILED")))
    assert page.differences is not None
    assert [row[0].text for row in page.differences.rows] == ["params.lr"]


def test_what_xp_ran_has_no_notice() -> None:
    page = make_page("paper", make_rows([run_row("a", 0)]))
    assert page.notice == ""
    assert "Imported from" not in dict(page.facts)
