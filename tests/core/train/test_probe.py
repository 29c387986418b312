"""A linear probe is logistic regression on pooled features."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from engine.core.train import probe
from engine.core.train.probe import Samples, fit_probe


def blobs(count: int, seed: int, spread: float = 1.0) -> Samples:
    """Three classes in five dimensions of very different scales."""
    draw = torch.Generator().manual_seed(seed)
    labels = torch.arange(count) % 3
    centres = torch.tensor([[2.0, 0, 0, 0, 0], [0, 2.0, 0, 0, 0], [0, 0, 2.0, 0, 0]])
    noise = spread * torch.randn(count, 5, generator=draw)
    return (centres[labels] + noise) * torch.tensor([1.0, 10.0, 0.1, 1.0, 100.0]), labels


def logits(head: probe.Probe, features: Tensor) -> Tensor:
    return features @ head.weight.T + head.bias


def test_it_is_scikit_learns_logistic_regression_on_standardised_features() -> None:
    train = blobs(300, 0)
    head = fit_probe(train, None, 3)
    inputs = train[0].double().numpy()
    inputs = (inputs - inputs.mean(0)) / inputs.std(0)
    peer = LogisticRegression(C=1 / (probe.WITHOUT_VAL * len(inputs)), tol=1e-8, max_iter=1000)
    peer.fit(inputs, train[1].numpy())
    ours = logits(head, train[0]).softmax(1).numpy()
    assert np.abs(ours - peer.predict_proba(inputs)).max() < 2e-3


def test_the_penalty_is_the_one_with_the_least_validation_loss() -> None:
    train, val = blobs(30, 0, 3.0), blobs(3000, 1, 3.0)
    chosen = fit_probe(train, val, 3)
    losses = {}
    for penalty in probe.PENALTIES:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(probe, "PENALTIES", (penalty,))
            losses[penalty] = float(torch.nn.functional.cross_entropy(logits(fit_probe(train, val, 3), val[0]), val[1]))
    assert chosen.penalty == min(losses, key=losses.__getitem__)


def test_a_feature_that_never_varies_does_no_harm() -> None:
    features, labels = blobs(90, 0)
    head = fit_probe((torch.cat([features, torch.full((90, 1), 7.0)], 1), labels), None, 3)
    assert torch.isfinite(head.weight).all()
    assert (
        float((logits(head, torch.cat([features, torch.full((90, 1), 7.0)], 1)).argmax(1) == labels).double().mean())
        > 0.7
    )


def test_the_same_samples_give_the_same_head() -> None:
    first, second = fit_probe(blobs(90, 0), blobs(60, 1), 3), fit_probe(blobs(90, 0), blobs(60, 1), 3)
    assert torch.equal(first.weight, second.weight)
    assert torch.equal(first.bias, second.bias)
