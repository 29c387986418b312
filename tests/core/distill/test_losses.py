"""Losses equal a scalar reference in fp64 and have right gradients."""

from __future__ import annotations

import inspect
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.core.distill import losses
from engine.core.distill.losses import (
    LOSSES,
    answer_loss,
    distill_loss,
    dkd_loss,
    hinton_loss,
    soft_ce_loss,
)
from engine.errors import JobError
from engine.spec import Distill

Values = NDArray[np.float64]
Labels = NDArray[np.int64]


def softmax(row: Values) -> Values:
    powers = np.exp(row - row.max())
    result: Values = powers / powers.sum()
    return result


def hinton_reference(student: Values, teacher: Values, labels: Labels, temperature: float) -> float:
    total = 0.0
    for z, t in zip(student, teacher, strict=True):
        p, q = softmax(t / temperature), softmax(z / temperature)
        total += sum(a * math.log(a / b) for a, b in zip(p, q, strict=True))
    return total / len(student) * temperature**2


def soft_ce_reference(student: Values, teacher: Values, labels: Labels, temperature: float) -> float:
    total = 0.0
    for z, t in zip(student, teacher, strict=True):
        p, q = softmax(t / temperature), softmax(z / temperature)
        total -= sum(a * math.log(b) for a, b in zip(p, q, strict=True))
    return total / len(student) * temperature**2


def lskd_reference(student: Values, teacher: Values, labels: Labels, temperature: float) -> float:
    def standard(rows: Values) -> Values:
        return np.array([(row - row.mean()) / (1e-7 + row.std()) for row in rows])

    return hinton_reference(standard(student), standard(teacher), labels, temperature)


def dist_reference(student: Values, teacher: Values, labels: Labels, temperature: float) -> float:
    q = np.array([softmax(row / temperature) for row in student])
    p = np.array([softmax(row / temperature) for row in teacher])
    rows = [np.corrcoef(a, b)[0, 1] for a, b in zip(q, p, strict=True)]
    columns = [np.corrcoef(a, b)[0, 1] for a, b in zip(q.T, p.T, strict=True)]
    return float((1 - np.mean(rows)) + (1 - np.mean(columns))) * temperature**2


def dkd_reference(student: Values, teacher: Values, labels: Labels, temperature: float) -> float:
    total = 0.0
    for z, t, label in zip(student, teacher, labels, strict=True):
        p, q = softmax(t / temperature), softmax(z / temperature)
        py, qy = p[label], q[label]
        total += py * math.log(py / qy) + (1 - py) * math.log((1 - py) / (1 - qy))
        p_wrong, q_wrong = np.delete(p, label) / (1 - py), np.delete(q, label) / (1 - qy)
        total += 0.5 * sum(a * math.log(a / b) for a, b in zip(p_wrong, q_wrong, strict=True))
    return total / len(student) * temperature**2


def nkd_reference(student: Values, teacher: Values, labels: Labels, temperature: float) -> float:
    total = 0.0
    for z, t, label in zip(student, teacher, labels, strict=True):
        total -= softmax(t)[label] * math.log(softmax(z)[label])
        p, q = np.delete(softmax(t / temperature), label), np.delete(softmax(z / temperature), label)
        cross = sum(a * math.log(b) for a, b in zip(p / p.sum(), q / q.sum(), strict=True))
        total -= 1.5 * temperature**2 * cross
    return total / len(student)


def ats_reference(student: Values, teacher: Values, labels: Labels, temperature: float) -> float:
    total = 0.0
    for z, t, label in zip(student, teacher, labels, strict=True):
        centred = t - t.mean()
        scaled = centred / (temperature / 2)
        scaled[label] = centred[label] / temperature
        total -= sum(a * math.log(b) for a, b in zip(softmax(scaled), softmax(z), strict=True))
    return total / len(student)


def skd_reference(student: Values, teacher: Values, labels: Labels, temperature: float) -> float:
    def cosines(rows: Values) -> Values:
        return np.array([[a @ b / math.sqrt((a @ a) * (b @ b)) for b in rows] for a in rows])

    gap = cosines(student) - cosines(teacher)
    inverse = np.linalg.inv(np.cov(gap, rowvar=False) + 0.1 * np.eye(len(gap)))
    distances = [math.sqrt(row @ inverse @ row) for row in gap]
    return hinton_reference(student, teacher, labels, temperature) + float(np.mean(distances))


def abkd_reference(student: Values, teacher: Values, labels: Labels, temperature: float) -> float:
    return alpha_beta_reference(student, teacher, temperature, 0.8, 0.3)


def alpha_beta_reference(student: Values, teacher: Values, temperature: float, a: float, b: float) -> float:
    total = 0.0
    for z, t in zip(student, teacher, strict=True):
        for p, q in zip(softmax(t / temperature), softmax(z / temperature), strict=True):
            total -= (p**a * q**b - a / (a + b) * p ** (a + b) - b / (a + b) * q ** (a + b)) / (a * b)
    return total / len(student) * temperature**2


def ofa_reference(student: Values, teacher: Values, labels: Labels, temperature: float) -> float:
    return enhanced_reference(student, teacher, labels, temperature, 1.0)


def enhanced_reference(student: Values, teacher: Values, labels: Labels, temperature: float, gamma: float) -> float:
    total = 0.0
    for z, t, label in zip(student, teacher, labels, strict=True):
        p, q = softmax(t / temperature), softmax(z / temperature)
        total -= ((1 + p[label]) ** gamma - 1) * math.log(q[label])
        total -= sum(p[other] ** gamma * math.log(q[other]) for other in range(len(p)) if other != label)
    return total / len(student) * temperature**2


REFERENCES = {
    "soft_ce": soft_ce_reference,
    "hinton": hinton_reference,
    "lskd": lskd_reference,
    "dist": dist_reference,
    "dkd": dkd_reference,
    "nkd": nkd_reference,
    "ats": ats_reference,
    "ofa": ofa_reference,
    "skd": skd_reference,
    "abkd": abkd_reference,
}


def test_every_loss_has_a_reference() -> None:
    assert set(LOSSES) == {"ce", *REFERENCES}


def test_every_function_of_a_loss_has_a_word() -> None:
    """A loss that no spec can name is a slip; the one word without a function learns from labels alone."""
    written = {function for name, function in inspect.getmembers(losses, inspect.isfunction) if name.endswith("_loss")}
    assert {spec.function for spec in LOSSES.values()} - {None} == written - {distill_loss, answer_loss}
    assert [name for name, spec in LOSSES.items() if spec.function is None] == ["ce"]


@pytest.mark.parametrize("name", sorted(REFERENCES))
def test_options_are_those_of_the_function(name: str) -> None:
    function = LOSSES[name].function
    assert function is not None
    known = inspect.signature(function).parameters.values()
    assert {word.name for word in known if word.kind is inspect.Parameter.KEYWORD_ONLY} == set(LOSSES[name].options)
    assert set(LOSSES[name].positive) <= set(LOSSES[name].options)
    assert all(word.default is inspect.Parameter.empty for word in known), "a default lies in LOSSES"


@pytest.fixture
def logits() -> tuple[Tensor, Tensor, Tensor]:
    torch.manual_seed(0)
    student = torch.randn(6, 5, dtype=torch.float64) * 2
    teacher = torch.randn(6, 5, dtype=torch.float64) * 3
    return student, teacher, torch.tensor([0, 1, 2, 3, 4, 2])


@pytest.mark.parametrize("name", sorted(REFERENCES))
@pytest.mark.parametrize("temperature", [1.0, 2.0, 4.0])
def test_a_loss_equals_its_reference(name: str, temperature: float, logits: tuple[Tensor, Tensor, Tensor]) -> None:
    student, teacher, labels = logits
    teach = LOSSES[name].teach
    expected = REFERENCES[name](student.numpy(), teacher.numpy(), labels.numpy(), temperature)
    assert teach(student, teacher, labels, temperature).item() == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("name", sorted(REFERENCES))
def test_gradients_are_right(name: str, logits: tuple[Tensor, Tensor, Tensor]) -> None:
    student, teacher, labels = logits
    teach = LOSSES[name].teach
    student.requires_grad_()
    assert torch.autograd.gradcheck(lambda z: teach(z, teacher, labels, 2.0), (student,))


def test_the_sum_is_weighted_as_the_spec_says(logits: tuple[Tensor, Tensor, Tensor]) -> None:
    student, teacher, labels = (part.float() if part.is_floating_point() else part for part in logits)
    hard = torch.nn.functional.cross_entropy(student, labels, label_smoothing=0.1)
    teach = LOSSES["hinton"].teach
    soft = teach(student, teacher, labels, 2.0)
    loss = distill_loss(Distill(loss="hinton", weight=0.3, label_weight=2.0), student, teacher, labels, 0.1)
    torch.testing.assert_close(loss, 0.3 * soft + 2.0 * hard)
    assert Distill(loss="hinton").weights == (0.9, 0.1)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 0.5])
def test_cross_entropy_equals_its_reference(smoothing: float, logits: tuple[Tensor, Tensor, Tensor]) -> None:
    """The label has 1 - e + e / C, every other class e / C (Szegedy et al. 2016)."""
    student, _, labels = logits
    total = 0.0
    for row, label in zip(student.numpy(), labels.numpy(), strict=True):
        target = np.full(len(row), smoothing / len(row))
        target[label] += 1 - smoothing
        total -= float((target * np.log(softmax(row))).sum())
    loss = distill_loss(Distill(loss="ce"), student, None, labels, smoothing)
    assert loss.item() == pytest.approx(total / len(student), rel=1e-6)


def test_without_a_teacher_it_is_cross_entropy(logits: tuple[Tensor, Tensor, Tensor]) -> None:
    student, teacher, labels = logits
    hard = torch.nn.functional.cross_entropy(student.float(), labels)
    torch.testing.assert_close(distill_loss(Distill(loss="hinton"), student, None, labels), hard)
    torch.testing.assert_close(distill_loss(Distill(loss="ce"), student, teacher, labels), hard)


def test_half_precision_logits_are_computed_in_fp32(logits: tuple[Tensor, Tensor, Tensor]) -> None:
    student, teacher, labels = logits
    loss = distill_loss(Distill(), student.bfloat16(), teacher.half(), labels)
    assert loss.dtype == torch.float32


def test_a_student_equal_to_its_teacher_has_no_soft_loss(logits: tuple[Tensor, Tensor, Tensor]) -> None:
    _, teacher, labels = logits
    teach = LOSSES["hinton"].teach
    assert teach(teacher, teacher + 5.0, labels, 3.0).item() == pytest.approx(0.0, abs=1e-12)


Logits = tuple[Tensor, Tensor, Tensor]


@pytest.mark.parametrize("scale", [0.125, 1.5, 8.0])
def test_lskd_does_not_see_the_teachers_scale_or_offset(scale: float, logits: Logits) -> None:
    student, teacher, labels = logits
    same = LOSSES["lskd"].teach(student, scale * teacher + 3.0, labels, 2.0)
    torch.testing.assert_close(same, LOSSES["lskd"].teach(student, teacher, labels, 2.0), rtol=1e-6, atol=1e-9)


def test_dist_sees_the_scale_but_not_the_offset(logits: Logits) -> None:
    student, teacher, labels = logits
    base = LOSSES["dist"].teach(student, teacher, labels, 1.0)
    torch.testing.assert_close(LOSSES["dist"].teach(student, teacher + 3.0, labels, 1.0), base)
    assert abs(LOSSES["dist"].teach(student, 4 * teacher, labels, 1.0) - base) > 1e-3


def test_dkd_with_one_and_the_wrong_classes_mass_is_hinton(logits: Logits) -> None:
    student, teacher, labels = logits
    for row in range(len(student)):
        one = slice(row, row + 1)
        wrong_mass = 1 - torch.softmax(teacher[one] / 2.0, 1)[0, labels[row]].item()
        split = dkd_loss(student[one], teacher[one], labels[one], 2.0, alpha=1.0, beta=wrong_mass)
        torch.testing.assert_close(split, hinton_loss(student[one], teacher[one], labels[one], 2.0))


def test_ats_with_equal_temperatures_is_cross_entropy_with_hintons_target(logits: Logits) -> None:
    student, teacher, labels = logits
    even = LOSSES["ats"].teach(student, teacher, labels, 3.0, {"wrong_temperature": 3.0})
    target = torch.softmax(teacher / 3.0, 1)
    torch.testing.assert_close(even, -(target * torch.log_softmax(student, 1)).sum(1).mean())
    heard = LOSSES["ats"].teach(student, teacher, labels, 3.0)
    torch.testing.assert_close(LOSSES["ats"].teach(student, teacher + 9.0, labels, 3.0), heard)


def test_soft_ce_is_hinton_plus_the_teachers_entropy(logits: Logits) -> None:
    student, teacher, labels = logits
    target = torch.softmax(teacher / 2.0, 1)
    entropy = -(target * target.log()).sum(1).mean() * 4.0
    torch.testing.assert_close(
        soft_ce_loss(student, teacher, labels, 2.0), hinton_loss(student, teacher, labels, 2.0) + entropy
    )


@pytest.mark.parametrize("name", sorted(REFERENCES))
def test_a_very_sure_teacher_gives_finite_losses_and_gradients(name: str) -> None:
    teach = LOSSES[name].teach
    teacher = torch.full((4, 10), -300.0)
    teacher[:, 0] = 0.0
    student = (torch.randn(4, 10, generator=torch.Generator().manual_seed(0)) * 40).requires_grad_()
    loss = teach(student, teacher, torch.tensor([0, 0, 1, 2]), 1.0)
    assert torch.isfinite(loss)
    assert torch.isfinite(torch.autograd.grad(loss, student)[0]).all()


@pytest.mark.parametrize("name", sorted(REFERENCES))
def test_a_student_that_says_nothing_yet_gets_finite_gradients(name: str) -> None:
    teach = LOSSES[name].teach
    student = torch.zeros(4, 10, requires_grad=True)
    loss = teach(student, torch.randn(4, 10), torch.tensor([0, 0, 1, 2]), 2.0)
    assert torch.isfinite(torch.autograd.grad(loss, student)[0]).all()


@pytest.mark.parametrize("name", sorted(LOSSES))
def test_mixed_labels_are_taken_or_refused(name: str, logits: Logits) -> None:
    student, teacher, labels = logits
    soft = torch.nn.functional.one_hot(labels, 5).float() * 0.5 + 0.1
    distill = Distill.model_validate({"loss": name})
    if LOSSES[name].one_label:
        with pytest.raises(JobError, match="one label"):
            distill_loss(distill, student, teacher, soft)
    else:
        hard = torch.nn.functional.one_hot(labels, 5).float()
        torch.testing.assert_close(
            distill_loss(distill, student, teacher, hard), distill_loss(distill, student, teacher, labels)
        )
        assert torch.isfinite(distill_loss(distill, student, teacher, soft))


@pytest.mark.parametrize(
    ("loss", "options"),
    [
        ("dkd", {"alpha": 2.0}), ("dkd", {"beta": 8.0}), ("nkd", {"gamma": 1.0}), ("dist", {"beta": 2.0}),
        ("dist", {"gamma": 0.0}), ("ats", {"wrong_temperature": 3.0}), ("skd", {"direction": 0.0}),
        ("skd", {"tikhonov": 1.0}), ("ofa", {"gamma": 1.5}),
        ("abkd", {"alpha": 0.3}), ("abkd", {"beta": 0.9}), ("abkd", {"beta": 0.0}),
    ],
)  # fmt: skip
def test_options_of_a_spec_reach_the_loss(loss: str, options: dict[str, float | None], logits: Logits) -> None:
    student, teacher, labels = logits
    distill = Distill(loss=loss, options=options, weight=1.0, label_weight=0.0)
    found = distill_loss(distill, student, teacher, labels).double()
    heard = LOSSES[loss].teach(student, teacher, labels, LOSSES[loss].temperature, options)
    torch.testing.assert_close(found, heard, rtol=1e-5, atol=1e-6)
    assert abs(heard - LOSSES[loss].teach(student, teacher, labels, LOSSES[loss].temperature)) > 1e-3


@pytest.mark.parametrize(("alpha", "beta"), [(1.0, 0.0), (0.0, 1.0), (0.5, 0.0), (0.0, 0.5), (0.0, 0.0)])
def test_abkd_at_its_limits_is_what_it_comes_near_to(alpha: float, beta: float, logits: Logits) -> None:
    student, teacher, labels = logits
    exact = LOSSES["abkd"].teach(student, teacher, labels, 2.0, {"alpha": alpha, "beta": beta})
    near = alpha_beta_reference(student.numpy(), teacher.numpy(), 2.0, alpha or 1e-6, beta or 1e-6)
    assert exact.item() == pytest.approx(near, rel=1e-4)


def test_abkd_reaches_from_hinton_to_the_reverse_divergence(logits: Logits) -> None:
    student, teacher, labels = logits
    forward = LOSSES["abkd"].teach(student, teacher, labels, 2.0, {"alpha": 1.0, "beta": 0.0})
    torch.testing.assert_close(forward, hinton_loss(student, teacher, labels, 2.0))
    backward = LOSSES["abkd"].teach(student, teacher, labels, 2.0, {"alpha": 0.0, "beta": 1.0})
    torch.testing.assert_close(backward, hinton_loss(teacher, student, labels, 2.0))


@pytest.mark.parametrize("gamma", [1.0, 1.4, 2.0])
def test_ofa_enhances_the_labels_part(gamma: float, logits: Logits) -> None:
    student, teacher, labels = logits
    found = LOSSES["ofa"].teach(student, teacher, labels, 2.0, {"gamma": gamma})
    wanted = enhanced_reference(student.numpy(), teacher.numpy(), labels.numpy(), 2.0, gamma)
    assert found.item() == pytest.approx(wanted, rel=1e-12)
    plain = soft_ce_loss(student, teacher, labels, 2.0)
    assert bool(torch.isclose(found, plain)) is (gamma == 1.0)


def test_skd_sees_directions_of_images_beside_hinton(logits: Logits) -> None:
    student, teacher, labels = logits
    plain = LOSSES["skd"].teach(student, teacher, labels, 4.0, {"direction": 0.0})
    torch.testing.assert_close(plain, hinton_loss(student, teacher, labels, 4.0))
    same = LOSSES["skd"].teach(3 * teacher, teacher, labels, 4.0) - hinton_loss(3 * teacher, teacher, labels, 4.0)
    assert same.item() == pytest.approx(0.0, abs=1e-5), "lengths are no directions"
    one = slice(0, 1)
    assert torch.isfinite(LOSSES["skd"].teach(student[one], teacher[one], labels[one], 4.0)), "a last image alone"


def test_parts_of_dkd_are_weighed_by_its_options(logits: Logits) -> None:
    student, teacher, labels = logits
    one, other = (
        LOSSES["dkd"].teach(student, teacher, labels, 2.0, {"alpha": alpha, "beta": beta})
        for alpha, beta in ((1.0, 0.0), (0.0, 1.0))
    )
    whole = LOSSES["dkd"].teach(student, teacher, labels, 2.0, {"alpha": 3.0, "beta": 8.0})
    torch.testing.assert_close(whole, 3.0 * one + 8.0 * other)


def test_a_standardised_loss_is_its_function_of_standardised_logits(logits: Logits) -> None:
    """Whichever function that is: with the moments that are known of all classes where they are, else its own."""
    student, teacher, labels = logits
    spec = replace(LOSSES["dist"], standard=True)
    moments = torch.stack([teacher.mean(1) + 1.0, teacher.std(1, correction=0) * 2.0], 1)
    given = (teacher - moments[:, :1]) / moments[:, 1:]
    for known, target in ((moments, given), (None, losses.standardize(teacher))):
        heard = spec.teach(student, teacher, labels, 2.0, moments=known)
        wanted = LOSSES["dist"].teach(losses.standardize(student), target, labels, 2.0)
        torch.testing.assert_close(heard, wanted, rtol=1e-6, atol=1e-9)


def test_a_loss_of_labels_alone_hears_no_teacher(logits: Logits) -> None:
    with pytest.raises(ValueError, match="hears no teacher"):
        LOSSES["ce"].teach(*logits, 1.0)
