"""What each saying of a paper comes to here: takes sayings and the record, gives verdicts and what decided them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from engine.analysis.claims import Judged, interval_text
from engine.analysis.factorial import Effect, Factorial
from engine.analysis.power import ALPHA
from engine.report.paper.arithmetic import COMPUTED
from engine.report.paper.evidence import Evidence, Record
from engine.report.paper.outcomes import TURNED, Outcome, Word, combine
from engine.report.paper.sentences import say
from engine.spec.paper import Across, Contrast, Decider, Saying


@dataclass(frozen=True)
class Settled:
    """A saying with its verdict here and all that decided it, or would."""

    saying: Saying
    verdict: Word
    outcomes: Sequence[Outcome]

    @property
    def where(self) -> str:
        """At what sizes the verdict was found; empty where no run has a say in it."""
        deciding = [one for one in self.outcomes if one.where and one.verdict != "not run"]
        return "; ".join(dict.fromkeys(one.where for one in deciding))

    @property
    def verdict_text(self) -> str:
        """`refuted at 64 px, 10 classes`: a verdict is of the size it was found at."""
        return f"{self.verdict} at {self.where}" if self.where else self.verdict


def settle(sayings: Sequence[Saying], record: Record) -> list[Settled]:
    """Return each saying with its verdict."""
    return [_settle(saying, record) for saying in sayings]


def _settle(saying: Saying, record: Record) -> Settled:
    outcomes = [
        _turned(outcome) if decider.opposite else outcome
        for decider in saying.decided_by
        for outcome in _decide(decider, record)
    ]
    return Settled(saying, combine(outcomes), outcomes)


def _turned(outcome: Outcome) -> Outcome:
    """Return what the refutation of a claim is to a saying that holds where it is refuted."""
    line = say("turned", line=outcome.line) if outcome.verdict in TURNED else outcome.line
    return replace(outcome.turned(), line=line)


def _decide(decider: Decider, record: Record) -> list[Outcome]:
    if decider.claim is not None:
        return _of_claim(decider.claim, record)
    if decider.across is not None:
        return _of_across(decider.across, record)
    if decider.effect is not None:
        return _of_effect(decider.effect, record)
    if decider.computed is not None:
        return [COMPUTED[decider.computed](record.published)]
    return [Outcome("holds", say("read"))] if decider.text == "holds" else [Outcome("undecided", say("no_telling"))]


def _missing(experiment: str) -> Outcome:
    return Outcome("not run", say("no_experiment", experiment=experiment))


def _of_claim(place: str, record: Record) -> list[Outcome]:
    experiment, _, name = place.partition("/")
    evidence = record.found.get(experiment)
    if evidence is None:
        return [_missing(experiment)]
    judged = evidence.claims.get(name)
    if not judged:
        return [Outcome("not run", say("no_claim", experiment=experiment, claim=name))]
    return [_of_judged(place, one, evidence.size_text(record.conditions)) for one in judged]


def _of_across(words: Across, record: Record) -> list[Outcome]:
    """Two arms of unlike experiments have the sizes of both behind them."""
    names = list(dict.fromkeys(place.partition("/")[0] for place in (words.arm, words.against)))
    absent = [name for name in names if name not in record.found]
    if absent:
        return [_missing(name) for name in absent]
    sizes = dict.fromkeys(record.found[name].size_text(record.conditions) for name in names)
    return [
        _of_judged(f"{words.arm} against {words.against}", one, " and ".join(sizes)) for one in record.across(words)
    ]


def _of_judged(place: str, judged: Judged, where: str) -> Outcome:
    claim, compared = judged.claim, judged.comparison
    if compared is None:
        about = {"metric": claim.metric, "arm": claim.arm, "against": claim.against}
        return Outcome("not run", say("no_data", place=place, **about))
    line = say(
        "claim_line", place=place, at=_point(judged.cell), metric=claim.metric, arm=claim.arm, against=claim.against,
        effect=interval_text(compared), expected=_expected(judged), verdict=judged.verdict,
        why=f" ({judged.reason})" if judged.reason else "",
    )  # fmt: skip
    return Outcome(judged.verdict, line, where, ", ".join(run for side in compared.runs for run in side))


def _point(cell: str) -> str:
    return "" if cell in ("", "default") else f", {cell}"


def _expected(judged: Judged) -> str:
    claim = judged.claim
    margin = f" by {claim.margin:g}" if claim.margin else ""
    return f", expected {claim.expect.replace('_', ' ')}{margin}"


def _of_effect(words: Contrast, record: Record) -> list[Outcome]:
    evidence = record.found.get(words.experiment)
    if evidence is None:
        return [_missing(words.experiment)]
    found = [(one, effect, sign) for one in evidence.factorials for effect, sign in _matching(one, words)]
    if not found:
        arms = ", ".join([*words.plus, *words.minus])
        return [Outcome("not run", say("no_grid", experiment=words.experiment, arms=arms))]
    return [_effect_outcome(words, evidence, record, *each) for each in found]


def _matching(factorial: Factorial, words: Contrast) -> list[tuple[Effect, int]]:
    """Return the effect that has the arms of `words` on its two sides, and whether its sides are exchanged."""
    sides = (set(words.plus), set(words.minus))
    found = []
    for effect in factorial.effects:
        up = {arm for arm, weight in effect.weights.items() if weight > 0}
        down = set(effect.weights) - up
        found += [(effect, sign) for sign, held in ((1, (up, down)), (-1, (down, up))) if held == sides]
    return found


def _effect_outcome(
    words: Contrast, evidence: Evidence, record: Record, factorial: Factorial, effect: Effect, sign: int
) -> Outcome:
    interval, p = effect.interval, effect.adjusted_p
    mean = sign * interval.mean
    edges = [sign * edge for edge in (interval.low, interval.high) if edge is not None]
    text = f"{100 * mean:+.2f}" + (f" [{100 * min(edges):+.2f}, {100 * max(edges):+.2f}]" if edges else "")
    is_told = p is not None and p < ALPHA
    is_met = (mean > 0) == (words.expect == "greater")
    verdict: Word = ("holds" if is_met else "refuted") if is_told else "undecided"
    line = say(
        "effect_line", experiment=words.experiment, at=_point(factorial.cell), plus=" + ".join(words.plus),
        minus=" + ".join(words.minus), effect=text, n=interval.n, p="" if p is None else f", p {p:.3g} after Holm",
        verdict=verdict,
    )  # fmt: skip
    return Outcome(verdict, line, evidence.size_text(record.conditions), ", ".join(effect.weights))
