"""How a plan departs from what is registered: takes a plan and a home, gives what a submit would change.

The newest submission is what is registered. A run is kept where its arm, cell and seed mean the same run still.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from engine.home.paths import Home
from engine.home.records import read_record
from engine.plan import Plan
from engine.plan.estimate import Estimate
from engine.plan.subset import needed_jobs
from engine.spec.dotted import flatten_settings
from engine.spec.identity import canonical_json

Settings = Mapping[str, Any]


@dataclass(frozen=True)
class ArmChange:
    """The runs of an arm: kept, changed (the same place, another run), new, dropped; seconds of work for those to do.

    Jobs that two arms need count for the first of them.
    """

    arm: str
    kept: int
    changed: int
    new: int
    dropped: int
    seconds: float


@dataclass(frozen=True)
class Departure:
    """`submission` is the number of the newest one, None where nothing is registered under the name.

    `settings` says in a line each what changed, and in which arms.
    """

    submission: int | None
    arms: tuple[ArmChange, ...]
    settings: tuple[str, ...]

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "arms": [asdict(arm) for arm in self.arms], "settings": list(self.settings)}

    @property
    def is_same(self) -> bool:
        return not any(arm.changed or arm.new or arm.dropped for arm in self.arms)


def find_departure(plan: Plan, estimate: Estimate, home: Home, arms_only: Sequence[str] = ()) -> Departure:
    """Return what a submit of `plan` would change, in some arms alone if any are named.

    Raises HomeError where the newest submission is damaged.
    """
    records = home.records(plan.spec.name)
    old = read_record(records[-1])["runs"] if records else []
    old = [run for run in old if not arms_only or run["arm"] in arms_only]
    new = [{**vars(run), "settings": dict(run.settings)} for run in plan.runs]
    seconds = _seconds_by_arm(plan, estimate)
    arms = dict.fromkeys([*(run["arm"] for run in new), *(run["arm"] for run in old)])
    changes = [_arm_change(arm, old, new, seconds.get(arm, 0.0)) for arm in arms]
    return Departure(int(records[-1].stem) if records else None, tuple(changes), tuple(_changed_settings(old, new)))


def _arm_change(arm: str, old: Sequence[Settings], new: Sequence[Settings], seconds: float) -> ArmChange:
    before, after = (
        {(run["cell"], run["seed"]): run["run"] for run in runs if run["arm"] == arm} for runs in (old, new)
    )
    both = before.keys() & after.keys()
    kept = sum(before[place] == after[place] for place in both)
    return ArmChange(arm, kept, len(both) - kept, len(after) - len(both), len(before) - len(both), seconds)


def _seconds_by_arm(plan: Plan, estimate: Estimate) -> dict[str, float]:
    known = {job.key: job for job in plan.jobs}
    left = {item.job.key: item.seconds for item in estimate.jobs if not item.is_reused}
    found, paid = dict[str, float](), set[str]()
    for arm in dict.fromkeys(run.arm for run in plan.runs):
        keys = needed_jobs(known, [run for run in plan.runs if run.arm == arm]) - paid
        paid |= keys
        found[arm] = sum(left.get(key, 0.0) for key in keys)
    return found


def _changed_settings(old: Sequence[Settings], new: Sequence[Settings]) -> list[str]:
    """Say what differs between runs of the same place, once for all the arms in which it does."""
    before, after = ({(run["arm"], run["cell"], run["seed"]): run["settings"] for run in runs} for runs in (old, new))
    told: dict[str, dict[str, None]] = {}
    for place in (place for place in after if place in before):
        first, second = (flatten_settings(runs[place], with_empty=True) for runs in (before, after))
        for path in sorted(first.keys() | second.keys()):
            values = [canonical_json(one.get(path)) for one in (first, second)]
            if values[0] != values[1]:
                told.setdefault(f"{path}: {values[0]} -> {values[1]}", {})[place[0]] = None
    count = len({run["arm"] for run in new})
    return [f"{line} ({_arms_text([*arms], count)})" for line, arms in told.items()]


def _arms_text(arms: Sequence[str], count: int) -> str:
    return "all arms" if len(arms) == count > 1 else ", ".join(arms)
