"""Leaks: takes what a network's ancestors have seen and the parts of a run's split, gives a refusal or warnings.

A test image that decided any weights, or a temperature, on the way to a network is no test of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from engine.errors import DataError
from engine.inputs.image_keys import Parts
from engine.inputs.lineage import Exposure, Lineage

UNSURE_SHARE = 0.05
"""Of the test images: before a pack is made, near-duplicates move a few images between the parts (in Caltech-101 2.5 %
of the images have one). What lies below is counted when the pack is there, by the job, before it trains."""
UNKNOWN = ": of unknown training: it may have been trained on this run's test images"
MOST_NAMES = 3
FIX = (
    "use the data.split, split_seed, nested and given that those weights were trained with, "
    "or weights that have not seen these images"
)


class LeakError(DataError):
    """A run would be tested on images that its network has learnt from, by itself or by an ancestor."""


@dataclass(frozen=True)
class _Overlap:
    """How many of the `whole` images of a part of a run somebody before it has seen."""

    seen: Exposure
    count: int
    whole: int
    is_exact: bool

    @property
    def is_sure(self) -> bool:
        return self.is_exact or self.count > UNSURE_SHARE * self.whole

    def __str__(self) -> str:
        about = "" if self.is_exact else "about "
        return f"{_chain(self.seen)}: {about}{self.count} of {self.whole}"


def judge_lineage(lineage: Lineage, parts: Parts | None) -> tuple[LeakError | None, list[str]]:
    """Return why a run with these parts cannot be, and what a person should know of it otherwise.

    `parts` are None while the run's images are not here.
    """
    warnings = [_unknown(name) for name in lineage.unknown]
    if parts is None:
        return None, warnings
    fitted = [overlap for overlap in _overlaps(lineage, parts, "test") if overlap.seen.how != "chosen on"]
    leaks = [overlap for overlap in fitted if overlap.is_sure]
    if leaks:
        return _refuse(max(leaks, key=lambda leak: leak.count)), warnings
    warnings += [
        f"{overlap} test images of this run may have been {overlap.seen.how}: "
        "they are counted when the images are packed, before anything is trained"
        for overlap in fitted
    ]
    return None, warnings + list(_lesser(lineage, parts))


def _refuse(leak: _Overlap) -> LeakError:
    return LeakError(f"{leak} test images of this run were {leak.seen.how}", fix=FIX)


def _lesser(lineage: Lineage, parts: Parts) -> Iterator[str]:
    """Yield what biases a choice and not the test itself."""
    for overlap in _overlaps(lineage, parts, "test"):
        if overlap.seen.how == "chosen on":
            yield f"{overlap} test images of this run chose its checkpoint"
    for overlap in _overlaps(lineage, parts, "val"):
        if overlap.seen.how == "trained on":
            yield (
                f"{overlap} validation images of this run were trained on: "
                "a checkpoint or a temperature that they choose is not chosen on unseen images"
            )


def _overlaps(lineage: Lineage, parts: Parts, part: str) -> Iterator[_Overlap]:
    ours = parts.test if part == "test" else parts.val
    for seen in lineage.exposures:
        count = len(ours & seen.images)
        if count:
            yield _Overlap(seen, count, len(ours), parts.is_exact and seen.is_exact)


def _chain(seen: Exposure) -> str:
    return f"{' <- '.join(seen.path)} ({seen.what})"


def _unknown(name: str) -> str:
    return f"{name}{UNKNOWN}"


def join_unknown(warnings: Iterable[str]) -> list[str]:
    """Return warnings in their order, those of unknown training as one that names the first networks and counts all."""
    told = list(warnings)
    names = [line.removesuffix(UNKNOWN) for line in told if line.endswith(UNKNOWN)]
    if len(names) < 2:
        return told
    more = f" and {len(names) - MOST_NAMES} more" if len(names) > MOST_NAMES else ""
    joined = f"{len(names)} networks, {', '.join(names[:MOST_NAMES])}{more}{UNKNOWN}"
    first = next(at for at, line in enumerate(told) if line.endswith(UNKNOWN))
    return [
        joined if at == first else line for at, line in enumerate(told) if at == first or not line.endswith(UNKNOWN)
    ]
