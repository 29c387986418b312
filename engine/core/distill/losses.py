"""What a student minimises: takes its logits, the teacher's and the labels, gives one number.

The whole loss is  label_weight * CE(labels) + weight * D(student, teacher);  a function here is one D, a mean over the
batch, computed in fp32 whatever the network's precision. z is student logits, t teacher logits, T the temperature.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.errors import JobError
from engine.spec import Distill

LossFunction = Callable[[Tensor, Tensor, Tensor, float], Tensor]


@dataclass(frozen=True)
class LossSpec:
    """A distillation loss (its own weights are in engine/spec/distill.py). No function: labels only.

    `one_label`: it looks at the label of each image, so images must not be mixed. `couples`: it is no mean over images,
    so the loss of a batch is not that of its pieces. `standard`: it looks at the teacher's logits standardised, whose
    moments a cache of the largest logits keeps.
    """

    function: LossFunction | None
    one_label: bool = False
    couples: bool = False
    standard: bool = False


def hinton_loss(student: Tensor, teacher: Tensor, labels: Tensor, temperature: float) -> Tensor:
    """T^2 KL(softmax(t / T) || softmax(z / T)) for logits (B, C) (Hinton et al. 2015): the gradient's size is kept."""
    return _divergence(student / temperature, teacher / temperature) * temperature**2


def soft_ce_loss(student: Tensor, teacher: Tensor, labels: Tensor, temperature: float) -> Tensor:
    """-T^2 sum_c softmax(t / T)_c log softmax(z / T)_c: hinton plus the teacher's entropy, so its gradient is the same.

    At T = 1, over all classes, it is the loss of TinyViT's fast distillation (Wu et al. 2022).
    """
    return _cross_entropy(student / temperature, F.softmax(teacher / temperature, dim=1)) * temperature**2


def lskd_loss(student: Tensor, teacher: Tensor, labels: Tensor, temperature: float) -> Tensor:
    """Hinton's loss on standardised logits: (z - mean) / (1e-7 + std) per image, both sides (Sun et al. 2024).

    A teacher whose logits are scaled or shifted gives the same target. std is over the classes, divided by C.
    """
    return hinton_loss(_standardize(student), _standardize(teacher), labels, temperature)


def dist_loss(
    student: Tensor, teacher: Tensor, labels: Tensor, temperature: float, inter: float = 1.0, intra: float = 1.0
) -> Tensor:
    """T^2 (inter (1 - r over classes) + intra (1 - r over images)), r Pearson's (Huang et al. 2022).

    r is of softmax(z / T) and softmax(t / T), averaged. Over images it needs a batch of 64 or so to say much.
    """
    answer, target = F.softmax(student / temperature, dim=1), F.softmax(teacher / temperature, dim=1)
    rows, columns = _correlation(answer, target, 1).mean(), _correlation(answer, target, 0).mean()
    return (inter * (1 - rows) + intra * (1 - columns)) * temperature**2


def dkd_loss(
    student: Tensor, teacher: Tensor, labels: Tensor, temperature: float, alpha: float = 1.0, beta: float = 0.5
) -> Tensor:
    """T^2 (alpha TCKD + beta NCKD) (Zhao et al. 2022); alpha and beta as its authors have them for ImageNet.

    TCKD is the KL of (p_y, 1 - p_y), NCKD the KL among the other classes. Per image KL = TCKD + (1 - p_y) NCKD with the
    teacher's p_y, so alpha 1 and beta 1 - p_y is hinton's loss.
    """
    scaled, wanted = student / temperature, teacher / temperature
    label_part = _divergence(_label_or_not(scaled, labels), _label_or_not(wanted, labels))
    other_part = _divergence(_without_label(scaled, labels), _without_label(wanted, labels))
    return (alpha * label_part + beta * other_part) * temperature**2


def nkd_loss(student: Tensor, teacher: Tensor, labels: Tensor, temperature: float, gamma: float = 1.5) -> Tensor:
    """-p_t(y) log p_s(y) - gamma T^2 sum_{c != y} n_t log n_s (Yang et al. 2023); their T is 1.

    p at temperature 1; n is the softmax at T over the wrong classes.
    """
    sure = F.softmax(teacher, dim=1).gather(1, labels[:, None])
    right = -(sure * F.log_softmax(student, dim=1).gather(1, labels[:, None])).mean()
    others = F.softmax(_without_label(teacher, labels) / temperature, dim=1)
    return right + gamma * temperature**2 * _cross_entropy(_without_label(student, labels) / temperature, others)


def ats_loss(
    student: Tensor, teacher: Tensor, labels: Tensor, temperature: float, wrong_temperature: float | None = None
) -> Tensor:
    """Cross entropy with an asymmetrically softened teacher (Li et al. 2022); the student's temperature is 1.

    The label's logit is divided by T, the others by `wrong_temperature` (default T / 2), which keeps differences among
    wrong classes. The answer depends on the logits' offset: they are centred first.
    """
    wrong = temperature / 2 if wrong_temperature is None else wrong_temperature
    centred = teacher - teacher.mean(dim=1, keepdim=True)
    is_label = F.one_hot(labels, teacher.shape[1]).bool()
    softened = (centred / wrong).where(~is_label, centred / temperature)
    return _cross_entropy(student, F.softmax(softened, dim=1))


def _divergence(answer: Tensor, target: Tensor) -> Tensor:
    """Mean over the batch of KL(softmax(target) || softmax(answer))."""
    return F.kl_div(F.log_softmax(answer, 1), F.log_softmax(target, 1), reduction="batchmean", log_target=True)


def _cross_entropy(answer: Tensor, target: Tensor) -> Tensor:
    """Mean over the batch of -sum_c target_c log softmax(answer)_c, for probabilities `target`."""
    return -(target * F.log_softmax(answer, dim=1)).sum(dim=1).mean()


def _standardize(logits: Tensor, moments: Tensor | None = None) -> Tensor:
    """Return (z - mean) / (1e-7 + std) over the classes, or by the (mean, std) that are known of all of them."""
    if moments is not None:
        return (logits - moments[:, :1]) / (1e-7 + moments[:, 1:])
    centred = logits - logits.mean(dim=1, keepdim=True)
    variance = centred.square().mean(dim=1, keepdim=True)
    return centred / (1e-7 + variance.clamp(min=1e-24).sqrt())  # the root has no gradient at 0: equal logits happen


def _correlation(first: Tensor, second: Tensor, dim: int) -> Tensor:
    """Pearson's r along `dim`; 0 where a side does not vary."""
    return F.cosine_similarity(first - first.mean(dim, keepdim=True), second - second.mean(dim, keepdim=True), dim=dim)


def _without_label(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the logits of the wrong classes, (B, C - 1)."""
    keep = ~F.one_hot(labels, logits.shape[1]).bool()
    return logits[keep].view(len(logits), -1)


def _label_or_not(logits: Tensor, labels: Tensor) -> Tensor:
    """Return (B, 2) logits whose softmax is (p_y, 1 - p_y): log-sum-exp keeps 1 - p_y exact when p_y is near 1."""
    others = _without_label(logits, labels).logsumexp(dim=1)
    return torch.stack([logits.gather(1, labels[:, None])[:, 0], others], dim=1)


def distill_loss(
    distill: Distill,
    student_logits: Tensor,
    teacher_logits: Tensor | None,
    labels: Tensor,
    label_smoothing: float = 0.0,
    temperature: float | None = None,
    moments: Tensor | None = None,
) -> Tensor:
    """Return the loss of a batch: logits (B, C), labels int64 (B,). Without teacher logits: cross entropy alone.

    Labels of mixed images are fp32 (B, C). `temperature` is that of the step, by default the spec's own number;
    `moments` (B, 2) are mean and standard deviation of the teacher's logits where `teacher_logits` hold only the
    largest exactly. Raises JobError for a loss that needs one label for each image.
    """
    student = student_logits.float()
    hard = F.cross_entropy(student, labels, label_smoothing=label_smoothing)
    spec = LOSSES[distill.loss]
    if teacher_logits is None or spec.function is None:
        return hard
    if spec.one_label and labels.is_floating_point():
        fix = "use another distill.loss, or set mixup and cutmix to 0"
        raise JobError(
            f"loss {distill.loss} needs one label for each image; these are mixed", where="distill.loss", fix=fix
        )
    weight, label_weight = distill.weights
    teacher, at = teacher_logits.float(), distill.temperature if temperature is None else temperature
    if not isinstance(at, float):
        raise ValueError("a temperature that is no number is worked out for each step")
    if spec.standard and moments is not None:
        soft = hinton_loss(_standardize(student), _standardize(teacher, moments), labels, at)
    else:
        soft = spec.function(student, teacher, labels, at)
    return weight * soft + label_weight * hard


LOSSES: dict[str, LossSpec] = {
    "ce": LossSpec(None),
    "soft_ce": LossSpec(soft_ce_loss),
    "hinton": LossSpec(hinton_loss),
    "lskd": LossSpec(lskd_loss, standard=True),
    "dist": LossSpec(dist_loss, couples=True),
    "dkd": LossSpec(dkd_loss, one_label=True),
    "nkd": LossSpec(nkd_loss, one_label=True),
    "ats": LossSpec(ats_loss, one_label=True),
}
