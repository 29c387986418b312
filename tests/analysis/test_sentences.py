"""Every sentence about a comparison, a claim or a plan: a case where it is true, and one where it must not appear."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest

import engine.analysis
from engine.analysis import claims
from engine.analysis.claims import Judged, _compare_claim, _what_is_missing, describe
from engine.analysis.compare import FEW_SEEDS, NO_SPREAD, ONE_MEASUREMENT, Images, _why_untested
from engine.analysis.controls import control_notes
from engine.analysis.fairness import (
    TRIALS,
    UNKNOWN,
    Surroundings,
    footnote_text,
    judge_pair,
    mismatch_lines,
    refusal_text,
    repair_text,
)
from engine.analysis.foresight import Foresight, detect_lines, power_lines
from engine.analysis.freeze import Change
from engine.analysis.power import Design, assumed_design
from engine.analysis.sentences import SENTENCES
from engine.analysis.speeds import SpeedRatio, compare_speeds
from engine.analysis.statistics import Interval, t_interval
from engine.analysis.text import comparison_lines, over_text
from engine.analysis.things import EPOCHS, Mismatch, Thing
from engine.load import load_spec
from engine.spec import Claim
from store.metrics import METRICS
from tests.analysis.answering import Answers
from tests.analysis.filling import FILL_CASES
from tests.analysis.test_compare import Store, run_row
from tests.analysis.test_submitted import TEXT as SUBMITTED
from tests.analysis.test_submitted import departures
from tests.analysis.test_text import ACROSS, found
from tests.helpers.sentences import pattern, stray_sentences
from tests.verify.profile.cases import PROFILE_CASES

Told = Callable[[], str]
FOLDER = Path(engine.analysis.__file__).parent
NO_SENTENCES = {
    "held.py": "names of settings, a table",
    "trace.py": "a query",
    "query.py": "how much of an answer is shown",
}


# What is said in each case --------------------------------------------------------------------------------------------


def said(**more: Any) -> Told:
    return lambda: "\n".join(comparison_lines(found(**more)))


def over(**more: Any) -> Told:
    return lambda: over_text(found(**more))


def untested(difference: Interval, common: int) -> Told:
    return lambda: _why_untested(METRICS["test_top1"], difference, common, is_one=False)


def speeds(*against: str) -> Told:
    """Measure jobs of one round pair each, in turn with these networks; one network alone is one job for both."""
    rows = [
        {"job": f"m{at}", "round": turn, "own": 10.0 + at + turn, "base": 10.0, "network": f'"n{at}"',
         "against": f'"{one}"'}
        for at, one in enumerate(against) for turn in (1, 2)
    ]  # fmt: skip
    jobs = [f"m{at}" for at in range(len(against))]
    snapshot = Answers(answer=lambda _query, _values: rows)
    return lambda: str(compare_speeds(snapshot, jobs[:1], jobs[-1:], METRICS["infer_images_per_second"]))


def of_jobs(first: str, second: str) -> Told:
    """Two arms of three seeds whose networks these jobs made, by the beginning of their names."""
    store = Store()
    store.runs = [
        run_row(arm, seed, test_loss=0.5 + seed, final_job=f"{name}-{seed}")
        for arm, name in (("b", first), ("a", second)) for seed in range(3)
    ]  # fmt: skip
    return lambda: "\n".join(comparison_lines(store.compare("test_loss")))


def timed(metric: str) -> Told:
    """Two arms of three seeds, as they were measured in their trainings."""
    store = Store()
    values: list[dict[str, Any]] = [{metric: 50.0 + seed**2} for seed in range(3)]
    store.runs = [run_row(arm, seed, **value) for arm in "ab" for seed, value in enumerate(values)]
    return lambda: "\n".join(comparison_lines(store.compare(metric)))


def noted(unfair: list[Mismatch], *notes: str) -> Told:
    return lambda: footnote_text(unfair, notes)


def thing(name: str, *paths: str, brought: tuple[Mismatch, ...] = ()) -> Told:
    differing = tuple(Mismatch(path, 1, 2) for path in paths)
    return lambda: "; ".join(Thing(name, differing, brought).footnotes)


def uncontrolled(*controls: str) -> Told:
    """A pruned arm beside these controls of it."""
    own = {"train.epochs": 8, "prune.ratio": 0.2, "prune.criterion": "taylor", "prune.recover_epochs": 2}
    every: dict[str, dict[str, Any]] = {
        "scratch": {**own, "prune.control": "scratch"},
        "none_longer": {"train.epochs": 10},
        "random": {**own, "prune.criterion": "random"},
    }
    known = {("a", ""): own} | {(name, ""): every[name] for name in controls}
    return lambda: "\n".join(control_notes(known, ["a"], ""))


def repaired(*paths: str) -> Told:
    return lambda: repair_text([Mismatch(path, 12, 10) for path in paths])


def tuned(*rates: float, trials: str = "40", drawn: tuple[str, ...] = ("train.lr",)) -> Told:
    """Two arms by their rates, both the best of a search; the second drew what is told."""
    first, second = (Surroundings({"train.lr": rate}, trials="40", drawn=("train.lr",)) for rate in rates)
    return lambda: "; ".join(judge_pair(first, replace(second, trials=trials, drawn=drawn)).notes)


def departing(lr: float, **words: Any) -> Told:
    def tell() -> str:
        with TemporaryDirectory() as folder:
            file = Path(folder) / "paper.yaml"
            file.write_text(SUBMITTED)
            return "\n".join(departures(load_spec(file), lr, **words))

    return tell


def claim(expect: str = "greater", metric: str = "test_top1", margin: float | None = None) -> Claim:
    about = {"id": "one", "text": "A sentence.", "metric": metric, "arm": "b", "against": "a"}
    return Claim.model_validate({**about, "expect": expect, "margin": margin})


def of_claim(expect: str = "greater", metric: str = "test_top1", margin: float | None = None) -> Told:
    return lambda: claims.tested_text(claim(expect, metric, margin))


def compared(expect: str, metric: str) -> Told:
    return lambda: _compare_claim(Answers(), "paper", claim(expect, metric))[0][2]


def described(p: float | None) -> Told:
    return lambda: describe(Judged(claim(), "", "undecided", "", found(), p))


def missing(expect: str = "greater", margin: float | None = None, **more: Any) -> Told:
    weak = {"difference": t_interval([-0.01, 0.01, 0.03]), "tests": 1, **more}
    return lambda: _what_is_missing(claim(expect, margin=margin), found(**weak))


def seen(seeds: int = 3, images: int | None = 357, *, measured: bool = False) -> Foresight:
    return Foresight(assumed_design(seeds, images, 1), "1 claim", images, measured)


def detected(*words: Any, **more: Any) -> Told:
    return lambda: "\n".join(detect_lines(seen(*words, **more)))


def power(points: float, design: Design | None = None, seconds: float = 0.0) -> Told:
    design = design or Design(3, 0.01, 0.0, 1)
    return lambda: "\n".join(power_lines(Foresight(design, "1 claim", 357, measured=True), points, seconds))


def moved(now: Mapping[str, Any] | None, *, is_alone: bool = True) -> Told:
    before = {"n": 2, "mean": 0.5, "std": 0.1, "runs": ["r1", "r2"]}
    after = None if now is None else {**before, **now}
    return lambda: Change("a", "one", "test_top1", before, after, is_alone).reason


ONE, TWO_ALIKE = Interval(0.1, None, None, None, 1), Interval(0.1, 0.0, None, None, 2)
OF_TWO = Interval(0.1, 0.1, 0.0, 0.2, 2, 0.05, 199.0, "images")
OF_ONE = Interval(0.1, None, 0.0, 0.2, 1, 0.05, 199.0, "images")
ALIKE, UNLIKE = Interval(-2.0, 0.0, -2.0, -2.0, 3), t_interval([-2.0, -3.0, -2.5])
NEAR = Interval(0.0, 0.1, -0.3, 0.3, 3, 0.1, 2.0)
SEEDS_ALONE = Interval(0.02, 0.01, 0.005, 0.035, 4, 0.005, 3.0)
ROUNDS, NETWORKS = (SpeedRatio(0.2, 0.02, 5.0, 6, of) for of in ("rounds", "networks"))
SEED, ELSEWHERE = Mismatch("data.split_seed", 1, 2), Mismatch("data.split_seed", 1, 2, other_images=True)
NINE = [Mismatch(f"train.{at}", 1, 2) for at in range(9)]
WALLED, WIDE = Design(3, 0.01, 0.01, 1), Design(3, 0.5, 0.0, 1)

CASES: dict[str, tuple[Told, Told]] = {
    "one_seed": (untested(ONE, 1), untested(ONE, 2)), "one_measurement": (untested(ONE, 2), untested(ONE, 1)),
    "few_seeds": (untested(OF_TWO, 2), untested(OF_ONE, 1)),
    "no_spread": (untested(TWO_ALIKE, 2), untested(UNLIKE, 3)),
    "one_training": (of_jobs("same", "same"), of_jobs("same", "other")),
    "one_network": (speeds("x"), speeds("x", "x")), "no_common": (speeds("x", "y"), speeds("x", "x")),
    "every_seed": (said(metric="params", difference=ALIKE), said(metric="params", difference=UNLIKE)),
    "interval_over": (said(), said(difference=ONE, p=None)),
    "undecided": (said(difference=t_interval([-1.0, 1.0])), said()),
    "side_by_side": (said(metric="infer_latency", speed=ROUNDS), said(metric="infer_latency")),
    "after_holm": (said(), said(p=None)),
    "mcnemar": (said(images=Images(200, 0.01)), said(images=Images(200, None))),
    "could_detect": (said(), said(smallest=None)), "error_of_images": (said(), said(difference=SEEDS_ALONE)),
    "level_alone": (said(tests=1), said(smallest=None)), "level_of_table": (said(tests=3), said(tests=1)),
    "not_beside": (timed("train_images_per_second"), timed("test_loss")),
    "over_rounds": (over(speed=ROUNDS), over()), "over_seeds": (over(difference=SEEDS_ALONE), over(difference=OF_ONE)),
    "over_two_networks": (over(difference=OF_ONE), over(difference=OF_TWO)),
    "over_networks": (over(difference=OF_TWO), over(difference=OF_ONE)),
    "over_both": (over(difference=ACROSS), over(difference=SEEDS_ALONE)),
    "left_out": (said(left_out=("b seed 1",)), said()),
    "not_counted": (said(missing=("b seed 1 (queued)",)), said(left_out=("b seed 1",))),
    "failed_ones": (said(missing=("b seed 1 (failed)",)), said(missing=("b seed 1 (queued)",))),
    "not_comparable": (said(unfair=(ELSEWHERE,)), said(unfair=(SEED,))),
    "not_held": (noted([SEED]), noted([], "a note")), "note_not_held": (said(unfair=(SEED,)), said()),
    "more_of": (noted(NINE), noted(NINE[:1])),
    "more_settings": (lambda: "\n".join(mismatch_lines(NINE)), lambda: "\n".join(mismatch_lines(NINE[:8]))),
    "is_against": (noted([SEED]), noted([Mismatch("2 factors at once", "a", "b")])),
    "at_once": (noted([Mismatch("2 factors at once", "a", "b")]), noted([SEED])),
    "brought": (thing("teacher", "teacher.arch", brought=(SEED,)), thing("teacher", "teacher.arch")),
    "more_than_one": (
        thing("attention", "student.attention.radius", "student.attention.globals"),
        thing("attention", "student.attention.kind", "student.attention.globals"),
    ),
    "of_unknown": (said(unknown=("b",)), said()),
    "no_control": (uncontrolled(), uncontrolled("scratch", "none_longer", "random")),
    "control_scratch": (uncontrolled(), uncontrolled("scratch")),
    "control_none_longer": (uncontrolled(), uncontrolled("none_longer")),
    "control_random": (uncontrolled(), uncontrolled("random")),
    "fair_fix": (repaired("train.lr", EPOCHS), repaired(EPOCHS)),
    "imported_fix": (repaired(UNKNOWN), repaired("train.lr")),
    "trials_fix": (repaired(TRIALS), repaired(TRIALS, "train.lr")),
    "each_tuned": (tuned(0.1, 0.2), tuned(0.1, 0.2, trials="20")),
    "other_space": (tuned(0.1, 0.2, drawn=()), tuned(0.1, 0.2)),
    "budget_fix": (repaired(EPOCHS), repaired("train.lr", EPOCHS)),
    "or_anyway": (lambda: refusal_text([SEED]), lambda: repair_text([SEED])),
    "tested": (of_claim(), of_claim("not_worse", "params_before")),
    "tested_margin": (of_claim(margin=0.01), of_claim()),
    "tested_not": (of_claim("not_worse"), of_claim()),
    "tested_not_margin": (of_claim("not_worse", margin=0.01), of_claim("not_worse")),
    "tested_nothing": (of_claim("not_worse", "params_before"), of_claim("not_worse", "params")),
    "nothing_worse": (compared("not_worse", "prune_asked"), compared("not_worse", "params")),
    "other_spec": (departing(0.006), departing(0.002)),
    "other_words": (departing(0.006, epochs=99), departing(0.006)),
    "claim_p": (described(0.03), described(None)),
    "measured_once": (missing(untested=ONE_MEASUREMENT), missing(untested=FEW_SEEDS)),
    "rounds_silent": (missing(speed=ROUNDS), missing()),
    "more_rounds": (missing(speed=ROUNDS), missing(speed=NETWORKS)),
    "more_networks": (missing(speed=NETWORKS), missing(speed=ROUNDS)),
    "lone_seed": (missing(difference=ONE), missing()),
    "more_seeds": (missing(difference=TWO_ALIKE, untested=NO_SPREAD), missing()),
    "no_margin": (missing("not_worse"), missing("not_worse", margin=0.001)),
    "seeds_silent": (missing(), missing(difference=ONE)),
    "seeds_needed": (missing(), missing(difference=NEAR)),
    "level_of_claims": (missing(tests=4), missing(tests=1)),
    "only_seeds_needed": (missing(metric="test_loss", difference=NEAR), missing(difference=NEAR)),
    "more_needed": (missing(difference=NEAR), missing()),
    "cannot_decide": (detected(2), detected(3)), "can_detect": (detected(3), detected(2)),
    "share_of_images": (detected(), detected(3, None)),
    "measured_spreads": (detected(measured=True), detected()), "assumed_spreads": (detected(), detected(measured=True)),
    "assumed_images": (detected(), detected(3, None)),
    "power_here": (power(1.0), power(1.0, Design(2, 0.01, 0.0, 1))),
    "never_enough": (power(1.0, WALLED), power(0.1, WIDE)), "beyond": (power(0.1, WIDE), power(1.0, WALLED)),
    "to_detect": (power(1.0), power(1.0, WALLED)),
    "cost_of_more": (power(1.0, seconds=60.0), power(9.0, seconds=60.0)),
    "alone_moved": (moved(None), moved(None, is_alone=False)), "cell_moved": (moved(None, is_alone=False), moved(None)),
    "other_runs": (moved({"runs": ["r1"]}), moved({"mean": 0.6})),
    "other_figures": (moved({"mean": 0.6}), moved({"n": 3})), "other_samples": (moved({"n": 3}), moved({"std": 0.2})),
    "other_spread": (moved({"std": 0.2}), moved({"n": 3})),
    **PROFILE_CASES,
    **FILL_CASES,
}  # fmt: skip


def test_every_sentence_has_both_cases() -> None:
    assert CASES.keys() == SENTENCES.keys()


@pytest.mark.parametrize("name", sorted(CASES))
def test_a_sentence_stands_where_it_is_true(name: str) -> None:
    assert re.search(pattern(SENTENCES[name]), CASES[name][0]())


@pytest.mark.parametrize("name", sorted(CASES))
def test_a_sentence_is_absent_where_it_is_not(name: str) -> None:
    assert not re.search(pattern(SENTENCES[name]), CASES[name][1]())


@pytest.mark.parametrize("file", sorted(FOLDER.glob("*.py")), ids=lambda file: file.name)
def test_no_sentence_stands_elsewhere(file: Path) -> None:
    """What is not in the catalogue has no cases, and nobody has asked when it is false."""
    assert file.name in NO_SENTENCES or stray_sentences(file) == []
