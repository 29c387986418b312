"""A linear probe: takes pooled features of a frozen network and labels, gives the head with the least penalised loss.

Multinomial logistic regression: mean cross entropy + penalty / 2 |W|^2 on standardised features, which is convex, so
that there is one answer and no schedule to tune. The penalty is the one of PENALTIES with the least loss on val images.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from engine.core.data.loader import EvalLoader
from engine.core.train.forward import Forward

PENALTIES = (1e-1, 1e-2, 1e-3, 1e-4)  # strongest first: each fit begins at the one before
# A middle one of PENALTIES, where there is nothing to choose by.
WITHOUT_VAL = 1e-2
# Of L-BFGS at most: the loss is convex, and a fit mostly ends before by its gradient.
STEPS = 200
Samples = tuple[Tensor, Tensor]


@dataclass(frozen=True)
class Probe:
    """A head for raw features (n, d): logits = features @ weight.T + bias; `penalty` it was fitted with."""

    weight: Tensor
    bias: Tensor
    penalty: float


def pooled_features(
    network: nn.Module, classifier: nn.Linear, loader: EvalLoader, forward: Forward, watch: Callable[[int, int], None]
) -> Samples:
    """Return what enters the classifier for each image of the loader, fp32 (n, d) on the device, and labels (n,)."""
    seen: list[Tensor] = []
    labels: list[Tensor] = []
    # What enters the classifier: each architecture pools in its own way.
    hook = classifier.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0].float()))
    try:
        for batch in loader:
            # Not inference_mode: the fit could not take gradients through what it gives.
            with torch.no_grad():
                forward(network.eval(), batch.images)
            labels.append(batch.labels.to(forward.device, non_blocking=True))
            watch(sum(map(len, labels)), len(loader.rows))
    finally:
        hook.remove()
    return torch.cat(seen), torch.cat(labels)


def fit_probe(train: Samples, val: Samples | None, classes: int) -> Probe:
    """Return the head fitted to `train` (features (n, d), labels int64 (n,)); `val` chooses the penalty."""
    # A feature that never changes has no spread to divide by.
    middle, spread = train[0].mean(0), train[0].std(0, correction=0).clamp(min=1e-6)
    inputs = (train[0] - middle) / spread
    start = inputs.new_zeros(classes, inputs.shape[1] + 1)
    best: tuple[float, float, Tensor] | None = None
    for penalty in PENALTIES if val is not None else (WITHOUT_VAL,):
        start = _fit(inputs, train[1], start, penalty)
        loss = 0.0 if val is None else float(_loss((val[0] - middle) / spread, val[1], start))
        if best is None or loss < best[0]:
            best = loss, penalty, start
    assert best is not None
    # Back to raw features: weight and bias take the standardisation in.
    weight = best[2][:, :-1] / spread
    return Probe(weight, best[2][:, -1] - weight @ middle, best[1])


def _fit(inputs: Tensor, labels: Tensor, start: Tensor, penalty: float) -> Tensor:
    """Minimise by L-BFGS from `start` (classes, d + 1), the last column the biases, which are not penalised."""
    head = start.clone().requires_grad_()
    solver = torch.optim.LBFGS([head], max_iter=STEPS, tolerance_grad=1e-6, line_search_fn="strong_wolfe")

    def closure() -> float:
        solver.zero_grad()
        loss = _loss(inputs, labels, head) + penalty / 2 * head[:, :-1].square().sum()
        loss.backward()  # type: ignore[no-untyped-call]
        return float(loss.detach())

    solver.step(closure)  # type: ignore[no-untyped-call]
    return head.detach()


def _loss(inputs: Tensor, labels: Tensor, head: Tensor) -> Tensor:
    return F.cross_entropy(inputs @ head[:, :-1].T + head[:, -1], labels)
