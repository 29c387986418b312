"""What a report says, from rows written by hand: charts and curves as numbers, maps, facts and holes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import pytest

from engine.report.charts.bars import Bars
from engine.report.page import SECTIONS, Page, make_page
from engine.verify.certificate import Certificate, Verified, training_digest
from tests.report.rows import cell_rows, make_rows, run_row, unequal_runs


def page_of(runs: Sequence[dict[str, Any]], baseline: str | None = None, **parts: Any) -> Page:
    return make_page("paper", make_rows(list(runs), baseline, **parts))


def chart_of(page: Page, name: str) -> Bars:
    return next(chart for chart in page.charts if chart.name == name)


def test_each_experiment_of_the_paper_stands_beside_its_own_section() -> None:
    for name, section in SECTIONS.items():
        part = name.split("_")[1]
        assert section == ("Phase 2" if name.startswith("phase2_") else f"{part.title()} Window Runs")
    assert len(SECTIONS) == 4


# Charts ---------------------------------------------------------------------------------------------------------------


def test_bars_are_means_in_the_unit_of_their_axis() -> None:
    """Accuracies are per cent, memory is MB of 2^20 bytes, parameters are millions; as in the table by hand."""
    page = page_of(unequal_runs(), "base")
    assert [(chart.name, chart.title, chart.unit) for chart in page.charts] == [
        ("accuracy", "Test accuracy", "%"),
        ("throughput", "Inference throughput", "images/s"),
        ("memory", "Peak GPU memory, reserved", "MB"),
        ("parameters", "Parameters", "millions"),
    ]
    means = {
        "accuracy": (61.0, 74.0), "throughput": (515.0, 660.0), "memory": (1030.0, 1320.0), "parameters": (21.0, 21.4),
    }  # fmt: skip
    for name in means:
        chart = chart_of(page, name)
        assert list(chart.values) == ["base", "new"]
        assert [chart.values[arm][0] for arm in chart.values] == pytest.approx(list(means[name]))


def test_bars_stand_at_their_own_point() -> None:
    runs = [run_row("a", 0, "one", test_top1=0.5), run_row("b", 0, "two", test_top1=0.6)]
    chart = chart_of(page_of(runs), "accuracy")
    assert chart.points == ["one", "two"]
    assert chart.values == {"a": [50.0, None], "b": [None, 60.0]}
    assert chart.edges == {"a": [None, None], "b": [None, None]}


def test_without_inference_the_speed_of_training_is_drawn() -> None:
    page = page_of([run_row("a", 0, test_top1=0.5, train_images_per_second=50.0)])
    chart = chart_of(page, "throughput")
    assert (chart.title, chart.values) == ("Training throughput", {"a": [50.0]})
    assert [chart.name for chart in page.charts] == ["accuracy", "throughput"], "empty ones are left out"


def test_pruned_arms_are_marked_in_every_chart() -> None:
    runs = [run_row("a", 0, test_top1=0.5), run_row("b", 0, test_top1=0.5, prune_asked=0.2)]
    page = page_of(runs, cells=cell_rows(runs, ("test_top1", "prune_asked")))
    assert chart_of(page, "accuracy").hatched == {"b"}


# Curves ---------------------------------------------------------------------------------------------------------------


def curve(arm: str, name: str, values: Sequence[float], cell: str = "default", **more: Any) -> list[dict[str, Any]]:
    row = {"arm": arm, "cell": cell, "name": name, "n": 1, "seeds": 1, "role": "student", **more}
    return [{**row, "epoch": epoch, "mean": value, "least": value, "most": value} for epoch, value in enumerate(values)]


def test_curves_count_epochs_from_one_in_per_cent_and_plain_loss() -> None:
    rows = curve("b", "val_top1", (0.25, 0.5)) + curve("a", "val_top1", (0.2, 0.4))
    rows += curve("a", "train_loss", (2.0, 1.5))
    page = page_of([run_row("a", 0), run_row("b", 0)], curves=rows)
    accuracy, loss = page.curves
    assert (accuracy.name, accuracy.title, accuracy.unit) == ("curve_val_top1", "Validation accuracy", "%")
    assert accuracy.lines == {"a": [(1, 20.0), (2, 40.0)], "b": [(1, 25.0), (2, 50.0)]}
    assert (loss.name, loss.title, loss.unit) == ("curve_train_loss", "Training loss", "")
    assert loss.lines == {"a": [(1, 2.0), (2, 1.5)]}
    assert list(loss.arms) == ["a", "b"]


def test_one_epoch_is_no_curve() -> None:
    assert page_of([run_row("a", 0)], curves=curve("a", "val_top1", (0.2,))).curves == []
    assert page_of([run_row("a", 0)]).curves == []


def test_arms_of_equal_means_are_all_drawn() -> None:
    rows = curve("a", "val_top1", (0.2, 0.4)) + curve("twin", "val_top1", (0.2, 0.4))
    page = page_of([run_row("a", 0), run_row("twin", 0)], curves=rows)
    assert list(page.curves[0].lines) == ["a", "twin"]


def pruned_page(curves: Sequence[dict[str, Any]], epochs: int = 2) -> Page:
    tree = {"train": {"epochs": epochs}}
    runs = [run_row("a", 0, settings=tree), run_row("cut", 0, settings=tree, prune_asked=0.2)]
    return page_of(runs, curves=curves, cells=cell_rows(runs, ("prune_asked",)))


def test_the_recovery_of_a_pruned_arm_goes_on_where_its_training_ended() -> None:
    """Two epochs of training, two of recovery: epochs 3 and 4 of the arm; the parent's own are those of `a`."""
    rows = curve("a", "val_top1", (0.2, 0.4)) + curve("cut", "val_top1", (0.2, 0.4))
    rows += curve("cut", "val_top1", (0.3, 0.5), role="prune")
    page = pruned_page(rows)
    (drawn,) = page.curves
    assert drawn.lines == {"a": [(1, 20.0), (2, 40.0)], "cut": [(1, 20.0), (2, 40.0), (3, 30.0), (4, 50.0)]}
    assert drawn.pruned == {"cut": 2}
    assert drawn.notes == [
        "Curves: means over seeds, n=1.",
        "Cross: where an arm was pruned; what comes after it is recovery.",
        "Dashed in turn: arms whose means are the same there.",
    ]


def test_recovery_begins_after_the_epochs_that_were_asked_for() -> None:
    rows = curve("cut", "val_top1", (0.2,)) + curve("cut", "val_top1", (0.3, 0.5), role="prune")
    assert pruned_page(rows, epochs=5).curves[0].lines["cut"] == [(1, 20.0), (6, 30.0), (7, 50.0)]


def test_means_of_fewer_seeds_are_said_to_be() -> None:
    rows = curve("a", "val_top1", (0.2, 0.4), n=2, seeds=2) + curve("b", "val_top1", (0.2, 0.4), n=1, seeds=2)
    page = page_of([run_row("a", 0), run_row("b", 0)], curves=rows)
    assert "Means of fewer seeds at some epochs: b." in page.curves[0].notes


def test_curves_are_of_the_first_point_that_has_any() -> None:
    runs = [run_row("a", 0, point) for point in ("one", "two", "three")]
    rows = curve("a", "val_top1", (0.1, 0.2), "three") + curve("a", "val_top1", (0.3, 0.4), "two")
    (drawn,) = page_of(runs, curves=rows).curves
    assert (drawn.title, drawn.lines) == ("Validation accuracy, two", {"a": [(1, 30.0), (2, 40.0)]})
    (alone,) = page_of([run_row("a", 0, "two")], curves=rows).curves
    assert alone.title == "Validation accuracy"


# Maps -----------------------------------------------------------------------------------------------------------------


def test_maps_say_what_the_image_is_and_whether_the_answer_is_right() -> None:
    shown = [
        {"file": "0.png", "label": 0, "predicted": 0},
        {"file": "1.png", "label": 1, "predicted": 0},
        {"file": "2.png", "label": 2, "predicted": 2},
    ]
    row = {"arm": "a", "cell": "one", "job": "explain-1", "seed": 3, "maps": json.dumps({"images": shown}),
           "classes": '["cat", "dog"]'}  # fmt: skip
    (column,) = page_of([run_row("a", 0)], maps=[row]).maps
    assert (column.arm, column.cell, column.job, column.seed) == ("a", "one", "explain-1", 3)
    assert column.titles == {"0.png": "cat", "1.png": "dog", "2.png": "class 2"}
    assert column.captions == {"0.png": "cat, right", "1.png": "cat, wrong", "2.png": "class 2, right"}
    (bare,) = page_of([run_row("a", 0)], maps=[{**row, "maps": None, "classes": None}]).maps
    assert (bare.titles, bare.captions) == ({}, {})


def test_maps_name_imagenet_classes_by_what_they_mean() -> None:
    shown = [{"file": "0.png", "label": 0, "predicted": 0}]
    row = {"arm": "a", "cell": "one", "job": "explain-1", "seed": 3, "maps": json.dumps({"images": shown}),
           "classes": '["n01440764"]'}  # fmt: skip
    (column,) = page_of([run_row("a", 0)], maps=[row]).maps
    assert column.titles == {"0.png": "n01440764 tench"}


# Facts ----------------------------------------------------------------------------------------------------------------


def origin(**changes: Any) -> dict[str, Any]:
    about = {"host": "bench", "device": "cpu", "cpu_model": "Zen", "python": "3.11", "torch": "2.15", "timm": "1.0"}
    return {**about, "git_commit": "c0ffee" * 6, "git_dirty": None, **changes}


def test_facts_say_what_was_run_and_where() -> None:
    tree = {"train": {"epochs": 3, "lr": 0.1}}
    runs = [run_row("a", 2, settings=tree), run_row("a", 0, settings=tree) | {"state": "running"},
            run_row("b", 10, settings={"train": {"epochs": 3, "lr": 0.2}})]  # fmt: skip
    page = page_of(runs, "a", origins=[origin(), origin(host="other", git_dirty=True, timm=None)])
    facts = dict(page.facts)
    assert (page.experiment, page.title) == ("paper", "A title")
    assert facts | {"Resume after a kill": ""} == {
        "Submitted": "2026-01-02 03:04 UTC (submission 2)",
        "Arms": "a, b",
        "Baseline": "a",
        "Split (train/val/test)": "60/20/20",
        "Seeds": "0, 2, 10",
        "Runs": "2 of 3 done",
        "Epochs (recovery not counted)": "3",
        "Training time": "1 min 15 s",
        "Machine": "bench, other: cpu, Zen",
        "Versions": "Python 3.11, torch 2.15, timm 1.0",
        "Commit": "c0ffeec0ffee, c0ffeec0ffee with changes",
        "Resume after a kill": "",
    }


def test_facts_that_nobody_knows_are_said_to_be_unknown() -> None:
    about = {"title": None, "submitted": None, "train_seconds": None}
    runs = [{**run_row("a", 0), "split": None}]
    page = page_of(runs, about=about, origins=[origin(git_commit=None, cpu_model=None, torch=None)])
    facts = dict(page.facts)
    assert facts["Split (train/val/test)"] == "unknown"
    assert page.title == "paper"
    assert facts["Submitted"] == "unknown (submission 2)"
    assert facts["Baseline"] == "none named"
    assert facts["Training time"] == "0 s"
    assert facts["Machine"] == "bench: cpu, unknown"
    assert facts["Versions"] == "Python 3.11, torch unknown, timm 1.0"
    assert facts["Commit"] == "unknown (not run from a checkout)"


def test_a_certificate_is_held_against_the_first_point_of_each_arm() -> None:
    first, later = ({"student": {"arch": arch}} for arch in ("small", "large"))
    digest = training_digest({"data": {"split": "60/20/20"}, **first})
    killed = Verified("train-1", 2, "bits", "bits")
    certificate = Certificate("paper", {"a": digest}, (killed,), "bench", "cpu", "Zen", "2.15", "2026-01-02")
    runs = [run_row("a", 0, "one", first), run_row("a", 0, "two", later)]
    page = make_page("paper", make_rows(runs), (), [certificate])
    told = dict(page.facts)["Resume after a kill"]
    assert told == "verified bit-identical on bench (cpu, torch 2.15, 2 kills, 2026-01-02)"


# Holes ----------------------------------------------------------------------------------------------------------------


def test_a_whole_experiment_has_no_holes() -> None:
    assert page_of(unequal_runs(), "base").holes == []


def test_runs_that_are_not_done_are_named_up_to_six() -> None:
    runs = [run_row("a", seed) | {"state": "queued"} for seed in range(8)]
    runs += [run_row("b", 0) | {"state": "failed"}, run_row("b", 1, test_top1=0.5)]
    names = ", ".join(f"a default seed {seed}" for seed in range(6))
    assert page_of(runs).holes == [
        f"8 of 10 runs are queued: {names} and 2 more",
        "1 of 10 runs are failed: b default seed 0",
    ]
    six = [run_row("a", seed) | {"state": "queued"} for seed in range(6)]
    assert page_of(six).holes == [f"6 of 6 runs are queued: {names}"]


@pytest.mark.parametrize(
    ("state", "reason", "said"),
    [
        ("failed", "out of disk", ["job train-1 is failed after 2 attempts: out of disk"]),
        ("cancelled", None, ["job train-1 is cancelled after 2 attempts"]),
        ("paused", "", ["job train-1 is paused after 2 attempts"]),
        ("queued", "crashed", []),
        ("running", None, []),
    ],
)
def test_jobs_that_ended_badly_are_holes(state: str, reason: str | None, said: list[str]) -> None:
    job = {"job": "train-1", "state": state, "attempts": 2, "reason": reason}
    assert page_of([run_row("a", 0, test_top1=0.5)], jobs=[job]).holes == said


def test_figures_that_are_no_number_are_holes() -> None:
    runs = [run_row("a", 0, test_top1=0.5)]
    row = cell_rows(runs)[0] | {"not_finite": 2}
    page = page_of(runs, cells=[row, {**row, "metric": "lr"}, {**row, "metric": "params", "not_finite": 0}])
    assert page.holes == ["a default: 2 seeds have a test_top1 that is no number (left out)"]


def test_a_done_run_without_test_accuracy_is_a_hole() -> None:
    runs = [run_row("a", 0), run_row("b", 1, test_top1=0.0)]
    assert page_of(runs).holes == ["a default seed 0 is done but has no test accuracy"]


def test_an_experiment_of_two_points_has_two_tables() -> None:
    page = page_of(unequal_runs("one") + unequal_runs("two"), "base")
    assert [table.title for table in page.results] == ["one", "two"]
    assert (page.claims, page.published, page.teachers, page.differences) == (None, None, None, None)
    assert len(page.runs.rows) == 14


def test_facts_about_teaching_are_of_the_taught_arms() -> None:
    """The settings of an untaught arm have a loss too, and it does nothing there."""
    loss = {"distill": {"loss": "hinton"}}
    trees = {"alone": {"distill": {"loss": "dkd"}}, "one": {"teacher": {"arch": "clip"}, **loss}}
    trees["two"] = {"teacher": {"arch": "next"}, **loss}
    page = page_of([run_row(arm, 0, settings=tree) for arm, tree in trees.items()])
    facts = dict(page.facts)
    assert facts["Loss (taught arms)"] == "hinton"
    assert not {"Loss", "Teacher", "Teacher (taught arms)"} & facts.keys()


def test_facts_name_loss_and_temperature_where_there_is_a_teacher() -> None:
    taught = {"teacher": {"arch": "timm/clip"}, "distill": {"loss": "hinton", "temperature": 2.0}}
    for tree, told in ((taught, {"Loss": "hinton", "Temperature": "2.0"}), ({"distill": taught["distill"]}, {})):
        tree = {**tree, "data": {"split": "60/20/20", "root": "/images"}}
        facts = dict(make_page("paper", make_rows([run_row("a", 0, settings=tree)], "a")).facts)
        assert {name: facts[name] for name in ("Loss", "Temperature") if name in facts} == told
        assert facts["Images from"] == "/images"
