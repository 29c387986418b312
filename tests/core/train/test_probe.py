"""A linear probe is logistic regression on pooled features."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression
from torch import Tensor, nn

from engine.core.data.loader import EvalLoader
from engine.core.data.pack import Pack
from engine.core.train import probe
from engine.core.train.forward import Forward
from engine.core.train.probe import Samples, fit_probe, pooled_features

from .toy import CPU, DATA


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


class Halved(nn.Module):
    """A network that draws masks in training, and whose classifier sees what it is given in half precision."""

    def __init__(self) -> None:
        super().__init__()
        self.drop = nn.Dropout(0.5)
        self.fc = nn.Linear(192, 10)

    def forward(self, images: Tensor) -> Tensor:
        answer: Tensor = self.fc(self.drop(images.flatten(1)))
        return answer


def test_features_are_what_enters_the_classifier_in_eval_mode(pack: Pack) -> None:
    network, told = Halved().train(), []
    loader = EvalLoader(pack, np.arange(40), DATA, 8, 16)
    found, labels = pooled_features(network, network.fc, loader, CPU, lambda done, total: told.append((done, total)))
    whole = next(iter(EvalLoader(pack, np.arange(40), DATA, 8, 40)))
    assert torch.equal(found, CPU.prepare(whole.images).flatten(1))
    assert labels.tolist() == pack.labels[:40].tolist()
    assert told == [(16, 40), (32, 40), (40, 40)]
    assert not network.fc._forward_pre_hooks, "the hook is gone"
    assert not found.requires_grad
    bf16 = Forward(torch.device("cpu"), "bf16", CPU.mean, CPU.std)
    assert pooled_features(network, network.fc, loader, bf16, lambda done, total: None)[0].dtype == torch.float32


def test_the_penalties_go_from_strong_to_weak() -> None:
    assert probe.PENALTIES == (1e-1, 1e-2, 1e-3, 1e-4)
    easy, hard = blobs(300, 0, 0.3), blobs(30, 0, 6.0)
    assert fit_probe(easy, blobs(300, 1, 0.3), 3).penalty == 1e-4
    assert fit_probe(hard, blobs(3000, 1, 6.0), 3).penalty == 1e-1


def test_biases_are_not_penalised() -> None:
    """Without a useful feature the head says the shares of the classes, however strong the penalty."""
    labels = torch.tensor([0] * 90 + [1] * 10)
    noise = torch.randn(100, 2, generator=torch.Generator().manual_seed(0))
    noise -= torch.stack([noise[:90].mean(0), noise[90:].mean(0)])[labels]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(probe, "WITHOUT_VAL", 1e3)
        head = fit_probe((noise, labels), None, 2)
    shares = logits(head, noise).softmax(1).mean(0)
    assert shares.tolist() == pytest.approx([0.9, 0.1], abs=1e-3)
