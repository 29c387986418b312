"""What is known of a network's training: as its journal says, and in older results as its jobs say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.analysis import trainings as module
from engine.analysis.claims import check_claims
from engine.analysis.compare import compare_arms
from engine.analysis.snapshot import one_snapshot
from engine.analysis.text import comparison_lines
from engine.analysis.trainings import NetworkTraining, read_trainings, unknown_arms, unknown_jobs, unknown_text
from engine.collect import collect
from engine.home.files import read_json, write_json
from engine.spec import Claim
from store.journal import JournalWriter
from tests.helpers.synthetic import Arm, SyntheticHome

CLAIM = {"id": "one", "text": "It wins.", "arm": "begun", "against": "plain", "expect": "greater"}
FILE = "sha256:" + "ab" * 32


@pytest.fixture
def made(tmp_path: Path) -> SyntheticHome:
    home = SyntheticHome(tmp_path / "home")
    home.experiment("paper", {"plain": Arm(), "begun": Arm(0.7)}, seeds=(0,))
    return home


def student(made: SyntheticHome, arm: str) -> str:
    record = read_json(made.home.records("paper")[-1])
    job: str = next(run["jobs"]["student"] for run in record["runs"] if run["arm"] == arm)
    return job


def rewrite(made: SyntheticHome, job: str, weights: str, needs: dict[str, str] | None = None) -> None:
    spec = made.home.job(job).spec
    write_json(
        spec, {**read_json(spec), "needs": needs or {}, "settings": {"seed": 0, "network": {"weights": weights}}}
    )


def say(made: SyntheticHome, job: str, training: str) -> None:
    with JournalWriter(made.home.job(job).attempt(1).journal) as journal:
        journal.fact("lineage", {"training": training, "pretrained": [], "unknown": []})


def trainings(made: SyntheticHome) -> list[NetworkTraining]:
    collect(made.home)
    with one_snapshot(made.home) as snapshot:
        return read_trainings(snapshot, "paper")


def training_of(made: SyntheticHome, arm: str) -> str:
    (found,) = {one.training for one in trainings(made) if one.arm == arm and one.role == "student"}
    return found


def test_the_journal_of_a_job_counts(made: SyntheticHome) -> None:
    rewrite(made, student(made, "begun"), FILE)
    say(made, student(made, "begun"), "known")
    say(made, student(made, "plain"), "unknown")
    assert (training_of(made, "begun"), training_of(made, "plain")) == ("known", "unknown")


@pytest.mark.parametrize(("weights", "expected"), [("none", "known"), ("pretrained", "pretrained"), (FILE, "unknown")])
def test_an_older_result_is_judged_by_its_first_weights(weights: str, expected: str, made: SyntheticHome) -> None:
    rewrite(made, student(made, "begun"), weights)
    assert training_of(made, "begun") == expected
    assert training_of(made, "plain") == "known"


def test_weights_that_were_trained_here_are_as_known_as_their_job(made: SyntheticHome) -> None:
    rewrite(made, student(made, "begun"), FILE)
    first = made.done("train-first", "train", settings={"network": {"weights": "pretrained"}})
    result = made.home.job(first).result
    told: dict[str, Any] = {**read_json(result), "weights_sha256": FILE.removeprefix("sha256:")}
    result.unlink()
    write_json(result, told)
    assert training_of(made, "begun") == "pretrained"


def test_a_teacher_of_unknown_training_is_behind_its_student(made: SyntheticHome) -> None:
    targets = made.done("targets-1", "targets", settings={"network": {"weights": FILE}})
    rewrite(made, student(made, "begun"), "none", {"targets": targets})
    assert training_of(made, "begun") == "unknown"
    gone = student(made, "plain")
    rewrite(made, gone, "none", {"teacher": "train-gone"})
    assert training_of(made, "plain") == "unknown"


def test_arms_and_jobs_of_unknown_training_are_named_once(made: SyntheticHome) -> None:
    say(made, student(made, "begun"), "unknown")
    found = trainings(made)
    cell = found[0].cell
    assert unknown_arms(found, cell) == ["begun"]
    assert unknown_arms(found, "another") == []
    assert student(made, "begun") in unknown_jobs(found)
    assert student(made, "plain") not in unknown_jobs(found)


@pytest.mark.parametrize(("metric", "is_told"), [("test_top1", True), ("val_top1", False), ("params", False)])
def test_comparisons_and_claims_on_test_images_say_what_the_report_says(
    metric: str, is_told: bool, made: SyntheticHome
) -> None:
    say(made, student(made, "begun"), "unknown")
    say(made, student(made, "plain"), "known")
    collect(made.home)
    (found,) = compare_arms(made.home, "paper/begun", "paper/plain", metric)
    (judged,) = check_claims(made.home, "paper", [Claim.model_validate({**CLAIM, "metric": metric})])
    told = unknown_text("begun")
    assert found.unknown == (("begun",) if is_told else ())
    assert (f"  footnote: {told}" in comparison_lines(found)) == (told in judged.reason) == is_told


def test_one_arm_is_told_alone_and_jobs_are_read_once(made: SyntheticHome, monkeypatch: pytest.MonkeyPatch) -> None:
    collect(made.home)
    read: list[str] = []
    monkeypatch.setattr(module, "stored_words", lambda folder: read.append(folder.job))
    with one_snapshot(made.home) as snapshot:
        assert {one.arm for one in read_trainings(snapshot, "paper", "begun")} == {"begun"}
        assert read_trainings(snapshot, "paper", "gone") == []
        assert {one.arm for one in read_trainings(snapshot, "paper")} >= {"begun", "plain"}
    assert read
    assert len(read) == len(set(read))
