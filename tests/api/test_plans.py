"""`xp.plan`: rows that add up, shown as text and in a notebook; nothing is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine import api
from engine.api.plans import PlanView
from engine.errors import StrangeCode
from engine.home.paths import Home
from engine.inspect.outlay import sum_outlays
from tests.helpers.queueing import make_home

QUICKSTART = Path(__file__).parents[2] / "specs" / "quickstart.yaml"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    return make_home(tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="module")
def made(home: Home) -> PlanView:
    return api.plan(QUICKSTART, home)


def test_rows_add_up_to_the_plan(made: PlanView, home: Home) -> None:
    assert [row.arm for row in made.rows] == [None, "original", "sparse", "distilled", "distilled_pruned"]
    assert sum(row.jobs for row in made.rows) == len(made.plan.jobs) == 23
    assert sum(row.runs for row in made.rows) == len(made.plan.runs) == 8
    assert sum(row.bytes for row in made.rows) == made.bytes
    assert made.rows == tuple(sum_outlays(made.plan, made.estimate, home)), "as `xp plan` has them"
    assert not home.jobs(), "a plan writes no job"


def test_own_code_runs_where_its_caller_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As --trust does: said once, until the code is changed."""
    monkeypatch.setattr("engine.plan.own_code.check_all", lambda _, questions: [[] for _ in questions])
    loss = tmp_path / "losses.py"
    loss.write_text("def soft(student, teacher, labels, temperature): ...\n")
    words = {"name": "own", "data": {"source": "digits", "image_size": 32}, "student": {"arch": "tiny_vit_5m"},
             "teacher": {"arch": "tiny_vit_5m", "train": {}}, "distill": {"loss": f"{loss}:soft"}}  # fmt: skip
    home = make_home(tmp_path / "home")
    with pytest.raises(StrangeCode):
        api.plan(words, home)
    assert api.plan(words, home, trust=True).plan.runs
    assert api.submit(words, home, start=False).new
    loss.write_text("def soft(student, teacher, labels, temperature): return 1\n")
    with pytest.raises(StrangeCode):
        api.submit(words, home, start=False)
    assert api.submit(words, home, start=False, trust=True).new


def test_it_is_shown_as_a_table(made: PlanView) -> None:
    lines = str(made).splitlines()
    assert lines[0].split() == ["arm", "cell", "runs", "jobs", "reused", "from", "seconds", "disk"]
    assert lines[1].startswith("(shared)")
    assert made.total in lines
    assert repr(made) == str(made)
    assert "<caption" in made._repr_html_()
    assert made._repr_html_().count("<tr>") == 6


def test_what_is_missing_is_told_and_has_no_time(home: Home, tmp_path: Path) -> None:
    words = {"name": "mine", "data": {"source": "folder", "root": str(tmp_path / "absent")}}
    made = api.plan({**words, "student": {"arch": "tiny_vit_5m"}}, home)
    assert made.seconds is None
    assert "a time that is not known yet" in str(made)
    assert any("absent" in line for line in made.warnings)
