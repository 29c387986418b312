"""Code of one's own of every kind, from `xp init --plugin` to a report; kills change no bit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.home.paths import open_home
from engine.load import load_spec
from engine.verify.resume import verify_resume
from tests.core.own_code.broken import CRITERION, OPTIMIZER
from tests.flow.commands import ask, xp

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
TUNED = """
name: tuned
data: {source: ./images.py:draw_bars, options: {images: 180}, image_size: 24, short_side: 24}
student: {arch: tiny_vit, dims: [8, 16, 16, 16], depths: [1, 1, 1, 1], heads: [1, 1, 2, 1], windows: [6, 3, 3, 1]}
train: {epochs: 6, batch_size: 16, optimizer: ./optim.py:Thing, lr: 1.0e-3, precision: fp32, threads: 1}
measure: {batch_sizes: [1], seconds: 0.2, rounds: 3}
resources: {gpus: 0}
arms:
  whole: {}
  tuned: {prune: {ratio: 0.2, criterion: ./criteria.py:Thing, recover_epochs: 1}}
baseline: whole
"""
ARMS = ("alone", "taught", "masked", "banded")


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which the study that `xp init --plugin` lays out was run to its end."""
    folder = tmp_path_factory.mktemp("own")
    xp(folder / "home", "init", "--plugin")
    xp(folder / "home", "validate", "own_code/study.yaml", code=2)
    xp(folder / "home", "submit", "own_code/study.yaml", "--trust", "--wait")
    return folder


def plan_ids(lab: Path) -> dict[str, str]:
    told = json.loads(xp(lab / "home", "plan", "own_code/study.yaml", "--json", "--trust"))
    return {f"{run['arm']} {role}": job for run in told["runs"] for role, job in run["jobs"].items()}


def test_every_arm_ends_with_its_numbers(lab: Path) -> None:
    rows = ask(lab / "home", "select arm, test_top1, params, macs, infer_images_per_second as speed from results")
    assert sorted(row["arm"] for row in rows) == sorted(ARMS)
    assert all(row[name] is not None for row in rows for name in row)
    best = {row["arm"]: row["test_top1"] for row in rows}
    assert best["taught"] > 0.5, "a bar is easily found"


def test_networks_are_exported_and_reported(lab: Path) -> None:
    for arm in ("taught", "banded"):
        xp(lab / "home", "export", f"own_code/{arm}", "--format", "safetensors", "-o", "exported")
    xp(lab / "home", "report", "own_code", "-o", "report")
    page = (lab / "report" / "report.md").read_text()
    assert all(arm in page for arm in ARMS)
    assert not [path for path in (lab / "report").rglob("*") if ":" in path.name]
    xp(lab / "home", "archive", "own_code", "-o", "own.zip")
    xp(lab / "home", "archive", "verify", "own.zip")
    # Elsewhere the files are not where they lay: the copies in the archive are what runs, once somebody says so.
    (lab / "own_code").rename(lab / "moved")
    try:
        told = xp(lab / "home", "archive", "verify", "own.zip", "--rerun", "alone", code=3)
        assert "say --trust" in told
        assert "files/nets.py" in told
        told = xp(lab / "home", "archive", "verify", "own.zip", "--rerun", "alone", "--trust")
    finally:
        (lab / "moved").rename(lab / "own_code")
    assert "1 runs again" in told


def test_remarks_keep_ids_and_code_changes_them(lab: Path) -> None:
    before = plan_ids(lab)
    nets = lab / "own_code" / "nets.py"
    text = nets.read_text()
    nets.write_text(f"# a remark\n{text}")
    assert plan_ids(lab) == before
    nets.write_text(text.replace("nn.ReLU()", "nn.GELU()"))
    changed = {role for role, job in plan_ids(lab).items() if job != before[role]}
    assert "alone student" in changed
    assert {"banded student", "banded prune", "alone pack"} <= set(before)
    # The banded arm's speed is measured beside the baseline, whose network it was.
    assert not [role for role in changed if role in ("banded student", "banded prune") or role.endswith("pack")]
    xp(lab / "home", "submit", "own_code/study.yaml", "--no-start")
    assert f"{nets} has changed since nets@" in xp(lab / "home", "why", "own_code")
    nets.write_text(text)


def test_kills_change_no_bit(lab: Path) -> None:
    home = open_home(lab / "home")
    study = (lab / "own_code" / "study.yaml").read_text()
    (lab / "own_code" / "two.yaml").write_text(f"{study.split('  masked:')[0]}baseline: alone\n")
    spec = load_spec(lab / "own_code" / "two.yaml")
    found = verify_resume(spec, home, lambda line: None)
    assert len(found.jobs) == 3, "the teacher's training too"
    assert found.kills > 0
    # A training of some steps may end before a kill comes: what counts is that none has other bits.
    assert [one.job for one in found.jobs if one.straight != one.killed] == []


def test_an_optimizer_trains_and_resumes_and_a_criterion_prunes(tmp_path: Path) -> None:
    xp(tmp_path / "home", "init", "--plugin")
    folder = tmp_path / "own_code"
    (folder / "optim.py").write_text(OPTIMIZER)
    (folder / "criteria.py").write_text(CRITERION)
    (folder / "tuned.yaml").write_text(TUNED)
    xp(tmp_path / "home", "submit", "own_code/tuned.yaml", "--trust", "--wait")
    rows = ask(tmp_path / "home", "select arm, params from results where experiment = 'tuned'")
    params = {row["arm"]: row["params"] for row in rows}
    assert params["tuned"] < 0.9 * params["whole"]
    losses = "select value from metrics join run_jobs using (job) join runs using (run) where name = 'train_loss'"
    first, *others = (
        row["value"]
        for row in ask(tmp_path / "home", f"{losses} and arm = 'whole' and role = 'student' order by epoch")
    )
    assert min(others) < first
    found = verify_resume(load_spec(folder / "tuned.yaml"), open_home(tmp_path / "home"), lambda line: None)
    assert len(found.jobs) == 2, "the training, and what follows the pruning"
    assert found.kills > 0
    assert [one.job for one in found.jobs if one.straight != one.killed] == []
