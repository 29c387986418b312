"""Answers in a file: what comes back is what was said, and how near two networks are agrees with torch."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from engine.core.distill.answers import (
    compare_answers,
    encode_answers,
    log_softmax,
    make_answers,
    read_answers,
    sample_size,
)
from engine.core.distill.diagnose import compare_logits

DRAW = np.random.default_rng(0)
OWN, TEACHER = DRAW.normal(0, 3, (50, 7)), DRAW.normal(0, 8, (50, 7))
KEYS = [f"{at:064x}" for at in range(50)]


def test_likeness_is_that_of_the_logits() -> None:
    found = compare_answers(log_softmax(OWN), log_softmax(TEACHER))
    expected = compare_logits(torch.from_numpy(OWN), torch.from_numpy(TEACHER))
    assert found.agreement == expected.agreement
    assert found.divergence == pytest.approx(expected.divergence, rel=1e-12)


def test_answers_come_back_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "answers.npz"
    file.write_bytes(encode_answers({"test": make_answers(KEYS, OWN, TEACHER), "train": make_answers(KEYS, OWN)}))
    found = read_answers(file)
    assert found["train"].teacher is None
    assert found["test"].keys == tuple(KEYS)
    teacher = found["test"].teacher
    assert teacher is not None
    assert np.exp(teacher).sum(axis=1) == pytest.approx(1.0, abs=1e-12)
    near, expected = (
        compare_answers(found["test"].own, teacher),
        compare_answers(log_softmax(OWN), log_softmax(TEACHER)),
    )
    assert near.agreement == expected.agreement
    assert near.divergence == pytest.approx(expected.divergence, rel=1e-3)


def test_a_teacher_that_is_certain_stays_finite(tmp_path: Path) -> None:
    file = tmp_path / "answers.npz"
    file.write_bytes(encode_answers({"test": make_answers(["k"], np.array([[0.0, 2e5]]), np.array([[2e5, 0.0]]))}))
    found = read_answers(file)["test"]
    assert found.teacher is not None
    assert compare_answers(found.own, found.teacher).divergence == pytest.approx(60_000, rel=1e-3)


def test_a_file_that_cannot_be_read_holds_nothing(tmp_path: Path) -> None:
    file = tmp_path / "answers.npz"
    assert read_answers(file) == {}
    whole = encode_answers({"test": make_answers(KEYS, OWN)})
    for damaged in (b"", b"nonsense", whole[: len(whole) // 2]):
        file.write_bytes(damaged)
        assert read_answers(file) == {}


@pytest.mark.parametrize(("classes", "images"), [(2, 1000), (1000, 1000), (21_841, 45), (3_000_000, 1)])
def test_a_sample_is_bounded_in_images_and_values(classes: int, images: int) -> None:
    assert sample_size(classes) == images
