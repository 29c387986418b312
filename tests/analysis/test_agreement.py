"""Taught against untaught students: twins differ in the teaching alone, and both answer the same images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.analysis.agreement import Following, compare_untaught, find_twins
from engine.analysis.snapshot import one_snapshot
from engine.collect import collect
from engine.core.distill.answers import ANSWERS_FILE, Likeness, encode_answers, make_answers
from tests.helpers.synthetic import Arm, SyntheticHome

HEARD: dict[str, Any] = {"teacher": {"arch": "timm/vit"}, "distill": {"loss": "hinton"}}
LOGITS = np.array([[4.0, 0.0], [0.0, 4.0], [4.0, 0.0], [0.0, 4.0]])
KEYS = ["a", "b", "c", "d"]


def keep(made: SyntheticHome, job: str, keys: list[str], own: np.ndarray, teacher: np.ndarray | None) -> None:
    folder = made.home.job(job).attempt(1).artifacts
    folder.mkdir(exist_ok=True)
    (folder / ANSWERS_FILE).write_bytes(encode_answers({"test": make_answers(keys, own, teacher)}))


@pytest.fixture
def made(tmp_path: Path) -> SyntheticHome:
    home = SyntheticHome(tmp_path / "home")
    runs = home.experiment("paper", {"bare": Arm(), "heard": Arm(settings=HEARD)}, seeds=(0, 1))
    for run in runs:
        is_taught = run["arm"] == "heard"
        own = LOGITS if is_taught else LOGITS[:, ::-1] if run["seed"] else np.concatenate([LOGITS[:2], -LOGITS[2:]])
        keep(home, run["jobs"]["student"], KEYS, own, LOGITS if is_taught else None)
    return home


def followings(made: SyntheticHome) -> dict[str, Following]:
    collect(made.home)
    with one_snapshot(made.home) as snapshot:
        return {one.part: one for one in compare_untaught(snapshot, "paper")}


def test_an_untaught_twin_is_held_against_what_the_taught_one_heard(made: SyntheticHome) -> None:
    found = followings(made)["test"]
    assert (found.arm, found.against, found.images) == ("heard", "bare", 4)
    assert {seed: near.agreement for seed, near in found.taught.items()} == {0: 1.0, 1: 1.0}
    assert {seed: near.agreement for seed, near in found.untaught.items()} == {0: 0.5, 1: 0.0}
    agreement, divergence = found.agreement(), found.divergence()
    assert agreement is not None
    assert divergence is not None
    assert agreement.mean == 0.75
    # KL of (p, 1 - p) from (1 - p, p) at a margin of 4 is 4 tanh(2), on half the images and on all
    assert divergence.mean == pytest.approx(-0.75 * 4 * np.tanh(2), rel=1e-3)


def test_other_images_are_not_compared(made: SyntheticHome) -> None:
    keep(made, _student(made), ["x"] * 4, LOGITS, None)
    assert len(followings(made)["test"].taught) == 1


def _student(made: SyntheticHome) -> str:
    collect(made.home)
    with one_snapshot(made.home) as snapshot:
        rows = snapshot.ask("agreement_runs", name="paper")
    return str(next(row["job"] for row in rows if row["arm"] == "bare" and row["seed"] == 0))


def test_answers_that_were_not_kept_compare_with_nothing(made: SyntheticHome) -> None:
    for path in made.home.jobs_root.rglob(ANSWERS_FILE):
        path.unlink()
    found = followings(made)["test"]
    assert found.taught == {}
    assert found.divergence() is None


def test_a_twin_differs_in_nothing_but_the_teaching() -> None:
    bare = {"train.lr": 0.1, "distill.loss": "ce"}
    taught = {"train.lr": 0.1, "teacher.arch": "a", "distill.loss": "hinton"}
    settings = {("t", "x"): taught, ("u", "x"): bare, ("u", "y"): bare, ("v", "x"): {**bare, "train.lr": 0.2},
                ("w", "x"): {**taught, "distill.temperature": 4.0}}  # fmt: skip
    assert find_twins(settings) == [(("t", "x"), ("u", "x")), (("w", "x"), ("u", "x"))]


def test_an_interval_is_paired_over_seeds() -> None:
    taught = {0: Likeness(0.9, 0.1), 1: Likeness(0.8, 0.3), 2: Likeness(0.1, 9.0)}
    untaught = {0: Likeness(0.8, 0.2), 1: Likeness(0.6, 0.5)}
    found = Following("t", "u", "x", "test", 9, taught, untaught)
    divergence, agreement = found.divergence(), found.agreement()
    assert divergence is not None
    assert agreement is not None
    assert divergence.n == 2
    assert divergence.mean == pytest.approx(-0.15)
    assert divergence.half == pytest.approx(12.7062 * 0.05, rel=1e-4)
    assert agreement.mean == pytest.approx(0.15)


def test_a_student_of_another_runs_network_is_no_untaught_twin() -> None:
    """Such a teacher has no architecture of its own; and a teacher that no loss listens to teaches nobody."""
    alone: dict[str, Any] = {"student.arch": "x", "distill.loss": "hinton"}
    settings = {
        ("run", "c"): {**alone, "teacher.run": "quickstart/original"}, ("arch", "c"): {**alone, "teacher.arch": "y"},
        ("deaf", "c"): {**alone, "teacher.arch": "y", "distill.loss": "ce"}, ("alone", "c"): alone,
    }  # fmt: skip
    pairs = {(taught[0], untaught[0]) for taught, untaught in find_twins(settings)}
    assert pairs == {(taught, untaught) for taught in ("run", "arch") for untaught in ("deaf", "alone")}
