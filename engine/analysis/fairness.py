"""Whether two runs may be compared: takes their settings and surroundings, gives what differs beside the factor.

A fair comparison varies one factor and holds all else: the data and its split, the training, the code, and for speed
and memory the device. What is held counts as a factor only where it is the one thing that differs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.spec.job_kinds import KINDS
from store.metrics import metric_of

FACTORS = {
    "student.attention": "attention",
    "student": "student",
    "teacher": "teacher",
    "distill": "distillation",
    "prune": "pruning",
}  # the longest prefix that fits names the factor
TEST_IMAGES = (
    "data.source", "data.given", "data.split", "data.split_seed", "data.classes", "data.nested", "data.broken",
)  # fmt: skip
# What a reader should hear of first; a path that is none of these or under them comes after them, by name.
TELLING = (
    "the test set", "the images", *TEST_IMAGES, "train.epochs", "train.batch_size", "train.lr",
    "data.image_size", "the code", "the device", "teacher", "train", "data",
)  # fmt: skip
AT_ONCE = "factors at once"
MOST_SHOWN, WIDEST = 8, 40
# What decides no accuracy (devices are compared by themselves), and of it what decides no speed either
ASIDE = (*(kind.section for kind in KINDS.values() if kind.section), "resources", "train.threads")
ASIDE_OF_SPEED = (*(kind.section for kind in KINDS.values() if kind.section and not kind.figures), "resources")


@dataclass(frozen=True)
class Mismatch:
    """One thing that two runs do not have in common: a setting, the test images, the code or the device."""

    what: str
    first: Any
    second: Any

    def __str__(self) -> str:
        if self.what.endswith(AT_ONCE):
            return f"{self.what} ({self.first}, {self.second})"
        return f"{self.what} is {_show(self.first)} against {_show(self.second)}"


@dataclass(frozen=True)
class Fairness:
    """What a pair of runs differs in: the factors that are compared, and what should have been held."""

    factors: tuple[str, ...]
    unfair: tuple[Mismatch, ...]

    @property
    def is_fair(self) -> bool:
        return not self.unfair


@dataclass(frozen=True)
class Surroundings:
    """Of one run: its settings by dotted path, and what no setting says."""

    settings: Mapping[str, Any]
    code: str | None = None
    device: str | None = None
    images: str | None = None


def judge_pair(first: Surroundings, second: Surroundings, metric: str = "test_top1") -> Fairness:
    """Return what differs between two runs, and which of it makes comparing them on `metric` unfair."""
    different = list_mismatches(first.settings, second.settings, metric)
    by_factor: dict[str, list[Mismatch]] = {}
    for one in different:
        by_factor.setdefault(factor_of(one.what), []).append(one)
    by_factor = _without_dependents(by_factor, first.settings, second.settings)
    fixed = _test_images_of(first, second)
    unfair = [one for path in by_factor if path in fixed for one in by_factor[path]]
    studied = [name for name in by_factor if name in FACTORS.values()]
    held = [name for name in by_factor if name not in FACTORS.values() and name not in fixed]
    if studied or len(held) > 1:
        unfair += [one for name in held for one in by_factor[name]]
    if len(studied) > 1:
        unfair.append(Mismatch(f"{len(studied)} {AT_ONCE}", studied[0], ", ".join(studied[1:])))
    unfair += _outer_mismatches(first, second, metric)
    return Fairness(tuple(studied or held), tuple(sorted(unfair, key=tell_first)))


def _test_images_of(first: Surroundings, second: Surroundings) -> tuple[str, ...]:
    """Return the settings that decide the test images. Nested splits share them, whatever is left for training."""
    nested = all(one.settings.get("data.nested") is True for one in (first, second))
    return tuple(path for path in TEST_IMAGES if not (nested and path == "data.split"))


def tell_first(one: Mismatch) -> tuple[int, str]:
    """Return the place of a difference in a list for readers: other test images first, incidental settings last."""
    if one.what.endswith(AT_ONCE):
        return -1, one.what
    places = (at for at, name in enumerate(TELLING) if _is_under(one.what, (name,)))
    return next(places, len(TELLING)), one.what


def mismatch_lines(different: Sequence[Mismatch], most: int = MOST_SHOWN) -> list[str]:
    """Return the differences as a small table, the most telling first, and how many more there are."""
    told = sorted(different, key=tell_first)
    shown = [(one.what, _show(one.first), _show(one.second)) for one in told[:most]]
    wide = [max(len(row[at]) for row in shown) for at in range(2)] if shown else [0, 0]
    lines = [f"  {what:<{wide[0]}}  {first:<{wide[1]}}  {second}" for what, first, second in shown]
    left = len(told) - len(shown)
    return [*lines, f"  and {left} more settings: xp diff shows all"] if left > 0 else lines


def list_mismatches(first: Mapping[str, Any], second: Mapping[str, Any], metric: str = "test_top1") -> list[Mismatch]:
    """Return the settings that differ and that `metric` can depend on."""
    paths = sorted({*first, *second})
    aside = ASIDE_OF_SPEED if metric_of(metric).device_bound else ASIDE
    different = [path for path in paths if _same_form(first.get(path)) != _same_form(second.get(path))]
    return [Mismatch(path, first.get(path), second.get(path)) for path in different if not _is_under(path, aside)]


def factor_of(path: str) -> str:
    """Return the factor that a setting belongs to; a setting that is to be held is a factor of its own."""
    fitting = [prefix for prefix in FACTORS if _is_under(path, (prefix,))]
    return FACTORS[max(fitting, key=len)] if fitting else path


def _without_dependents(
    by_factor: dict[str, list[Mismatch]], first: Mapping[str, Any], second: Mapping[str, Any]
) -> dict[str, list[Mismatch]]:
    """Whether there is a teacher brings the distillation with it: together they are one factor."""
    untaught = [not any(path.startswith("teacher.") for path in settings) for settings in (first, second)]
    if "teacher" in by_factor and "distillation" in by_factor and any(untaught):
        merged = by_factor["teacher"] + by_factor["distillation"]
        return {name: held for name, held in by_factor.items() if name != "distillation"} | {"teacher": merged}
    return by_factor


def _outer_mismatches(first: Surroundings, second: Surroundings, metric: str) -> list[Mismatch]:
    mismatches = []
    if metric_of(metric).images != "none" and first.images != second.images:
        mismatches.append(Mismatch("the images", first.images, second.images))
    if first.code != second.code:
        mismatches.append(Mismatch("the code", first.code, second.code))
    if metric_of(metric).device_bound and first.device != second.device:
        mismatches.append(Mismatch("the device", first.device, second.device))
    return mismatches


def _is_under(path: str, prefixes: Sequence[str]) -> bool:
    return any(path == prefix or path.startswith(f"{prefix}.") for prefix in prefixes)


def _same_form(value: Any) -> str:
    """1 and 1.0 are one setting; a list is compared whole."""
    return json.dumps(int(value) if isinstance(value, float) and value.is_integer() else value, sort_keys=True)


def _show(value: Any) -> str:
    text = "not set" if value is None else value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= WIDEST else text[: WIDEST - 1] + "…"
