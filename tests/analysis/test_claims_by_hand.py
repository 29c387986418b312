"""Claims judged on comparisons that are written by hand: margins, Holm, intervals, and every reason in words."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats as scipy_stats
from statsmodels.stats.multitest import multipletests

from engine.analysis.claims import (
    Judged,
    check_claims,
    decide_side,
    describe,
    exit_code,
    interval_text,
    p_text,
    summarize,
)
from engine.analysis.compare import FEW_SEEDS, NO_SPREAD, ONE_MEASUREMENT, Comparison
from engine.analysis.critical import critical_value
from engine.analysis.power import Design
from engine.analysis.speeds import NO_COMMON, ONE_NETWORK, SpeedRatio
from engine.analysis.statistics import Interval
from engine.analysis.things import Mismatch
from engine.spec import Claim
from tests.analysis.answering import Answers


def _claim(expect: str = "greater", metric: str = "test_top1", **more: Any) -> Claim:
    return Claim.model_validate(
        {"id": "one", "text": "A sentence.", "metric": metric, "arm": "b", "against": "a", "expect": expect, **more}
    )


def _found(mean: float = 0.02, std: float | None = 0.01, n: int = 5, **more: Any) -> Comparison:
    """b - a, with the t interval that follows from the spread."""
    error = None if std is None else std / n**0.5
    half = None if error is None else float(scipy_stats.t.ppf(0.975, n - 1)) * error
    low, high = (None, None) if half is None else (mean - half, mean + half)
    df = None if error is None else n - 1.0
    about: dict[str, Any] = {"metric": "test_top1", "cell": "default", "arms": ("b", "a"), "means": (0.62, 0.6)}
    about |= {
        "runs": ((), ()),
        "difference": Interval(mean, std, low, high, n, error, df),
        "p": 0.01,
        "adjusted_p": 0.01,
    }
    return Comparison(**{**about, "images": None, "smallest": None, "factors": (), "unfair": (), **more})


def _judge(monkeypatch: pytest.MonkeyPatch, *pairs: tuple[Claim, Comparison]) -> list[Judged]:
    """Judge each claim on its comparison; no store is asked."""
    held = iter([found for _, found in pairs])
    monkeypatch.setattr("engine.analysis.claims.compare_arms", lambda *_, **__: [next(held)])
    return check_claims(Answers(), "paper", [claim for claim, _ in pairs])


@pytest.mark.parametrize(("p", "side"), [(0.049, 1), (0.05, 0), (0.07, 0), (None, 0)])
def test_a_claim_is_decided_below_five_per_cent_alone(p: float | None, side: int) -> None:
    assert decide_side(_claim(), _found(), p) == side
    assert decide_side(_claim(), _found(mean=-0.02), p) == -side


@pytest.mark.parametrize("share", [0.0, 0.9])
def test_a_verdict_is_that_of_the_interval_against_the_margin(monkeypatch: pytest.MonkeyPatch, share: float) -> None:
    """One error for both, wherever it comes from: p is below 5 % where the margin lies outside of the interval."""
    half = critical_value(7.3, share) * 0.01
    for mean in (half - 1e-6, half + 1e-6, 0.01 + half - 1e-6, 0.01 + half + 1e-6):
        edges = Interval(mean, 0.02, mean - half, mean + half, 3, 0.01, 7.3, "seeds and images", share)
        for margin in (None, 0.01):
            (judged,) = _judge(monkeypatch, (_claim(margin=margin), _found(difference=edges)))
            assert (judged.verdict == "holds") == (mean - half > (margin or 0.0))


def test_an_interval_of_images_alone_decides_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    alone = Interval(0.2, 0.001, 0.19, 0.21, 2, 0.005, 199.0, "images")
    (judged,) = _judge(monkeypatch, (_claim(), _found(difference=alone, p=None, untested=FEW_SEEDS)))
    assert (judged.verdict, judged.p) == ("undecided", None)
    assert judged.reason == f"{FEW_SEEDS}; run more seeds"
    assert interval_text(_found(difference=alone)) == "+20.00 points [+19.00, +21.00] of images alone, n=2"


@pytest.mark.parametrize("metric", ["prune_asked", "prune_achieved", "params_before"])
def test_nothing_is_worse_where_neither_way_is_better(monkeypatch: pytest.MonkeyPatch, metric: str) -> None:
    (judged,) = _judge(monkeypatch, (_claim("not_worse", metric), _found(metric=metric)))
    assert (judged.verdict, judged.comparison) == ("undecided", None)
    assert (
        judged.reason == f"neither more nor less {metric} is better, so that nothing is worse: expect greater or less"
    )
    (judged,) = _judge(monkeypatch, (_claim("greater", metric), _found(metric=metric)))
    assert judged.verdict == "holds"


@pytest.mark.parametrize(
    ("expect", "mean", "verdict"),
    [
        ("greater", 1.0, "holds"), ("greater", 0.0, "refuted"), ("greater", -1.0, "refuted"),
        ("less", -1.0, "holds"), ("less", 0.0, "refuted"), ("less", 1.0, "refuted"),
        ("not_worse", -1.0, "holds"), ("not_worse", 0.0, "holds"), ("not_worse", 1.0, "refuted"),
    ],
)  # fmt: skip
def test_sizes_are_decided_by_one_run_ties_included(
    monkeypatch: pytest.MonkeyPatch, expect: str, mean: float, verdict: str
) -> None:
    claim, found = _claim(expect, "params"), _found(mean, None, 1, metric="params", p=None)
    (judged,) = _judge(monkeypatch, (claim, found))
    assert (judged.verdict, judged.p) == (verdict, None)


def test_p_of_a_claim_is_of_its_margin_after_holm(monkeypatch: pytest.MonkeyPatch) -> None:
    gains = [0.01, 0.03, 0.02, 0.04, 0.025]
    found = _found(float(np.mean(gains)), float(np.std(gains, ddof=1)), 5)
    claims = _claim(), _claim(margin=0.01), _claim("less")
    judged = _judge(monkeypatch, *((claim, found) for claim in claims))
    raw = [float(scipy_stats.ttest_1samp(gains, edge).pvalue) for edge in (0.0, 0.01, 0.0)]
    assert [one.p for one in judged] == pytest.approx(list(multipletests(raw, method="holm")[1]))
    assert [one.verdict for one in judged] == ["holds", "holds", "refuted"]


def test_a_spread_of_zero_is_certain_only_off_the_margin(monkeypatch: pytest.MonkeyPatch) -> None:
    found = _found(0.02, 0.0, 3, metric="infer_latency")
    (certain,) = _judge(monkeypatch, (_claim("less", "infer_latency"), found))
    assert (certain.p, certain.verdict) == (0.0, "refuted")
    (even,) = _judge(monkeypatch, (_claim("greater", "infer_latency", margin=0.02), found))
    assert (even.p, even.verdict) == (1.0, "undecided")


def test_a_speed_is_judged_by_its_ratio(monkeypatch: pytest.MonkeyPatch) -> None:
    """0.8 times as fast, where a loss of 0.3 of the baseline's 1.0 is allowed: the ratio is held against 0.7."""
    speed = SpeedRatio(math.log(0.8), 0.02, 5.0, 6, "rounds")
    found = _found(-0.2, None, 6, metric="infer_speedup", means=(0.8, 1.0), speed=speed)
    (judged,) = _judge(monkeypatch, (_claim("not_worse", "infer_speedup", margin=0.3), found))
    assert judged.verdict == "holds"
    assert judged.p == pytest.approx(speed.p_at(0.7))
    assert speed.p_at(0.7) != pytest.approx(speed.p_at(1.0))


def test_what_would_decide_a_claim_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def reason(claim: Claim, found: Comparison) -> str:
        (judged,) = _judge(monkeypatch, (claim, found))
        assert judged.verdict == "undecided"
        return judged.reason

    weak = _found(0.01, 0.02, 3)
    needed = Design(3, 0.02).seeds_needed(0.01)
    hope = "3 seeds do not tell; if the difference stays as it is, "
    assert reason(_claim(), weak) == f"{hope}about {needed} seeds would decide it with a power of 80 %"
    fewer = Design(3, 0.02).seeds_needed(0.005)
    assert reason(_claim(margin=0.005), weak) == f"{hope}about {fewer} seeds would decide it with a power of 80 %"
    spanned = _found(difference=Interval(0.05, 0.001, -0.01, 0.11, 3, 0.03, 19.0, "seeds and images", 0.999))
    assert reason(_claim(), spanned) == f"{hope}more seeds or test images are needed"
    assert reason(_claim("not_worse"), weak).startswith("3 seeds; without a margin, not_worse holds only where")
    assert reason(_claim("not_worse", margin=0.001), weak).startswith(hope)
    assert reason(_claim(), _found(std=None, n=1, p=None)) == (
        "one common seed says nothing about the luck of a seed: run at least 3"
    )
    alike = Interval(0.02, 0.0, None, None, 2)
    assert reason(_claim(), _found(difference=alike, untested=NO_SPREAD)) == f"{NO_SPREAD}; run more seeds"
    for why in (ONE_NETWORK, NO_COMMON):
        assert reason(_claim(), _found(std=None, n=1, p=None, untested=why)) == why
    for of, more in (("rounds", "take more measure.rounds"), ("networks", "run more seeds")):
        speed = SpeedRatio(0.0, 0.1, 2.0, 3, of)
        assert reason(_claim(), _found(0.01, 0.02, 3, speed=speed)) == f"3 {of} do not tell: {more}"
    once = _found(std=None, n=1, p=None, untested=ONE_MEASUREMENT)
    assert reason(_claim(), once) == f"{ONE_MEASUREMENT}; rounds side by side have their own (measure.rounds, xp bench)"


@pytest.mark.parametrize(("metric", "which"), [("test_top1", "the same test images"), ("val_top1", "the same images")])
def test_other_images_decide_nothing(monkeypatch: pytest.MonkeyPatch, metric: str, which: str) -> None:
    unfair = (Mismatch("data.split_seed", 0, 1, other_images=True), Mismatch("train.lr", 1, 2))
    (judged,) = _judge(monkeypatch, (_claim(metric=metric), _found(metric=metric, unfair=unfair)))
    assert judged.verdict == "undecided"
    assert judged.reason == f"not comparable: not {which}: data.split_seed is 0 against 1"


def test_a_verdict_names_every_class_of_what_was_not_equal(monkeypatch: pytest.MonkeyPatch) -> None:
    unfair = (*(Mismatch(f"train.x{at}", 1, 2) for at in range(3)), Mismatch("the code", "c", "d"))
    told = "note: not held equal: the code is c against d; train.x0 is 1 against 2 (and 2 more of train); a footnote"
    found = _found(unfair=unfair, notes=("a footnote",))
    (judged,) = _judge(monkeypatch, (_claim(), found))
    assert (judged.verdict, judged.reason) == ("holds", told)
    (judged,) = _judge(monkeypatch, (_claim(), replace(found, difference=_found(0.001, 0.02).difference)))
    assert judged.verdict == "undecided"
    assert judged.reason.endswith(f"; {told}"), "an undecided claim tells it too"
    (judged,) = _judge(monkeypatch, (_claim(), _found(notes=("a footnote",))))
    assert (judged.verdict, judged.reason) == ("holds", "note: a footnote")


def test_effects_are_written_in_points_or_plain_numbers() -> None:
    wide = _found(0.012, 0.02, 3, difference=Interval(0.012, 0.02, -0.004, 0.028, 3))
    assert interval_text(wide) == "+1.20 points [-0.40, +2.80], n=3"
    assert interval_text(_found(0.012, None, 1)) == "+1.20 points, n=1"
    plain = replace(wide, metric="test_loss")
    assert interval_text(plain) == "+0.012 [-0.004, +0.028], n=3"
    assert interval_text(replace(wide, metric="params")) == "+0.012 [-0.004, +0.028], n=3", "pruned seed by seed"
    alike = Interval(0.012, 0.0, 0.012, 0.012, 3)
    assert interval_text(replace(wide, metric="params", difference=alike)) == "+0.012, n=3"


def test_effects_have_no_more_digits_than_their_interval_and_the_unit_of_their_metric() -> None:
    speed = replace(_found(0.0, None), metric="train_images_per_second")
    wide = Interval(-26.388, 12.0, -58.092, 5.3171, 3)
    assert interval_text(replace(speed, difference=wide)) == "-26 images/s [-58, +5], n=3"
    many = Interval(112_460.0, 0.0, 112_460.0, 112_460.0, 3)
    assert interval_text(replace(speed, metric="params", difference=many)) == "+112,460, n=3"


@pytest.mark.parametrize(("p", "text"), [(0.0341, "p 0.0341"), (1e-6, "p 1e-06"), (9e-7, "p below 1e-6"), (1.0, "p 1")])
def test_a_p_is_never_zero(p: float, text: str) -> None:
    assert p_text(p) == text


def test_a_judged_claim_is_told_in_full() -> None:
    found = _found(0.012, difference=Interval(0.012, 0.02, -0.004, 0.028, 3), cell="split", left_out=("b seed 1",))
    lines = describe(Judged(_claim("not_worse", margin=0.01), "split", "holds", "why", found, 0.034)).splitlines()
    assert lines == [
        "holds: one (split): A sentence.",
        "  tested: test_top1 of b not less than of a by 0.01 or more",
        "  test_top1 of b - a: +1.20 points [-0.40, +2.80], n=3; expected not worse, margin 0.01",
        "  left out, because it is no number: test_top1 of b seed 1",
        "  p 0.034 after Holm over all claims",
        "  why",
    ]
    bare = Judged(_claim(), "default", "undecided", "", None)
    assert describe(bare) == "undecided: one: A sentence.\n  to test: test_top1 of b greater than of a"


def test_verdicts_are_counted_and_one_refuted_decides_the_exit_code() -> None:
    judged = [Judged(_claim(), "", verdict, "", None) for verdict in ("holds", "undecided", "refuted", "holds")]
    assert summarize(judged) == "2 holds, 1 refuted, 1 undecided"
    assert (exit_code(judged), exit_code(judged[:2]), exit_code([])) == (4, 0, 0)
