"""A plan as JSON, null wherever something is missing."""

from __future__ import annotations

from pathlib import Path

from engine.home.files import write_json
from engine.home.paths import Home
from engine.load import load_spec
from engine.plan import make_plan
from engine.plan.estimate import estimate_plan
from engine.plan.plan_json import plan_json

QUICKSTART = Path(__file__).parents[2] / "specs" / "quickstart.yaml"


def test_a_plan_is_told_run_by_run_and_job_by_job(home: Home) -> None:
    plan = make_plan(load_spec(QUICKSTART), home)
    pack = plan.jobs[0]
    home.job(pack.key).root.mkdir(parents=True)
    write_json(home.job(pack.key).result, {"attempt": 1, "seconds": 1.0})
    estimate = estimate_plan(plan, home, {plan.jobs[1].key: "running"})
    told = plan_json(plan, estimate)
    assert told["runs"] == [
        {"run": run.run, "arm": run.arm, "cell": run.cell, "seed": run.seed, "jobs": dict(run.jobs)}
        for run in plan.runs
    ]
    for row, item in zip(told["jobs"], estimate.jobs, strict=True):
        assert row["job"] == row["id"] == item.job.key
        assert row["kind"] == item.job.kind
        assert row["needs"] == list(item.job.needs.values())
        assert (row["seconds"], row["bytes"], row["reason"]) == (item.seconds, item.job.bytes, None)
    assert [(row["state"], row["reused"]) for row in told["jobs"][:3]] == [
        ("done", True),
        ("running", False),
        ("new", False),
    ]
    assert (told["seconds"], told["bytes"]) == (estimate.seconds, estimate.bytes)


def test_what_cannot_be_yet_is_null_with_the_reason(home: Home, tmp_path: Path) -> None:
    plan = make_plan(load_spec(QUICKSTART, [f"student.weights={tmp_path}/gone.safetensors"]), home)
    told = plan_json(plan, estimate_plan(plan, home, {}))
    rows = {row["kind"]: row for row in told["jobs"]}
    assert rows["pack"]["id"] == plan.jobs[0].key
    assert (rows["pack"]["state"], rows["pack"]["reason"]) == ("new", None)
    assert (rows["prune"]["id"], rows["prune"]["state"]) == (None, "provisional")
    assert "gone.safetensors" in rows["prune"]["reason"]
    assert None in rows["prune"]["needs"]
    assert {run["run"] for run in told["runs"]} == {None}
    assert told["runs"][0]["jobs"]["pack"] == plan.jobs[0].key
    assert told["runs"][0]["jobs"]["student"] is None


def test_experiments_that_nobody_teaches_have_no_passes(home: Home) -> None:
    words = ["distill.loss=ce", "arms.distilled=null", "arms.distilled_pruned=null"]
    plan = make_plan(load_spec(QUICKSTART, words), home)
    told = plan_json(plan, estimate_plan(plan, home, {}))
    assert (told["teacher_passes"], told["notes"]) == (None, [])
