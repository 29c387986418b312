"""The home that speed is measured on is a home as any other."""

from __future__ import annotations

from pathlib import Path

from engine.collect import collect
from engine.inspect.status import read_status
from tests.collect.reading import read_rows
from tests.helpers.large_home import CURVES, make_large_home


def test_a_large_home_is_whole(tmp_path: Path) -> None:
    made = make_large_home(tmp_path, 12, 5, per_experiment=8, running=1)
    assert read_rows(made.home, "select count(*) from metrics") == [(12 * (5 * len(CURVES) + 1),)]
    assert read_rows(made.home, "select state, count(*) from runs group by state order by state") == [
        ("done", 12), ("running", 1)
    ]  # fmt: skip
    assert read_rows(made.home, "select count(*) from results where test_top1 is null and state = 'done'") == [(0,)]
    assert {view.experiment: view.runs for view in read_status(made.home)} == {
        "study_000": {"done": 8}, "study_001": {"done": 4}, "at_work": {"running": 1}
    }  # fmt: skip


def test_a_collection_finds_nothing_new_in_it(tmp_path: Path) -> None:
    made = make_large_home(tmp_path, 8, 2, per_experiment=8)
    before = made.home.results_db.stat()
    report = collect(made.home)
    assert (report.jobs, report.is_published) == (0, False)
    assert made.home.results_db.stat().st_ino == before.st_ino
