"""Comparisons and claims: what the data decide, what they do not, and in which words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from engine.analysis.claims import (
    check_claims,
    describe,
    exit_code,
    threshold_of,
)
from engine.analysis.compare import ONE_MEASUREMENT, compare_arms
from engine.analysis.text import comparison_lines
from engine.collect import collect
from engine.errors import QueryError
from engine.spec import Claim
from store.journal import JournalWriter
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
    assert "measure.rounds" in judged.reason


@pytest.mark.parametrize("expect", ["greater", "less", "not_worse"])
@pytest.mark.parametrize("metric", ["train_images_per_second", "train_seconds"])
def test_what_was_not_timed_side_by_side_decides_nothing(tmp_path: Path, metric: str, expect: Any) -> None:
    made = _home(tmp_path, Arm(speed=300), Arm(speed=900, kind="longformer"), 5)
    judged = check_claims(made.home, "paper", [_claim(metric=metric, expect=expect, margin=0.1)])[0]
    assert judged.comparison is not None
    assert (judged.verdict, judged.p, judged.comparison.difference.low) == ("undecided", None, None)
    assert judged.reason.startswith("trainings are not timed side by side: what else the machine did at the time")
    assert "infer_speedup" in judged.reason
    assert "xp bench" in judged.reason
    assert exit_code([judged]) == 0


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


def test_validation_images_of_two_split_seeds_decide_nothing(tmp_path: Path) -> None:
    other = {"data": {"source": "digits", "split": "60/20/20", "split_seed": 1, "image_size": 32}}
    made = _home(tmp_path, Arm(0.4), Arm(0.8, kind="longformer", settings=other), 3)
    (judged,) = check_claims(made.home, "paper", [_claim(metric="val_top1")])
    assert judged.verdict == "undecided"
    assert judged.reason.startswith("not comparable: not the same images: data.split_seed is 1 against")
