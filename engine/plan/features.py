"""Features of a teacher: takes a run's context and who teaches, gives what its targets keep of each view.

Layers that are not there, or whose channels cannot be compared, are refused before anything is made. Layers are known
to torch alone: a child process builds both networks without memory.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.errors import DataError
from engine.plan.child import ask_child
from engine.plan.draft import PlanContext
from engine.plan.teacher import TeacherLink
from engine.spec import Network, Student
from engine.spec.features import Feature, KeptFeature, kept_features

MODULE = "engine.core.distill.layer_shapes"
NUMBER_BYTES = {"fp16": 2, "fp32": 4}
Shapes = Mapping[str, Sequence[int]]


@dataclass(frozen=True)
class HeardFeatures:
    """What is kept of a teacher's layers beside its logits, and the bytes of it for one view of an image."""

    kept: tuple[KeptFeature, ...] = ()
    row_bytes: int = 0


def plan_features(context: PlanContext, link: TeacherLink) -> HeardFeatures:
    """Return what the student of this run hears of the layers of `link`. Raises DataError that names the entry."""
    features, size = context.settings.distill.features, context.settings.data.image_size
    if not features:
        return HeardFeatures()
    student = _shapes(context, context.settings.student, size, "student", [one.student for one in features])
    names = [one.teacher for one in features if one.kept is not None]
    teacher = _shapes(context, link.about.network, link.data.image_size, "teacher", names) if names else {}
    for place, feature in enumerate(features):
        _check_channels(place, feature, student, teacher)
    kept = kept_features(features)
    return HeardFeatures(tuple(kept), sum(_bytes(one, teacher) for one in kept))


def _shapes(context: PlanContext, network: Network, size: int, side: str, names: Sequence[str]) -> Shapes:
    """Return [channels, side] of each layer; nothing where nobody could tell."""
    words = {name: getattr(network, name) for name in Network.model_fields}
    question: dict[str, Any] = {
        "network": Student.model_validate(words).model_dump(mode="json"),
        "outputs": context.num_classes or 2,
        "image_size": size,
        "layers": list(dict.fromkeys(names)),
    }
    found = ask_child(context.draft.home, MODULE, question) or {}
    if problem := found.get("problem"):
        layer, what, fix = problem
        entries = [getattr(one, side) for one in context.settings.distill.features]
        place = entries.index(layer) if layer in entries else 0
        raise DataError(f"{what} in {network.arch}", where=f"distill.features.{place}.{side}", fix=fix)
    shapes: Shapes = found.get("shapes", {})
    return shapes


def _check_channels(place: int, feature: Feature, student: Shapes, teacher: Shapes) -> None:
    if feature.student not in student or feature.teacher not in teacher:
        return
    inner, outer = student[feature.student][0], teacher[feature.teacher][0]
    if feature.refuses(inner, outer):
        what, fix = feature.channel_problem(inner, outer)
        raise DataError(what, where=f"distill.features.{place}.projector", fix=fix)


def _bytes(kept: KeptFeature, teacher: Shapes) -> int:
    channels = teacher.get(kept.layer, [0])[0] if kept.keeps == "map" else 1
    return kept.pool**2 * channels * NUMBER_BYTES[kept.dtype]
