"""A diagnosis finds what was planted: a known temperature, over-confidence, entropy."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from engine.core.distill.diagnose import (
    compare_logits,
    diagnose_logits,
    fit_temperature,
    match_entropy,
    reliability,
)


@pytest.fixture(scope="module")
def calibrated() -> tuple[Tensor, Tensor]:
    """Logits of 20 classes and labels drawn from their own softmax: calibrated by construction."""
    noise = torch.Generator().manual_seed(0)
    logits = torch.randn(20000, 20, generator=noise, dtype=torch.float64) * 2.5
    return logits, torch.multinomial(logits.softmax(1), 1, generator=noise)[:, 0]


def test_a_calibrated_teacher_is_found_calibrated(calibrated: tuple[Tensor, Tensor]) -> None:
    found = diagnose_logits(*calibrated)
    assert found.fitted_temperature == pytest.approx(1.0, abs=0.02)
    assert found.ece < 0.012
    assert abs(found.signed_ece) < 0.01
    assert found.top1 == pytest.approx(found.confidence, abs=0.01)
    assert found.nll == pytest.approx(found.entropy, abs=0.02)
    assert found.top1 < found.top5 <= 1


@pytest.mark.parametrize("scale", [3.0, 8.0])
def test_scaled_logits_have_a_scaled_temperature(calibrated: tuple[Tensor, Tensor], scale: float) -> None:
    logits, labels = calibrated
    own = fit_temperature(logits, labels)
    assert fit_temperature(scale * logits + 7.0, labels) == pytest.approx(scale * own, rel=1e-9)
    sharp, plain = diagnose_logits(scale * logits, labels), diagnose_logits(logits, labels)
    assert sharp.signed_ece > 0.1
    assert sharp.sure_share > plain.sure_share
    assert sharp.top1 == plain.top1


def test_entropy_is_matched(calibrated: tuple[Tensor, Tensor]) -> None:
    logits = calibrated[0]
    wanted = diagnose_logits(logits / 2.5, calibrated[1]).entropy
    assert match_entropy(logits, wanted) == pytest.approx(2.5, rel=1e-9)
    assert match_entropy(logits, math.log(20) + 0.1) == 0.0


def test_a_teacher_that_is_never_wrong_has_no_finite_temperature() -> None:
    assert fit_temperature(torch.eye(4) * 5, torch.arange(4)) == 0.0


def test_figures_of_a_known_case() -> None:
    logits = torch.log(torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1]]))
    found = diagnose_logits(logits, torch.tensor([0, 2]))
    assert found.top1 == 0.5
    assert found.confidence == pytest.approx(0.75)
    assert found.nll == pytest.approx(-(math.log(0.7) + math.log(0.1)) / 2)
    assert found.label_confidence == pytest.approx(0.4)
    wrong = [
        -(2 / 3) * math.log(2 / 3) - (1 / 3) * math.log(1 / 3),
        -(1 / 9) * math.log(1 / 9) - (8 / 9) * math.log(8 / 9),
    ]
    assert found.wrong_entropy == pytest.approx(sum(wrong) / 2)
    bins = reliability(logits, torch.tensor([0, 2]))
    assert bins.counts.sum() == 2
    assert found.signed_ece == pytest.approx((0.7 - 1.0 + 0.8 - 0.0) / 2)
    assert found.ece == pytest.approx((0.3 + 0.8) / 2)


def test_a_student_is_compared_with_its_teacher(calibrated: tuple[Tensor, Tensor]) -> None:
    teacher = calibrated[0]
    same = compare_logits(teacher + 3.0, teacher)
    assert same.agreement == 1.0
    assert same.divergence == pytest.approx(0.0, abs=1e-12)
    other = compare_logits(-teacher, teacher)
    assert other.agreement < 0.01
    assert other.divergence > 1
