"""Comparisons and claims: what the data decide, what they do not, and in which words."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
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
    threshold_of,
)
from engine.analysis.compare import FEW_SEEDS, NO_SPREAD, ONE_MEASUREMENT, Comparison, compare_arms
from engine.analysis.power import Design
from engine.analysis.speeds import NO_COMMON, ONE_NETWORK, SpeedRatio
from engine.analysis.statistics import Interval, critical_value
from engine.analysis.text import comparison_lines
from engine.analysis.things import Mismatch
from engine.collect import collect
from engine.errors import QueryError
from engine.spec import Claim
from store.journal import JournalWriter
from tests.analysis.answering import Answers
from tests.helpers.synthetic import MB, Arm, SyntheticHome

SAME = {"settings": {"student": {"arch": "tiny_vit_5m"}}}


def _claim(expect: str = "greater", metric: str = "test_top1", **more: Any) -> Claim:
    return Claim.model_validate(
        {"id": "one", "text": "A sentence.", "metric": metric, "arm": "b", "against": "a", "expect": expect, **more}
    )


def _home(folder: Path, first: Arm, second: Arm, seeds: int, splits: tuple[str, ...] = ("60/20/20",)) -> SyntheticHome:
    made = SyntheticHome(folder)
    made.experiment("paper", {"a": first, "b": second}, tuple(range(seeds)), splits)
    collect(made.home)
    return made


def test_clear_gain_holds_and_its_contrary_is_refuted(tmp_path: Path) -> None:
    made = _home(tmp_path, Arm(0.40), Arm(0.80, kind="longformer"), 4)
    judged = check_claims(made.home, "paper", [_claim()])
    assert [one.verdict for one in judged] == ["holds"]
    contrary = check_claims(made.home, "paper", [_claim("less")])
    assert [one.verdict for one in contrary] == ["refuted"]
    assert (exit_code(judged), exit_code(contrary)) == (0, 4)
    assert describe(judged[0]).startswith("holds: one")
    assert "points [" in describe(judged[0])


def test_one_seed_never_decides_about_accuracy(tmp_path: Path) -> None:
    made = _home(tmp_path, Arm(0.20), Arm(0.90, kind="longformer"), 1)
    judged = check_claims(made.home, "paper", [_claim()])[0]
    assert judged.verdict == "undecided"
    assert "at least 3" in judged.reason
    assert judged.comparison is not None
    assert judged.comparison.images is not None
    assert judged.comparison.images.mcnemar is not None
    assert judged.comparison.images.mcnemar < 1e-6


def test_small_gain_is_undecided_and_says_how_many_seeds_would_tell(tmp_path: Path) -> None:
    made = _home(tmp_path, Arm(0.60), Arm(0.61, kind="longformer"), 3)
    judged = check_claims(made.home, "paper", [_claim()])[0]
    assert judged.verdict == "undecided"
    assert "seeds" in judged.reason


def test_number_of_parameters_needs_one_run(tmp_path: Path) -> None:
    made = _home(tmp_path, Arm(params=100), Arm(params=80, kind="longformer"), 1)
    verdicts = {
        expect: check_claims(made.home, "paper", [_claim(expect, "params")])[0].verdict
        for expect in ("less", "greater", "not_worse")
    }
    assert verdicts == {"less": "holds", "greater": "refuted", "not_worse": "holds"}


def test_memory_is_worse_when_it_is_more(tmp_path: Path) -> None:
    made = _home(tmp_path, Arm(memory=900 * MB), Arm(memory=1100 * MB, kind="longformer"), 3)
    assert (
        check_claims(made.home, "paper", [_claim("not_worse", "host_peak_rss", margin=10.0 * MB)])[0].verdict
        == "refuted"
    )
    assert (
        check_claims(made.home, "paper", [_claim("not_worse", "host_peak_rss", margin=300.0 * MB)])[0].verdict
        == "holds"
    )


def test_each_point_of_the_matrix_is_judged(tmp_path: Path) -> None:
    made = _home(tmp_path, Arm(0.4), Arm(0.8, kind="longformer"), 3, ("60/20/20", "80/10/10"))
    judged = check_claims(made.home, "paper", [_claim()])
    assert [one.cell for one in judged] == ["data.split=60/20/20", "data.split=80/10/10"]


def test_claims_without_data_are_undecided(tmp_path: Path) -> None:
    made = SyntheticHome(tmp_path)
    made.record("paper", [], "a", ({**_claim().model_dump()},))
    collect(made.home)
    judged = check_claims(made.home, "paper")
    assert [one.verdict for one in judged] == ["undecided"]
    with pytest.raises(QueryError, match="did you mean 'paper'"):
        check_claims(made.home, "papr")


@pytest.mark.parametrize(
    ("expect", "metric", "margin", "threshold"),
    [("greater", "test_top1", None, 0.0), ("greater", "test_top1", 0.01, 0.01), ("less", "test_top1", 0.01, -0.01),
     ("not_worse", "test_top1", 0.01, -0.01), ("not_worse", "test_loss", 0.1, 0.1)],
)  # fmt: skip
def test_threshold_follows_the_metric_and_the_margin(
    expect: str, metric: str, margin: float | None, threshold: float
) -> None:
    assert threshold_of(_claim(expect, metric, margin=margin)) == threshold


def test_unfair_comparison_is_refused_unless_anyway(tmp_path: Path) -> None:
    odd = {"train": {"epochs": 3, "batch_size": 128, "checkpoint": "last"}}
    made = _home(tmp_path, Arm(), Arm(0.7, kind="longformer", settings=odd), 3)
    with pytest.raises(QueryError, match=r"train\.batch_size +64 +128"):
        compare_arms(made.home, "paper/a", "paper/b", "test_top1")
    found = compare_arms(made.home, "paper/a", "paper/b", "test_top1", anyway=True)[0]
    assert [one.what for one in found.unfair] == ["train.batch_size"]


def test_comparison_is_paired_and_symmetric(tmp_path: Path) -> None:
    made = _home(tmp_path, Arm(0.5), Arm(0.6, kind="longformer"), 3)
    there = compare_arms(made.home, "paper/b", "paper/a", "test_top1")[0]
    back = compare_arms(made.home, "paper/a", "paper/b", "test_top1")[0]
    assert there.difference.mean == pytest.approx(-back.difference.mean)
    assert there.p == pytest.approx(back.p)
    assert there.adjusted_p == there.p
    assert there.images is not None
    assert there.images.n == 200
    assert (there.difference.over, there.difference.n) == ("seeds and images", 3)
    assert there.difference.low == pytest.approx(-(back.difference.high or 0.0))
    assert there.relative == pytest.approx(100 * (there.means[0] / there.means[1] - 1))
    assert there.factors == ("attention",)


def test_different_test_images_are_never_compared(tmp_path: Path) -> None:
    made = _home(tmp_path, Arm(), Arm(kind="longformer", images=150), 2)
    with pytest.raises(QueryError, match=r"the test set +200 images +150 images, of which 150 are common"):
        compare_arms(made.home, "paper/a", "paper/b", "test_top1")
    judged = check_claims(made.home, "paper", [_claim()])[0]
    assert judged.verdict == "undecided"
    assert "not the same test images" in judged.reason


def test_arms_without_a_common_point_name_their_points(tmp_path: Path) -> None:
    made = SyntheticHome(tmp_path)
    made.experiment("paper", {"a": Arm()}, (0,), ("60/20/20", "80/10/10"))
    made.experiment("other", {"b": Arm()}, (0,), ("70/10/20",))
    collect(made.home)
    with pytest.raises(QueryError, match=r"no point of the matrix in common: data.split=70.* against data.split=60"):
        compare_arms(made.home, "other/b", "paper/a", "test_top1")


def test_unknown_arm_and_metric_bring_the_nearest(tmp_path: Path) -> None:
    made = _home(tmp_path, Arm(), Arm(kind="longformer"), 1)
    with pytest.raises(QueryError, match="did you mean"):
        compare_arms(made.home, "paper/aa", "paper/b", "test_top1")
    with pytest.raises(QueryError, match="test_top1"):
        compare_arms(made.home, "paper/a", "paper/b", "tst_top1")


def _set_value(made: SyntheticHome, run: dict[str, Any], name: str, value: float) -> None:
    """Log one more value at the end of a run's student: the last one counts."""
    with JournalWriter(made.home.job(run["jobs"]["student"]).attempt(1).journal) as journal:
        journal.metric(name, value, step=99, epoch=2)


def test_two_seeds_that_differ_by_the_same_images_prove_nothing(tmp_path: Path) -> None:
    """Accuracies move in steps of one image: two images more in both of two seeds is luck, and has a spread of 0."""
    made = SyntheticHome(tmp_path)
    runs = made.experiment("paper", {"a": Arm(), "b": Arm(kind="longformer")}, (0, 1))
    for run, top1 in zip(runs, (0.91, 0.93, 0.92, 0.94), strict=True):
        _set_value(made, run, "val_top1", top1)
    collect(made.home)
    found = compare_arms(made.home, "paper/b", "paper/a", "val_top1")[0]
    assert found.difference.mean == pytest.approx(0.01)
    assert (found.p, found.adjusted_p, found.difference.low) == (None, None, None)
    assert any("all seeds differ by exactly as much" in line for line in comparison_lines(found))
    judged = check_claims(made.home, "paper", [_claim(metric="val_top1")])[0]
    assert judged.verdict == "undecided"
    assert "run more seeds" in judged.reason


def test_one_measurement_for_all_seeds_counts_once(tmp_path: Path) -> None:
    made = SyntheticHome(tmp_path)
    runs = made.experiment("paper", {"a": Arm(), "b": Arm(speed=700, kind="longformer")}, (0, 1, 2))
    shared = [
        {**run, "jobs": {**run["jobs"], "measure": runs[3 * (run["arm"] == "b")]["jobs"]["measure"]}} for run in runs
    ]
    made.record("paper", shared, "a")
    collect(made.home)
    found = compare_arms(made.home, "paper/b", "paper/a", "infer_images_per_second")[0]
    assert (found.difference.n, found.p) == (1, None)
    assert found.untested == ONE_MEASUREMENT
    judged = check_claims(made.home, "paper", [_claim(metric="infer_images_per_second")])[0]
    assert judged.verdict == "undecided"
    assert "train_images_per_second" in judged.reason


def test_run_whose_value_is_no_number_is_left_out_and_named(tmp_path: Path) -> None:
    made = SyntheticHome(tmp_path)
    runs = made.experiment("paper", {"a": Arm(), "b": Arm(kind="longformer")}, (0, 1, 2))
    _set_value(made, runs[4], "test_top1", float("nan"))
    collect(made.home)
    found = compare_arms(made.home, "paper/b", "paper/a", "test_top1")[0]
    assert (found.difference.n, found.left_out) == (2, ("b seed 1",))
    assert any("no number: test_top1 of b seed 1" in line for line in comparison_lines(found))


@pytest.mark.parametrize(
    ("role", "change", "metric", "what"),
    [("measure", {"cpu_model": "another"}, "infer_images_per_second", "the device"),
     ("student", {"cpu_model": "another"}, "train_images_per_second", "the device"),
     ("measure", {"code_digest": "ab" * 32}, "infer_latency", "the code"),
     ("student", {"code_digest": "ab" * 32}, "test_top1", "the code")],
)  # fmt: skip
def test_another_processor_or_code_is_seen_where_it_decides(
    tmp_path: Path, role: str, change: dict[str, str], metric: str, what: str
) -> None:
    made = SyntheticHome(tmp_path)
    runs = made.experiment("paper", {"a": Arm(), "b": Arm(kind="longformer")}, (0, 1))
    for run in runs[2:]:
        path = made.home.job(run["jobs"][role]).attempt(1).provenance
        path.write_text(json.dumps(json.loads(path.read_text()) | change))
    collect(made.home)
    found = compare_arms(made.home, "paper/b", "paper/a", metric, anyway=True)[0]
    assert [one.what for one in found.unfair] == [what]
    other = "params" if what == "the device" else "val_top1" if role == "measure" else "infer_latency"
    assert compare_arms(made.home, "paper/b", "paper/a", other)[0].unfair == ()


# Against comparisons written by hand ----------------------------------------------------------------------------------


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
    assert reason(_claim(), weak) == f"{hope}about {needed} seeds would decide it"
    assert (
        reason(_claim(margin=0.005), weak) == f"{hope}about {Design(3, 0.02).seeds_needed(0.005)} seeds would decide it"
    )
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
    assert reason(_claim(), once) == f"{ONE_MEASUREMENT}; train_images_per_second is measured in every run"


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


def test_validation_images_of_two_split_seeds_decide_nothing(tmp_path: Path) -> None:
    other = {"data": {"source": "digits", "split": "60/20/20", "split_seed": 1, "image_size": 32}}
    made = _home(tmp_path, Arm(0.4), Arm(0.8, kind="longformer", settings=other), 3)
    (judged,) = check_claims(made.home, "paper", [_claim(metric="val_top1")])
    assert judged.verdict == "undecided"
    assert judged.reason.startswith("not comparable: not the same images: data.split_seed is 1 against")


def test_effects_are_written_in_points_or_plain_numbers() -> None:
    wide = _found(0.012, 0.02, 3, difference=Interval(0.012, 0.02, -0.004, 0.028, 3))
    assert interval_text(wide) == "+1.20 points [-0.40, +2.80], n=3"
    assert interval_text(_found(0.012, None, 1)) == "+1.20 points, n=1"
    plain = replace(wide, metric="test_loss")
    assert interval_text(plain) == "+0.012 [-0.004, +0.028], n=3"
    assert interval_text(replace(wide, metric="params")) == "+0.012, n=3"


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
