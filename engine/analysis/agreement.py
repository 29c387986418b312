"""Whether taught students follow their teacher: takes an experiment, compares them with untaught ones of their shape.

Two networks that fit the labels agree on most images, taught or not: agreement alone says nothing about teaching. So
both answer the same images, and what counts is how much nearer the taught ones are to what they heard.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.analysis.snapshot import Row, Snapshot
from engine.analysis.statistics import Interval, paired_interval, paired_shares
from engine.analysis.things import is_taught
from engine.core.distill.answers import ANSWERS_FILE, Answers, Likeness, compare_answers, read_answers
from engine.home.commits import artifact_problem, sound_winner
from engine.home.paths import Home
from engine.spec.dotted import flatten_settings

Place = tuple[str, str]
Parts = Mapping[str, Answers]
OF_TEACHING = ("teacher", "distill")


@dataclass(frozen=True)
class Following:
    """An arm with a teacher against its untaught twin, at one point of the matrix and on one part of the data.

    `taught` and `untaught` say by seed how near each came to what the taught one heard of its teacher, for the same
    `images` images. Empty where no seed is common, or the answers were not kept.
    """

    arm: str
    against: str
    cell: str
    part: str
    images: int
    taught: Mapping[int, Likeness]
    untaught: Mapping[int, Likeness]

    def agreement(self, level: float = 0.95) -> Interval | None:
        """Return taught minus untaught of the share of equal answers, paired over seeds."""
        return paired_shares(_figures(self.taught, "agreement"), _figures(self.untaught, "agreement"), level)

    def divergence(self, level: float = 0.95) -> Interval | None:
        """Return taught minus untaught of the KL from the teacher in nats, paired over seeds: below 0 is closer."""
        return paired_interval(_figures(self.taught, "divergence"), _figures(self.untaught, "divergence"), level)


def _figures(side: Mapping[int, Likeness], name: str) -> dict[int, float]:
    return {seed: getattr(likeness, name) for seed, likeness in side.items()}


def compare_untaught(snapshot: Snapshot, name: str) -> list[Following]:
    """Return the comparison of each taught arm of an experiment with each untaught twin, by point and part."""
    groups: dict[Place, list[Row]] = {}
    for row in snapshot.ask("agreement_runs", name=name):
        groups.setdefault((row["arm"], row["cell"]), []).append(row)
    settings = {place: flatten_settings(json.loads(rows[0]["settings"] or "{}")) for place, rows in groups.items()}
    pairs = find_twins(settings)
    wanted = {place for pair in pairs for place in pair}
    answers = {place: _read_seeds(snapshot.home, groups[place]) for place in groups if place in wanted}
    return [one for taught, untaught in pairs for one in _compare_pair(taught, untaught, answers)]


def find_twins(settings: Mapping[Place, Mapping[str, Any]]) -> list[tuple[Place, Place]]:
    """Return (taught, untaught) places of one point whose settings differ in nothing but the teaching."""
    bare = {place: _without_teaching(tree) for place, tree in settings.items()}
    taught = [place for place, tree in settings.items() if is_taught(tree)]
    return [
        (one, other) for one in taught for other in settings
        if other not in taught and one[1] == other[1] and bare[one] == bare[other]
    ]  # fmt: skip


def _without_teaching(tree: Mapping[str, Any]) -> dict[str, Any]:
    return {path: value for path, value in tree.items() if path.partition(".")[0] not in OF_TEACHING}


def _read_seeds(home: Home, rows: Sequence[Row]) -> dict[int, Parts]:
    found: dict[int, Parts] = {}
    for row in rows:
        folder = home.job(row["job"])
        winner = sound_winner(folder)
        path = winner.artifacts / ANSWERS_FILE if winner else None
        # Damaged answers are no answers; the report says that they are.
        found[row["seed"]] = read_answers(path) if path and not artifact_problem(folder, path) else {}
    return found


def _compare_pair(taught: Place, untaught: Place, answers: Mapping[Place, Mapping[int, Parts]]) -> list[Following]:
    ours, theirs = answers[taught], answers[untaught]
    seeds = [seed for seed in ours if seed in theirs]
    found = []
    for part in ("train", "test"):
        near: dict[int, tuple[Likeness, Likeness]] = {}
        images = 0
        for seed in seeds:
            one, other = ours[seed].get(part), theirs[seed].get(part)
            if one is None or other is None or one.teacher is None or one.keys != other.keys:
                continue
            images = len(one.keys)
            near[seed] = compare_answers(one.own, one.teacher), compare_answers(other.own, one.teacher)
        ours_near, theirs_near = ({seed: pair[at] for seed, pair in near.items()} for at in (0, 1))
        found.append(Following(taught[0], untaught[0], taught[1], part, images, ours_near, theirs_near))
    return found
