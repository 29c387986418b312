"""Jobs that were done here say how far off the count is: for the same network, else for the same kind."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import replace

import pytest

from engine.home.files import write_json
from engine.home.paths import Home
from engine.load import load_spec
from engine.plan import Plan, make_plan
from engine.plan.cost.records import NEWEST, SLOWEST, Done, Evidence, list_done
from engine.plan.cost.work import Work
from engine.plan.estimate import JobEstimate, estimate_plan
from engine.schedule.submit import submit_plan
from tests.plan.conftest import QUICKSTART


def submit(home: Home, *overrides: str) -> Plan:
    """Submit the quickstart with overrides."""
    plan = make_plan(load_spec(QUICKSTART, overrides), home)
    submit_plan(plan, home)
    return plan


def finish(home: Home, estimates: Sequence[JobEstimate], factor: float) -> None:
    """Let jobs be done in `factor` times what was expected."""
    for item in estimates:
        write_json(home.job(item.job.key).result, {"attempt": 1, "seconds": item.seconds * factor})


@pytest.mark.parametrize("factor", [0.4, 3.0])
def test_after_a_similar_run_its_seconds_are_expected(home: Home, factor: float) -> None:
    first = submit(home)
    expected = estimate_plan(first, home, {})
    finish(home, expected.jobs, factor)
    other = make_plan(load_spec(QUICKSTART, ["seeds=[7]", "train.epochs=20", "student.dims=[16, 32, 48, 72]"]), home)
    blind = {item.job.key: item.seconds for item in estimate_plan(other, home, {}).jobs}
    bare = estimate_plan(other, replace(home, root=home.root / "none"), {})
    for item in bare.jobs:
        assert blind[item.job.key] == pytest.approx(item.seconds * factor, rel=0.15, abs=0.3)


def test_the_same_network_says_more_than_another() -> None:
    done = [Done("train", "a", "cpu", Work(fixed=1.0), 2.0), Done("train", "b", "cpu", Work(fixed=1.0), 6.0)]
    evidence = Evidence(done, lambda work: work.fixed)
    assert evidence.factor("train", "a", "cpu") == 2
    assert evidence.factor("train", "b", "cpu") == 6
    assert evidence.factor("train", "c", "cpu") == 4
    assert evidence.factor("train", "a", "gpu") == 1
    assert evidence.factor("prune", "a", "cpu") == 1


def test_an_absurd_job_is_bounded() -> None:
    evidence = Evidence([Done("train", "a", "cpu", Work(fixed=1.0), 1e9)], lambda work: work.fixed)
    assert evidence.factor("train", "a", "cpu") == SLOWEST


def test_only_done_jobs_of_new_records_count(home: Home) -> None:
    for number in range(NEWEST + 2):
        plan = submit(home, f"seeds=[{number}]", f"name=e{number}")
        job = next(job for job in plan.jobs if job.kind == "prune")
        write_json(home.job(job.key).result, {"attempt": 1, "seconds": float(number)})
        os.utime(home.experiment(f"e{number}"), (1_000_000 + number, 1_000_000 + number))
    found = list_done(home, lambda kind, details: "cpu")
    assert sorted(job.seconds for job in found) == [float(number) for number in range(2, NEWEST + 2)]


@pytest.mark.parametrize("text", ["{", "[]", '{"seconds": "long"}'])
def test_damage_says_nothing(home: Home, text: str) -> None:
    plan = submit(home)
    for job in plan.jobs:
        home.job(job.key).result.write_text(text)
    assert list_done(home, lambda kind, details: "cpu") == []


def test_a_job_of_another_version_says_nothing(home: Home) -> None:
    plan = submit(home)
    for job in plan.jobs:
        write_json(home.job(job.key).result, {"attempt": 1, "seconds": 1.0})
        home.job(job.key).spec.write_text('{"version": 0}')
    assert list_done(home, lambda kind, details: "cpu") == []
