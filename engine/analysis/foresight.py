"""What an experiment can show before anything of it runs: takes its plan, gives lines on differences, seeds and cost.

The level is the verdict's: Holm over all claims that a sample decides, at every point of the matrix; without claims,
over the changes against the baseline. Spreads are those that this home has measured of the experiment, else assumed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from statistics import median

from engine.analysis.compare import compare_arms
from engine.analysis.crossed import LEAST_SEEDS
from engine.analysis.power import ASSUMED_DISCORDANCE, ASSUMED_SEED_SD, Design, assumed_design, design_of
from engine.analysis.snapshot import Snapshot, one_snapshot
from engine.errors import QueryError
from engine.home.paths import Home
from engine.plan import Plan
from engine.spec import Spec
from store.metrics import METRICS, metric_of


@dataclass(frozen=True)
class Foresight:
    """The design of an experiment; `told` names the tests that share a level, `measured` says whose spreads it has."""

    design: Design
    told: str
    test_images: int | None
    measured: bool

    @property
    def can_decide(self) -> bool:
        return self.design.seeds >= LEAST_SEEDS


def foresee(plan: Plan, home: Home) -> Foresight:
    """Return what the runs of `plan` can show of test accuracy."""
    spec, seeds = plan.spec, len(plan.spec.seeds)
    tests, told = _tests_of(spec, len({run.cell for run in plan.runs}))
    known = _measured_design(home, spec)
    design = known and replace(known, seeds=seeds, tests=tests)
    return Foresight(design or assumed_design(seeds, plan.test_images, tests), told, plan.test_images, bool(known))


def _tests_of(spec: Spec, points: int) -> tuple[int, str]:
    sampled = [one for one in spec.claims if one.metric in METRICS and not metric_of(one.metric).exact]
    count, word = (len(sampled), "claim") if sampled else (max(len(spec.arm_names) - 1, 1), "change")
    tests = count * max(points, 1)
    return tests, f"{tests} {word}{'s' if tests > 1 else ''}"


def _measured_design(home: Home, spec: Spec) -> Design | None:
    """Return the median spreads of this experiment's arms against its baseline, None where none are measured."""
    base = spec.baseline or spec.arm_names[0]
    try:
        with one_snapshot(home) as snapshot:
            pairs = [(f"{spec.name}/{arm}", f"{spec.name}/{base}") for arm in spec.arm_names if arm != base]
            found = [design for pair in pairs for design in _designs_between(snapshot, *pair)]
    except QueryError:
        return None
    if not found:
        return None
    seed_sd, image_error = (median(getattr(one, name) for one in found) for name in ("seed_sd", "image_error"))
    return Design(found[0].seeds, seed_sd, image_error)


def _designs_between(snapshot: Snapshot, first: str, second: str) -> list[Design]:
    try:
        compared = compare_arms(snapshot, first, second, "test_top1", anyway=True)
    except QueryError:
        return []
    return [design for design in (design_of(one.difference) for one in compared) if design is not None and design.error]


def detect_lines(seen: Foresight) -> list[str]:
    """Return what the design can detect, and where the figures come from."""
    design, images = seen.design, seen.test_images
    source = "spreads as this home has measured them" if seen.measured else _assumption(images)
    if not seen.can_decide:
        seeds = "1 seed" if design.seeds == 1 else f"{design.seeds} seeds"
        return [f"with {seeds} no difference of accuracy can be decided; can detect some from {LEAST_SEEDS} seeds on"]
    points = f"{100 * design.detectable():.1f} points of test accuracy"
    share = f"; {100 * design.image_share:.0f} % of the error is of the {images} test images" if images else ""
    return [f"with {design.seeds} seeds and {seen.told}: can detect {points} (power 80 %){share}; {source}"]


def _assumption(images: int | None) -> str:
    luck = f", networks that tell {100 * ASSUMED_DISCORDANCE:.0f} % of the images differently" if images else ""
    return f"assumed, as nothing is measured yet: seeds that differ by {100 * ASSUMED_SEED_SD:g} points{luck}"


def power_lines(seen: Foresight, points: float, seed_seconds: float) -> list[str]:
    """Return how many seeds a difference of `points` percentage points needs, and what the further ones cost."""
    needed, here = seen.design.seeds_needed(points / 100), 100 * seen.design.power_of(points / 100)
    now = f"with {seen.design.seeds} seeds the power for {points:g} points is {here:.0f} %" if seen.can_decide else ""
    if needed is None:
        return [*([now] if now else []), f"no number of seeds detects {points:g} points on these test images"]
    needed = max(needed, LEAST_SEEDS)
    more = needed - seen.design.seeds
    cost = f", {more} more: about {_hours(more * seed_seconds)} of work" if more > 0 and seed_seconds else ""
    return [*([now] if now else []), f"to detect {points:g} points (power 80 %, {seen.told}): {needed} seeds{cost}"]


def seed_seconds(plan: Plan, seconds: Mapping[str, float]) -> float:
    """Return what one more seed costs: the jobs that the runs of one seed alone need; `seconds` by the job's key."""
    users: dict[str, set[int]] = {}
    for run in plan.runs:
        for key in run.jobs.values():
            users.setdefault(key, set()).add(run.seed)
    own = [seconds.get(key, 0.0) for key, seeds in users.items() if len(seeds) == 1]
    return sum(own) / len(plan.spec.seeds) if len(plan.spec.seeds) > 1 else sum(own)


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:.1f} h" if seconds >= 3600 else f"{max(round(seconds / 60), 1)} min"
