"""What is left of a plan: states, seconds from what this home has measured, bytes; what is done costs nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from engine.home.files import write_json
from engine.home.paths import Home, open_home
from engine.load import load_spec
from engine.plan import Job, Plan, make_plan
from engine.plan.cost.speeds import Speed, Speeds
from engine.plan.cost.work import FORK, Asked, count_work
from engine.plan.estimate import START, Estimate, JobEstimate, disk_bytes, estimate_plan, tell_crowding

QUICKSTART = Path(__file__).parents[2] / "specs" / "quickstart.yaml"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return open_home(tmp_path / "home", create=True)


@pytest.fixture
def plan(home: Home) -> Plan:
    return make_plan(load_spec(QUICKSTART), home)


def finish(home: Home, job: str, seconds: float = 1.0) -> None:
    home.job(job).root.mkdir(parents=True, exist_ok=True)
    write_json(home.job(job).result, {"attempt": 1, "seconds": seconds})


def job_of(plan: Plan, kind: str) -> Job:
    return next(job for job in plan.jobs if job.kind == kind)


def test_before_anything_is_known_seconds_are_a_guess(home: Home, plan: Plan) -> None:
    estimate = estimate_plan(plan, home, {})
    assert [item.job for item in estimate.jobs] == list(plan.jobs)
    for item in estimate.jobs:
        assert item.seconds >= FORK
        assert (item.state, item.is_reused) == ("new", False)
    assert estimate.seconds == pytest.approx(START + sum(item.seconds for item in estimate.jobs), abs=0.1)
    assert estimate.bytes == sum(job.bytes for job in plan.jobs)


@pytest.mark.parametrize("slots", [1, 2, 100])
def test_slots_work_beside_each_other(home: Home, plan: Plan, monkeypatch: pytest.MonkeyPatch, slots: int) -> None:
    monkeypatch.setattr("engine.plan.estimate.list_gpus", lambda: [str(number) for number in range(slots)])
    estimate = estimate_plan(plan, home, {})
    work, chain = seconds_in(list(estimate.jobs)), seconds_in(longest_chain(estimate))
    assert work > 1.1 * chain
    assert estimate.seconds - START == pytest.approx(max(work / slots, chain), abs=0.1)


def longest_chain(estimate: Estimate) -> list[JobEstimate]:
    """From the pack over teacher, targets and student to pruning and what looks at its network."""
    chains: dict[str, list[JobEstimate]] = {}
    for item in estimate.jobs:
        before = max((chains[need] for need in item.job.needs.values()), key=seconds_in, default=[])
        chains[item.job.key] = [*before, item]
    return max(chains.values(), key=seconds_in)


def seconds_in(chain: list[JobEstimate]) -> float:
    return sum(item.seconds for item in chain)


def test_only_who_tells_tries_the_machine(home: Home, plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[dict[str, Any]] = []
    monkeypatch.setattr("engine.plan.cost.calibration.run_child", lambda module, question: asked.append(question))
    estimate_plan(plan, home, {})
    assert not asked
    told: list[str] = []
    estimate_plan(plan, home, {}, told.append)
    assert (len(asked), len(told)) == (1, 2)  # that it is tried, and that nothing came of it
    assert len(asked[0]["probes"]) == 3
    for job in plan.jobs:
        finish(home, job.key)
    estimate_plan(plan, home, {}, told.append)
    assert len(asked) == 1


def test_what_is_done_costs_nothing_more(home: Home, plan: Plan) -> None:
    pack, whole = job_of(plan, "pack"), estimate_plan(plan, home, {})
    finish(home, pack.key)
    left = estimate_plan(plan, home, {pack.key: "queued"})
    (found,) = [item for item in left.jobs if item.job.key == pack.key]
    assert (found.state, found.is_reused) == ("done", True)
    assert left.bytes == whole.bytes - pack.bytes
    assert left.seconds == pytest.approx(whole.seconds - found.seconds)


def test_states_are_those_of_the_queue(home: Home, plan: Plan) -> None:
    pack, train = job_of(plan, "pack"), job_of(plan, "train")
    estimate = estimate_plan(plan, home, {pack.key: "running", train.key: "failed"})
    states = {item.job.key: item.state for item in estimate.jobs}
    assert (states[pack.key], states[train.key]) == ("running", "failed")
    assert set(states.values()) == {"running", "failed", "new"}
    assert not any(item.is_reused for item in estimate.jobs)


def test_a_job_that_cannot_be_yet_has_no_state_of_another(home: Home, plan: Plan) -> None:
    pack = job_of(plan, "pack")
    finish(home, pack.key)
    blind = replace(plan, jobs=(replace(pack, job=None),))
    (item,) = estimate_plan(blind, home, {pack.key: "done"}).jobs
    assert (item.state, item.is_reused) == ("new", False)


BUSY = "this machine is busy with other work"


@pytest.mark.parametrize(
    ("load", "done", "told"),
    [(0.5, [], ""), (2.9, [], ""), (8.0, [], f"{BUSY}: while that lasts, it takes about 4.0 times as long"),
     (8.0, ["pack"], f"{BUSY}: while that lasts, it takes about 4.0 times as long; what is told by jobs"),
     (8.0, ["all"], f"{BUSY}; the time is told by jobs that were done here, with what ran beside")],
)  # fmt: skip
def test_load_is_told_and_never_counted_twice(
    load: float, done: list[str], told: str, home: Home, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("os.getloadavg", lambda: (load, 0.0, 0.0))
    monkeypatch.setattr("engine.inputs.machine.usable_cores", lambda: 2)
    recorded = frozenset(job.key for job in plan.jobs if job.kind in done or "all" in done)
    lines = tell_crowding([replace(estimate_plan(plan, home, {}), recorded=recorded)])
    assert len(lines) == bool(told)
    assert all(line.startswith(told) for line in lines)


def test_a_plan_of_which_all_is_done_tells_of_no_load(home: Home, plan: Plan, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.getloadavg", lambda: (90.0, 0.0, 0.0))
    assert tell_crowding([replace(estimate_plan(plan, home, {}), jobs=())]) == []


def test_disk_of_a_training_follows_the_weights_that_were_counted(
    home: Home, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A timm network of half a million weights was taken for one of 25 million: 700 MB instead of 14."""
    teacher = next(job for job in plan.jobs if "convnextv2" in str(job.settings) and job.kind == "train")
    guess = estimate_plan(plan, home, {})
    probe = next(one.probe for one in guess.works[teacher.key].probes if one.probe.trains)
    speeds = Speeds({probe: Speed(macs=1e8, params=0.5e6, saved=1e6)}, {})
    monkeypatch.setattr("engine.plan.estimate.kept_speeds", lambda *_: speeds)
    counted = estimate_plan(plan, home, {})
    told = {item.job.key: item.bytes for item in counted.jobs}
    assert told[teacher.key] == 7 * 4 * 500_000
    assert counted.bytes == guess.bytes - teacher.bytes + told[teacher.key]


def test_disk_of_a_teacher_with_a_new_head_alone_is_its_weights_once(plan: Plan) -> None:
    teacher = next(job for job in plan.jobs if "convnextv2" in str(job.settings) and job.kind == "train")
    probing = replace(teacher, settings=teacher.settings.model_copy(update={"head": "probe"}))
    work = count_work(Asked(probing.settings, probing.details, probing.images, "cpu", None))
    counted = Speeds({work.probes[0].probe: Speed(macs=1e8, params=0.5e6, saved=1e6)}, {})
    assert disk_bytes(probing, work, counted) == 4 * 500_000
    assert disk_bytes(probing, work, Speeds({}, {})) == teacher.bytes // 7
