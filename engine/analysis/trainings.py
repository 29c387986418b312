"""What is known of who trained a network: takes an experiment, says of each of its networks known, pretrained, unknown.

`known`: by its own trainings here, all of whose images are known. `pretrained`: it comes from published weights.
`unknown`: it comes from a weights file that says nothing of its training: it may have seen any image.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

from engine.analysis.sentences import say
from engine.analysis.snapshot import Row, Snapshot
from engine.home.paths import Home
from engine.inputs.ancestors import DIGEST_MARK, TAUGHT_BY, stored_words
from engine.inputs.lineage import Training
from engine.inputs.trained import TrainedNetworks

UNKNOWN = "of unknown training"
WORST: tuple[Training, ...] = ("unknown", "pretrained", "known")


@dataclass(frozen=True)
class NetworkTraining:
    """One network of an arm at a point: its job, the role of that job, and what is known of its training."""

    arm: str
    cell: str
    role: str
    job: str
    training: Training


def read_trainings(snapshot: Snapshot, experiment: str, arm: str | None = None) -> list[NetworkTraining]:
    """Return the networks of an experiment (of `arm` alone, where one is named) by arm, point and role.

    What a job's journal says counts.
    """
    networks = snapshot.keep(("trainings", experiment), lambda: _judge_networks(snapshot, experiment))
    return [one for one in networks if arm in (None, one.arm)]


def _judge_networks(snapshot: Snapshot, experiment: str) -> list[NetworkTraining]:
    rows = snapshot.ask("trainings", name=experiment)
    judge = _Judge(snapshot.home, {row["job"]: row for row in rows})
    return [NetworkTraining(row["arm"], row["cell"], row["role"], row["job"], judge.of(row["job"])) for row in rows]


def unknown_jobs(networks: Sequence[NetworkTraining]) -> set[str]:
    """Return the jobs whose networks, or whose teachers, are of unknown training."""
    return {one.job for one in networks if one.training == "unknown"}


def unknown_arms(networks: Sequence[NetworkTraining], cell: str) -> list[str]:
    """Return the arms whose networks at `cell` come from weights of unknown training, by themselves or by a teacher."""
    ends = [one for one in networks if one.cell == cell and one.role in ("student", "prune", "quantize")]
    return list(dict.fromkeys(one.arm for one in ends if one.training == "unknown"))


def unknown_text(arm: str) -> str:
    """Return what a reader must know of an arm that `unknown_arms` names, wherever its test accuracy stands."""
    return say("of_unknown", arm=arm, unknown=UNKNOWN)


@dataclass
class _Judge:
    """For results of before xp kept a lineage: by the words of the jobs, up to the weights that they began from."""

    home: Home
    rows: Mapping[str, Row]

    @cached_property
    def trained(self) -> TrainedNetworks:
        return TrainedNetworks(self.home)

    def of(self, job: str) -> Training:
        told = self.rows[job]["told"] if job in self.rows else None
        if told in WORST:
            return WORST[WORST.index(told)]
        words = stored_words(self.home.job(job))
        if words is None:
            return "unknown"
        found: list[Training] = [self._of_weights(words.weights)] if words.loads_weights else []
        found += [self.of(need) for role, need in words.needs.items() if role in TAUGHT_BY or role == "parent"]
        return min(found, key=WORST.index, default="known")

    def _of_weights(self, weights: str) -> Training:
        if not weights.startswith(DIGEST_MARK):
            return "pretrained"
        job = self.trained.by_file(weights.removeprefix(DIGEST_MARK))
        return self.of(job) if job is not None else "unknown"
