"""Two arms side by side, from rows written by hand: means, pairs, points of the matrix, test images, Holm."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from scipy import stats as scipy_stats

from engine.analysis.compare import (
    FEW_SEEDS,
    NO_SPREAD,
    ONE_MEASUREMENT,
    ONE_SEED,
    ONE_TRAINING,
    Comparison,
    compare_arms,
    with_holm,
)
from engine.analysis.crossed import crossed_interval
from engine.analysis.power import Design
from engine.analysis.speeds import ONE_NETWORK
from engine.analysis.statistics import Interval, mcnemar_p, p_of
from engine.errors import QueryError
from tests.analysis.answering import Answers, image_row

SAME = {"data": {"split": "60/20/20"}, "student": {"arch": "tiny"}}


def run_row(arm: str, seed: int, cell: str = "one", **more: Any) -> dict[str, Any]:
    """A row of compare_runs.sql."""
    settings = SAME | {"student": {"arch": "tiny", "attention": {"kind": arm}}}
    about = {"experiment": "paper", "arm": arm, "cell": cell, "seed": seed, "run": f"run-{arm}-{seed}", "split": "s"}
    about |= {"state": "done"}
    figures = {
        "test_top1": None,
        "val_top1": None,
        "params": None,
        "test_loss": None,
        "infer_latency": None,
        "train_seconds": None,
    }
    where: dict[str, Any] = {"code": "c", "measure_code": "c", "images": "i", "at_once": None}
    around = {"device": "H100", "driver": "550", "torch": "2.9", "timm": "1.0", "host": "n1", "details": "{}"}
    where |= {f"{job}_{name}": value for job in ("train", "measure") for name, value in around.items()}
    jobs = {"final_job": f"train-{arm}-{seed}", "measure_job": f"measure-{arm}-{seed}"}
    return {**about, **figures, **where, **jobs, "settings": json.dumps(settings), **more}


class Store:
    """Rows of runs, and of test images by job, to be asked for as a snapshot is."""

    def __init__(self) -> None:
        self.runs: Sequence[Mapping[str, Any]] = ()
        self.images: Sequence[Mapping[str, Any]] = ()
        self.rounds: Sequence[Mapping[str, Any]] = ()
        self.snapshot = Answers(answer=self._answer)

    def _answer(self, query: str, values: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
        if query in ("compare_images", "compare_samples"):
            return [row for row in self.images if row["job"] in values["jobs"]]
        if query == "compare_rounds":
            return [row for row in self.rounds if row["job"] in values["jobs"]]
        if query == "trace_arms":
            return [{"name": name} for name in dict.fromkeys(f"paper/{run['arm']}" for run in self.runs)]
        return [run for run in self.runs if (run["experiment"], run["arm"]) == (values["experiment"], values["arm"])]

    def compare_all(self, metric: str = "val_top1", **more: Any) -> list[Comparison]:
        self.snapshot.judged.clear()  # a test may have put other images in
        return compare_arms(self.snapshot, "paper/b", "paper/a", metric, **more)

    def compare(self, metric: str = "val_top1", **more: Any) -> Comparison:
        (one,) = self.compare_all(metric, **more)
        return one


@pytest.fixture
def store() -> Store:
    return Store()


def test_the_first_minus_the_second_over_common_seeds(store: Store) -> None:
    """b has seeds 1, 2, 4 and a has 0, 1, 2: pairs are (0.63, 0.60) and (0.69, 0.64)."""
    values = {"a": {0: 0.50, 1: 0.60, 2: 0.64}, "b": {1: 0.63, 2: 0.69, 4: 0.90}}
    store.runs = [run_row(arm, seed, val_top1=value) for arm, row in values.items() for seed, value in row.items()]
    found = store.compare()
    assert (found.arms, found.cell, found.metric) == (("b", "a"), "one", "val_top1")
    assert found.means == pytest.approx((0.66, 0.62))
    assert found.runs == (("run-b-1", "run-b-2"), ("run-a-1", "run-a-2"))
    assert found.difference.mean == pytest.approx(0.04)
    assert found.difference.n == 2
    assert found.difference.half == pytest.approx(12.7062 * 0.01, rel=1e-4)
    assert found.relative == pytest.approx(100 * 0.04 / 0.62)
    assert found.p == pytest.approx(scipy_stats.ttest_rel([0.63, 0.69], [0.60, 0.64]).pvalue)
    assert found.adjusted_p == found.p
    assert found.smallest == pytest.approx(Design(2, float(np.std([0.03, 0.05], ddof=1))).detectable())
    assert (found.untested, found.left_out, found.unfair, found.factors) == ("", (), (), ("attention",))
    assert found.images is None, "only test accuracy has test images"


def test_relative_is_none_against_zero_and_of_the_size_of_a_negative() -> None:
    one = Comparison("x", "c", ("b", "a"), (1.0, 0.0), ((), ()), Interval(1.0, None, None, None, 1), None, None, None,
                     None, (), ())  # fmt: skip
    assert one.relative is None
    assert replace(one, means=(-1.0, -2.0)).relative == pytest.approx(50.0)


def test_each_common_point_is_compared_by_itself(store: Store) -> None:
    store.runs = [run_row(arm, seed, cell, val_top1=0.5 + shift + gain + seed / 100 * (1 + gain))
                  for cell, shift in (("one", 0.0), ("two", 0.2)) for arm, gain in (("a", 0.0), ("b", 0.1))
                  for seed in (0, 1)]  # fmt: skip
    store.runs = [*store.runs, run_row("b", 0, "three", val_top1=0.9)]
    found = store.compare_all()
    assert [one.cell for one in found] == ["one", "two"]
    assert [one.means[1] for one in found] == pytest.approx([0.505, 0.705])
    for one in found:
        assert one.p is not None
        assert one.adjusted_p == pytest.approx(min(1.0, 2 * one.p))
        assert one.tests == 2
        assert one.smallest == pytest.approx(Design(2, one.difference.std or 0.0, 0.0, 2).detectable())


def test_two_experiments_of_one_point_each_are_compared(store: Store) -> None:
    store.runs = [run_row("a", 0, "one", val_top1=0.5), run_row("b", 0, "other", val_top1=0.6)]
    assert store.compare().cell == "other"
    store.runs = [*store.runs, run_row("b", 0, "third", val_top1=0.6)]
    with pytest.raises(QueryError, match="no point of the matrix in common: other, third against one"):
        store.compare()


def test_arms_without_a_common_seed_are_told_to_wait(store: Store) -> None:
    store.runs = [run_row("a", 0, val_top1=0.5), run_row("b", 1, val_top1=0.6), run_row("b", 0)]
    with pytest.raises(QueryError, match="no finished seed in common with a val_top1"):
        store.compare()


@pytest.mark.parametrize(("metric", "p"), [("val_top1", None), ("infer_latency", 0.0)])
def test_only_accuracies_that_differ_alike_are_not_tested(store: Store, metric: str, p: float | None) -> None:
    values: dict[str, Any] = {"a": {metric: 0.5}, "b": {metric: 0.75}}
    store.runs = [run_row(arm, seed, **value) for arm, value in values.items() for seed in (0, 1)]
    found = store.compare(metric)
    assert (found.p, found.untested) == (p, NO_SPREAD if p is None else "")
    assert found.smallest is None, "without a spread it would be 0"


def test_one_seed_is_not_tested_and_one_measurement_counts_once(store: Store) -> None:
    store.runs = [run_row("a", 0, val_top1=0.5), run_row("b", 0, val_top1=0.6)]
    assert store.compare().untested == ONE_SEED
    store.runs = [run_row(arm, seed, infer_latency=3.0 + seed, val_top1=0.5 + seed, measure_job=f"measure-{arm}")
                  for arm in "ab" for seed in (0, 1, 2)]  # fmt: skip
    found = store.compare("infer_latency")
    assert (found.difference.n, found.untested, found.runs) == (1, ONE_MEASUREMENT, (("run-b-0",), ("run-a-0",)))
    assert store.compare("val_top1").difference.n == 3, "an accuracy is measured in every run"


def test_one_measurement_against_several_is_no_sample_of_pairs(store: Store) -> None:
    """Three pruned networks, and one measurement of the baseline, without rounds."""
    store.runs = [run_row("b", seed, infer_latency=3.0 + seed / 9) for seed in (0, 1, 2)]
    store.runs += [run_row("a", seed, infer_latency=4.0, measure_job="measure-a") for seed in (0, 1, 2)]
    found = store.compare("infer_latency")
    assert (found.difference.n, found.difference.low, found.p, found.untested) == (1, None, None, ONE_MEASUREMENT)


def test_rounds_side_by_side_take_the_place_of_two_measurements(store: Store) -> None:
    """b is 0.8 times as fast as a beside it, whatever both were at other times."""
    store.runs = [run_row(arm, seed, infer_images_per_second=speed, measure_job=f"measure-{arm}")
                  for arm, speed in (("a", 100.0), ("b", 130.0)) for seed in (0, 1)]  # fmt: skip
    base, slide = json.dumps({"arch": "a"}), json.dumps({"arch": "b"})
    alone = {"job": "measure-a", "network": base, "against": None, "own": 100.0, "base": None}
    beside = {"job": "measure-b", "network": slide, "against": base}
    store.rounds = [alone, *({**beside, "own": own, "base": 50.0} for own in (40.0, 41.0, 39.0))]
    found = store.compare("infer_images_per_second")
    assert found.speed is not None
    low, high = found.speed.edges
    assert found.speed.ratio == pytest.approx(0.8, rel=1e-3)
    assert found.difference.mean == pytest.approx(100.0 * (found.speed.ratio - 1))
    assert found.difference.low == pytest.approx(100 * (low - 1))
    assert found.difference.high == pytest.approx(100 * (high - 1))
    assert (found.p, found.difference.n, found.untested, found.smallest) == (found.speed.p_at(), 3, "", None)
    assert found.relative == pytest.approx(100 * (found.speed.ratio - 1))
    assert store.compare("infer_images_per_second").adjusted_p == found.p


def test_arms_of_one_shape_are_one_network(store: Store) -> None:
    store.runs = [run_row(arm, seed, infer_latency=3.0, measure_job="measure-one") for arm in "ab" for seed in (0, 1)]
    found = store.compare("infer_latency")
    assert (found.difference.mean, found.untested) == (0.0, ONE_NETWORK)


def test_values_that_are_no_number_are_left_out_by_name(store: Store) -> None:
    values = {"a": (0.5, float("inf")), "b": (0.6, 0.6, float("nan"))}
    store.runs = [run_row(arm, seed, val_top1=value) for arm in values for seed, value in enumerate(values[arm])]
    found = store.compare()
    assert (found.left_out, found.difference.n) == (("b seed 2", "a seed 1"), 1)


def test_what_is_unfair_is_refused_or_listed_the_gravest_first(store: Store) -> None:
    other = {**SAME, "student": {"arch": "tiny", "attention": {"kind": "b"}}, "train": {"warmup": 1, "epochs": 9}}
    store.runs = [run_row("a", 0, val_top1=0.5), run_row("b", 0, val_top1=0.6, settings=json.dumps(other))]
    with pytest.raises(QueryError, match=r"(?s)not comparable:.*train\.epochs.*train\.warmup"):
        store.compare()
    assert [one.what for one in store.compare(anyway=True).unfair] == ["train.epochs", "train.warmup"]


@pytest.mark.parametrize(
    ("metric", "changes", "unfair"),
    [
        ("infer_latency", {"measure_device": "A100"}, ["the device"]),
        ("infer_latency", {"train_device": "A100"}, []),
        ("train_seconds", {"train_device": "A100"}, ["the device"]),
        ("train_seconds", {"measure_device": "A100"}, []),
        ("val_top1", {"train_device": "A100", "measure_device": "A100"}, []),
        ("val_top1", {"code": "d"}, ["the code"]),
        ("infer_latency", {"code": "d"}, []),
        ("infer_latency", {"measure_code": "d"}, ["the code"]),
        ("val_top1", {"images": "j"}, ["the images"]),
        ("params", {"images": "j"}, []),
        ("infer_latency", {"measure_driver": "560", "measure_torch": "3"}, ["the driver", "the torch version"]),
        ("infer_latency", {"train_driver": "560", "train_torch": "3"}, []),
        ("train_seconds", {"train_details": '{"workers": 4}'}, ["data.workers"]),
        ("train_seconds", {"train_details": '{"resources": {"gpus": 0.5}}'}, ["resources.gpus"]),
        ("train_seconds", {"measure_details": '{"workers": 4}'}, []),
        ("train_seconds", {"at_once": "32"}, ["the images that go through at once"]),
        ("infer_latency", {"at_once": "32"}, []),
    ],
)
def test_a_metric_is_held_to_the_machine_and_code_that_made_it(
    store: Store, metric: str, changes: dict[str, str], unfair: list[str]
) -> None:
    one: dict[str, Any] = {metric: 1.0}
    other: dict[str, Any] = {metric: 2.0, **changes}
    store.runs = [run_row("a", 0, **one), run_row("b", 0, **other)]
    assert [one.what for one in store.compare(metric, anyway=True).unfair] == unfair


def test_what_one_pair_of_seeds_alone_differs_in_is_unfair(store: Store) -> None:
    store.runs = [run_row(arm, seed, val_top1=0.5 + seed / 10) for arm in "ab" for seed in range(3)]
    assert store.compare().unfair == ()
    store.runs[-1] = run_row("b", 2, val_top1=0.6, code="d")
    assert [one.what for one in store.compare(anyway=True).unfair] == ["the code"]


def test_a_footnote_is_of_what_decides_no_accuracy_but_its_last_digits(store: Store) -> None:
    other = {"train_device": "A100", "train_torch": "3", "train_timm": "2", "train_host": "n2", "train_driver": "560"}
    store.runs = [run_row("a", 0, val_top1=0.5), run_row("b", 0, val_top1=0.6, **other)]
    found = store.compare()
    assert found.unfair == ()
    assert found.notes == (
        "the device is A100 against H100", "the torch version is 3 against 2.9", "the timm version is 2 against 1.0",
    )  # fmt: skip


def test_unequal_epochs_are_refused_with_the_control_that_is_missing(store: Store) -> None:
    pruned = {**SAME, "train": {"epochs": 10}, "prune": {"ratio": 0.2, "recover_epochs": 2}}
    whole = {**SAME, "train": {"epochs": 10}}
    rows = {"a": json.dumps(whole), "b": json.dumps(pruned)}
    store.runs = [run_row(arm, 0, val_top1=0.5, settings=settings) for arm, settings in rows.items()]
    with pytest.raises(QueryError, match=r"(?s)epochs in all  12  10.*equal-budget control .* to 12 epochs in all"):
        store.compare()


def images(
    job: str, correct: Sequence[bool], samples: str = "xyzw", labels: Sequence[int] = (0, 1, 2, 3)
) -> dict[str, Any]:
    return image_row(job, correct, samples, labels)


def test_test_images_are_paired_first_minus_second(store: Store) -> None:
    store.runs = [run_row("a", 0, test_top1=0.25), run_row("b", 0, test_top1=1.0)]
    store.images = [images("train-a-0", [True, False, False, False]), images("train-b-0", [True] * 4)]
    found = store.compare("test_top1")
    assert found.images is not None
    assert found.images.n == 4
    assert found.images.mcnemar == mcnemar_p(3, 0)
    assert (found.difference, found.p) == (crossed_interval([[0, 1, 1, 1]]), None)
    assert (found.difference.over, found.difference.n, found.untested) == ("images", 1, ONE_SEED)


def test_test_accuracy_has_one_interval_over_seeds_and_images(store: Store) -> None:
    draw = np.random.default_rng(0)
    right = {arm: draw.random((3, 40)) < share for arm, share in (("a", 0.5), ("b", 0.8))}
    store.runs = [run_row(arm, seed, test_top1=float(right[arm][seed].mean())) for arm in "ab" for seed in range(3)]
    store.images = [
        images(f"train-{arm}-{seed}", list(right[arm][seed]), "x" * 40, [0] * 40) for arm in "ab" for seed in range(3)
    ]
    found = store.compare("test_top1")
    expected = crossed_interval(right["b"].astype(float) - right["a"])
    assert found.difference == expected
    assert found.difference.over == "seeds and images"
    assert found.p == p_of(expected)
    assert found.untested == ""
    assert found.difference.mean == pytest.approx(found.means[0] - found.means[1])


def test_two_seeds_have_an_interval_of_images_alone_and_no_test(store: Store) -> None:
    store.runs = [run_row(arm, seed, test_top1=0.5 + (arm == "b") / 4) for arm in "ab" for seed in (0, 1)]
    store.images = [images(f"train-{arm}-{seed}", [True, arm == "b", False, True]) for arm in "ab" for seed in (0, 1)]
    found = store.compare("test_top1")
    assert (found.difference.over, found.p, found.untested) == ("images", None, FEW_SEEDS)
    assert found.smallest is None


@pytest.mark.parametrize("seeds", [1, 2, 3, 5])
def test_networks_that_answer_alike_on_few_images_are_not_called_equal_for_certain(store: Store, seeds: int) -> None:
    """Of 4 images nobody can tell that no other would be told differently: no edges at 0, and no p of 0."""
    store.runs = [run_row(arm, seed, test_top1=0.75) for arm in "ab" for seed in range(seeds)]
    store.images = [images(row["final_job"], [True, False, True, True]) for row in store.runs]
    found = store.compare("test_top1")
    assert (found.difference.low, found.difference.high, found.p) == (None, None, None)
    assert found.untested == (ONE_SEED if seeds == 1 else NO_SPREAD)


def test_arms_that_the_same_jobs_trained_are_not_tested(store: Store) -> None:
    """As arms whose one difference was overridden: their equal figures say nothing of it."""
    store.runs = [
        run_row(arm, seed, val_top1=0.5 + seed / 9, final_job=f"t{seed}") for arm in "ab" for seed in range(3)
    ]
    found = store.compare()
    assert (found.difference.mean, found.difference.half, found.p, found.untested) == (0.0, None, None, ONE_TRAINING)
    store.runs = [*store.runs[:5], {**store.runs[5], "final_job": "t9", "val_top1": 0.9}]
    assert store.compare().p is not None, "one pair of different networks is a comparison"


def test_runs_without_a_figure_are_named_with_their_state(store: Store) -> None:
    store.runs = [run_row(arm, seed, val_top1=0.5 + seed / 9) for arm in "ab" for seed in (0, 1)]
    store.runs += [run_row("b", 2, state="failed"), run_row("a", 3, state="running")]
    found = store.compare()
    assert (found.missing, found.difference.n) == (("b seed 2 (failed)", "a seed 3 (running)"), 2)


def test_several_seeds_have_no_mcnemar(store: Store) -> None:
    store.runs = [run_row(arm, seed, test_top1=0.5 + seed / 4) for arm in "ab" for seed in (0, 1)]
    store.images = [images(f"train-{arm}-{seed}", [True, arm == "b", False, True]) for arm in "ab" for seed in (0, 1)]
    found = store.compare("test_top1").images
    assert found is not None
    assert found.mcnemar is None
    store.images = store.images[:-1]
    assert store.compare("test_top1").images is None, "one run has no predictions"


@pytest.mark.parametrize("changes", [{"samples": "xyzv"}, {"labels": (0, 1, 2, 2)}])
def test_other_images_or_labels_are_unfair(store: Store, changes: dict[str, Any]) -> None:
    store.runs = [run_row("a", 0, test_top1=0.25), run_row("b", 0, test_top1=1.0, code="d")]
    store.images = [images("train-a-0", [True] * 4), images("train-b-0", [True] * 4, **changes)]
    found = store.compare("test_top1", anyway=True)
    assert found.images is None
    common = 3 if "samples" in changes else 4
    assert [str(one) for one in found.unfair] == [
        f"the test set is 4 images against 4 images, of which {common} are common",
        "the code is d against c",
    ]


def test_unknown_names_bring_what_there_is(store: Store) -> None:
    with pytest.raises(QueryError, match=r"(?s)there is no arm 'paper/b'.*submit one first"):
        store.compare()
    store.runs = [run_row("a", 0, val_top1=0.5), run_row("b", 0, val_top1=0.5)]
    for metric in ("cell", "seed", "settings", "val_top", "test_low"):
        with pytest.raises(QueryError, match=f"there is no metric '{metric}'"):
            store.compare(metric)


def test_holm_counts_only_what_was_tested() -> None:
    one = Comparison("x", "c", ("b", "a"), (1.0, 0.0), ((), ()), Interval(1.0, None, None, None, 1), None, None, None,
                     None, (), ())  # fmt: skip
    found = with_holm([replace(one, p=p) for p in (0.03, None, 0.01)])
    first, second, third = (other.adjusted_p for other in found)
    assert second is None
    assert [first, third] == pytest.approx([0.03, 0.02])


def test_hits_of_maps_are_not_judged_by_what_networks_say(store: Store) -> None:
    """The predictions differ by as much as the hits do, and say nothing of them; equal steps of all seeds neither."""
    hits = {"a": 0.5, "b": 0.75}
    store.runs = [run_row(arm, seed, pointing_game=value) for arm, value in hits.items() for seed in (0, 1, 2)]
    right = {"a": [True, True, False, False], "b": [True, True, True, False]}
    store.images = [image_row(row["final_job"], right[str(row["arm"])], "wxyz", [0] * 4) for row in store.runs]
    found = store.compare("pointing_game")
    assert found.difference.mean == pytest.approx(0.25)
    assert (found.images, found.difference.over, found.p) == (None, "seeds", None)
    assert found.untested
