"""What a teacher is like: takes logits and labels, gives accuracy, confidence, calibration, and how a student differs.

All in fp64 on the host. Entropies and divergences are in nats. Logits may lie at any offset: only differences count.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

# As in Guo et al. 2017 and most papers since, so that figures compare.
BINS = 15
SURE, CERTAIN, DOUBTED = 0.99, 0.9, 0.1
TEMPERATURES = (0.01, 1000.0)
# Halvings of an interval 11.5 long (of logarithms): finer than doubles resolve.
STEPS = 60


@dataclass(frozen=True)
class Diagnosis:
    """Figures of (n, classes) logits against labels.

    `confidence` is the mean largest probability, `sure_share` how often it is above SURE. `ece` is the
    mean |accuracy - confidence| over equal bins weighted by count, `signed_ece` the same with its sign (above 0:
    over-confident). `fitted_temperature` has the least NLL: above 1 is over-confident, 0 says that none in
    TEMPERATURES is best.
    `wrong_entropy` is that of the wrong classes' probabilities among themselves, at the temperature that was asked for.
    `label_confidence` is the mean probability of the label, `contradicted` how often the teacher is above CERTAIN and
    gives the label less than DOUBTED: a wrong label, or a wrong and certain teacher.
    """

    top1: float
    top5: float
    nll: float
    confidence: float
    entropy: float
    sure_share: float
    ece: float
    signed_ece: float
    fitted_temperature: float
    wrong_entropy: float
    label_confidence: float
    contradicted: float


@dataclass(frozen=True)
class Agreement:
    """How near a student is to its teacher: share of equal answers, and the mean KL(teacher || student)."""

    agreement: float
    divergence: float


@dataclass(frozen=True)
class Reliability:
    """By bins of confidence, each (BINS,): how many images, their accuracy and mean confidence (0 where none)."""

    counts: Tensor
    accuracy: Tensor
    confidence: Tensor


def diagnose_logits(logits: Tensor, labels: Tensor, temperature: float = 1.0) -> Diagnosis:
    """Return the figures of `logits` (n, C) for `labels` int64 (n,); `temperature` is for `wrong_entropy`."""
    values, labels = logits.double().cpu(), labels.cpu()
    log_p = F.log_softmax(values, dim=1)
    right = log_p.gather(1, labels[:, None])[:, 0]
    confidence, answer = log_p.exp().max(dim=1)
    best = values.topk(min(5, values.shape[1]), dim=1).indices
    bins = reliability(values, labels)
    gaps, weights = bins.confidence - bins.accuracy, bins.counts / bins.counts.sum()
    return Diagnosis(
        top1=_mean(answer == labels),
        top5=_mean((best == labels[:, None]).any(dim=1)),
        nll=-_mean(right),
        confidence=_mean(confidence),
        entropy=_mean(_entropy(log_p)),
        sure_share=_mean(confidence > SURE),
        ece=float((weights * gaps.abs()).sum()),
        signed_ece=float((weights * gaps).sum()),
        fitted_temperature=fit_temperature(values, labels),
        wrong_entropy=_mean(_entropy(F.log_softmax(_wrong_logits(values, labels) / temperature, dim=1))),
        label_confidence=_mean(right.exp()),
        contradicted=_mean((confidence > CERTAIN) & (right.exp() < DOUBTED)),
    )


def reliability(logits: Tensor, labels: Tensor) -> Reliability:
    """Return accuracy and confidence by BINS equal bins of confidence: the reliability diagram."""
    confidence, answer = F.softmax(logits.double(), dim=1).max(dim=1)
    # A confidence of 1 belongs to the last bin.
    place = (confidence * BINS).long().clamp(max=BINS - 1)
    counts = torch.bincount(place, minlength=BINS).double()
    hits = torch.bincount(place, weights=(answer == labels).double(), minlength=BINS)
    sums = torch.bincount(place, weights=confidence, minlength=BINS)
    return Reliability(counts, hits / counts.clamp(min=1), sums / counts.clamp(min=1))


def fit_temperature(logits: Tensor, labels: Tensor) -> float:
    """Return the temperature in TEMPERATURES with the least NLL of softmax(logits / T), 0 where the best is outside.

    The NLL is convex in 1 / T, so its slope has one zero: bisection on log T finds it.
    """
    values = logits.double()
    own = values.gather(1, labels[:, None])[:, 0]

    def slope(temperature: float) -> float:
        expected = (F.softmax(values / temperature, dim=1) * values).sum(dim=1)
        return float((own - expected).mean())  # rises with T: below 0 the softmax is still too sharp

    return _bisect(slope)


def match_entropy(logits: Tensor, entropy: float) -> float:
    """Return the temperature at which the mean entropy of softmax(logits / T) is `entropy`, 0 where none is."""
    values = logits.double()
    return _bisect(lambda temperature: diagnose_entropy(values, temperature) - entropy)


def diagnose_entropy(logits: Tensor, temperature: float = 1.0) -> float:
    """Return the mean entropy of softmax(logits / T)."""
    return _mean(_entropy(F.log_softmax(logits.double() / temperature, dim=1)))


def compare_logits(student: Tensor, teacher: Tensor, temperature: float = 1.0) -> Agreement:
    """Return how near the student's logits (n, C) are to the teacher's on the same images, the KL at `temperature`."""
    answer = F.log_softmax(student.double() / temperature, dim=1)
    target = F.log_softmax(teacher.double() / temperature, dim=1)
    divergence = (target.exp() * (target - answer)).sum(dim=1)
    return Agreement(_mean(student.argmax(dim=1) == teacher.argmax(dim=1)), _mean(divergence))


def _bisect(rising: Callable[[float], float]) -> float:
    low, high = (math.log(bound) for bound in TEMPERATURES)
    # No change of sign inside: what is best lies outside of TEMPERATURES.
    if rising(math.exp(low)) >= 0 or rising(math.exp(high)) < 0:
        return 0.0
    for _ in range(STEPS):
        middle = (low + high) / 2
        low, high = (low, middle) if rising(math.exp(middle)) > 0 else (middle, high)
    return math.exp((low + high) / 2)


def _entropy(log_p: Tensor) -> Tensor:
    return -(log_p.exp() * log_p).sum(dim=1)


def _wrong_logits(logits: Tensor, labels: Tensor) -> Tensor:
    keep = ~F.one_hot(labels, logits.shape[1]).bool()
    return logits[keep].view(len(logits), -1)


def _mean(values: Tensor) -> float:
    return float(values.double().mean())
