"""EXPERIMENT/ARM@SEED is one run of the newest submission, and what is none says what there is."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from engine.errors import XpError
from engine.home.paths import Home, open_home
from engine.load import load_spec
from engine.plan import make_plan
from engine.schedule.lookup import Match, find_arm, find_match, find_network, find_run, list_runs, name_jobs
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


def test_an_arm_is_its_runs_and_their_jobs(home: Home) -> None:
    arm = find_match(home, "tiny/original")
    runs = [run for run in list_runs(home, "tiny") if run.arm == "original"]
    assert (arm.kind, arm.name, arm.experiment) == ("arm", "tiny/original", "tiny")
    assert arm.runs == tuple(run.run for run in runs)
    assert set(arm.jobs) == {job for run in runs for job in run.jobs.values()}
    seed = find_match(home, "tiny/original@1")
    assert seed.runs == tuple(run.run for run in runs if run.seed == 1)


def test_an_address_of_one_run_is_that_run(home: Home) -> None:
    run = list_runs(home, "tiny")[0]
    match = find_match(home, run.name)
    assert match == Match("run", run.run, "tiny", match.jobs)
    assert set(match.jobs) == set(run.jobs.values())
    assert find_match(home, run.run[:9]).name == run.run


def test_any_name_of_a_run_leads_to_its_arm(home: Home) -> None:
    run = list_runs(home, "tiny")[0]
    for text in (f"tiny/{run.arm}", run.name, run.run, run.run[:9]):
        assert find_arm(home, text) == f"tiny/{run.arm}"
    with pytest.raises(XpError, match=r"(?s)tiny is an experiment.*name one of its arms: tiny/"):
        find_arm(home, "tiny")


def test_a_network_is_named_by_run_or_job(home: Home) -> None:
    run = next(run for run in list_runs(home, "tiny") if run.arm == "distilled_pruned")
    assert find_network(home, run.name) == (run.jobs["prune"], run.name)
    assert find_network(home, run.jobs["student"]) == (run.jobs["student"],) * 2
    with pytest.raises(XpError, match="is a job, and a run is wanted"):
        find_network(home, run.jobs["pack"])


def test_jobs_are_named_by_what_they_are_to_whom(home: Home) -> None:
    run = next(run for run in list_runs(home, "tiny") if run.arm == "original")
    names = name_jobs(home, [*run.jobs.values(), "train-0123"])
    assert names[run.jobs["pack"]] == "pack of tiny"
    assert names[run.jobs["student"]].startswith("student of tiny/original")
    assert names["train-0123"] == "train-0123"
