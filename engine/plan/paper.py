"""What a paper costs: takes the plan and estimate of each of its experiments, gives sums in which a job counts once.

Experiments of a paper share jobs: a pack, a teacher's targets, a student. Each is laid to the first that needs it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from engine.plan import Plan
from engine.plan.estimate import Estimate


@dataclass(frozen=True)
class ExperimentCost:
    """One experiment: its runs and jobs, how many of the jobs are left and not of an earlier one, and what they take.

    `seconds` are of the clock of this machine, on one slot; None where something is missing that decides them.
    """

    name: str
    runs: int
    jobs: int
    left: int
    seconds: float | None
    bytes: int


@dataclass(frozen=True)
class PaperCost:
    experiments: tuple[ExperimentCost, ...]

    @property
    def seconds(self) -> float | None:
        """All experiments one after the other; None where that of one is not known."""
        known = [one.seconds for one in self.experiments if one.seconds is not None]
        return sum(known) if len(known) == len(self.experiments) else None

    @property
    def bytes(self) -> int:
        return sum(one.bytes for one in self.experiments)

    def as_json(self) -> dict[str, Any]:
        return {
            "experiments": [asdict(one) for one in self.experiments],
            "seconds": self.seconds,
            "bytes": self.bytes,
        }


def sum_paper(estimates: Sequence[tuple[Plan, Estimate]]) -> PaperCost:
    """Return the cost of experiments in this order."""
    seen: set[str] = set()
    return PaperCost(tuple(_cost(plan, estimate, seen) for plan, estimate in estimates))


def _cost(plan: Plan, estimate: Estimate, seen: set[str]) -> ExperimentCost:
    """Count what no earlier experiment does; the jobs of an experiment share slots as its own estimate says."""
    left = [item for item in estimate.jobs if not item.is_reused]
    own = [item for item in left if (item.job.job or item.job.key) not in seen]
    seen.update(item.job.job or item.job.key for item in own)
    whole = sum(item.seconds for item in left)
    share = sum(item.seconds for item in own) / whole if whole else 0.0
    is_known = all(job.reason is None for job in plan.jobs)
    seconds = estimate.seconds * share if is_known else None
    return ExperimentCost(
        plan.spec.name, len(plan.runs), len(plan.jobs), len(own), seconds, sum(item.bytes for item in own)
    )
