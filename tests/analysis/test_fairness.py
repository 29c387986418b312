"""The guard tells fair comparisons from unfair ones, the paper's own among them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from engine.analysis.fairness import (
    Surroundings,
    apart_text,
    footnote_text,
    judge_pair,
    mismatch_lines,
    repair_text,
    tell_first,
)
from engine.analysis.held import AROUND, Around
from engine.analysis.sentences import say
from engine.analysis.things import EPOCHS, Mismatch, factor_of
from store.metrics import UnknownMetric

BASE: dict[str, Any] = {
    "data.source": "folder", "data.split": "60/20/20", "data.split_seed": 0, "data.image_size": 224,
    "data.view_seed": 0,
    "student.arch": "tiny_vit_21m", "student.attention.kind": "window", "student.windows": [7, 7, 14, 7],
    "distill.loss": "hinton", "distill.temperature": 2.0, "teacher.arch": "timm/clip", "teacher.seed": 0,
    "train.epochs": 10, "train.batch_size": 256, "train.lr": 5e-4, "train.threads": 2, "measure.threads": [1],
}  # fmt: skip
LONGFORMER = {"student.attention.kind": "longformer", "student.attention.radius": 2}
FAMILIES = {
    "val_top1": "accuracy", "train_images_per_second": "speed", "train_seconds": "time", "host_peak_rss": "memory",
    "infer_latency": "inference", "params": "size",
}  # fmt: skip
UNTAUGHT = {"teacher.arch": None, "teacher.seed": None}


def _around(
    changes: dict[str, Any], code: str = "abc", device: str = "H100", images: str = "123", base: dict[str, Any] = BASE
) -> Surroundings:
    settings = {path: value for path, value in (base | changes).items() if value is not None}
    return Surroundings(settings, code, device, images)


FAIR: dict[str, tuple[Surroundings, str]] = {
    "attention alone, in several settings": (_around(LONGFORMER), "test_top1"),
    "pruning alone": (_around({"prune.ratio": 0.2, "prune.criterion": "taylor"}), "test_top1"),
    "another teacher": (_around({"teacher.arch": "timm/convnextv2"}), "test_top1"),
    "a teacher or none, with its distillation": (_around(UNTAUGHT | {"distill.loss": "ce"}), "test_top1"),
    "temperature": (_around({"distill.temperature": 4.0}), "test_top1"),
    "another student": (_around({"student.arch": "tiny_vit_5m"}), "test_top1"),
    "windows of the student": (_around({"student.windows": [14, 14, 14, 7]}), "test_top1"),
    "learning rate as the one thing studied": (_around({"train.lr": 1e-3}), "test_top1"),
    "accuracy from another device": (_around(LONGFORMER, device="A100"), "test_top1"),
    "size of networks for other images": (_around(LONGFORMER, images="456"), "params"),
    "the same number written otherwise": (_around({"train.epochs": 10.0}), "test_top1"),
}
UNFAIR: dict[str, tuple[Surroundings, str, str]] = {
    "batch 256 against 128 beside the teacher": (
        _around({"teacher.arch": "timm/convnextv2", "train.batch_size": 128}), "test_top1", "train.batch_size",
    ),
    "two factors at once": (_around(LONGFORMER | {"prune.ratio": 0.2}), "test_top1", "2 factors at once"),
    "another split": (_around({"data.split": "80/10/10"}), "test_top1", "data.split"),
    "another split seed": (_around(LONGFORMER | {"data.split_seed": 1}), "test_top1", "data.split_seed"),
    "more epochs": (_around(LONGFORMER | {"train.epochs": 20}), "test_top1", "train.epochs"),
    "another learning rate": (_around({"prune.ratio": 0.2, "train.lr": 1e-3}), "test_top1", "train.lr"),
    "another image size": (_around(LONGFORMER | {"data.image_size": 256}), "test_top1", "data.image_size"),
    "other code": (_around(LONGFORMER, code="def"), "test_top1", "the code"),
    "speed on another device": (_around(LONGFORMER, device="A100"), "infer_images_per_second", "the device"),
    "another folder of images": (_around(LONGFORMER, images="456"), "test_top1", "the images"),
    "the test folder of the set against a part of all": (
        _around(LONGFORMER | {"data.given": "test"}), "test_top1", "data.given",
    ),
    "nested against not nested": (_around(LONGFORMER | {"data.nested": True}), "test_top1", "data.nested"),
    "two held settings at once": (_around({"train.lr": 1e-3, "train.batch_size": 128}), "test_top1", "train.lr"),
}  # fmt: skip


@pytest.mark.parametrize("case", list(FAIR))
def test_fair_pair_is_let_through(case: str) -> None:
    other, metric = FAIR[case]
    found = judge_pair(_around({}), other, metric)
    assert found.is_fair, found.unfair
    assert judge_pair(other, _around({}), metric).is_fair


@pytest.mark.parametrize("case", list(UNFAIR))
def test_unfair_pair_is_caught_with_its_reason(case: str) -> None:
    other, metric, what = UNFAIR[case]
    found = judge_pair(_around({}), other, metric)
    assert what in [one.what for one in found.unfair]
    assert not judge_pair(other, _around({}), metric).is_fair


def test_factors_are_named_by_their_longest_prefix() -> None:
    assert factor_of("student.attention.radius") == "attention"
    assert factor_of("student.windows") == "windows"
    assert factor_of("student.dims") == "student"
    assert factor_of("students.dims") == "students.dims"
    assert factor_of("train.lr") == "train.lr"
    assert judge_pair(_around({}), _around(LONGFORMER)).factors == ("attention",)


def test_nested_splits_share_their_test_images() -> None:
    base = BASE | {"data.nested": True}
    small, large = (_around({"data.split": split}, base=base) for split in ("60/20/20", "80/10/10"))
    assert judge_pair(small, large).factors == ("data.split",)
    assert judge_pair(small, large).is_fair
    sparse = _around(LONGFORMER | {"data.split": "80/10/10"}, base=base)
    assert "data.split" in [one.what for one in judge_pair(small, sparse).unfair]


def test_differences_are_told_as_a_short_table_the_gravest_first() -> None:
    other = _around({"data.split": "80/10/10", "train.epochs": 20, "train.warmup": 1} | LONGFORMER, code="def")
    lines = mismatch_lines(judge_pair(_around({}), other).unfair)
    assert [line.split()[0] for line in lines] == ["data.split", "train.epochs", "the", "train.warmup"]
    assert lines[0].split() == ["data.split", "60/20/20", "80/10/10"]
    many = mismatch_lines([Mismatch(f"train.x{at:02}", at, "y" * 100) for at in range(30)])
    assert len(many) == 9
    assert many[-1] == "  and 22 more settings: xp diff shows all"
    assert max(map(len, many)) < 80


def test_at_most_eight_differences_are_shown() -> None:
    def lines(count: int) -> list[str]:
        return mismatch_lines([Mismatch(f"train.x{at}", at, at) for at in range(count)])

    assert len(lines(8)) == 8
    assert lines(9)[8:] == ["  and 1 more settings: xp diff shows all"]
    assert lines(0) == []


def test_a_difference_is_one_line_of_bounded_width() -> None:
    assert str(Mismatch("train.lr", 0.1, None)) == "train.lr is 0.1 against not set"
    assert str(Mismatch("student.windows", [7, 7], "auto")) == "student.windows is [7, 7] against auto"
    assert str(Mismatch("2 factors at once", "attention", "pruning")) == "2 factors at once (attention, pruning)"
    assert str(Mismatch("x", "y" * 40, "y" * 41)) == f"x is {'y' * 40} against {'y' * 39}…"


def test_differences_are_ordered_for_readers() -> None:
    names = ["zeta", "alpha", "data.x", "train.x", "teacher.x", "the device", "the code", "data.image_size", "train.lr",
             "train.batch_size", "train.epochs", "data.broken", "data.nested", "data.classes", "data.split_seed",
             "data.split", "data.given", "data.source", "the images", "the test set", "2 factors at once"]  # fmt: skip
    ordered = sorted((Mismatch(name, 1, 2) for name in names), key=tell_first)
    assert [one.what for one in ordered] == [*reversed(names[2:]), "alpha", "zeta"]


def test_every_speed_is_held_to_its_device_and_no_accuracy() -> None:
    other = _around(LONGFORMER, device="A100")
    speeds = ["infer_images_per_second", "infer_latency", "train_images_per_second"]
    for metric in [*speeds, "train_seconds", "cuda_peak_allocated", "cuda_peak_reserved", "host_peak_rss"]:
        assert [one.what for one in judge_pair(_around({}), other, metric).unfair] == ["the device"]
    for metric in ("test_top1", "val_top1", "test_loss", "params"):
        assert judge_pair(_around({}), other, metric).is_fair


def test_sizes_are_held_to_the_code_but_not_to_the_images() -> None:
    for metric in ("params", "macs", "params_before", "prune_asked", "prune_achieved"):
        assert judge_pair(_around({}), _around(LONGFORMER, images="456"), metric).is_fair
        assert not judge_pair(_around({}), _around(LONGFORMER, code="def"), metric).is_fair


def test_all_factors_at_once_are_named_first() -> None:
    other = _around(LONGFORMER | {"prune.ratio": 0.2, "teacher.arch": "x", "train.lr": 1})
    found = judge_pair(_around({}), other)
    assert found.factors == ("pruning", "attention", "teacher")
    assert [str(one) for one in found.unfair] == [
        "3 factors at once (pruning, attention, teacher)", "train.lr is 0.0005 against 1",
    ]  # fmt: skip


def test_distillation_is_a_factor_of_its_own_where_both_are_taught() -> None:
    changes = {"teacher.arch": "x", "distill.temperature": 4.0}
    assert judge_pair(_around({}), _around(changes)).factors == ("distillation temperature", "teacher")
    assert judge_pair(_around({}), _around(UNTAUGHT | {"distill.temperature": 4.0})).factors == ("teacher",)


@pytest.mark.parametrize("path", ["source", "given", "split", "split_seed", "classes", "nested", "broken"])
def test_what_decides_the_test_images_is_never_the_thing_studied(path: str) -> None:
    found = judge_pair(_around({}), _around({f"data.{path}": "other"}))
    assert [one.what for one in found.unfair] == [f"data.{path}"]


def test_nested_splits_share_their_images_only_if_both_are() -> None:
    one, other = _around({"data.nested": True}), _around({"data.nested": True, "data.split": "80/10/10"})
    assert judge_pair(one, other).is_fair
    assert "data.split" in [one.what for one in judge_pair(_around({}), other).unfair]


def test_accuracy_on_test_is_what_is_judged_unless_told() -> None:
    assert not judge_pair(_around({}), _around(LONGFORMER, images="456")).is_fair
    assert judge_pair(_around({}), _around(LONGFORMER, device="A100")).is_fair


def test_a_number_that_is_no_metric_is_never_called_fair() -> None:
    with pytest.raises(UnknownMetric, match=r"'steps' is no metric of store/metrics\.py"):
        judge_pair(_around({}), _around(LONGFORMER), "steps")


# In words -------------------------------------------------------------------------------------------------------------


def test_other_images_are_told_for_what_is_judged_on_images_alone() -> None:
    other = _around(LONGFORMER | {"data.split_seed": 1})
    for metric, which in (("test_top1", "the same test images"), ("val_top1", "the same images")):
        found = judge_pair(_around({}), other, metric)
        assert apart_text(found.unfair, metric) == (f"not comparable: not {which}: data.split_seed is 0 against 1")
    assert apart_text(judge_pair(_around({}), other, "train_seconds").unfair, "train_seconds") == ""
    assert apart_text(judge_pair(_around({}), _around({"train.lr": 1, "train.epochs": 2})).unfair, "test_top1") == ""


def test_nested_splits_share_no_validation_images() -> None:
    one, other = (_around({"data.nested": True, "data.split": split}) for split in ("60/20/20", "80/10/10"))
    assert judge_pair(one, other, "test_top1").is_fair
    assert apart_text(judge_pair(one, other, "val_top1").unfair, "val_top1")


def test_a_footnote_writes_the_gravest_of_each_class() -> None:
    unfair = [Mismatch("train.x", 1, 2), Mismatch("train.lr", 3, 4), Mismatch("the device", "a", "b")]
    assert footnote_text(unfair, ["one", "two"]) == (
        "not held equal: train.lr is 3 against 4 (and 1 more of train); the device is a against b; one; two"
    )
    assert footnote_text([], ["one"]) == "one"
    assert footnote_text([], []) == ""


def test_unequal_epochs_are_repaired_by_a_control_of_equal_budget() -> None:
    text = repair_text([Mismatch(EPOCHS, 12, 10)])
    assert text == "the equal-budget control is the other arm with train.epochs raised, to 12 epochs in all"
    for more in ([], [Mismatch(EPOCHS, 12, 10)]):
        assert repair_text([Mismatch("train.lr", 1, 2), *more]) == say("fair_fix"), "equal epochs would not do"


# What a search chose --------------------------------------------------------------------------------------------------

DRAWN = ("student.attention.radius", "train.lr", "train.weight_decay")


def _searched(changes: dict[str, Any], trials: str = "40", drawn: tuple[str, ...] = DRAWN) -> Surroundings:
    return replace(_around(changes), trials=trials, drawn=drawn)


def test_two_winners_of_equal_searches_are_compared_by_what_was_not_drawn() -> None:
    first = _searched(LONGFORMER | {"train.lr": 1e-3, "train.weight_decay": 0.1})
    found = judge_pair(first, _searched({"train.lr": 3e-4, "train.weight_decay": 0.3}))
    assert (found.factors, found.is_fair) == (("attention",), True), "untuned, three things at once would be unfair"
    assert found.notes == (
        say("each_tuned", trials="40", paths="student.attention.radius, train.lr, train.weight_decay"),
    )


def test_a_searched_side_against_one_that_nobody_searched_is_unfair() -> None:
    for metric in FAMILIES:
        found = judge_pair(_searched(LONGFORMER), _around({}), metric)
        assert [str(one) for one in found.unfair] == ["the number of trials that it was chosen from is 40 against none"]
        assert repair_text(found.unfair) == say("trials_fix")


def test_fewer_trials_are_unfair_and_what_they_drew_counts() -> None:
    found = judge_pair(_searched(LONGFORMER), _searched({"train.lr": 1e-3}, trials="20"))
    assert {one.what for one in found.unfair} == {"the number of trials that it was chosen from", "train.lr"}


def test_two_winners_of_one_search_differ_in_what_was_drawn() -> None:
    found = judge_pair(_searched({"train.lr": 1e-3}), _searched({"train.lr": 3e-4}))
    assert (found.factors, found.is_fair) == (("train.lr",), True)


def test_unequal_spaces_are_a_footnote() -> None:
    found = judge_pair(_searched(LONGFORMER), _searched({"train.lr": 1e-3}, drawn=("train.lr",)))
    assert found.is_fair
    assert say("other_space", paths="student.attention.radius, train.weight_decay") in found.notes


def test_a_path_takes_along_what_stands_under_it() -> None:
    found = judge_pair(
        _searched(LONGFORMER | {"train.epochs": 5}, drawn=("student.attention",)), _searched({}, drawn=())
    )
    assert found.factors == ("train.epochs",)


@pytest.mark.parametrize("place", AROUND, ids=lambda place: place.name)
def test_every_surrounding_counts_where_the_table_says(place: Around) -> None:
    for metric, family in FAMILIES.items():
        changed: dict[str, Any] = {place.name: "another"}
        other = replace(_around(LONGFORMER), **changed)
        found = judge_pair(_around({}), other, metric)
        assert (place.what in [one.what for one in found.unfair]) == (family in place.decides)
        assert any(place.what in note for note in found.notes) == (family in place.noted)
