"""Where a number comes from: its SQL gives it, and its runs, seeds, interval, test and code are named."""

from __future__ import annotations

import pytest

from engine.analysis.snapshot import one_snapshot
from engine.collect import collect
from engine.report.origins import change_origin, mean_origin
from engine.report.reading import read_page, read_rows
from engine.report.sheet import Sheet
from store.metrics import METRICS
from store.results import open_snapshot
from tests.helpers.synthetic import ARMS, SyntheticHome

NAME = "paper"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> SyntheticHome:
    made = SyntheticHome(tmp_path_factory.mktemp("home"))
    made.experiment(NAME, ARMS)
    collect(made.home)
    return made


def sheet_of(home: SyntheticHome) -> Sheet:
    with one_snapshot(home.home) as snapshot:
        return Sheet(read_rows(snapshot, NAME))


def test_the_sql_of_a_mean_gives_that_mean(home: SyntheticHome) -> None:
    sheet = sheet_of(home)
    point = sheet.points[0]
    origin = mean_origin(sheet, "proposed", point, METRICS["test_top1"])
    assert origin is not None
    with open_snapshot(home.home.root) as db:
        ((n, mean, *_),) = db.sql(origin.facts["SQL"]).fetchall()
    assert (n, mean) == (3, pytest.approx(sheet.mean("proposed", point, "test_top1")))
    assert origin.facts["n"] == "3"
    assert origin.facts["commit"] == "c0ffeec0ffee"
    assert len(origin.facts["runs"].split(", ")) == 3


def test_the_sql_of_a_change_gives_the_change_of_each_common_seed(home: SyntheticHome) -> None:
    sheet = sheet_of(home)
    origin = change_origin(sheet, "proposed", sheet.points[0])
    change = sheet.change("proposed", sheet.points[0])
    assert origin is not None
    assert change is not None
    with open_snapshot(home.home.root) as db:
        rows = db.sql(origin.facts["SQL"]).fetchall()
    assert sum(row[1] for row in rows) / len(rows) == pytest.approx(change.mean)


def test_a_number_on_the_page_carries_interval_and_test(home: SyntheticHome) -> None:
    with one_snapshot(home.home) as snapshot:
        page = read_page(snapshot, NAME)
    changes = [row[page.results[0].columns.index("change [points]")] for row in page.results[0].rows]
    told = [cell.origin.facts for cell in changes if cell.origin]
    assert len(told) == 2
    assert all(one["95 % interval"].startswith("[") and one["test"].startswith("p ") for one in told)


def test_what_has_no_figure_has_no_origin(home: SyntheticHome) -> None:
    sheet = sheet_of(home)
    assert mean_origin(sheet, "proposed", sheet.points[0], METRICS["params_nonzero"]) is None
    assert change_origin(sheet, "original", sheet.points[0]) is None
