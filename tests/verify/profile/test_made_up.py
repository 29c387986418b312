"""Made-up answers are looked up as real ones are, features included."""

from __future__ import annotations

import pytest
import torch

from engine.core.distill.feature_rows import FeatureForm
from engine.verify.profile.made_up import noise_targets

FORMS = (FeatureForm(4, 3, "fp16"), FeatureForm(1, 5, "fp32"))


@pytest.mark.parametrize("features", [(), FORMS])
def test_noise_is_looked_up_like_a_cache(features: tuple[FeatureForm, ...]) -> None:
    targets = noise_targets(6, 2, 10, features)
    found = targets.lookup(1, torch.tensor([4, 0]))
    assert found.logits.shape == (2, 10)
    assert [tuple(one.shape) for one in found.features] == [(2, one.places, one.channels) for one in features]
    assert all(one.abs().sum() > 0 for one in found.features)
    assert torch.equal(found.logits, targets.lookup(0, torch.tensor([4, 0])).logits)
