"""An arm as people write it: takes EXPERIMENT/ARM, gives the arm that the results have under it, and its runs.

Of an arm that is searched its best is meant, as claims mean it; a trial may be written with or without `trials/`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from engine.analysis.snapshot import Row, Snapshot
from engine.collect.files import trials_name
from engine.errors import QueryError, closest_hint
from engine.spec.search import BEST, MARK
from engine.spec.synonyms import hint_word
from store.metrics import METRICS

ENDING = trials_name("")


@dataclass(frozen=True)
class FoundArm:
    """An arm as the results name it, and its runs."""

    experiment: str
    arm: str
    runs: list[Row]

    @property
    def is_trial(self) -> bool:
        return self.experiment.endswith(ENDING)


def find_arm_runs(snapshot: Snapshot, name: str, metric: str) -> FoundArm:
    """Return what `EXPERIMENT/ARM` means. Raises QueryError for an arm or a metric that is not there."""
    found = next((one for one in _look(snapshot, name) if one.runs), None)
    if found is None:
        raise _unknown(snapshot, name)
    if metric not in METRICS:
        raise QueryError(f"there is no metric {metric!r}", fix=hint_word(metric, METRICS))
    return found


def _look(snapshot: Snapshot, name: str) -> Iterator[FoundArm]:
    for experiment, arm in _meanings(name):
        yield FoundArm(experiment, arm, list(snapshot.ask("compare_runs", experiment=experiment, arm=arm)))


def _meanings(name: str) -> Iterator[tuple[str, str]]:
    """Yield what may be meant, what is written first."""
    experiment, _, arm = name.partition("/")
    yield experiment, arm
    yield trials_name(experiment), arm.removeprefix(f"{ENDING[1:]}/")
    yield experiment, f"{arm}{BEST}"


def _unknown(snapshot: Snapshot, name: str) -> QueryError:
    known = [row["name"] for row in snapshot.ask("trace_arms")]
    experiment, _, arm = name.partition("/")
    if any(one.startswith(f"{trials_name(experiment)}/{arm}{MARK}") for one in known):
        front = [one for one in known if one.startswith(f"{name}{BEST}")]
        fix = f"name one of its best: {', '.join(front)}" if front else "write `final` in its search, and submit it"
        return QueryError(f"{name} is searched, and no single best of it was trained anew", fix=fix)
    return QueryError(f"there is no arm {name!r}", fix=closest_hint(name, known) if known else "submit one first")
