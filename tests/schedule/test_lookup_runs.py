"""EXPERIMENT/ARM@SEED is one run of the newest submission, and what is none says what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from engine.errors import XpError
from engine.home.paths import Home, open_home
from engine.load import load_spec
from engine.plan import make_plan
from engine.schedule.lookup import find_run, list_runs
from engine.schedule.submit import submit_plan

TINY = Path(__file__).parents[1] / "resources" / "tiny.yaml"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    found = open_home(tmp_path_factory.mktemp("homes") / "home", create=True)
    submit_plan(make_plan(load_spec(TINY, ("matrix={data.split: [60/20/20, 80/10/10]}",)), found), found)
    return found


@pytest.mark.parametrize(
    ("address", "arm", "seed"),
    [("tiny/original", "original", 0), ("tiny/distilled@1", "distilled", 1), ("tiny/distilled_pruned@0", None, 0)],
)
def test_an_address_is_one_run(home: Home, address: str, arm: str | None, seed: int) -> None:
    run = find_run(home, address, or_first=True)
    assert (run.arm, run.seed) == (arm or "distilled_pruned", seed)
    assert run.jobs["student"].startswith("train-")


def test_a_cell_is_named_between_arm_and_seed(home: Home) -> None:
    cells = sorted({run.cell for run in list_runs(home, "tiny")})
    assert len(cells) == 2
    for cell in cells:
        run = find_run(home, f"tiny/original/{cell}@1")
        assert (run.cell, run.name) == (cell, f"tiny/original/{cell}@1")


@pytest.mark.parametrize(
    ("address", "what"),
    [
        ("tiny/orginal", "no arm 'orginal'.*did you mean 'original'"),
        ("tiny/original@7", "no seed '7'.*'0', '1'"),
        ("tiny/original@", "original"),
        ("tony/original", "this home has no experiment 'tony'.*did you mean 'tiny'"),
        ("tiny/original/nowhere", "no cell 'nowhere'"),
    ],
)
def test_what_is_no_run_says_what_there_is(home: Home, address: str, what: str) -> None:
    if address.endswith("@"):
        assert find_run(home, address, or_first=True).seed == 0
        return
    with pytest.raises(XpError) as told:
        find_run(home, address, or_first=True)
    assert re.search(what, str(told.value).replace("\n", " "))


def test_an_empty_home_says_what_to_do_first(tmp_path: Path) -> None:
    with pytest.raises(XpError) as told:
        find_run(open_home(tmp_path / "home", create=True), "tiny/original")
    assert "submit a spec first" in str(told.value)
