"""What a student minimises: takes its logits, the teacher's and the labels, gives one number.

The whole loss is  label_weight * CE(labels) + weight * D(student, teacher);  a function here is one D, a mean over the
batch, computed in fp32 whatever the network's precision. z is student logits, t teacher logits, T the temperature.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor

from engine.core.own_code.loading import call_own
from engine.errors import JobError
from engine.spec import Distill
from engine.spec.distill import OWN_LOSS, LossWords
from engine.spec.own_code import names_code

LossFunction = Callable[..., Tensor]


@dataclass(frozen=True, kw_only=True)
class LossSpec(LossWords):
    """A distillation loss: what its words in a spec say, and how it is computed. No function: labels only.

    `function` takes student and teacher logits, labels and temperature, and its options by name. `couples`: it is no
    mean over images, so the loss of a batch is not that of its pieces. `standard`: both sides' logits are standardised
    first, the teacher's by the moments over all classes where a cache keeps only the largest logits and these.
    """

    function: LossFunction | None
    couples: bool = False
    standard: bool = False

    def teach(
        self,
        student: Tensor,
        teacher: Tensor,
        labels: Tensor,
        temperature: float,
        options: Mapping[str, float | None] | None = None,
        moments: Tensor | None = None,
    ) -> Tensor:
        """Return D(student, teacher) for logits (B, C), with the loss's own options where none are given."""
        if self.function is None:
            raise ValueError("a loss of labels alone hears no teacher")
        if self.standard:
            student, teacher = standardize(student), standardize(teacher, moments)
        return self.function(student, teacher, labels, temperature, **{**self.options, **(options or {})})


def hinton_loss(student: Tensor, teacher: Tensor, labels: Tensor, temperature: float) -> Tensor:
    """T^2 KL(softmax(t / T) || softmax(z / T)) for logits (B, C) (Hinton et al. 2015): the gradient's size is kept."""
    return _divergence(student / temperature, teacher / temperature) * temperature**2


def soft_ce_loss(student: Tensor, teacher: Tensor, labels: Tensor, temperature: float) -> Tensor:
    """-T^2 sum_c softmax(t / T)_c log softmax(z / T)_c: hinton plus the teacher's entropy, so its gradient is the same.

    At T = 1, over all classes, it is the loss of TinyViT's fast distillation (Wu et al. 2022).
    """
    return _cross_entropy(student / temperature, F.softmax(teacher / temperature, dim=1)) * temperature**2


def standardize(logits: Tensor, moments: Tensor | None = None) -> Tensor:
    """Return (z - mean) / (1e-7 + std) of each image, or by the (mean, std) known of all classes (Sun et al. 2024).

    A teacher whose logits are scaled or shifted then gives the same target. std is over the classes, divided by C.
    """
    if moments is not None:
        return (logits - moments[:, :1]) / (1e-7 + moments[:, 1:])
    centred = logits - logits.mean(dim=1, keepdim=True)
    variance = centred.square().mean(dim=1, keepdim=True)
    return centred / (1e-7 + variance.clamp(min=1e-24).sqrt())  # the root has no gradient at 0: equal logits happen


def dist_loss(
    student: Tensor, teacher: Tensor, labels: Tensor, temperature: float, *, beta: float, gamma: float
) -> Tensor:
    """T^2 (beta (1 - r over classes) + gamma (1 - r over images)), r Pearson's (Huang et al. 2022, both 1, T 1).

    r is of softmax(z / T) and softmax(t / T), averaged. Over images it needs a batch of 64 or so to say much. For
    stronger teachers its authors have both at 2.
    """
    answer, target = F.softmax(student / temperature, dim=1), F.softmax(teacher / temperature, dim=1)
    rows, columns = _correlation(answer, target, 1).mean(), _correlation(answer, target, 0).mean()
    return (beta * (1 - rows) + gamma * (1 - columns)) * temperature**2


def dkd_loss(
    student: Tensor, teacher: Tensor, labels: Tensor, temperature: float, *, alpha: float, beta: float
) -> Tensor:
    """T^2 (alpha TCKD + beta NCKD) (Zhao et al. 2022): for ImageNet alpha 1, beta 0.5, T 1; for CIFAR-100 1, 8, 4.

    TCKD is the KL of (p_y, 1 - p_y), NCKD the KL among the other classes. Per image KL = TCKD + (1 - p_y) NCKD with the
    teacher's p_y, so alpha 1 and beta 1 - p_y is hinton's loss.
    """
    scaled, wanted = student / temperature, teacher / temperature
    label_part = _divergence(_label_or_not(scaled, labels), _label_or_not(wanted, labels))
    other_part = _divergence(_without_label(scaled, labels), _without_label(wanted, labels))
    return (alpha * label_part + beta * other_part) * temperature**2


def nkd_loss(student: Tensor, teacher: Tensor, labels: Tensor, temperature: float, *, gamma: float) -> Tensor:
    """-p_t(y) log p_s(y) - gamma T^2 sum_{c != y} n_t log n_s (Yang et al. 2023; for ImageNet gamma 1.5, T 1).

    p at temperature 1; n is the softmax at T over the wrong classes.
    """
    sure = F.softmax(teacher, dim=1).gather(1, labels[:, None])
    right = -(sure * F.log_softmax(student, dim=1).gather(1, labels[:, None])).mean()
    others = F.softmax(_without_label(teacher, labels) / temperature, dim=1)
    return right + gamma * temperature**2 * _cross_entropy(_without_label(student, labels) / temperature, others)


def ats_loss(
    student: Tensor, teacher: Tensor, labels: Tensor, temperature: float, *, wrong_temperature: float | None
) -> Tensor:
    """Cross entropy with an asymmetrically softened teacher (Li et al. 2022); the student's temperature is 1.

    The label's logit is divided by T, the others by `wrong_temperature` (None: T / 2), which keeps differences among
    wrong classes. Its authors search T in 1..6 and the other in 1..5; 4 and 2 lie in the middle. The answer depends on
    the logits' offset: they are centred first.
    """
    wrong = temperature / 2 if wrong_temperature is None else wrong_temperature
    centred = teacher - teacher.mean(dim=1, keepdim=True)
    is_label = F.one_hot(labels, teacher.shape[1]).bool()
    softened = (centred / wrong).where(~is_label, centred / temperature)
    return _cross_entropy(student, F.softmax(softened, dim=1))


def skd_loss(
    student: Tensor, teacher: Tensor, labels: Tensor, temperature: float, *, direction: float, tikhonov: float
) -> Tensor:
    """hinton + direction * mean_i sqrt(d_i' (S + tikhonov I)^-1 d_i): Streamlined KD (Jeong, Lee, Choi, CVPR 2026).

    d_i are the rows of D = G(z) - G(t), G the cosines (B, B) of the images' logits with each other, S the covariance of
    D's rows. As in the paper's equations but for T^2, which keeps the gradient's size; its authors' code divides G by
    C and leaves out the surer half of images, and has T 4, tikhonov 0.1, weights 0.9 and 0.1.
    Not Spherical KD, which has the same letters (Guo et al. 2020): that one normalises logits, as lskd does.
    """
    gap = _cosines(student) - _cosines(teacher)
    centred = gap - gap.mean(dim=0, keepdim=True)
    ridge = tikhonov * torch.eye(len(gap), dtype=gap.dtype, device=gap.device)
    # _ex: without a look at whether it can be had, for which the host would wait. With the ridge it can.
    factor: Tensor = torch.linalg.cholesky_ex(centred.T @ centred / max(len(gap) - 1, 1) + ridge).L
    squares = torch.linalg.solve_triangular(factor, gap.T, upper=False).square().sum(dim=0)
    # The root has no gradient at 0, where a student's directions are its teacher's.
    distance: Tensor = squares.clamp(min=1e-12).sqrt().mean()
    return hinton_loss(student, teacher, labels, temperature) + direction * distance


def abkd_loss(
    student: Tensor, teacher: Tensor, labels: Tensor, temperature: float, *, alpha: float, beta: float
) -> Tensor:
    """T^2 times the alpha-beta divergence of q = softmax(z / T) from p = softmax(t / T): ABKD (Wang et al. 2025).

    -1 / (a b) sum_c (p^a q^b - a / (a + b) p^(a + b) - b / (a + b) q^(a + b)), and its limits where a or b is 0
    (Cichocki et al. 2011): a 1, b 0 is hinton's KL, a 0, b 1 the reverse one, both 0 half the squared difference of
    logarithms. For CIFAR-100 its authors have a 0.8, b 0.3, T 4 and weight 32 without T^2, which is 2 with it.
    """
    log_p, log_q = F.log_softmax(teacher / temperature, dim=1), F.log_softmax(student / temperature, dim=1)
    return _alpha_beta(log_p, log_q, alpha, beta).sum(dim=1).mean() * temperature**2


def ofa_loss(student: Tensor, teacher: Tensor, labels: Tensor, temperature: float, *, gamma: float) -> Tensor:
    """-T^2 sum_c ((p_c + [c = y])^gamma - [c = y]) log q_c, p and q at T: OFA-KD's target (Hao et al. 2023).

    Above 1, gamma makes the label's part stronger and the others' weaker; at 1, which its authors' code begins from, it
    is soft_ce. The paper's exits are entries of distill.features with loss: answers.
    """
    is_label = F.one_hot(labels, teacher.shape[1])
    enhanced = (F.softmax(teacher / temperature, dim=1) + is_label) ** gamma - is_label
    return _cross_entropy(student / temperature, enhanced) * temperature**2


def _alpha_beta(log_p: Tensor, log_q: Tensor, alpha: float, beta: float) -> Tensor:
    """Return the terms (B, C) of the alpha-beta divergence; of logarithms, so that no small power is taken of 0."""
    if alpha == 0 and beta == 0:
        return (log_p - log_q).square() / 2
    if beta == 0:
        return ((alpha * log_p).exp() * (alpha * (log_p - log_q) - 1) + (alpha * log_q).exp()) / alpha**2
    if alpha == 0:
        return ((beta * log_q).exp() * (beta * (log_q - log_p) - 1) + (beta * log_p).exp()) / beta**2
    total = alpha + beta
    ends = (alpha * (total * log_p).exp() + beta * (total * log_q).exp()) / total
    return (ends - (alpha * log_p + beta * log_q).exp()) / (alpha * beta)


def _cosines(logits: Tensor) -> Tensor:
    """Return (B, B): the cosine of each image's logits with each other's."""
    directions = F.normalize(logits, dim=1)
    return directions @ directions.T


def _divergence(answer: Tensor, target: Tensor) -> Tensor:
    """Mean over the batch of KL(softmax(target) || softmax(answer))."""
    return F.kl_div(F.log_softmax(answer, 1), F.log_softmax(target, 1), reduction="batchmean", log_target=True)


def _cross_entropy(answer: Tensor, target: Tensor) -> Tensor:
    """Mean over the batch of -sum_c target_c log softmax(answer)_c, for probabilities `target`."""
    return -(target * F.log_softmax(answer, dim=1)).sum(dim=1).mean()


def _correlation(first: Tensor, second: Tensor, dim: int) -> Tensor:
    """Pearson's r along `dim`; 0 where a side does not vary."""
    return F.cosine_similarity(first - first.mean(dim, keepdim=True), second - second.mean(dim, keepdim=True), dim=dim)


def _without_label(logits: Tensor, labels: Tensor) -> Tensor:
    """Return the logits of the wrong classes, (B, C - 1)."""
    # By places, not by a mask: how many a mask keeps is known on the device alone, and the host would wait for it.
    places = torch.arange(logits.shape[1] - 1, device=logits.device)
    return logits.gather(1, places + (places >= labels[:, None]).long())


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
    spec = loss_entry(distill.loss)
    if teacher_logits is None or spec.function is None:
        return hard
    if spec.one_label and labels.is_floating_point():
        fix = "use another distill.loss, or set mixup and cutmix to 0"
        raise JobError(
            f"loss {distill.loss} needs one label for each image; these are mixed", where="distill.loss", fix=fix
        )
    weight, label_weight = distill.weights
    soft = answer_loss(distill, student, teacher_logits, labels, temperature, moments)
    return weight * soft + label_weight * hard


def answer_loss(
    distill: Distill,
    logits: Tensor,
    teacher_logits: Tensor,
    labels: Tensor,
    temperature: float | None = None,
    moments: Tensor | None = None,
) -> Tensor:
    """Return D alone, of logits (B, C) of the student or of an exit of it; the others are those of `distill_loss`."""
    at = distill.temperature if temperature is None else temperature
    if not isinstance(at, float):
        raise ValueError("a temperature that is no number is worked out for each step")
    return loss_entry(distill.loss).teach(logits.float(), teacher_logits.float(), labels, at, distill.options, moments)


def loss_entry(loss: str) -> LossSpec:
    """Return the entry of a loss; of one of somebody's own, whose batch is taken as a whole: nobody knows better."""
    if not names_code(loss):
        return LOSSES[loss]

    def own(student: Tensor, teacher: Tensor, labels: Tensor, temperature: float, **options: float | None) -> Tensor:
        answer: Tensor = call_own(loss, options, student, teacher, labels, temperature)
        return answer

    words = {name: getattr(OWN_LOSS, name) for name in LossWords.__dataclass_fields__}
    return LossSpec(**words, function=own, couples=True)


LOSSES: dict[str, LossSpec] = {
    "ce": LossSpec(function=None, weights=(0.0, 1.0), temperature=1.0),
    "soft_ce": LossSpec(function=soft_ce_loss, weights=(1.0, 0.0), temperature=1.0),
    "hinton": LossSpec(function=hinton_loss, weights=(0.9, 0.1), temperature=2.0),
    "lskd": LossSpec(function=hinton_loss, weights=(9.0, 0.1), temperature=2.0, standard=True),
    "dist": LossSpec(
        function=dist_loss, weights=(1.0, 1.0), temperature=1.0, options={"beta": 1.0, "gamma": 1.0}, couples=True
    ),
    "dkd": LossSpec(
        function=dkd_loss, weights=(1.0, 1.0), temperature=1.0, options={"alpha": 1.0, "beta": 0.5}, one_label=True
    ),
    "nkd": LossSpec(function=nkd_loss, weights=(1.0, 1.0), temperature=1.0, options={"gamma": 1.5}, one_label=True),
    "ats": LossSpec(
        function=ats_loss,
        weights=(0.5, 0.5),
        temperature=4.0,
        options={"wrong_temperature": None},
        positive=("wrong_temperature",),
        one_label=True,
    ),
    "skd": LossSpec(
        function=skd_loss,
        weights=(0.9, 0.1),
        temperature=4.0,
        options={"direction": 1.0, "tikhonov": 0.1},
        positive=("tikhonov",),
        couples=True,
    ),
    "ofa": LossSpec(
        function=ofa_loss,
        weights=(1.0, 1.0),
        temperature=1.0,
        options={"gamma": 1.0},
        positive=("gamma",),
        one_label=True,
    ),
    "abkd": LossSpec(function=abkd_loss, weights=(2.0, 1.0), temperature=4.0, options={"alpha": 0.8, "beta": 0.3}),
}
