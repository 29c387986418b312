"""What a spec asks for that is not here; and a plan as JSON, null wherever something is missing."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from engine.home.files import write_json
from engine.home.paths import Home, open_home
from engine.load import load_spec
from engine.plan import make_plan
from engine.plan.estimate import estimate_plan
from engine.plan.missing import absent_inputs, plan_json

QUICKSTART = Path(__file__).parents[2] / "specs" / "quickstart.yaml"


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return open_home(tmp_path / "home", create=True)


def absent(*words: str) -> list[str]:
    return absent_inputs(load_spec(QUICKSTART, words))


def test_nothing_is_absent_of_what_comes_with_the_packages() -> None:
    assert absent() == []


def test_an_absent_folder_is_one_line_with_its_repair(tmp_path: Path) -> None:
    (line,) = absent("data.source=folder", f"data.root={tmp_path}/gone", "matrix={train.lr: [0.1, 0.2]}")
    assert "gone" in line
    assert "; fix: " in line
    assert "\n" not in line


def test_every_absent_folder_of_a_matrix_is_told(tmp_path: Path) -> None:
    roots = f"matrix={{data.root: ['{tmp_path}/one', '{tmp_path}/two']}}"
    lines = absent("data.source=folder", f"data.root={tmp_path}", roots)
    assert ["one" in lines[0], "two" in lines[1], len(lines)] == [True, True, 2]


def test_a_folder_is_listed_once_for_all_cells(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand cells on one set of images are one look at it; other images, or other classes, are another."""
    looked: list[str | None] = []
    monkeypatch.setattr("engine.plan.missing.data_images", lambda data: looked.append(data.root))
    words = (f"data.root={tmp_path}", "data.source=folder")
    assert absent(*words, "matrix={train.lr: [0.1, 0.2, 0.3], data.split: [60/20/20, 80/10/10]}") == []
    assert looked == [str(tmp_path)]
    assert absent(*words, f"matrix={{data.root: [{tmp_path}, {tmp_path}/b], train.lr: [0.1, 0.2]}}") == []
    assert looked[1:] == [str(tmp_path), f"{tmp_path}/b"]
    assert absent(*words, "matrix={data.classes: [[a], [b]]}") == []
    assert len(looked) == 5


def test_one_absent_folder_is_one_line_whatever_its_classes(tmp_path: Path) -> None:
    words = ("data.source=folder", f"data.root={tmp_path}/gone", "matrix={data.classes: [[a, b], [a, c]]}")
    assert len(absent(*words)) == 1


def test_absent_and_broken_weights_are_told_by_their_network(tmp_path: Path) -> None:
    file = tmp_path / "w.safetensors"
    words = (f"student.weights={file}", "teacher.train=null", f"teacher.weights={tmp_path}/t.safetensors")
    student, teacher = sorted(absent(*words))
    assert student == f"student.weights: there is no weights file {file}; fix: bring it here, or change weights"
    assert teacher.startswith("teacher.weights: there is no weights file")
    file.write_bytes(b"no tensors")
    broken = next(line for line in absent(*words) if line.startswith("student"))
    assert "cannot be read" in broken
    assert "; fix: " in broken
    save_file({"head.weight": torch.zeros(10, 4)}, file)
    assert absent(f"student.weights={file}") == []


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
