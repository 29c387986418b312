"""A network, a loss, an attention and images of one's own, from `xp init --plugin` to a report; kills change no bit."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.home.paths import open_home
from engine.load import load_spec
from engine.verify.resume import verify_resume
from tests.flow.commands import ask, xp

pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]
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
