"""What a change against the baseline is worth: takes comparisons, gives marks beside numbers and notes below a table.

A dagger: the seeds tell the two arms apart (paired t, p < 0.05 after Holm over all changes of the report). A letter:
more differs between the two arms than the one thing under study, or a reader must know more, and the note says what.
Arms that were judged on other images get no dagger, as a claim on them gets no verdict.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from engine.analysis.compare import NO_SPREAD, Comparison, compare_arms, with_holm
from engine.analysis.fairness import apart_text, footnote_text
from engine.analysis.snapshot import Snapshot
from engine.errors import QueryError

ALPHA, DAGGER = 0.05, "†"
Place = tuple[str, str]


@dataclass(frozen=True)
class Changes:
    """The comparison of each arm with the baseline by (arm, point); empty where nothing can be compared."""

    comparisons: Mapping[Place, Comparison] = field(default_factory=dict)

    def mark(self, arm: str, point: str) -> str:
        """Return what stands behind a change: nothing, a dagger, a letter, or both."""
        one = self.comparisons.get((arm, point))
        if one is None:
            return ""
        is_apart = bool(apart_text(one.unfair, one.metric))
        told = DAGGER if one.adjusted_p is not None and one.adjusted_p < ALPHA and not is_apart else ""
        letter = self._letters(point).get(arm)
        return f" {told}" * bool(told) + (f" [{letter}]" if letter else "")

    def notes(self, point: str) -> list[str]:
        """Return what the marks of one table mean, and the smallest difference that its seeds could have shown."""
        here = {arm: one for (arm, at), one in self.comparisons.items() if at == point}
        notes = [f"[{letter}] {_unfair_text(here[arm])}" for arm, letter in self._letters(point).items()]
        if any(DAGGER in self.mark(arm, point) for arm in here):
            notes.append(
                f"{DAGGER} p < {ALPHA} (paired t test over seeds, after Holm over all changes of this report)."
            )
        alike = [arm for arm, one in here.items() if one.untested == NO_SPREAD]
        if alike:
            notes.append(f"No ± for {', '.join(alike)}: {NO_SPREAD}.")
        smallest = [f"{arm} {100 * one.smallest:.1f}" for arm, one in here.items() if one.smallest is not None]
        if smallest:
            notes.append(f"The smallest change that these seeds could have shown, in points: {', '.join(smallest)}.")
        return notes

    def _letters(self, point: str) -> dict[str, str]:
        unfair = [arm for (arm, at), one in self.comparisons.items() if at == point and _has_note(one)]
        return {arm: _letter(at) for at, arm in enumerate(unfair)}


def compare_baseline(snapshot: Snapshot, name: str, arms: list[str], baseline: str | None) -> Changes:
    """Compare every arm of an experiment with its baseline on test accuracy."""
    if baseline is None:
        return Changes()
    pairs: list[tuple[str, Comparison]] = []
    for arm in (arm for arm in arms if arm != baseline):
        try:
            compared = compare_arms(snapshot, f"{name}/{arm}", f"{name}/{baseline}", "test_top1", anyway=True)
        except QueryError:  # no common seed yet: the table has a hole there
            continue
        pairs += [(arm, one) for one in compared]
    adjusted = with_holm([one for _, one in pairs])
    return Changes({(arm, one.cell): one for (arm, _), one in zip(pairs, adjusted, strict=True)})


def _has_note(one: Comparison) -> bool:
    return bool(one.unfair or one.notes)


def _unfair_text(one: Comparison) -> str:
    """Return what a claim on this pair would say of it."""
    apart = apart_text(one.unfair, one.metric)
    told = footnote_text(one.unfair, one.notes)
    return f"{one.arms[0]} against {one.arms[1]}: {apart or told}."


def _letter(at: int) -> str:
    return chr(ord("a") + at % 26) * (1 + at // 26)
