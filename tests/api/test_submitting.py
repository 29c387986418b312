"""`xp.submit`: what it queues, what its object says, waiting for it and leaving off."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from engine import api
from engine.api import submitting
from engine.api.submitting import Status
from engine.errors import HomeError, SpecError
from engine.home.files import read_json
from engine.home.paths import Home
from engine.inspect.status import ExperimentView
from engine.load import load_spec
from engine.schedule.submit import Submission
from tests.helpers.queueing import make_home, states

ROOT = Path(__file__).parents[2]
QUICKSTART = ROOT / "specs" / "quickstart.yaml"


def test_submit_takes_a_file_or_a_spec(tmp_path: Path, started: list[Home]) -> None:
    home = make_home(tmp_path)
    first = api.submit(str(QUICKSTART), home, start=False)
    assert (first.name, first.number, first.new, started) == ("quickstart", 1, 23, [])
    assert api.submit(load_spec(QUICKSTART), home.root) == first
    assert [one.root for one in started] == [home.root]
    assert len(states(home)) == 23


def test_what_a_notebook_writes_is_as_open_as_the_home_and_its_own_files_as_before(tmp_path: Path) -> None:
    home = make_home(tmp_path)
    home.root.chmod(0o700)
    umask = os.umask(0o022)
    try:
        api.submit(QUICKSTART, home, start=False)
        assert os.umask(0o022) == 0o022
    finally:
        os.umask(umask)
    written = [path for path in home.root.rglob("*") if path.is_file()]
    assert len(written) > 23
    assert {path.name for path in written if path.stat().st_mode & 0o077} <= {home.queue_db.name}, "made by make_home"


def test_submit_hands_back_what_the_command_warns_of(tmp_path: Path) -> None:
    done = api.submit(load_spec(QUICKSTART, ["train.batch_size=1500", "seeds=[0]"]), tmp_path / "home", start=False)
    assert done.warnings[0].startswith("train.batch_size (arms original, sparse, distilled, distilled_pruned): 1500 is")


def test_finished_experiment_starts_no_scheduler(
    tmp_path: Path, started: list[Home], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submitting, "submit_plan", lambda *_: Submission("quickstart", 1, 0, 23, ()))
    assert api.submit(QUICKSTART, tmp_path / "home").done == 23
    assert started == []


def test_submit_makes_the_home_of_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XP_HOME", str(tmp_path / "new"))
    api.submit(QUICKSTART, priority=3, start=False)
    assert read_json(tmp_path / "new" / "experiments" / "quickstart" / "1.json")["priority"] == 3


def test_asking_makes_no_home(tmp_path: Path) -> None:
    with pytest.raises(HomeError, match="no home folder"):
        api.sql("select 1", tmp_path / "absent")
    with pytest.raises(HomeError, match="no home folder"):
        api.compare("paper/a", "paper/b", home=tmp_path / "absent")


def test_wrong_spec_names_its_mistakes(tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_text("name: bad\n")
    with pytest.raises(SpecError):
        api.submit(tmp_path / "bad.yaml", tmp_path)


# What a submission says of itself -------------------------------------------------------------------------------------


def test_its_state_is_that_of_the_queue(tmp_path: Path) -> None:
    done = api.submit(QUICKSTART, make_home(tmp_path), start=False)
    assert (done.state, done.status().share) == ("queued", 0.0)
    assert str(done) == "quickstart: 23 jobs to do, 0 done already (submission 1)"
    assert "0/23 jobs" in str(done.status())
    assert "<b>quickstart</b>" in done.status()._repr_html_()


def test_waiting_shows_each_look_and_takes_results_in(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    last, taken = ExperimentView("quickstart", {}, {"done": 23}, {"done": 1.0}, ()), list[Home]()
    monkeypatch.setattr(submitting, "follow", lambda *_: last)
    monkeypatch.setattr("engine.collect.collect", lambda home, wait: taken.append(home))
    home = make_home(tmp_path)
    done = api.submit(QUICKSTART, home, start=False, wait=True)
    assert (done.new, taken) == (23, [home])
    out, err = capsys.readouterr()
    assert (out, err) == ("", "quickstart: 23/23 jobs, 100%\n"), "progress is nothing that was asked for"


def test_an_interruption_leaves_all_running_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(submitting, "follow", interrupted)
    done = api.submit(QUICKSTART, make_home(tmp_path), start=False, wait=True)
    assert done.state == "queued"
    assert "still running; come back with .wait(), stop it with `xp cancel quickstart`" in capsys.readouterr().err


def test_failures_are_told_with_their_reasons() -> None:
    view = ExperimentView("one", {}, {"done": 1, "failed": 1}, {}, ())
    assert (Status(view).state, Status(view).seconds_left) == ("failed", 0.0)
