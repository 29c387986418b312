"""Trials that go on for longer: what is tied to the whole of a training is refused where the file says it."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.errors import SpecError
from engine.load import load_spec

BASE = """\
name: s
data: {source: digits, image_size: 32}
student: {arch: tiny_vit, dims: [8, 8, 16, 16], depths: [1, 1, 1, 1], heads: [1, 1, 1, 1], windows: [4, 4, 2, 1]}
teacher: {arch: tiny_vit_5m, train: {epochs: 2}}
train: {epochs: 9, schedule: wsd, decay_epochs: 1}
arms:
  plain: {}
  other: {train.lr: 0.01}
search:
  metric: val_top1
  space: {train.weight_decay: {log: [1.0e-3, 1.0]}}
  fidelity: {epochs: [3, 9], keep: 3}
"""


def problems(folder: Path, *changes: tuple[str, str]) -> list[str]:
    text = BASE
    for old, new in changes:
        assert old in text
        text = text.replace(old, new)
    (folder / "s.yaml").write_text(text)
    try:
        load_spec(folder / "s.yaml")
    except SpecError as error:
        return [f"{problem.where}: {problem.path}: {problem.what} | {problem.fix}" for problem in error.problems]
    return []


def test_a_search_by_rungs_is_taken(tmp_path: Path) -> None:
    assert problems(tmp_path) == []


@pytest.mark.parametrize(
    ("change", "place", "what"),
    [
        (("schedule: wsd, decay_epochs: 1", "schedule: cosine"), "5:30: train.schedule", "cosine is tied to the whole"),
        (("decay_epochs: 1}", "decay_epochs: 1, compile: auto}"), "5:61: train.compile", "decided by how long"),
        (("train.lr: 0.01", "distill.until: 0.5"), "8:26: distill.until", "heard in 0.5 of the epochs: "),
        (
            ("train.lr: 0.01", "distill.temperature: {from: 8, to: 1}"),
            "8:32: distill.temperature",
            "a temperature's course is tied to the whole training",
        ),
        (("train.lr: 0.01", "train.schedule: linear, train.decay_epochs: null"), "8:27: train.schedule", "linear"),
        (
            ("decay_epochs: 1}", "decay_epochs: 3}"),
            "5:49: train.decay_epochs",
            "3 of decay are more than 3 (fidelity, 3",
        ),
        (
            ("train.weight_decay: {log: [1.0e-3, 1.0]}", "train.warmup_epochs: {int: [0, 3]}"),
            "11:38: search.space.train.warmup_epochs.int",
            "3: warm-up over 3 of 3 epochs",
        ),
        (
            ("train.weight_decay: {log: [1.0e-3, 1.0]}", "distill.until: {choice: [0.5, 1.0]}"),
            "11:36: search.space.distill.until.choice.0",
            "0.5: the teacher is heard in 0.5 of the epochs",
        ),
        (("metric: val_top1", "metric: [val_top1, macs]"), "12:3: search.fidelity", "there are several"),
        (("[3, 9]", "[3, 27]"), "12:22: search.fidelity.epochs", "train.epochs says 9"),
    ],
)
def test_what_is_tied_to_the_whole_is_refused_at_its_place(
    tmp_path: Path, change: tuple[str, str], place: str, what: str
) -> None:
    found = problems(tmp_path, change)
    assert found, "it was taken"
    assert f"{place}: " in found[0]
    assert what in found[0]


def test_the_arm_that_cannot_go_on_is_named(tmp_path: Path) -> None:
    found = problems(tmp_path, ("train.lr: 0.01", "distill.until: 0.5"))
    assert "(fidelity, 3 epochs, arm other)" in found[0]
    assert len(found) == 1


def test_an_arm_that_is_not_searched_may_be_tied(tmp_path: Path) -> None:
    tied = ("train.lr: 0.01", "train.schedule: cosine, train.decay_epochs: null")
    assert problems(tmp_path, tied, ("  metric:", "  arms: {other: null}\n  metric:")) == []
