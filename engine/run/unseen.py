"""What a network of ImageNet has not seen: takes packed images, gives those rows, and whether it is as good as known.

A teacher that is taken as its weights come, over classes of ImageNet, was trained on ImageNet's train images. It is
judged, calibrated and called sure on other images alone: those whose names say ILSVRC2012_val, and, with data.given:
test, those of the folder that came as the test part unless their names say that they are train images.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from engine.core.data.pack import Pack
from engine.errors import JobError
from engine.inputs.quotas import held_part
from engine.inputs.splits import Rows
from engine.spec import Data
from engine.spec.architectures import WORDNET_ID
from engine.spec.job_settings import TargetsSettings
from engine.spec.timm_views import listed_top1

IMAGENET_CLASSES = 1000
LEAST_IMAGES, LEAST_CLASSES = 50, 5  # fewer say too little of an accuracy
MARGIN = 0.05
# One-sided 2.5 % of a normal: how far chance alone brings an accuracy down.
DEVIATIONS = 2.0


@dataclass(frozen=True)
class HeadSkill:
    """Top-1 among all classes of a head, on `images` images; `error` is its standard error for ImageNet's classes."""

    top1: float
    error: float
    images: int
    classes: int


def unseen_rows(pack: Pack, data: Data) -> Rows | None:
    """Return the rows that a network of ImageNet was not trained on, None where the classes are none of ImageNet's.

    A near-duplicate of an image that it may have seen is none of them.
    """
    if not all(WORDNET_ID.fullmatch(name) for name in pack.class_names):
        return None
    part = held_part(pack.parts) if data.given == "test" else None
    unseen = np.array([_is_unseen(*row, part) for row in zip(pack.origins, pack.parts, strict=True)], dtype=bool)
    shared = np.unique(pack.groups[~unseen])
    return np.flatnonzero(unseen & ~np.isin(pack.groups, shared)).astype(np.int64)


def _is_unseen(origin: str, part: str, held: str | None) -> bool:
    return origin == "val" or (origin == "" and held is not None and part == held)


def seen_share(rows: Rows, unseen: Rows) -> float:
    """Return the share of `rows` that are not among `unseen`."""
    return float(1 - np.isin(rows, unseen).mean())


def head_skill(right: Tensor, labels: Tensor) -> HeadSkill:
    """Return the accuracy of bool (n,) answers on images of `labels` int64 (n,), with its standard error.

    The classes here are some of ImageNet's 1000, and classes differ: between K classes whose accuracies deviate by s
    the mean is known to s sqrt((1 - K / 1000) / K) (Cochran 1977, a sample without replacement), beside the binomial
    error of the images.
    """
    by_class = [right[labels == label].double().mean() for label in sorted(set(labels.tolist()))]
    count, top1 = len(by_class), float(right.double().mean())
    spread = float(torch.stack(by_class).var()) if count > 1 else 0.0
    between = spread * max(0.0, 1 - count / IMAGENET_CLASSES) / count
    return HeadSkill(top1, math.sqrt(between + top1 * (1 - top1) / len(right)), len(right), count)


def expected_top1(settings: TargetsSettings) -> float | None:
    """Return the accuracy to expect of all of a teacher's classes: the spec's number, else what timm's list has."""
    if isinstance(settings.expect, float):
        return settings.expect
    return listed_top1(settings.network.arch, settings.network.weights == "pretrained")


def unchecked_reason(settings: TargetsSettings, outputs: int, pack: Pack, unseen: Rows | None) -> str | None:
    """Return why a teacher's accuracy cannot be put beside a known one, None where it can."""
    if unseen is None:
        return "the classes are not ImageNet's"
    if outputs != IMAGENET_CLASSES:
        return f"its head has {outputs} classes, and accuracies are known for {IMAGENET_CLASSES}"
    if expected_top1(settings) is None:
        return "no accuracy of these weights is known"
    classes = len(np.unique(pack.labels[unseen]))
    if len(unseen) < LEAST_IMAGES or classes < LEAST_CLASSES:
        least = f"{LEAST_IMAGES} of {LEAST_CLASSES} classes are the least"
        return f"there are {len(unseen)} images of {classes} classes that it has not seen, and {least}"
    return None


def require_known(settings: TargetsSettings, skill: HeadSkill) -> None:
    """Raise JobError where a teacher is MARGIN or more, beyond chance, below what its weights are known for."""
    expected = expected_top1(settings)
    if expected is None or settings.expect == "any" or skill.top1 + DEVIATIONS * skill.error > expected - MARGIN:
        return
    whose = "the spec expects" if isinstance(settings.expect, float) else "timm's list has for these weights"
    what = (
        f"the teacher is right on {skill.top1:.1%} of {skill.images} images that it has not seen, of all its classes "
        f"(standard error {skill.error:.1%}), and {whose} {expected:.1%}"
    )
    fix = (
        f"it looks at {settings.data.image_size} px: check teacher.image_size, teacher.mean and teacher.std, the order "
        "of its classes, and whether these are the weights that were meant; if it is to teach all the same (these "
        "classes may be harder than the others), set teacher.expect: any, or to a number"
    )
    raise JobError(what, where="teacher", fix=fix)
