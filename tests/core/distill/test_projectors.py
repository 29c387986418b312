"""Projectors take a student's channels to its teacher's; an orthogonal one stays orthonormal as it is trained."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from engine.core.distill.projectors import PROJECTORS, Exit, LinearProjector, OrthogonalProjector, Projector
from engine.core.train.optim import is_decayed


def make(word: str, inner: int, outer: int) -> Projector:
    torch.manual_seed(0)
    made = PROJECTORS[word].make(inner, outer, 4)
    assert isinstance(made, Projector)
    return made


def matrix(projector: Projector) -> Tensor:
    assert isinstance(projector, OrthogonalProjector)
    return projector.matrix.detach()


@pytest.mark.parametrize(("inner", "outer"), [(3, 8), (8, 3), (4, 4)])
def test_an_orthogonal_one_stays_orthonormal_in_training(inner: int, outer: int) -> None:
    projector = make("orthogonal", inner, outer)
    optimizer = torch.optim.AdamW(projector.parameters(), lr=0.1, weight_decay=0.1)  # decay would not hurt it
    first = matrix(projector).clone()
    for _ in range(20):
        optimizer.zero_grad()
        torch.nn.functional.mse_loss(projector(torch.randn(16, 2, inner)), torch.ones(16, 2, outer)).backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    found = matrix(projector)
    product = found.T @ found if outer >= inner else found @ found.T
    torch.testing.assert_close(product, torch.eye(min(inner, outer)), rtol=0, atol=1e-5)
    assert (found - first).abs().max() > 0.1, "and it is trained"


def test_an_orthogonal_one_keeps_distances_and_aims_at_standardised_features() -> None:
    projector = make("orthogonal", 3, 8)
    student, teacher = torch.randn(5, 2, 3), torch.randn(5, 2, 8) * 3 + 1
    torch.testing.assert_close(projector(student).norm(dim=2), student.norm(dim=2))
    aim = projector.aim(teacher)
    wanted = (teacher - teacher.mean(2, keepdim=True)) / (teacher.var(2, correction=0, keepdim=True) + 1e-5).sqrt()
    torch.testing.assert_close(aim, wanted)


def test_a_linear_one_is_one_matrix_at_every_place() -> None:
    projector = make("linear", 3, 8)
    assert isinstance(projector, LinearProjector)
    student, teacher = torch.randn(5, 2, 3), torch.randn(5, 2, 8)
    torch.testing.assert_close(projector(student), student @ projector.map.weight.T + projector.map.bias)
    assert projector.aim(teacher) is teacher


def test_none_changes_nothing_and_trains_nothing() -> None:
    projector, student = make("none", 3, 3), torch.randn(5, 2, 3)
    assert projector(student) is student
    assert list(projector.parameters()) == []


def test_reflections_do_not_decay_and_a_matrix_does() -> None:
    decayed = {
        word: [is_decayed(name, value) for name, value in make(word, 3, 8).named_parameters()]
        for word in ("none", "linear", "orthogonal")
    }
    assert decayed == {"none": [], "linear": [True, False], "orthogonal": [False]}


@pytest.mark.parametrize(("side", "halved"), [(28, 2), (14, 1), (8, 1), (7, 0), (1, 0)])
def test_an_exit_halves_a_map_until_it_is_small_and_gives_logits(side: int, halved: int) -> None:
    torch.manual_seed(0)
    made = PROJECTORS["exit"].make(4, 10, side)
    assert isinstance(made, Exit)
    assert made(torch.randn(2, 4, side, side)).shape == (2, 10)
    strides = [part for part in made.modules() if isinstance(part, torch.nn.Conv2d) and part.stride == (2, 2)]
    assert len(strides) == halved
    assert made.head.in_features == 4 * 2 ** max(halved, 1)
