"""What a teacher's figures say of two explanations for a poor student: takes figures and arms, gives verdicts in words.

Pure rules, each with its numbers here and its source:
    over-confident   temperature of least NLL above 1.1 and signed ECE above 0 on images it did not train on
                     (Guo et al. 2017, On calibration of modern neural networks)
    near one-hot     more than half of the training images above 0.99, mean entropy below 0.25 nats: a student then
                     learns little beyond the label (Li et al. 2022, Asymmetric temperature scaling)
    does not follow  agreement with the teacher below 90 % on the student's own training images, for want of capacity
                     or of training (Stanton et al. 2021, Does knowledge distillation really work?)
Observation never proves a cause: a verdict is `supported` only by an arm that removes the cause, all else equal, and
whose paired interval of test accuracy, widened where several are tried, lies above 0. Noisy labels are removed by
softening the teacher, a capacity gap by teacher assistants (Mirzadeh et al. 2020).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from engine.analysis.statistics import Interval

OVER, UNDER = 1.1, 0.9
SURE_SHARE, LOW_ENTROPY = 0.5, 0.25
FOLLOWS = 0.9
Figures = Mapping[str, float]


@dataclass(frozen=True)
class Remedy:
    """An arm that differs from another in one remedy alone, and what that did to test accuracy over common seeds."""

    arm: str
    against: str
    interval: Interval | None


def judge_sureness(held_out: Figures) -> str:
    """Return how sure a teacher is for how often it is right, on images it did not train on."""
    fitted, signed = held_out.get("fitted_temperature", 0.0), held_out.get("signed_ece", 0.0)
    if not fitted:
        return "cannot be judged"
    if fitted > OVER and signed > 0:
        return "over-confident"
    if fitted < UNDER and signed < 0:
        return "under-confident"
    return "calibrated" if UNDER <= fitted <= OVER else "undecided"


def is_near_one_hot(train: Figures) -> bool:
    """Whether what a student sees of this teacher is hardly more than a label."""
    return train.get("sure_share", 0.0) > SURE_SHARE and train.get("entropy", 1.0) < LOW_ENTROPY


def judge_noise(held_out: Figures, train: Figures, softened: Sequence[Remedy]) -> tuple[str, str]:
    """Return (verdict, reason) on 'the labels of this teacher are too sure to teach' (noisy labels)."""
    sureness, one_hot = judge_sureness(held_out), is_near_one_hot(train)
    about = _sureness_text(sureness, held_out) + (" and near one-hot on the training images" if one_hot else "")
    outcome, tried = _outcome_of(softened, "softening")
    if sureness == "over-confident":
        verdict = outcome
    else:
        verdict = "not supported" if sureness in ("calibrated", "under-confident") and not one_hot else "undecided"
    return verdict, f"{about}; {tried}"


def judge_capacity(train_agreement: float | None, assisted: Sequence[Remedy]) -> tuple[str, str]:
    """Return (verdict, reason) on 'this teacher is too big for the student' (capacity gap)."""
    outcome, tried = _outcome_of(assisted, "an assistant")
    if train_agreement is None:
        return "undecided", f"no student has logged its agreement yet; {tried}"
    about = f"students agree with it on {100 * train_agreement:.1f} % of their training images"
    if train_agreement < FOLLOWS:
        return outcome, f"{about}: they do not follow it even there, for want of capacity or of training; {tried}"
    return ("supported" if outcome == "supported" else "not supported"), f"{about}: they follow it; {tried}"


def _outcome_of(remedies: Sequence[Remedy], what: str) -> tuple[str, str]:
    """Return the verdict where what is seen fits the explanation: by the arms that remove the cause, if there are any.

    Supported when one recovered accuracy, not supported when all made it worse, else undecided.
    """
    if not remedies:
        return "consistent with", f"no arm differs by {what} alone, so the cause was not tested"
    outcomes = [_judge_remedy(remedy) for remedy in remedies]
    text = "; ".join(f"{remedy_text(remedy)}, {said}" for remedy, said in zip(remedies, outcomes, strict=True))
    if "recovered" in outcomes:
        return "supported", text
    return ("not supported" if set(outcomes) == {"worse"} else "undecided"), text


def _judge_remedy(remedy: Remedy) -> str:
    interval = remedy.interval
    if interval is None or interval.low is None or interval.high is None:
        return "undecided"
    return "recovered" if interval.low > 0 else "worse" if interval.high < 0 else "undecided"


def remedy_text(remedy: Remedy) -> str:
    """Return the change of test accuracy in points with its t interval over common seeds."""
    interval, pair = remedy.interval, f"{remedy.arm} against {remedy.against}"
    if interval is None or interval.low is None or interval.high is None:
        return f"{pair}: no interval of paired seeds"
    return f"{pair}: {100 * interval.mean:+.1f} points [{100 * interval.low:+.1f}, {100 * interval.high:+.1f}]"


def _sureness_text(sureness: str, held_out: Figures) -> str:
    fitted, signed = held_out.get("fitted_temperature", 0.0), held_out.get("signed_ece", 0.0)
    if not fitted:
        return "no temperature has least NLL, as for a teacher that is never wrong"
    return f"{sureness} (fitted temperature {fitted:.2f}, signed ECE {signed:+.3f})"
