"""Claims: takes the sentences of a spec, gives for each whether the data hold it, refute it, or cannot tell.

A claim is decided by the one interval that a comparison has, p after Holm over all claims: over common seeds, and of
test accuracy over seeds and test images together. Fewer than three seeds decide nothing about accuracy, and one alone
nothing at all, because the luck of a seed is unknown. What was not timed side by side decides nothing, either.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

from engine.analysis.compare import ONE_MEASUREMENT, Comparison, compare_arms
from engine.analysis.controls import control_notes, read_settings
from engine.analysis.crossed import LEAST_SEEDS
from engine.analysis.fairness import apart_text, footnote_text
from engine.analysis.power import ALPHA, design_of
from engine.analysis.sentences import say
from engine.analysis.snapshot import Snapshot, one_snapshot
from engine.analysis.speeds import TELL_MORE
from engine.analysis.statistics import holm, p_of
from engine.analysis.trainings import unknown_text
from engine.errors import QueryError
from engine.home.paths import Home
from engine.spec import Claim
from store.escape import show_text
from store.metrics import METRICS, metric_of

Verdict = Literal["holds", "refuted", "undecided"]
Draft = tuple[Claim, Comparison | None, str]
"""A claim, the comparison it rests on, or why there is none."""


@dataclass(frozen=True)
class Judged:
    """One claim at one point of the matrix, with the comparison it rests on (None where there are no data)."""

    claim: Claim
    cell: str
    verdict: Verdict
    reason: str
    comparison: Comparison | None
    p: float | None = None


def check_claims(results: Home | Snapshot, name: str, claims: Sequence[Claim] | None = None) -> list[Judged]:
    """Judge the claims of an experiment (those of its newest submission), one row for each point of the matrix.

    Raises QueryError for an experiment that is not in the results.
    """
    if claims is not None and not claims:  # nothing to ask a store for, if there is one yet
        return []
    with one_snapshot(results) as snapshot:
        wanted = _claims_of(snapshot, name) if claims is None else claims
        known = read_settings(snapshot, name)
        drafts = [_with_controls(draft, known) for claim in wanted for draft in _compare_claim(snapshot, name, claim)]
    return _judge_drafts(drafts)


def judge_across(snapshot: Snapshot, claim: Claim, first: str, second: str) -> list[Judged]:
    """Judge a claim about the arms `EXPERIMENT/ARM` of any two experiments, a row for each point that both have."""
    return _judge_drafts(_compare_across(snapshot, claim, first, second))


def _judge_drafts(drafts: Sequence[Draft]) -> list[Judged]:
    """Give each its verdict, with p after Holm over all of them."""
    tested = [_margin_p(claim, compared) for claim, compared, _ in drafts]
    adjusted = iter(holm([p for p in tested if p is not None]))
    ps = [None if p is None else next(adjusted) for p in tested]
    tests = sum(p is not None for p in tested)
    return [
        _judge(claim, compared and replace(compared, tests=max(tests, 1)), why, p)
        for (claim, compared, why), p in zip(drafts, ps, strict=True)
    ]


def exit_code(judged: Sequence[Judged]) -> int:
    """Return 4 where a claim is refuted, else 0."""
    return 4 if any(one.verdict == "refuted" for one in judged) else 0


def _claims_of(snapshot: Snapshot, name: str) -> list[Claim]:
    snapshot.check_experiment(name)
    rows = snapshot.ask("claims_of", name=name)
    return [
        Claim.model_validate({key: _shown(value) for key, value in row.items() if value is not None}) for row in rows
    ]


def _shown(value: object) -> object:
    """What an older version took as a claim's text may hold what no spec may hold any more."""
    return show_text(value) if isinstance(value, str) else value


def _compare_claim(snapshot: Snapshot, name: str, claim: Claim) -> list[Draft]:
    if claim.expect == "not_worse" and claim.metric in METRICS and metric_of(claim.metric).better == "neither":
        return [(claim, None, say("nothing_worse", metric=claim.metric))]
    return _compare_across(snapshot, claim, f"{name}/{claim.arm}", f"{name}/{claim.against}")


def _compare_across(snapshot: Snapshot, claim: Claim, first: str, second: str) -> list[Draft]:
    try:
        compared = compare_arms(snapshot, first, second, claim.metric, anyway=True)
    except QueryError as error:
        return [(claim, None, f"{error.what}; {error.fix}")]
    return [(claim, one, "") for one in compared]


def _with_controls(draft: Draft, known: Mapping[tuple[str, str], Mapping[str, Any]]) -> Draft:
    """A claim about a pruned arm says which of its controls are missing."""
    claim, compared, why = draft
    if compared is None:
        return draft
    notes = control_notes(known, (claim.arm, claim.against), compared.cell)
    return claim, replace(compared, notes=(*compared.notes, *notes)), why


def _margin_p(claim: Claim, comparison: Comparison | None) -> float | None:
    """Return the two-sided p of `difference = threshold`; None where the data allow no test."""
    if comparison is None or comparison.is_exact:
        return None
    if comparison.speed is not None:
        return comparison.speed.p_at(1 + threshold_of(claim) / comparison.means[1])
    return p_of(comparison.difference, threshold_of(claim))


def threshold_of(claim: Claim) -> float:
    """Return the difference (arm - against) that separates holding from failing, in the metric's unit.

    `greater` means by more than the margin, `less` by less than minus the margin, and `not_worse` that the arm is
    worse by less than the margin, where worse is what is not `better` in store/metrics.py.
    """
    margin = claim.margin or 0.0
    if claim.expect == "greater":
        return margin
    if claim.expect == "less":
        return -margin
    return margin if metric_of(claim.metric).better == "lower" else -margin


def wants_more(claim: Claim) -> bool:
    """Whether the claim holds above its threshold (else below)."""
    return claim.expect == "greater" or (claim.expect == "not_worse" and metric_of(claim.metric).better != "lower")


def _judge(claim: Claim, comparison: Comparison | None, why: str, p: float | None) -> Judged:
    if comparison is None:
        return Judged(claim, "", "undecided", why, None)
    verdict, reason = _verdict_of(claim, comparison, p)
    return Judged(claim, comparison.cell, verdict, reason, comparison, p)


def _verdict_of(claim: Claim, comparison: Comparison, p: float | None) -> tuple[Verdict, str]:
    apart, note = apart_text(comparison.unfair, comparison.metric), _footnote(comparison)
    if apart:
        return "undecided", apart
    side = decide_side(claim, comparison, p)
    if side == 0:
        return "undecided", "; ".join([_what_is_missing(claim, comparison), *([note] if note else [])])
    return ("holds" if (side > 0) == wants_more(claim) else "refuted"), note


def decide_side(claim: Claim, comparison: Comparison, p: float | None) -> int:
    """Return 1 where the difference lies above the threshold, -1 below it, 0 where the data cannot tell."""
    threshold, mean = threshold_of(claim), comparison.difference.mean
    side = 1 if mean > threshold else -1
    if comparison.is_exact:
        return side if mean != threshold else (1 if (claim.expect == "not_worse") == wants_more(claim) else -1)
    return 0 if p is None or p >= ALPHA else side


def _what_is_missing(claim: Claim, comparison: Comparison) -> str:
    n, std = comparison.difference.n, comparison.difference.std
    design = design_of(comparison.difference, comparison.tests)
    if comparison.untested == ONE_MEASUREMENT:
        return say("measured_once", why=comparison.untested)
    if comparison.is_hopeless:
        return comparison.untested
    if comparison.speed is not None:
        return say("rounds_silent", n=n, of=comparison.speed.of, more=TELL_MORE[comparison.speed.of])
    if std is None:
        return say("lone_seed", least=LEAST_SEEDS)
    if comparison.untested:
        return say("more_seeds", why=comparison.untested)
    if claim.expect == "not_worse" and not claim.margin:
        return say("no_margin", n=n)
    needed = design and design.seeds_needed(comparison.difference.mean - threshold_of(claim))
    level = say("level_of_claims", tests=comparison.tests) if comparison.tests > 1 else ""
    rest = say("more_needed" if comparison.is_share else "only_seeds_needed")
    more = say("seeds_needed", needed=needed, level=level) if needed and needed > n else rest
    return say("seeds_silent", n=n, more=more)


def _footnote(comparison: Comparison) -> str:
    missing = [missing_text(comparison)] if comparison.missing else []
    told = footnote_text(comparison.unfair, [*comparison.notes, *map(unknown_text, comparison.unknown), *missing])
    return f"note: {told}" if told else ""


def interval_text(comparison: Comparison) -> str:
    """Return `+1.20 points [-0.40, +2.80], n=3` for accuracies, `-26 images/s [-58, +5], n=3` for other metrics."""
    spread, has_edges = comparison.difference, not comparison.is_exact
    held = (spread.low, spread.high) if has_edges and spread.low is not None and spread.high is not None else None
    edges = f" [{', '.join(_difference_text(comparison, edge) for edge in held)}]" if held else ""
    alone = " of images alone" if edges and spread.over == "images" else ""
    return f"{_difference_text(comparison, spread.mean)}{_unit_text(comparison)}{edges}{alone}, n={spread.n}"


def _difference_text(comparison: Comparison, value: float) -> str:
    """Return a difference in as many decimals as its interval has two digits for, without one in five digits."""
    if comparison.is_share:
        return f"{100 * value:+.2f}"
    low, high = comparison.difference.low, comparison.difference.high
    if comparison.is_exact or low is None or high is None or not 0 < high - low < math.inf:
        return f"{value:+,.0f}" if abs(value) >= 1000 else f"{value:+.5g}"
    return f"{value:+,.{max(0, 1 - math.floor(math.log10((high - low) / 2)))}f}"


def _unit_text(comparison: Comparison) -> str:
    if comparison.is_share:
        return " points"
    unit = METRICS[comparison.metric].unit if comparison.metric in METRICS else ""
    return f" {unit}" if unit in ("images/s", "ms", "s", "J", "bytes") else ""


def left_out_text(comparison: Comparison) -> str:
    return say("left_out", metric=comparison.metric, runs=", ".join(comparison.left_out))


def missing_text(comparison: Comparison) -> str:
    """Return which runs of the two arms are not in a comparison, because they have not finished or have failed."""
    told = say("not_counted", metric=comparison.metric, runs=", ".join(comparison.missing))
    return told + say("failed_ones") * any(run.endswith("(failed)") for run in comparison.missing)


def p_text(p: float) -> str:
    """Return `p 0.034`; never 0, which no finite sample can show."""
    return "p below 1e-6" if p < 1e-6 else f"p {p:.3g}"


def tested_text(claim: Claim) -> str:
    """Return what is tested in words, whatever the person's own sentence says: `test_top1 of a greater than of b`."""
    about = {"metric": claim.metric, "arm": claim.arm, "against": claim.against, "expect": claim.expect}
    ending, margin = ("_margin", f"{claim.margin:g}") if claim.margin else ("", "")
    if claim.expect != "not_worse":
        return say(f"tested{ending}", **about, margin=margin)
    better = metric_of(claim.metric).better if claim.metric in METRICS else "neither"
    side = {"higher": "less", "lower": "greater"}.get(better)
    return say(f"tested_not{ending}" if side else "tested_nothing", **about, side=side, margin=margin)


def describe(judged: Judged) -> str:
    """Return what a person reads of a claim: verdict, sentence, effect, interval, n and what would decide it."""
    claim, where = judged.claim, f" ({judged.cell})" if judged.cell not in ("", "default") else ""
    said = "to test" if judged.comparison is None else "tested"
    lines = [f"{judged.verdict}: {claim.id}{where}: {claim.text}", f"  {said}: {tested_text(claim)}"]
    if judged.comparison is not None:
        margin = f", margin {claim.margin:g}" if claim.margin else ""
        asked = f"expected {claim.expect.replace('_', ' ')}{margin}"
        lines.append(f"  {claim.metric} of {claim.arm} - {claim.against}: {interval_text(judged.comparison)}; {asked}")
    if judged.comparison is not None and judged.comparison.left_out:
        lines.append(f"  {left_out_text(judged.comparison)}")
    if judged.p is not None:
        lines.append(f"  {say('claim_p', p=p_text(judged.p))}")
    return "\n".join([*lines, *([f"  {judged.reason}"] if judged.reason else [])])


def summarize(judged: Sequence[Judged]) -> str:
    """Return how many claims hold, are refuted, or cannot be told yet."""
    counts = {verdict: sum(one.verdict == verdict for one in judged) for verdict in ("holds", "refuted", "undecided")}
    return ", ".join(f"{count} {verdict}" for verdict, count in counts.items())
