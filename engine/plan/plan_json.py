"""A plan as JSON: takes a plan and its estimate, gives plain values as the contract words them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from engine.plan import Plan, count_passes
from engine.plan.estimate import Estimate
from engine.plan.latency import Foretold


def plan_json(plan: Plan, estimate: Estimate, foretold: Sequence[Foretold] = ()) -> dict[str, Any]:
    """Return a plan as the contract words it; ids are null while something is missing.

    `latency` has the arms' networks of which this machine can tell it.
    """
    ids, passes = {job.key: job.job for job in plan.jobs}, count_passes(plan)
    return {
        "runs": [
            {
                "run": run.run if not plan.is_provisional else None,
                "arm": run.arm,
                "cell": run.cell,
                "seed": run.seed,
                "jobs": {role: ids[key] for role, key in run.jobs.items()},
            }
            for run in plan.runs
        ],
        "jobs": [
            {
                "job": item.job.job,
                "id": item.job.job,
                "kind": item.job.kind,
                "state": item.state if item.job.job else "provisional",
                "reused": item.is_reused,
                "seconds": item.seconds,
                "bytes": item.bytes,
                "memory": estimate.memory(item.job),
                "needs": [ids[need] for need in item.job.needs.values()],
                "reason": item.job.reason,
            }
            for item in estimate.jobs
        ],
        "seconds": estimate.seconds,
        "bytes": estimate.bytes,
        "teacher_passes": asdict(passes) if passes else None,
        "notes": list(plan.notes),
        "latency": [one.as_json() for one in foretold],
    }
