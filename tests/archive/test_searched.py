"""A searched experiment in an archive: its record that grew, its trials and finals are there elsewhere, and repeat."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest
from typer.testing import CliRunner

from engine.archive import rerun
from engine.archive.checking import verify_archive
from engine.archive.making import Made, make_archive
from engine.archive.rerun import Asked, rerun_runs
from engine.cli import app
from engine.collect import collect
from engine.home.paths import Home, open_home
from engine.home.records import read_record
from engine.report import make_report
from engine.schedule.searched import read_progress
from engine.search.decisions import read_study
from store.results import open_snapshot
from tests.archive.zips import read_all
from tests.search.objective import finish_open, make_spec, submit_study
from tests.search.working import work_off

pytest.importorskip("optuna", reason="needs the extra `search`")

ARMS = {"plain": {}, "sought": {"train.batch_size": 64}}


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    """Two arms, one of them searched in three trials, its best trained anew on two seeds."""
    place = open_home(tmp_path_factory.mktemp("lived") / "home", create=True)
    spec = make_spec(trials=3, final={"seeds": [4, 5]}, arms={"plain": None})
    submit_study(place, {**spec, "arms": ARMS, "baseline": "plain"})
    work_off(place)
    finish_open(place)
    collect(place, wait=60.0)
    return place


@pytest.fixture(scope="module")
def made(home: Home, tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make_archive(home, ["study"], tmp_path_factory.mktemp("made") / "study.zip")


@pytest.fixture
def opened(made: Made, tmp_path: Path) -> Home:
    """The home that lies in the archive, unpacked elsewhere, its queue and results made anew."""
    with zipfile.ZipFile(made.path) as packed:
        packed.extractall(tmp_path)
    place = open_home(tmp_path / "home")
    done = [CliRunner().invoke(app, ["rebuild", *more, "--home", str(place.root)]) for more in ([], ["--queue"])]
    assert [one.exit_code for one in done] == [0, 0], [one.output for one in done]
    return place


def rows(home: Home, query: str) -> list[tuple[object, ...]]:
    with open_snapshot(home) as db:
        return db.execute(query).fetchall()


def test_it_holds_with_trials_and_finals(made: Made) -> None:
    told: list[str] = []
    found = verify_archive(made.path, told.append)
    assert (made.damaged, found.problems) == ((), ())
    assert not any("damaged" in line for line in told)
    arms = {run["arm"] for run in json.loads(read_all(made.path)["specs/study.resolved.json"])["runs"]}
    assert arms == {"plain", "sought-best", "sought-t000", "sought-t001", "sought-t002"}


def test_elsewhere_it_is_the_same_search(home: Home, opened: Home, tmp_path: Path) -> None:
    records = [read_record(place.records("study")[-1]) for place in (home, opened)]
    assert records[0] == records[1]
    studies = [read_study(place, record) for place, record in zip((home, opened), records, strict=True)]
    assert studies[0].trials == studies[1].trials
    assert {one.state for one in studies[1].trials} == {"done"}
    for query in ("from trials", "from results order by run", "from cells order by all"):
        assert rows(home, query) == rows(opened, query) != []
    assert read_progress(opened, "study") == read_progress(home, "study") != ()
    assert not opened.search_mark("study").exists(), "who opens an archive does not go on with its search unasked"
    pages = [make_report(place, "study", ["md"], tmp_path / place.root.parent.name) for place in (home, opened)]
    assert pages[0][0].read_bytes() == pages[1][0].read_bytes()
    assert b"sought-best" in pages[1][0].read_bytes()


def test_trials_and_finals_are_done_again_as_the_work_they_were(
    made: Made, home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done: dict[str, list[str]] = {}
    monkeypatch.setattr(rerun, "_do_jobs", lambda scratch, plan, tell: bool(done.update(
        {run.run: sorted(run.jobs.values()) for run in plan.runs}) or True))  # fmt: skip
    monkeypatch.setattr(rerun, "collect", lambda *_, **__: None)
    monkeypatch.setattr(rerun, "tell_repeated", lambda *_: [])
    with zipfile.ZipFile(made.path) as packed:
        packed.extractall(tmp_path)
    told: list[str] = []
    words = ["sought-t001", "sought-best/5", "plain"]
    assert rerun_runs(home, ["study"], tmp_path / "specs", Asked(words), tmp_path / "again", told.append), told
    runs = read_record(home.records("study")[-1])["runs"]
    wanted = [run for run in runs if run["arm"] in ("sought-t001", "plain") or run["seed"] == 5]
    assert done == {run["run"]: sorted(run["jobs"].values()) for run in wanted}
    assert len(wanted) == 3
