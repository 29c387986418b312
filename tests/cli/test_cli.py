"""The commands as a person meets them: exit codes, streams, and never a traceback."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from engine.cli import app
from tests.helpers.commanding import run_command

QUICKSTART = Path(__file__).parents[2] / "specs" / "quickstart.yaml"
ROOT = QUICKSTART.parent.parent


def run_xp(*words: str | Path, home: Path, code: int = 0) -> subprocess.CompletedProcess[str]:
    """Run a command and hold that its exit code is `code` and that no traceback is shown."""
    environment = {**os.environ, "XP_HOME": str(home), "PYTHONPATH": str(ROOT)}
    answer = run_command(list(map(str, words)), home.parent, environment)
    assert answer.returncode == code, answer.stderr
    assert "Traceback" not in answer.stderr + answer.stdout
    return answer


@pytest.fixture
def home(tmp_path: Path) -> Path:
    return tmp_path / "home"


def command_names(command: object, prefix: str = "xp") -> Iterator[str]:
    if not isinstance(command, TyperGroup):
        yield prefix
        return
    for name, inner in command.commands.items():
        yield from command_names(inner, f"{prefix} {name}")


def test_every_command_stands_in_the_readme() -> None:
    told = (ROOT / "README.md").read_text()
    assert [name for name in command_names(get_command(app)) if name not in told] == []


def test_valid_spec_ends_with_0_and_wrong_one_with_2(home: Path, tmp_path: Path) -> None:
    run_xp("validate", QUICKSTART, home=home)
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text(QUICKSTART.read_text() + "\nbogus: 1\n")
    answer = run_xp("validate", QUICKSTART, wrong, home=home, code=2)
    assert f"{wrong}:" in answer.stderr
    assert "\nfix: " in answer.stderr
    assert answer.stdout.startswith(str(QUICKSTART))


def test_absent_images_are_a_warning_to_validate_and_stop_a_submit(home: Path) -> None:
    words = ["--set", "data.source=folder", "--set", "data.root=/nowhere/images"]
    assert "/nowhere/images" in run_xp("validate", QUICKSTART, *words, home=home).stderr
    plan = json.loads(run_xp("plan", QUICKSTART, "--json", *words, home=home).stdout)
    assert {job["job"] for job in plan["jobs"]} == {None}
    assert all(job["reason"] for job in plan["jobs"])
    assert "fix: " in run_xp("submit", QUICKSTART, *words, home=home, code=2).stderr


def test_plan_json_is_alone_on_stdout(home: Path) -> None:
    plan = json.loads(run_xp("plan", QUICKSTART, "--json", home=home).stdout)
    assert len(plan["runs"]) == 8
    assert set(plan["runs"][0]) == {"run", "arm", "cell", "seed", "jobs"}
    assert plan["seconds"] > 0
    assert plan["bytes"] > 0
    assert not any(job["reused"] for job in plan["jobs"])


def test_submit_without_start_queues_and_status_counts(home: Path) -> None:
    run_xp("submit", QUICKSTART, "--no-start", home=home)
    status = json.loads(run_xp("status", "--json", home=home).stdout)["experiments"][0]
    assert (status["experiment"], sum(status["runs"].values()), sum(status["jobs"].values())) == ("quickstart", 8, 23)
    assert "quickstart" in run_xp("status", home=home).stdout


@pytest.mark.parametrize(
    "words", [["status", "nothing"], ["logs", "nothing"], ["cancel", "nothing"], ["report", "nothing"], ["retry", "x"]]
)
def test_unknown_id_is_a_usage_error_with_a_fix(home: Path, words: list[str]) -> None:
    run_xp("submit", QUICKSTART, "--no-start", home=home)
    assert "fix: " in run_xp(*words, home=home, code=2).stderr


@pytest.mark.parametrize("words", [["status"], ["sql", "select 1"], ["rebuild"], ["logs", "a"]])
def test_missing_home_is_explained(home: Path, words: list[str]) -> None:
    assert "no home folder" in run_xp(*words, home=home, code=2).stderr


@pytest.mark.parametrize("words", [["bogus"], ["submit"], ["plan", "a.yaml", "--bogus"], ["worker", "--slots", "none"]])
def test_wrong_usage_ends_with_2(home: Path, words: list[str]) -> None:
    run_xp(*words, home=home, code=2)


def test_cancel_before_start_cancels_all_and_retry_brings_back(home: Path) -> None:
    run_xp("submit", QUICKSTART, "--no-start", home=home)
    assert len(run_xp("cancel", "quickstart", home=home).stdout.splitlines()) == 23
    counts = json.loads(run_xp("status", "--json", home=home).stdout)["experiments"][0]["jobs"]
    assert counts == {"cancelled": 23}
    assert "nothing to do: 23 cancelled; `xp retry quickstart`" in run_xp("resume", "quickstart", home=home).stderr
    assert "nothing to do: 23 cancelled\n" in run_xp("cancel", "quickstart", home=home).stderr
    run_xp("submit", QUICKSTART, "--no-start", home=home)
    counts = json.loads(run_xp("status", "--json", home=home).stdout)["experiments"][0]["jobs"]
    assert "cancelled" not in counts


def test_init_lays_out_valid_specs_and_overwrites_nothing(home: Path, tmp_path: Path) -> None:
    run_xp("init", tmp_path, home=home)
    spec = tmp_path / "specs" / "quickstart.yaml"
    run_xp("validate", spec, home=home)
    spec.write_text("mine")
    assert run_xp("init", tmp_path, home=home).stdout == ""
    assert spec.read_text() == "mine"


def test_schema_is_json_that_names_the_fields(home: Path) -> None:
    schema = json.loads(run_xp("schema", home=home).stdout)
    assert {"name", "data", "student", "arms"} <= set(schema["properties"])


def test_doctor_finds_this_machine_well(home: Path) -> None:
    findings = json.loads(run_xp("doctor", "--json", home=home).stdout)
    assert all(finding["ok"] for finding in findings)
    assert {"torch", "queue.db"} <= {finding["name"] for finding in findings}
