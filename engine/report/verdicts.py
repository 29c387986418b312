"""What a teacher's figures say of two explanations for a poor student: takes figures and arms, gives verdicts in words.

Pure rules, each with its numbers here and its source:
    over-confident   temperature of least NLL above 1.1 and signed ECE above 0 on images it did not train on
                     (Guo et al. 2017, On calibration of modern neural networks)
    near one-hot     more than half of the training images above 0.99, mean entropy below 0.25 nats: a student then
                     learns little beyond the label (Li et al. 2022, Asymmetric temperature scaling)
    comes closer     KL from the teacher on test images below that of untaught students of the same shape, its paired
                     interval below 0: all that fit the labels agree with a good teacher (Stanton et al. 2021, Does
                     knowledge distillation really work?)
Observation never proves a cause. A verdict needs an arm that removes the cause, all else equal, and the untaught twin:
it is `supported` where the paired interval of test accuracy, widened where several are tried, lies above 0, `not
supported` where all lie below, and else cannot be told. Noisy labels are removed by softening the teacher, a capacity
gap by teacher assistants whose accuracy lies between teacher and student (Mirzadeh et al. 2020).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from engine.analysis.agreement import Following
from engine.analysis.power import ALPHA
from engine.analysis.statistics import Interval
from engine.report.sentences import PART_TEXTS, say

OVER, UNDER = 1.1, 0.9
SURE_SHARE, LOW_ENTROPY = 0.5, 0.25
Figures = Mapping[str, float]
Word = Literal["supported", "not_supported", "open"]


@dataclass(frozen=True)
class Remedy:
    """An arm that differs from another in one remedy alone, and what that did to test accuracy over common seeds.

    `condition` says whether what the remedy needs to be one is met, in words; it counts only where `is_sound`.
    """

    arm: str
    against: str
    interval: Interval | None
    is_sound: bool = True
    condition: str = ""


@dataclass(frozen=True)
class Look:
    """A teacher's figures on the part it is judged on and on what its students train on.

    `is_unknown`: what its weights were trained on before is not known.
    """

    held_out: Figures
    train: Figures
    part: str = "test"
    train_part: str = "train"
    is_unknown: bool = False

    @property
    def is_fresh(self) -> bool:
        """Whether it is judged on images that it surely did not train on."""
        return not self.is_unknown and self.part in ("val", "test")


@dataclass(frozen=True)
class Control:
    """What the untaught twins say: in words, whether they say anything, and what would let them."""

    text: str
    is_known: bool
    advice: str = ""


@dataclass(frozen=True)
class Verdict:
    """The outcome for one explanation, its reason, and what to add where it cannot be told."""

    word: Word
    reason: str
    advice: tuple[str, ...] = ()


def judge_sureness(held_out: Figures) -> str:
    """Return how sure a teacher is for how often it is right."""
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


def judge_following(followings: Sequence[Following], arm: str) -> Control:
    """Return what untaught twins say of the students of a teacher; `arm` is one that hears it."""
    told = [one for one in followings if one.part == "test"]
    if not told:
        return Control(say("no_untaught"), False, say("add_untaught", arm=arm))
    level = 1 - ALPHA / len(told)
    known = [one for one in told if _edges(one.divergence(level)) is not None]
    text = "; ".join(_following_text(one, level) for one in told)
    if known:
        return Control(text, True)
    first = next((one for one in told if one.taught), None)
    if first is None:
        return Control(text, False, say("add_answers", arm=told[0].arm, against=told[0].against))
    return Control(text, False, say("add_seeds", arms=f"{first.arm} and {first.against}"))


def _following_text(one: Following, level: float) -> str:
    pair = {"arm": one.arm, "against": one.against}
    divergence, agreement = one.divergence(level), one.agreement(level)
    if divergence is None or agreement is None:
        return say("no_answers", **pair)
    edges = _edges(divergence)
    if edges is None:
        return say("no_interval", **pair)
    kl = f"{divergence.mean:+.3g} [{edges[0]:+.3g}, {edges[1]:+.3g}]"
    figures = say("figures", kl=kl, agreement=_points_text(agreement), images=one.images, n=divergence.n)
    name = "closer" if edges[1] < 0 else "farther" if edges[0] > 0 else "as_close"
    return say(name, figures=figures, **pair)


def _points_text(interval: Interval) -> str:
    edges = _edges(interval)
    middle = f"{100 * interval.mean:+.2f}"
    if edges is None:
        return middle
    low, high = max(edges[0], -1.0), min(edges[1], 1.0)  # no share moves by more
    return f"{middle} [{100 * low:+.2f}, {100 * high:+.2f}]"


def _edges(interval: Interval | None) -> tuple[float, float] | None:
    if interval is None or interval.low is None or interval.high is None:
        return None
    return interval.low, interval.high


def judge_noise(look: Look, control: Control, softened: Sequence[Remedy], add: str) -> Verdict:
    """Judge 'the labels of this teacher are too sure to teach' (noisy labels); `add` says which arm would tell."""
    sureness, one_hot = judge_sureness(look.held_out), is_near_one_hot(look.train)
    about = [_sureness_text(sureness, look)]
    about += [say("one_hot", where=PART_TEXTS[look.train_part])] if one_hot else []
    reason = "; ".join([" and ".join(about), control.text, *_remedy_lines(softened, "softening")])
    if sureness in ("calibrated", "under-confident") and not one_hot and look.is_fresh:
        return Verdict("not_supported", reason)
    if sureness != "over-confident" and not one_hot:
        return Verdict("open", reason, () if look.is_fresh else (say("other_images"),))
    return _judge_cause(reason, control, softened, add)


def judge_capacity(control: Control, assisted: Sequence[Remedy], add: str, *, is_direct: bool = True) -> Verdict:
    """Judge 'this teacher is too far above the student' (capacity gap); `add` says which arm would tell."""
    lines = _remedy_lines(assisted, "an assistant")
    if not is_direct:
        return Verdict("open", "; ".join([say("not_direct"), *lines]), (add,))
    return _judge_cause("; ".join([control.text, *lines]), control, assisted, add)


def _judge_cause(reason: str, control: Control, remedies: Sequence[Remedy], add: str) -> Verdict:
    """Judge a cause that may be there, by the arms that remove it and by the untaught twin."""
    sound = [remedy for remedy in remedies if remedy.is_sound]
    outcomes = [judge_remedy(remedy) for remedy in sound]
    advice = (control.advice,) if not control.is_known else ()
    if not sound:
        return Verdict("open", reason, (*advice, add))
    if not control.is_known:
        return Verdict("open", reason, advice)
    if "recovered" in outcomes:
        return Verdict("supported", reason)
    if set(outcomes) == {"worse"}:
        return Verdict("not_supported", reason)
    open_arms = {
        arm: None for remedy in sound if judge_remedy(remedy) == "open" for arm in (remedy.arm, remedy.against)
    }
    return Verdict("open", reason, (say("add_seeds", arms=", ".join(open_arms)),))


def judge_remedy(remedy: Remedy) -> str:
    """Return `recovered`, `worse`, or `open` where the interval holds 0 or there is none."""
    edges = _edges(remedy.interval)
    if edges is None:
        return "open"
    return "recovered" if edges[0] > 0 else "worse" if edges[1] < 0 else "open"


def _remedy_lines(remedies: Sequence[Remedy], what: str) -> list[str]:
    if not remedies:
        return [say("no_remedy", what=what)]
    return [text for remedy in remedies for text in (remedy_text(remedy), remedy.condition) if text]


def remedy_text(remedy: Remedy) -> str:
    """Return the change of test accuracy in points with its t interval over common seeds."""
    interval, edges = remedy.interval, _edges(remedy.interval)
    if interval is None or edges is None:
        return say("remedy_alone", arm=remedy.arm, against=remedy.against)
    mean, low, high = (100 * value for value in (interval.mean, *edges))
    said = judge_remedy(remedy).replace("open", "undecided")
    return say("remedy", arm=remedy.arm, against=remedy.against, mean=mean, low=low, high=high, said=said)


def _sureness_text(sureness: str, look: Look) -> str:
    where = PART_TEXTS[look.part]
    if "fitted_temperature" not in look.held_out:
        return say("not_examined", where=where)
    fitted, signed = look.held_out["fitted_temperature"], look.held_out.get("signed_ece", 0.0)
    if not fitted:
        return say("no_fit", where=where)
    return say("sure", sureness=sureness, where=where, fitted=fitted, signed=signed)
