"""What an id is made of, and where two differ."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import XpError
from engine.find import find_match
from engine.home import Home, open_home
from engine.load import load_spec
from engine.plan import Plan, make_plan
from engine.submit import submit_plan
from engine.why import explain_job, list_differences

QUICKSTART = Path(__file__).parent.parent / "specs" / "quickstart.yaml"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return open_home(tmp_path / "home", create=True)


@pytest.fixture
def plan(home: Home) -> Plan:
    plan = make_plan(load_spec(QUICKSTART), home)
    submit_plan(plan, home)
    return plan


def run_of(plan: Plan, arm: str, seed: int) -> str:
    return next(run.run for run in plan.runs if (run.arm, run.seed) == (arm, seed))


def test_job_says_its_settings_and_who_needs_it(home: Home, plan: Plan) -> None:
    pack = next(job.key for job in plan.jobs if job.kind == "pack")
    lines = list(explain_job(home, pack))
    assert lines[0] == f"{pack}: a pack job"
    assert "  it has not started" in lines
    assert '  data.source = "digits"' in lines
    assert "quickstart/sparse default seed 1" in "".join(lines)


def test_two_runs_differ_in_what_their_arms_change(home: Home, plan: Plan) -> None:
    one, other = (find_match(home, run_of(plan, arm, 0)) for arm in ("original", "sparse"))
    paths = {difference.path for difference in list_differences(home, one, other)}
    assert {"arm", "student.attention.kind", "student.attention.radius"} <= paths
    assert not any(path.startswith("train.") for path in paths)


def test_experiments_are_not_compared_setting_by_setting(home: Home, plan: Plan) -> None:
    match = find_match(home, plan.spec.name)
    with pytest.raises(XpError, match="two runs"):
        list_differences(home, match, match)


def test_short_beginning_finds_with_and_without_the_kind(home: Home, plan: Plan) -> None:
    job = next(job.key for job in plan.jobs if job.kind == "targets")
    assert find_match(home, job[:12]).name == find_match(home, job.split("-")[1][:8]).name == job
    with pytest.raises(XpError, match="type more"):
        find_match(home, "train-")
