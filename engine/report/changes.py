"""What a change against the baseline is worth: takes comparisons, gives marks beside numbers and notes below a table.

A dagger: the two arms are told apart (p < 0.05 after Holm over all changes of the report, by the interval that the
comparison has). A letter: more differs between the two arms than the one thing under study, or a reader must know more,
and the note says what. Arms that were judged on other images get no dagger, as a claim on them gets no verdict.
A leader: an arm whose accuracy is really above that of the second, at the level of its table.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.analysis.compare import FEW_SEEDS, NO_SPREAD, ONE_TRAINING, Comparison, compare_arms, with_holm
from engine.analysis.fairness import apart_text, footnote_text
from engine.analysis.leaders import find_leaders
from engine.analysis.power import ALPHA
from engine.analysis.snapshot import Snapshot
from engine.analysis.text import level_text
from engine.errors import QueryError
from engine.report.sentences import say

DAGGER = "†"
Place = tuple[str, str]


@dataclass(frozen=True)
class Changes:
    """The comparison of each arm with the baseline by (arm, point), empty where nothing can be compared, and the leader
    of each point that has one."""

    comparisons: Mapping[Place, Comparison] = field(default_factory=dict)
    leaders: Mapping[str, str] = field(default_factory=dict)

    def mark(self, arm: str, point: str) -> str:
        """Return what stands behind a change: nothing, a dagger, a letter, or both."""
        one = self.comparisons.get((arm, point))
        if one is None:
            return ""
        letter = self.letter(arm, point)
        return f" {DAGGER}" * self.is_told(arm, point) + (f" [{letter}]" if letter else "")

    def is_told(self, arm: str, point: str) -> bool:
        """Whether an arm is told apart from the baseline."""
        one = self.comparisons.get((arm, point))
        return one is not None and one.adjusted_p is not None and one.adjusted_p < ALPHA and not _is_apart(one)

    def letter(self, arm: str, point: str) -> str:
        """Return the letter of the note that a reader must know of a change, empty where there is none."""
        return self._letters(point).get(arm, "")

    def notes(self, point: str) -> list[str]:
        """Return what the marks of one table mean, and the smallest difference that its seeds could have shown."""
        here = {arm: one for (arm, at), one in self.comparisons.items() if at == point}
        notes = [_letter_note(here[arm], letter) for arm, letter in self._letters(point).items()]
        if any(DAGGER in self.mark(arm, point) for arm in here):
            notes.append(say("dagger_note", dagger=DAGGER, alpha=ALPHA))
        bare = {why: [arm for arm, one in here.items() if one.untested == why] for why in (NO_SPREAD, ONE_TRAINING)}
        few = [arm for arm, one in here.items() if one.difference.over == "images"]
        notes += [say("spread_note", arms=", ".join(alike), why=why) for why, alike in bare.items() if alike]
        notes += [say("few_note", arms=", ".join(few), why=FEW_SEEDS)] if few else []
        told = {arm: one for arm, one in here.items() if one.smallest is not None and not _is_apart(one)}
        smallest = [f"{arm} {100 * (one.smallest or 0.0):.1f}" for arm, one in told.items()]
        level = next(map(level_text, told.values()), "")
        return [*notes, *([say("detect_note", level=level, arms=", ".join(smallest))] if smallest else [])]

    def _letters(self, point: str) -> dict[str, str]:
        unfair = [arm for (arm, at), one in self.comparisons.items() if at == point and _has_note(one)]
        return {arm: _letter(at) for at, arm in enumerate(unfair)}


def compare_baseline(snapshot: Snapshot, name: str, arms: list[str], baseline: str | None) -> Changes:
    """Compare every arm of an experiment with its baseline on test accuracy."""
    # One question for all arms: asked arm by arm, most of a report's time goes into it.
    snapshot.ask_each("compare_runs", "arm", arms, experiment=name)
    runs = (row for arm in arms for row in snapshot.ask("compare_runs", experiment=name, arm=arm))
    snapshot.ask_images(row["final_job"] for row in runs if row["final_job"] is not None)
    if baseline is None:
        return Changes({}, find_leaders(snapshot, name, arms, 0))
    pairs: list[tuple[str, Comparison]] = []
    for arm in (arm for arm in arms if arm != baseline):
        try:
            compared = compare_arms(snapshot, f"{name}/{arm}", f"{name}/{baseline}", "test_top1", anyway=True)
        except QueryError:  # no common seed yet: the table has a hole there
            continue
        pairs += [(arm, one) for one in compared]
    adjusted = with_holm([one for _, one in pairs])
    changes = {(arm, one.cell): one for (arm, _), one in zip(pairs, adjusted, strict=True)}
    return Changes(changes, find_leaders(snapshot, name, arms, sum(one.p is not None for one in adjusted)))


def _has_note(one: Comparison) -> bool:
    return bool(one.unfair or one.notes)


def _is_apart(one: Comparison) -> bool:
    return bool(apart_text(one.unfair, one.metric))


def _letter_note(one: Comparison, letter: str) -> str:
    """Return what a claim on this pair would say of it."""
    told = apart_text(one.unfair, one.metric) or footnote_text(one.unfair, one.notes)
    return say("letter_note", letter=letter, arm=one.arms[0], against=one.arms[1], what=told)


def _letter(at: int) -> str:
    return chr(ord("a") + at % 26) * (1 + at // 26)
