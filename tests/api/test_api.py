"""`import xp`: one name for people, whose rooms load when they are touched; the commands as functions."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

from engine import api
from engine.collect import collect
from engine.core.network.build import build_network
from engine.errors import HomeError, QueryError, SpecError
from engine.home.files import read_json
from engine.home.paths import Home
from engine.load import load_spec
from engine.schedule.submit import Submission
from tests.helpers.queueing import make_home, states
from tests.helpers.synthetic import Arm, SyntheticHome

ROOT = Path(__file__).parents[2]
QUICKSTART = ROOT / "specs" / "quickstart.yaml"


@pytest.fixture(autouse=True)
def started(monkeypatch: pytest.MonkeyPatch) -> list[Home]:
    """Note whom a scheduler would be started for, and start none."""
    begun: list[Home] = []
    monkeypatch.setattr("engine.schedule.worker.start_detached", begun.append)
    return begun


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Home:
    made = SyntheticHome(tmp_path_factory.mktemp("home"))
    odd = {"train": {"epochs": 3, "batch_size": 128, "checkpoint": "last"}}
    sparse = Arm(0.8, kind="longformer")
    made.experiment("paper", {"a": Arm(0.4), "b": sparse, "odd": replace(sparse, settings=odd)}, (0, 1, 2))
    collect(made.home)
    return made.home


def ask_python(folder: Path, code: str) -> str:
    """Return what a fresh Python prints that finds xp.py as an installation has it."""
    shutil.copy(ROOT / "engine" / "api" / "xp.py", folder / "xp.py")
    head = f"import sys; sys.path[:0] = [{str(folder)!r}, {str(ROOT)!r}]; "
    return subprocess.run([sys.executable, "-c", head + code], capture_output=True, text=True, check=True).stdout


def test_importing_xp_loads_no_room(tmp_path: Path) -> None:
    loaded = "sorted(name for name in sys.modules if name.split('.')[0] in ('engine', 'store', 'torch', 'duckdb'))"
    assert ask_python(tmp_path, f"import xp; print({loaded})") == "['engine', 'engine.api']\n"


def test_reading_a_spec_loads_no_torch(tmp_path: Path) -> None:
    code = f"import xp; xp.load_spec({str(QUICKSTART)!r}); print([n for n in ('torch', 'duckdb') if n in sys.modules])"
    assert ask_python(tmp_path, code) == "[]\n"


def test_every_name_is_its_owner_s_own() -> None:
    for name, owner in api.OWNERS.items():
        assert getattr(api, name) is getattr(import_module(owner), name)
    assert api.build_network is build_network
    assert {*api.OWNERS, "compare", "sql", "submit"} == set(api.__all__) == set(dir(api))


def test_unknown_name_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="no attribute 'lode_spec'"):
        _ = api.lode_spec


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
    assert done.warnings[0].startswith("train.batch_size (arm original): 1500 is more than")


def test_finished_experiment_starts_no_scheduler(
    tmp_path: Path, started: list[Home], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.schedule.submit.submit_plan", lambda *_: Submission("quickstart", 1, 0, 23, ()))
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


def test_rows_come_by_name(results: Home) -> None:
    rows = api.sql("select arm, count(*) as n from results group by arm order by arm", results.root)
    assert rows == [{"arm": "a", "n": 3}, {"arm": "b", "n": 3}, {"arm": "odd", "n": 3}]


def test_cut_answer_is_refused(results: Home) -> None:
    assert len(api.sql("from runs", results, limit=9)) == 9
    with pytest.raises(QueryError, match="more than 8 rows"):
        api.sql("from runs", results, limit=8)


def test_two_columns_of_one_name_are_refused(results: Home) -> None:
    with pytest.raises(QueryError, match="two columns are called 'run'"):
        api.sql("select arm, run, run from runs", results)


def test_fresh_rows_are_taken_in_when_asked(results: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    monkeypatch.setattr("engine.analysis.query.collect", lambda home, wait: calls.append(home))
    api.sql("select 1 as x", results)
    assert calls == []
    api.sql("select 1 as x", results, fresh=True)
    assert calls == [results]


def test_comparison_is_first_minus_second(results: Home) -> None:
    (found,) = api.compare("paper/b", "paper/a", home=results)
    assert (found.metric, found.arms) == ("test_top1", ("b", "a"))
    assert found.difference.mean == pytest.approx(found.means[0] - found.means[1])
    assert found.difference.mean > 0.3
    assert api.compare("paper/b", "paper/a", "params", results)[0].is_exact


def test_new_rows_are_taken_in_before_comparing(results: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[Any] = []
    monkeypatch.setattr("engine.collect.collect", lambda home, wait: calls.append((home, wait)))
    api.compare("paper/b", "paper/a", home=results)
    assert calls == [(results, 60.0)]


def test_unfair_comparison_is_refused_unless_anyway(results: Home) -> None:
    with pytest.raises(QueryError, match="not comparable"):
        api.compare("paper/odd", "paper/a", home=results)
    (found,) = api.compare("paper/odd", "paper/a", home=results, anyway=True)
    assert found.unfair
