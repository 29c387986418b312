"""What an id is made of, and where two differ."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import XpError
from engine.home.paths import Home, open_home
from engine.inspect.why import SettingDifference, explain_job, list_differences
from engine.load import load_spec
from engine.plan import Plan, make_plan
from engine.schedule.lookup import Match, find_match
from engine.schedule.submit import submit_plan
from engine.spec.identity import PACK_VERSION
from tests.helpers.synthetic import SyntheticHome
from tests.run.bench import TRAIN_JOB, write_spec

QUICKSTART = Path(__file__).parents[2] / "specs" / "quickstart.yaml"


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


def test_two_arms_differ_by_their_addresses(home: Home, plan: Plan) -> None:
    one, other = (find_match(home, f"quickstart/{arm}") for arm in ("original", "sparse"))
    paths = {difference.path for difference in list_differences(home, one, other)}
    assert {"arm", "student.attention.kind"} <= paths
    assert "seed" not in paths


def test_experiments_are_not_compared_setting_by_setting(home: Home, plan: Plan) -> None:
    match = find_match(home, plan.spec.name)
    with pytest.raises(XpError, match="two runs"):
        list_differences(home, match, match)


def test_short_beginning_finds_with_and_without_the_kind(home: Home, plan: Plan) -> None:
    job = next(job.key for job in plan.jobs if job.kind == "targets")
    assert find_match(home, job[:12]).name == find_match(home, job.split("-")[1][:8]).name == job
    with pytest.raises(XpError, match="type more"):
        find_match(home, "train-")


# Against folders written by hand --------------------------------------------------------------------------------------

PACKED = {
    "data": {"source": "folder", "short_side": 8, "format": "raw", "broken": "stop", "classes": ["b", "a"]},
    "digest": "d",
}


def test_a_history_tells_each_attempt_and_which_counts(tmp_path: Path) -> None:
    made = SyntheticHome(tmp_path)
    write_spec(made.home.job("pack-1"), "pack", {"source": "pack-0", "assist": "train-0"}, PACKED)
    first, journal = made.attempt("pack-1", 1)
    journal.close()
    made.outcome(first, "crashed", "out of disk")
    second, journal = made.attempt("pack-1", 2)
    journal.close()
    made.finish("pack-1", second)
    _, journal = made.attempt("pack-1", 3)
    journal.close()
    assert list(explain_job(made.home, "pack-1")) == [
        "pack-1: a pack job",
        "  attempt 1: crashed out of disk",
        "  attempt 2: done (its result counts)",
        "  attempt 3: no outcome yet",
        "  a submit that needs the same thing reuses it",
        "  needed by: nothing that is queued here",
        "  needs assist: train-0",
        "  needs source: pack-0",
        '  data.broken = "stop"',
        '  data.classes = ["b","a"]',
        '  data.format = "raw"',
        "  data.short_side = 8",
        '  data.source = "folder"',
        '  digest = "d"',
        f"  pack_version = {PACK_VERSION}",
    ]


def test_a_job_without_spec_says_what_to_do(home: Home) -> None:
    with pytest.raises(XpError, match=r"(?s)train-9 has no spec\.json.*submit its experiment again"):
        list(explain_job(home, "train-9"))


def test_two_jobs_differ_from_the_first_to_the_second(tmp_path: Path) -> None:
    made = SyntheticHome(tmp_path)
    write_spec(made.home.job("train-1"), "train", {}, {**TRAIN_JOB, "train": {"lr": 0.1, "clip_grad": 1.0}})
    write_spec(
        made.home.job("train-2"), "train", {"pack": "pack-1"}, {**TRAIN_JOB, "train": {"lr": 0.2, "clip_grad": None}}
    )
    one, other = (Match("job", name, None, (name,)) for name in ("train-1", "train-2"))
    assert list_differences(made.home, one, other) == [
        SettingDifference("needs", {}, None),
        SettingDifference("needs.pack", None, "pack-1"),
        SettingDifference("settings.train.clip_grad", 1.0, None),
        SettingDifference("settings.train.lr", 0.1, 0.2),
    ]
    assert list_differences(made.home, one, one) == []
    with pytest.raises(XpError, match="cannot be compared"):
        list_differences(made.home, one, Match("run", "run-1", "paper", ()))


def test_two_runs_differ_in_seed_and_arm_by_the_newest_record(tmp_path: Path) -> None:
    made = SyntheticHome(tmp_path)
    runs = [{"run": f"run-{at}", "seed": at, "arm": "same", "settings": {"lr": at}, "jobs": {}} for at in (0, 1)]
    made.record("paper", [{**run, "settings": {"lr": 9}} for run in runs], "same")
    made.record("paper", runs, "same")
    one, other = (Match("run", f"run-{at}", "paper", ()) for at in (0, 1))
    assert list_differences(made.home, one, other) == [SettingDifference("lr", 0, 1), SettingDifference("seed", 0, 1)]
