"""A diagnosis finds what was planted: a known temperature, over-confidence, entropy."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from engine.core.distill.diagnose import (
    TEMPERATURES,
    compare_logits,
    diagnose_entropy,
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


def test_certain_answers_fall_into_the_last_of_fifteen_bins() -> None:
    """Confidences 1, 0.5 and 0.4: bins 14, 7 and 6 of fifteen, a bin holding its lower edge."""
    logits = torch.tensor([[1000.0, 0.0, 0.0], [math.log(0.5), math.log(0.3), math.log(0.2)], [0.0, -9e9, 0.0]])
    logits[2] = torch.tensor([0.41, 0.3, 0.29]).log()
    bins = reliability(logits, torch.tensor([0, 1, 0]))
    assert len(bins.counts) == len(bins.accuracy) == len(bins.confidence) == 15
    assert {place: float(count) for place, count in enumerate(bins.counts) if count} == {14: 1, 7: 1, 6: 1}
    assert [float(bins.accuracy[place]) for place in (14, 7, 6)] == [1.0, 0.0, 1.0]
    assert [float(bins.confidence[place]) for place in (14, 7, 6)] == pytest.approx([1.0, 0.5, 0.41])
    assert float(bins.confidence[0]) == float(bins.accuracy[0]) == 0.0


def test_calibration_error_weighs_bins_by_their_images() -> None:
    """Three images at 0.8, two of them right, and one wrong at 0.6: |0.8 - 2/3| * 3/4 + 0.6 / 4."""
    logits = torch.tensor([[0.8, 0.2], [0.8, 0.2], [0.8, 0.2], [0.6, 0.4]], dtype=torch.float64).log()
    found = diagnose_logits(logits, torch.tensor([0, 0, 1, 1]))
    assert found.ece == pytest.approx(0.75 * (0.8 - 2 / 3) + 0.25 * 0.6)
    under = diagnose_logits(logits, torch.tensor([0, 0, 0, 1]))
    assert under.ece == pytest.approx(0.75 * 0.2 + 0.25 * 0.6)
    assert under.signed_ece == pytest.approx(-0.75 * 0.2 + 0.25 * 0.6)


def test_the_divergence_is_taken_at_its_temperature() -> None:
    """By hand: KL(teacher || student) of two classes whose logits differ by 2 and by -3."""
    teacher, student = torch.tensor([[2.0, 0.0]]), torch.tensor([[0.0, 3.0]])
    for temperature in (1.0, 4.0):
        share = 1 / (1 + math.exp(-2 / temperature))
        other = 1 / (1 + math.exp(3 / temperature))
        wanted = share * math.log(share / other) + (1 - share) * math.log((1 - share) / (1 - other))
        assert compare_logits(student, teacher, temperature).divergence == pytest.approx(wanted)
    backwards = compare_logits(teacher, student).divergence
    assert backwards != pytest.approx(compare_logits(student, teacher).divergence, rel=0.01)


def test_only_certain_answers_that_doubt_their_label_contradict_it() -> None:
    shares = torch.tensor([[0.95, 0.05], [0.95, 0.05], [0.85, 0.15], [0.55, 0.45]], dtype=torch.float64)
    shares = torch.cat([shares, torch.tensor([[0.06, 0.94], [0.4, 0.6]])])
    found = diagnose_logits(shares.log(), torch.tensor([1, 0, 1, 1, 1, 0]))
    assert found.contradicted == pytest.approx(1 / 6)  # certain and its label at 0.05; not the certain and right ones
    tall = torch.tensor([[0.5, 0.45, 0.05], [0.92, 0.01, 0.07], [0.85, 0.05, 0.1]], dtype=torch.float64)
    assert diagnose_logits(tall.log(), torch.tensor([2, 2, 1])).contradicted == pytest.approx(1 / 3)


def test_sure_is_above_99_in_100() -> None:
    shares = torch.tensor([[0.995, 0.005], [0.985, 0.015], [0.95, 0.05], [0.002, 0.998]], dtype=torch.float64)
    assert diagnose_logits(shares.log(), torch.tensor([0, 0, 0, 0])).sure_share == 0.5


def test_the_five_best_of_many_and_all_of_few_classes_are_looked_at() -> None:
    logits = torch.arange(7.0).repeat(7, 1)
    found = diagnose_logits(logits, torch.arange(7))
    assert [found.top1, found.top5] == pytest.approx([1 / 7, 5 / 7])
    assert diagnose_logits(logits[:3, :3], torch.arange(3)).top5 == 1.0


def test_entropy_of_the_wrong_classes_is_taken_at_its_temperature() -> None:
    logits = torch.tensor([[9.0, 2.0, 0.0]])
    for temperature in (1.0, 4.0):
        share = 1 / (1 + math.exp(-2 / temperature))
        wanted = -share * math.log(share) - (1 - share) * math.log(1 - share)
        found = diagnose_logits(logits, torch.tensor([0]), temperature).wrong_entropy
        assert found == pytest.approx(wanted)


def test_temperatures_are_found_up_to_their_bounds_and_no_further() -> None:
    assert TEMPERATURES == (0.01, 1000.0)
    logits = torch.tensor([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]], dtype=torch.float64)
    labels = torch.tensor([0, 0, 1])
    for scale in (0.0072, 600.0):  # softmax(scale / T) = 2/3 at T = scale / log 2
        assert fit_temperature(scale * logits, labels) == pytest.approx(scale / math.log(2), rel=1e-9)
    for scale in (0.0068, 720.0):
        assert fit_temperature(scale * logits, labels) == 0.0
    assert diagnose_entropy(logits, 2.0) == pytest.approx(entropy_of_two(1 / (1 + math.exp(-0.5))))


def entropy_of_two(share: float) -> float:
    return -share * math.log(share) - (1 - share) * math.log(1 - share)


def test_agreement_counts_equal_answers() -> None:
    student = torch.tensor([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0], [0.0, 1.0]])
    teacher = torch.tensor([[3.0, 0.0], [0.0, 3.0], [0.0, 3.0], [0.0, 1.0]])
    assert compare_logits(student, teacher).agreement == 0.75
