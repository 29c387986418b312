"""Papers on the command line: validate, plan and submit take their files as they take specs; report needs results."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from engine.cli import app
from tests.load.test_paper_file import write

OTHER = """name: other
data: {source: digits, image_size: 32}
student: {arch: tiny_vit_5m}
arms: {a: {}, c: {train.lr: 0.2}}
"""


def run(*words: str | Path) -> Result:
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture
def paper(tmp_path: Path) -> Path:
    """Two experiments of digits that share an arm and so its jobs."""
    (tmp_path / "other.yaml").write_text(OTHER)
    words = "title: A paper\nexperiments: [bare.yaml, other.yaml]\nclaims: said.yaml\n"
    return write(tmp_path, "claim: bare/wins", words)


def test_a_paper_an_overlay_and_a_spec_are_each_said_to_be_what_they_are(paper: Path) -> None:
    overlay = paper.parent / "_small.yaml"
    overlay.write_text("train: {epochs: 1}\n")
    answer = run("validate", paper, overlay, paper.parent / "bare.yaml")
    assert answer.exit_code == 0
    assert answer.stdout.splitlines() == [
        f"{paper}: valid, a paper of 2 experiments, 1 claims, 0 inconsistencies",
        f"{overlay}: an overlay, checked with the specs that use it",
        f"{paper.parent / 'bare.yaml'}: valid, 2 arms, 1 seed",
    ]
    overlay.write_text("trian: {epochs: 1}\n")
    assert run("validate", overlay).exit_code == 2


def test_a_plan_of_a_paper_sums_and_counts_shared_jobs_once(paper: Path, tmp_path: Path) -> None:
    answer = run("plan", paper, "--json", "--no-calibrate", "--home", tmp_path / "home")
    assert answer.exit_code == 0, answer.stderr
    told = json.loads(answer.stdout)
    first, second = told["experiments"]
    assert (first["name"], second["name"]) == ("bare", "other")
    assert second["left"] < second["jobs"] == first["left"]
    assert told["seconds"] == pytest.approx(first["seconds"] + second["seconds"])
    assert "2 experiments, 4 runs" in run("plan", paper, "--no-calibrate", "--home", tmp_path / "home").stdout


def test_a_paper_is_submitted_in_its_order_and_again_does_nothing_twice(paper: Path, tmp_path: Path) -> None:
    words = ("submit", paper, "--no-start", "--set", "train.epochs=1", "--home", tmp_path / "home")
    told = run(*words).stderr.splitlines()
    assert [line.partition(":")[0] for line in told if "jobs to do" in line] == ["bare", "other"]
    assert told[-1].endswith(f"`xp report {paper}`")
    assert run(*words).exit_code == 0


def test_a_report_of_a_paper_that_was_never_run_says_what_to_submit(paper: Path, tmp_path: Path) -> None:
    run("submit", paper.parent / "other.yaml", "--no-start", "--home", tmp_path / "home")
    answer = run("report", paper, "-o", tmp_path / "out", "--home", tmp_path / "home")
    assert answer.exit_code == 0, answer.output
    assert "bare was not submitted to this home" in (tmp_path / "out" / "report.md").read_text()
    for beside in (["other"], ["--missing"], ["--columns", "params"]):
        refused = run("report", paper, *beside, "--home", tmp_path / "home")
        assert "stands beside it" in str(refused.exception)
