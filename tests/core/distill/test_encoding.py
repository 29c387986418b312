"""What comes back from a cache is what the teacher said: to fp16, or to the mass of the classes that were not kept."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from engine.core.distill.encoding import (
    FINEST,
    KEPT,
    MOST_CLASSES,
    count_steps,
    encode_logits,
    quantise,
    row_format,
)
from engine.core.distill.losses import LOSSES, distill_loss, hinton_loss
from engine.errors import JobError
from engine.spec import Distill

TEMPERATURES = (1, 2, 4, 8)


def draw(images: int, classes: int, scale: float) -> Tensor:
    """Logits in which one class stands out by several standard deviations, as a trained teacher's does."""
    noise = torch.Generator().manual_seed(1)
    logits = torch.randn(images, classes, dtype=torch.float64, generator=noise)
    logits[torch.arange(images), torch.randint(classes, (images,), generator=noise)] += 5
    return logits * scale


@pytest.mark.parametrize("scale", [1.0, 3.0, 8.0, 24.0])
@pytest.mark.parametrize("temperature", TEMPERATURES)
def test_logits_keep_their_softmax_at_every_temperature(scale: float, temperature: int) -> None:
    logits = draw(500, 100, scale)
    kept = encode_logits(logits + 30.0).double()
    assert kept.max() == 0
    divergence = F.kl_div(
        F.log_softmax(kept / temperature, 1), F.log_softmax(logits / temperature, 1), log_target=True, reduction="none"
    )
    assert divergence.sum(1).max() < 1e-5


def test_a_scale_of_a_power_of_two_changes_no_bit_but_the_exponent() -> None:
    logits = draw(100, 100, 3.0).float()
    torch.testing.assert_close(encode_logits(8 * logits).float(), 8 * encode_logits(logits).float(), rtol=0, atol=0)


def test_a_teacher_that_gives_nan_stops_the_job() -> None:
    for bad in (float("nan"), float("inf")):
        with pytest.raises(JobError, match="not finite"):
            encode_logits(torch.tensor([[1.0, bad]]))


@pytest.mark.parametrize("classes", [2, 100, MOST_CLASSES, MOST_CLASSES + 1, 3000])
def test_online_gives_what_a_cache_gives(classes: int) -> None:
    logits = draw(20, classes, 3.0).float()
    form = row_format(classes)
    assert (form.kept is None) == (classes <= MOST_CLASSES)
    raw = form.encode(logits).tobytes()
    assert len(raw) == 20 * form.dtype.itemsize
    shape = (20, classes) if form.kept is None else (20,)
    cached = form.decode(np.frombuffer(raw, dtype="<f2" if form.kept is None else form.dtype).reshape(shape))
    online = quantise(logits)
    assert torch.equal(cached.logits, online.logits)
    assert (cached.moments is None) == (online.moments is None) == (form.kept is None)


def test_beyond_a_thousand_classes_mass_and_moments_are_exact() -> None:
    logits = draw(50, 3000, 3.0)
    found = quantise(logits.float())
    assert found.moments is not None
    shares, true = found.logits.double().softmax(1), logits.softmax(1)
    best = logits.topk(KEPT, dim=1).indices
    torch.testing.assert_close(shares.sum(1), torch.ones(50, dtype=torch.float64))
    torch.testing.assert_close(shares.gather(1, best).sum(1), true.gather(1, best).sum(1), rtol=1e-3, atol=0)
    shifted = logits - logits.amax(1, keepdim=True)
    torch.testing.assert_close(found.moments[:, 0].double(), shifted.mean(1), rtol=1e-5, atol=0)
    torch.testing.assert_close(found.moments[:, 1].double(), shifted.std(1, correction=0), rtol=1e-5, atol=0)
    standard = (found.logits - found.moments[:, :1]) / found.moments[:, 1:]
    wanted = (shifted - shifted.mean(1, keepdim=True)) / shifted.std(1, correction=0, keepdim=True)
    torch.testing.assert_close(standard.double().gather(1, best), wanted.gather(1, best), rtol=1e-3, atol=1e-3)


def test_lskd_beyond_a_thousand_classes_uses_the_moments_of_all() -> None:
    noise = torch.Generator().manual_seed(2)
    teacher, student = draw(16, 3000, 3.0).float(), torch.randn(16, 3000, generator=noise)
    labels, found = torch.zeros(16, dtype=torch.int64), quantise(teacher)
    words = Distill(loss="lskd", weight=1.0, label_weight=0.0)
    near = distill_loss(words, student, found.logits, labels, temperature=1.0, moments=found.moments)
    naive = LOSSES["lskd"].teach(student, found.logits, labels, 1.0)
    true = LOSSES["lskd"].teach(student, teacher, labels, 1.0)
    assert abs(near - true) < abs(naive - true) / 2


def test_a_divided_teacher_is_one_with_smaller_logits() -> None:
    logits = draw(8, 3000, 2.0).float()
    found, half = quantise(logits), quantise(logits).divided(2.0)
    torch.testing.assert_close(half.logits, found.logits / 2)
    assert half.moments is not None
    assert found.moments is not None
    torch.testing.assert_close(half.moments, found.moments / 2)
    labels = torch.zeros(8, dtype=torch.int64)
    student = torch.randn(8, 3000)
    torch.testing.assert_close(
        hinton_loss(student, half.logits, labels, 1.0), hinton_loss(2 * student, found.logits, labels, 2.0) / 4
    )


def test_steps_are_those_of_fp16_and_no_finer_than_fp32_repeats() -> None:
    values = np.array([0.0, -0.5, -3.0, -3000.0], dtype=np.float16)
    assert count_steps(values, values) == 0
    assert count_steps(values, np.nextafter(values, np.float16(-np.inf))) == 1
    twice = values.copy()
    twice[2] = np.nextafter(np.nextafter(values[2], np.float16(0)), np.float16(0))
    assert count_steps(values, twice) == 2
    assert count_steps(np.array([0.0], np.float16), np.array([-FINEST / 2], np.float16)) == 0.5
    assert count_steps(np.zeros(0, np.float16), np.zeros(0, np.float16)) == 0
