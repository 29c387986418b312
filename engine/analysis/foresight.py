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
from engine.analysis.power import (
    ASSUMED_DISCORDANCE,
    ASSUMED_SEED_SD,
    MOST_SEEDS,
    POWER,
    Design,
    assumed_design,
    design_of,
)
from engine.analysis.sentences import say
from engine.analysis.snapshot import Snapshot, one_snapshot
from engine.errors import QueryError
from engine.home.paths import Home
from engine.plan import Plan
from engine.spec import Spec
from store.amounts import counted
from store.metrics import METRICS, metric_of

COUNTLESS = 10**12  # seeds: what they leave of the error is of the test images


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
    spec, seeds = plan.spec, _count_seeds(plan.spec)
    tests, told = _tests_of(spec, len({run.cell for run in plan.runs}))
    known = _measured_design(home, spec)
    design = known and replace(known, seeds=seeds, tests=tests)
    return Foresight(design or assumed_design(seeds, plan.test_images, tests), told, plan.test_images, bool(known))


def _count_seeds(spec: Spec) -> int:
    """Return the seeds of what is compared: of a search those on which its best are trained anew."""
    final = None if spec.search is None else spec.search.final
    return len(spec.seeds) if final is None else len(final.seeds)


def _tests_of(spec: Spec, points: int) -> tuple[int, str]:
    sampled = [one for one in spec.claims if one.metric in METRICS and not metric_of(one.metric).exact]
    count, word = (len(sampled), "claim") if sampled else (max(len(spec.arm_names) - 1, 1), "change")
    tests = count * max(points, 1)
    return tests, counted(tests, word)


def _measured_design(home: Home, spec: Spec) -> Design | None:
    """Return the median spreads of this experiment's arms against its baseline, None where none are measured."""
    arms = [spec.judged_arm(arm) for arm in spec.arm_names]
    base = spec.judged_baseline or arms[0]
    try:
        with one_snapshot(home) as snapshot:
            pairs = [(f"{spec.name}/{arm}", f"{spec.name}/{base}") for arm in arms if arm != base]
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
    source = say("measured_spreads") if seen.measured else _assumption(images)
    if not seen.can_decide:
        return [say("cannot_decide", seeds=counted(design.seeds, "seed"), least=LEAST_SEEDS)]
    share = say("share_of_images", share=100 * design.image_share, images=images) if images else ""
    about = {"n": design.seeds, "told": seen.told, "points": 100 * design.detectable()}
    return [say("can_detect", **about, share=share, source=source)]


def _assumption(images: int | None) -> str:
    luck = say("assumed_images", share=100 * ASSUMED_DISCORDANCE) if images else ""
    return say("assumed_spreads", points=100 * ASSUMED_SEED_SD, luck=luck)


def power_lines(seen: Foresight, points: float, seed_seconds: float) -> list[str]:
    """Return how many seeds a difference of `points` percentage points needs, and what the further ones cost."""
    needed, here = seen.design.seeds_needed(points / 100), 100 * seen.design.power_of(points / 100)
    told = [say("power_here", n=seen.design.seeds, points=points, power=here)] if seen.can_decide else []
    if needed is None:
        return [*told, say(_beyond(seen.design, points), points=points, most=MOST_SEEDS)]
    needed = max(needed, LEAST_SEEDS)
    more = needed - seen.design.seeds
    cost = say("cost_of_more", more=more, hours=_hours(more * seed_seconds)) if more > 0 and seed_seconds else ""
    return [*told, say("to_detect", points=points, told=seen.told, needed=needed, cost=cost)]


def _beyond(design: Design, points: float) -> str:
    """Return which sentence says that MOST_SEEDS are too few: whether any number would do is of the images alone."""
    return "beyond" if replace(design, seeds=COUNTLESS).power_of(points / 100) >= POWER else "never_enough"


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
