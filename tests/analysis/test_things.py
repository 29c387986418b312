"""What differs between two runs, thing by thing: what is one thing, what comes with another, what does nothing."""

from __future__ import annotations

from typing import Any

import pytest

from engine.analysis.things import (
    EPOCHS,
    Mismatch,
    factor_of,
    is_taught,
    list_mismatches,
    list_noted,
    list_things,
    total_epochs,
)

TAUGHT: dict[str, Any] = {
    "teacher.arch": "timm/x", "teacher.weights": "pretrained", "teacher.head": "slice", "distill.loss": "hinton",
    "distill.temperature": 2.0,
}  # fmt: skip
TRAINED = TAUGHT | {"teacher.weights": "none", "teacher.train.epochs": 5, "teacher.train.lr": 0.1}


def _names(first: dict[str, Any], second: dict[str, Any]) -> list[str]:
    there = [thing.name for thing in list_things(first, second, "accuracy")]
    assert there == [thing.name for thing in list_things(second, first, "accuracy")]
    return there


def _footnotes(first: dict[str, Any], second: dict[str, Any]) -> list[str]:
    return [note for thing in list_things(first, second, "accuracy") for note in thing.footnotes]


# Differences ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "default", "other"),
    [("train.schedule", "cosine", "linear"), ("train.accumulate", 1, 4), ("train.ema_warmup", True, False)],
)
def test_a_record_from_before_a_word_is_as_its_default_is(word: str, default: Any, other: Any) -> None:
    assert _names({}, {word: default}) == []
    assert _names({}, {word: other}) == [word]
    assert _names({word: default}, {word: other}) == [word]
    assert _names({}, {"train.optimizer": "adamw"}) == ["train.optimizer"], "a word that was always there"


def test_what_decides_no_accuracy_is_set_aside_for_it_alone() -> None:
    """Of the threads, those of a measurement are its own: training's decide how fast it is, and its last digits."""
    one: dict[str, Any] = {"measure.threads": [1], "train.threads": 2}
    other = {"measure.threads": [4], "train.threads": 8, "explain.images": 3, "resources.memory": "2G"}
    assert list_mismatches(one, other, "accuracy") == []
    assert [each.what for each in list_mismatches(one, other, "inference")] == ["measure.threads"]
    assert [each.what for each in list_mismatches(one, other, "speed")] == ["train.threads"]
    assert [each.what for each in list_noted(one, other, "accuracy")] == ["train.threads"]
    assert [each.what for each in list_mismatches({"resourcesful": 1}, {}, "accuracy")] == ["resourcesful"]
    (found,) = list_mismatches({"a": 1}, {"a": 2}, "accuracy")
    assert (found.first, found.second) == (1, 2)


@pytest.mark.parametrize("value", [(1, 1.0), (None, None), ([1, 2], [1, 2]), ({"a": 1, "b": 2}, {"b": 2, "a": 1})])
def test_one_value_written_two_ways_is_no_difference(value: tuple[Any, Any]) -> None:
    assert list_mismatches({"x": value[0]}, {"x": value[1]}, "accuracy") == []


@pytest.mark.parametrize("value", [(1, True), (1, 1.5), ([1, 2], [2, 1]), (1, "1"), (0, None)])
def test_values_that_only_look_alike_differ(value: tuple[Any, Any]) -> None:
    assert len(list_mismatches({"x": value[0]}, {"x": value[1]}, "accuracy")) == 1


def test_other_images_are_no_part_of_what_a_difference_is() -> None:
    assert Mismatch("a", 1, 2, other_images=True) == Mismatch("a", 1, 2)


# What the settings come to --------------------------------------------------------------------------------------------


def test_words_that_do_nothing_are_no_difference() -> None:
    assert _names({"prune.ratio": 0.0, "prune.criterion": "taylor"}, {}) == []
    assert _names({"distill.loss": "hinton", "distill.weight": 0.5}, {}) == []
    assert _names(TAUGHT | {"distill.loss": "ce"}, {}) == []
    assert _names(TAUGHT | {"distill.weight": 0.9, "distill.label_weight": 0.1}, TAUGHT) == []
    assert _names(TAUGHT | {"distill.weight": 0.8}, TAUGHT) == ["distillation weights"]
    assert not is_taught({"distill.loss": "hinton"})


@pytest.mark.parametrize(
    ("settings", "epochs"),
    [({"train.epochs": 10}, 10), ({"train.epochs": 10, "prune.ratio": 0.2, "prune.recover_epochs": 3}, 13),
     ({"train.epochs": 10, "prune.ratio": 0.0, "prune.recover_epochs": 3}, 10), ({}, 0)],
)  # fmt: skip
def test_epochs_after_pruning_count_where_something_is_pruned(settings: dict[str, Any], epochs: int) -> None:
    assert total_epochs(settings) == epochs


def test_epochs_are_summed_only_against_a_whole_network() -> None:
    pruned = {"train.epochs": 10, "prune.ratio": 0.2, "prune.recover_epochs": 2}
    assert _names(pruned, {"train.epochs": 12}) == ["pruning"]
    assert set(_names(pruned, {"train.epochs": 10})) == {"pruning", EPOCHS}
    assert _names(pruned, pruned | {"prune.recover_epochs": 4}) == ["prune.recover_epochs"]
    split_otherwise = pruned | {"train.epochs": 8, "prune.recover_epochs": 4}
    assert set(_names(pruned, split_otherwise)) == {"train.epochs", "prune.recover_epochs"}


# What is one thing ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "name"),
    [("student.dims", "student"), ("student.attention.radius", "attention"), ("student.windows", "windows"),
     ("teacher.arch", "teacher"), ("teacher.train.lr", "teacher training"), ("teacher.mean", "teacher input"),
     ("distill.temperature.from", "distillation temperature"), ("prune.method", "pruning"),
     ("prune.recover_epochs", "prune.recover_epochs"), ("train.lr", "train.lr"), ("pruned.x", "pruned.x")],
)  # fmt: skip
def test_the_longest_prefix_names_the_thing(path: str, name: str) -> None:
    assert factor_of(path) == name


def test_distillation_comes_with_a_teacher() -> None:
    whole = TRAINED | {"distill.until": 0.5, "teacher.calibrate": True, "teacher.assistants": [{"arch": "a"}]}
    assert _names(whole, {}) == ["teacher"]
    assert _footnotes(whole, {}) == []
    assert list_noted(TRAINED | {"teacher.train.threads": 4}, {}, "accuracy") == []
    few, many = (TRAINED | {"teacher.train.threads": count} for count in (1, 4))
    assert [one.what for one in list_noted(few, many, "accuracy")] == ["teacher.train.threads"]


def test_windows_and_attention_are_those_of_a_tiny_vit() -> None:
    vit = {"student.arch": "tiny_vit_5m", "student.windows": [7, 7, 14, 7], "student.attention.kind": "longformer"}
    assert _names(vit, {"student.arch": "timm/vit", "student.attention.kind": "window"}) == ["student"]
    other = {"student.arch": "tiny_vit_21m", "student.attention.kind": "window"}
    assert set(_names(vit, other)) == {"student", "windows", "attention"}


def test_how_a_teacher_looks_comes_with_its_network() -> None:
    other = TAUGHT | {"teacher.arch": "timm/y", "teacher.image_size": 256, "teacher.mean": [0.5, 0.5, 0.5]}
    assert _names(TAUGHT, other) == ["teacher"]
    (note,) = _footnotes(TAUGHT, other)
    assert note.startswith("with the teacher come teacher.image_size is not set against 256; teacher.mean")
    assert _names(TAUGHT, TAUGHT | {"teacher.image_size": 256}) == ["teacher input"]


def test_a_recipe_comes_with_being_trained_here() -> None:
    assert _names(TAUGHT, TRAINED) == ["teacher weights"]
    assert _names(TAUGHT, TAUGHT | {"teacher.head": "finetune", "teacher.train.lr": 0.1}) == ["teacher head"]
    assert _names(TRAINED, TRAINED | {"teacher.train.lr": 0.2}) == ["teacher training"]
    assert _names(TRAINED, TAUGHT | {"teacher.arch": "timm/y"}) == ["teacher", "teacher weights"]


def test_each_network_has_a_file_of_its_own() -> None:
    one, other = ({"teacher.arch": arch, "teacher.weights": f"{arch}.safetensors"} for arch in "ab")
    assert _names(one, other) == ["teacher"]
    assert _names(one, other | {"teacher.weights": "pretrained"}) == ["teacher", "teacher weights"]
    assert _names(one, one | {"teacher.weights": "x.safetensors"}) == ["teacher weights"]


def test_the_training_of_another_run_comes_with_it_and_is_told() -> None:
    other = {**TAUGHT, "teacher.run": "paper/large", "teacher.weights": "none"}
    del other["teacher.arch"]
    assert _names(TAUGHT, other) == ["teacher"]
    assert any("teacher.weights is pretrained against none" in note for note in _footnotes(TAUGHT, other))


def test_a_loss_brings_its_own_words_and_says_so() -> None:
    lskd = TAUGHT | {"distill.loss": "lskd"}
    assert _names(TAUGHT, lskd) == ["distillation loss"]
    assert _footnotes(TAUGHT, lskd) == ["with the distillation loss come distill.weight is 0.9 against 9.0"]
    assert set(_names(TAUGHT, lskd | {"distill.weight": 0.5})) == {"distillation loss", "distillation weights"}
    assert set(_names(TAUGHT, lskd | {"distill.temperature": 1.0})) == {
        "distillation loss", "distillation temperature",
    }  # fmt: skip
    dkd = TAUGHT | {"distill.loss": "dkd", "distill.options.alpha": 1.0, "distill.options.beta": 0.5}
    dkd |= {"distill.temperature": 1.0}
    assert _names(TAUGHT, dkd) == ["distillation loss"]
    assert set(_names(TAUGHT, dkd | {"distill.options.beta": 8.0})) == {"distillation loss", "distillation options"}


def test_a_loss_that_nobody_knows_brings_nothing() -> None:
    old = TAUGHT | {"distill.loss": "forgotten", "distill.temperature": 1.0}
    assert "distillation temperature" in _names(TAUGHT, old)


def test_several_settings_of_one_thing_are_told_unless_it_is_another_one() -> None:
    one = {"student.attention.kind": "longformer", "student.attention.pattern": "slide", "student.attention.radius": 2}
    other = one | {"student.attention.pattern": "row", "student.attention.radius": 3}
    assert _footnotes(one, other) == [
        "attention differs in more than one setting: student.attention.pattern is slide against row; "
        "student.attention.radius is 2 against 3"
    ]
    assert _footnotes(one, one | {"student.attention.radius": 3}) == []
    assert _footnotes(one, {"student.attention.kind": "window"}) == []
    assert len(_footnotes(TRAINED, TRAINED | {"teacher.train.lr": 1, "teacher.train.epochs": 9})) == 1
