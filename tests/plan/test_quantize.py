"""A quantised arm is its fp32 twin and one job more; what only that could show is not planned of it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.errors import DataError
from engine.home.paths import Home, open_home
from engine.plan import Plan, Run, make_plan
from engine.schedule.submit import submit_plan
from engine.spec import Spec
from engine.spec.job_kinds import final_network
from engine.spec.job_settings import MeasureSettings, QuantizeSettings

TREE: dict[str, Any] = {
    "name": "small",
    "data": {"source": "digits", "image_size": 24, "short_side": 8},
    "student": {
        "arch": "tiny_vit", "dims": [8, 8, 16, 16], "depths": [1] * 4, "heads": [1, 1, 2, 2], "windows": [3, 3, 2, 1],
    },
    "arms": {
        "plain": {}, "int8": {"quantize": {}}, "pruned": {"prune": {"ratio": 0.2}},
        "both": {"prune": {"ratio": 0.2}, "quantize": {"mode": "dynamic"}},
    },
}  # fmt: skip


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return open_home(tmp_path / "home", create=True)


def plan_of(home: Home, **over: Any) -> tuple[Plan, dict[str, Run]]:
    plan = make_plan(Spec.model_validate({**TREE, **over}), home)
    return plan, {run.arm: run for run in plan.runs}


def test_its_training_and_pruning_are_those_of_its_twin(home: Home) -> None:
    plan, runs = plan_of(home)
    jobs = {job.key: job for job in plan.jobs}
    for twin, arm in (("plain", "int8"), ("pruned", "both")):
        extra = runs[arm].jobs.keys() - runs[twin].jobs.keys()
        assert extra == {"quantize"}
        shared = runs[arm].jobs.keys() - {*extra, "measure"}
        assert all(runs[arm].jobs[role] == runs[twin].jobs[role] for role in shared)
        job = jobs[final_network(runs[arm].jobs)]
        assert isinstance(job.settings, QuantizeSettings)
        assert job.needs["parent"] == final_network(runs[twin].jobs)
        assert (job.details.device, job.details.resources.gpus) == ("cpu", 0)


def test_its_own_file_is_measured_and_it_has_no_maps(home: Home) -> None:
    plan, runs = plan_of(home, baseline="plain")
    jobs = {job.key: job for job in plan.jobs}
    measured = jobs[runs["int8"].jobs["measure"]]
    assert dict(measured.needs) == {"parent": runs["int8"].jobs["quantize"]}
    told = measured.settings
    assert isinstance(told, MeasureSettings)
    assert (told.device, told.timing, told.against) == ("cpu", "calls", told.network)
    assert "explain" in runs["plain"].jobs
    assert "explain" not in runs["int8"].jobs


def test_a_file_that_no_runtime_is_timed_with_has_no_speed(home: Home) -> None:
    arms = {"plain": {}, "int8": {"quantize": {"backend": "torchao"}}}
    assert "measure" not in plan_of(home, arms=arms)[1]["int8"].jobs


def test_nothing_is_measured_beside_a_quantised_baseline(home: Home) -> None:
    plan, _ = plan_of(home, baseline="int8")
    measured = [job.settings for job in plan.jobs if isinstance(job.settings, MeasureSettings)]
    assert len(measured) == 4
    assert {told.against for told in measured} == {None}


def test_a_quantised_network_teaches_nobody(home: Home) -> None:
    submit_plan(plan_of(home)[0], home)
    words = {**TREE, "name": "next", "teacher": {"run": "small/int8"}, "arms": {"a": {}}}
    with pytest.raises(DataError, match="small/int8 is quantised"):
        make_plan(Spec.model_validate(words), home)
