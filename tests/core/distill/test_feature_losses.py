"""Losses of features equal a scalar reference in fp64 and have right gradients."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.core.distill import feature_losses
from engine.core.distill.feature_losses import FEATURE_LOSSES

Values = NDArray[np.float64]
Pair = tuple[Tensor, Tensor]


def mse_reference(student: Values, teacher: Values) -> float:
    return float(np.mean((student - teacher) ** 2))


def smooth_l1_reference(student: Values, teacher: Values) -> float:
    return float(np.mean([huber(gap) for gap in (student - teacher).flatten()]))


def huber(gap: float) -> float:
    return gap * gap / 2 if abs(gap) < 1 else abs(gap) - 0.5


def cosine_reference(student: Values, teacher: Values) -> float:
    found = []
    for one, other in zip(student.reshape(-1, student.shape[2]), teacher.reshape(-1, teacher.shape[2]), strict=True):
        found.append(1 - one @ other / math.sqrt((one @ one) * (other @ other)))
    return float(np.mean(found))


def attention_reference(student: Values, teacher: Values) -> float:
    found = []
    for one, other in zip(student, teacher, strict=True):
        found.append((one / math.sqrt((one**2).sum()) - other / math.sqrt((other**2).sum())) ** 2)
    return float(np.mean(found))


def relational_reference(student: Values, teacher: Values) -> float:
    one, other = student.reshape(len(student), -1), teacher.reshape(len(teacher), -1)
    distances = np.mean([huber(gap) for gap in (distances_of(one) - distances_of(other)).flatten()])
    angles = np.mean([huber(gap) for gap in (angles_of(one) - angles_of(other)).flatten()])
    return float(distances + 2 * angles)


def distances_of(rows: Values) -> Values:
    found = np.array([[math.sqrt(((a - b) ** 2).sum()) for b in rows] for a in rows])
    result: Values = found / found[found > 0].mean()
    return result


def angles_of(rows: Values) -> Values:
    found = np.zeros((len(rows),) * 3)
    for at, here in enumerate(rows):
        for first, one in enumerate(rows):
            for second, other in enumerate(rows):
                if at not in (first, second):
                    a, b = one - here, other - here
                    found[at, first, second] = a @ b / math.sqrt((a @ a) * (b @ b))
    return found


REFERENCES = {
    "mse": mse_reference,
    "smooth_l1": smooth_l1_reference,
    "cosine": cosine_reference,
    "attention": attention_reference,
    "relational": relational_reference,
}


@pytest.fixture
def pair() -> Pair:
    torch.manual_seed(0)
    return torch.randn(5, 4, 3, dtype=torch.float64) * 2, torch.randn(5, 4, 3, dtype=torch.float64) * 2


def function_of(name: str) -> Callable[[Tensor, Tensor], Tensor]:
    found = FEATURE_LOSSES[name].function
    assert found is not None
    return found


def of(name: str, pair: Pair) -> Pair:
    """Energy is of one channel and at least 0."""
    if FEATURE_LOSSES[name].keeps == "map":
        return pair
    one, other = (part.square().mean(2, keepdim=True) for part in pair)
    return one, other


def test_every_loss_has_a_reference_and_a_word() -> None:
    written = {found for name, found in inspect.getmembers(feature_losses, inspect.isfunction) if "_loss" in name}
    assert set(FEATURE_LOSSES) == {"answers", *REFERENCES}
    assert {loss.function for loss in FEATURE_LOSSES.values()} - {None} == written


@pytest.mark.parametrize("name", REFERENCES)
def test_a_loss_equals_its_reference(name: str, pair: Pair) -> None:
    student, teacher = of(name, pair)
    expected = REFERENCES[name](student.numpy(), teacher.numpy())
    assert function_of(name)(student, teacher).item() == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("name", REFERENCES)
def test_gradients_are_right(name: str, pair: Pair) -> None:
    student, teacher = of(name, pair)
    function = function_of(name)
    assert torch.autograd.gradcheck(lambda value: function(value, teacher), (student.clone().requires_grad_(),))


@pytest.mark.parametrize("name", REFERENCES)
def test_a_student_equal_to_its_teacher_has_no_loss_and_finite_gradients(name: str, pair: Pair) -> None:
    _, teacher = of(name, pair)
    student = teacher.clone().requires_grad_()
    loss = function_of(name)(student, teacher)
    assert loss.item() == pytest.approx(0.0, abs=1e-12)
    assert torch.isfinite(torch.autograd.grad(loss, student)[0]).all()


@pytest.mark.parametrize("name", REFERENCES)
def test_features_without_any_difference_have_finite_gradients(name: str) -> None:
    """As of a last batch of one image, or a network that says the same of all."""
    for count in (1, 3):
        student = torch.zeros(count, 4, 1, requires_grad=True)
        loss = function_of(name)(student, torch.ones(count, 4, 1))
        assert torch.isfinite(loss)
        assert torch.isfinite(torch.autograd.grad(loss, student)[0]).all()


def test_only_relations_couple_images(pair: Pair) -> None:
    for name in REFERENCES:
        student, teacher = of(name, pair)
        function = function_of(name)
        halves = [function(student[at : at + 1], teacher[at : at + 1]) for at in range(len(student))]
        is_sum = torch.isclose(function(student, teacher), torch.stack(halves).mean())
        assert bool(is_sum) is not FEATURE_LOSSES[name].couples, name


def test_relations_need_no_common_channels(pair: Pair) -> None:
    student, teacher = pair
    wide = torch.cat([teacher, torch.zeros_like(teacher)], dim=2)
    function = function_of("relational")
    torch.testing.assert_close(function(student, wide), function(student, teacher))
    assert not FEATURE_LOSSES["relational"].matches
