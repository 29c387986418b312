"""Words about images that no job could follow are refused while the spec is read."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from engine.spec import Augment, Data, RandAugment, parse_rand_augment
from engine.spec.base import MOST_SEED

NOT_UNDERSTOOD = (
    "rand-m9", "rand-m9-inc0", "augmix-m5", "rand", "rand-m9-inc1-x3", "rand-m9-n2.5-inc1", "", "rand-inc1",
    "rand-n2-inc1", "rand-m9-m8-inc1", "rand-m99-inc1", "rand-m9-n0-inc1", "rand-m9-p2-inc1",
    "rand-m9-n101-inc1", "rand-m9-mstd101-inc1", "rand-m10.5-inc1",
)  # fmt: skip


def test_timms_notation_is_read() -> None:
    assert parse_rand_augment("rand-m9-mstd0.5-inc1") == RandAugment(9.0, 0.5)
    assert parse_rand_augment("rand-m7-n3-p0.8-inc1") == RandAugment(7.0, 0.0, 3, 0.8)
    assert parse_rand_augment("rand-n1-m10-inc1") == RandAugment(10.0, 0.0, 1)


@pytest.mark.parametrize("text", NOT_UNDERSTOOD)
def test_any_other_notation_is_refused_before_anything_runs(text: str) -> None:
    with pytest.raises(ValidationError, match="is not understood"):
        Augment(rand_augment=text)


@pytest.mark.parametrize(("names", "what"), [([], "names no class"), (["a", "b", "a"], "class 'a' is named twice")])
def test_a_class_list_names_some_class_and_each_once(names: list[str], what: str) -> None:
    with pytest.raises(ValidationError, match=what):
        Data(source="folder", root="/set", classes=names)


def test_digits_take_no_class_list_that_would_be_passed_over() -> None:
    with pytest.raises(ValidationError, match="has its 10 classes"):
        Data(source="digits", classes=["0", "1"])


def test_what_is_left_away_means_what_it_did() -> None:
    """Defaults enter ids by value: another default is another experiment, and never a slip."""
    assert Data(source="digits").model_dump() == {
        "source": "digits", "root": None, "options": {}, "most": None, "label": None, "boxes": None, "image_size": 224,
        "split": "60/20/20",
        "given": "merge", "split_seed": 0, "view_seed": 0, "views": None, "short_side": 256, "format": "raw",
        "broken": "stop", "nested": False, "classes": None, "crop_share": 0.875, "interpolation": "bicubic",
        "cache": "auto", "workers": "auto",
        "augment": {
            "crop_scale": [0.35, 1.0], "crop_ratio": [0.75, 4 / 3], "flip": 0.5, "rand_augment": None,
            "color_jitter": 0.0, "erasing": 0.0, "mixup": 0.0, "cutmix": 0.0, "mix_targets": None, "extra": None,
            "options": {},
        },
    }  # fmt: skip
    assert RandAugment(9.0) == RandAugment(9.0, 0.0, 2, 0.5)


LIMITS: list[tuple[str, Any, Any]] = [
    ("image_size", 8, 7), ("image_size", 2048, 2049), ("short_side", 8, 7), ("short_side", 4096, 4097),
    ("split_seed", 0, -1), ("views", 1, 0), ("crop_share", 1.0, 1.01), ("crop_share", 0.1, 0.0), ("workers", 0, -1),
    ("view_seed", "run", "runs"), ("format", "jpeg", "png"), ("broken", "skip", "drop"), ("given", "merge", "train"),
    ("cache", "device", "disk"), ("split_seed", MOST_SEED, MOST_SEED + 1), ("view_seed", MOST_SEED, MOST_SEED + 1),
    ("view_seed", 0, -1), ("views", 1_000_000, 1_000_001), ("workers", 4096, 4097), ("workers", "auto", "all"),
]  # fmt: skip


@pytest.mark.parametrize(("word", "right", "wrong"), LIMITS)
def test_the_last_value_that_can_be_and_the_first_that_cannot(word: str, right: object, wrong: object) -> None:
    assert getattr(Data.model_validate({"source": "digits", word: right}), word) == right
    with pytest.raises(ValidationError, match=word):
        Data.model_validate({"source": "digits", word: wrong})


AUGMENT: list[tuple[str, Any, Any, str]] = [
    ("flip", 1.0, 1.1, "less than or equal"),
    ("flip", 0.0, -0.1, "greater than or equal"),
    ("erasing", 1.0, 1.1, "less than or equal"),
    ("erasing", 0.0, -0.1, "greater than or equal"),
    ("color_jitter", 0.0, -0.1, "greater than or equal"),
    ("mixup", 0.0, -0.1, "greater than or equal"),
    ("cutmix", 0.0, -0.1, "greater than or equal"),
    ("mix_targets", "linear", "square", "linear"),
    ("crop_scale", [0.5, 0.5], [0.6, 0.5], "from high to low"),
    ("crop_scale", [0.5, 1.0], [0.5, 1.1], "less than or equal to 1"),
    ("crop_scale", [0.5, 1.0], [0.0, 1.0], "greater than 0"),
    ("crop_scale", [0.5, 1.0], [0.5], "at least 2"),
    ("crop_scale", [0.5, 1.0], [0.5, 0.6, 0.7], "at most 2"),
    ("crop_ratio", [1.0, 2.0], [2.0, 1.0], "from high to low"),
    ("crop_ratio", [1.0, 2.0], [1.0], "at least 2"),
    ("crop_ratio", [1.0, 2.0], [1.0, 2.0, 3.0], "at most 2"),
]


@pytest.mark.parametrize(("word", "right", "wrong", "what"), AUGMENT)
def test_augmentation_has_its_limits(word: str, right: object, wrong: object, what: str) -> None:
    assert getattr(Augment.model_validate({word: right}), word) == right
    with pytest.raises(ValidationError, match=what):
        Augment.model_validate({word: wrong})


def test_a_pair_from_high_to_low_is_repaired_by_turning_it() -> None:
    with pytest.raises(ValidationError) as caught:
        Augment(crop_scale=[0.6, 0.5])
    assert caught.value.errors()[0]["ctx"]["fix"] == "write `[0.5, 0.6]`: the smaller number first"


@pytest.mark.parametrize(
    ("split", "what"),
    [
        ("60/20", "is no split"),
        ("60/20/20/0", "is no split"),
        ("60/2a/20", "is no split"),
        ("0060/20/20", "is no split"),
        ("60/20/10", "sum to 90, not to 100"),
        ("60/30/20", "sum to 110, not to 100"),
        ("0/80/20", "without images"),
        ("80/20/0", "without images"),
    ],
)
def test_a_split_is_three_parts_of_100(split: str, what: str) -> None:
    with pytest.raises(ValidationError, match=what):
        Data(source="digits", split=split)


def test_a_split_may_lack_a_validation_part() -> None:
    assert Data(source="digits", split="80/0/20").split == "80/0/20"


TOGETHER: list[tuple[dict[str, Any], str]] = [
    ({"source": "folder"}, "has no root"),
    ({"source": "folder", "root": ""}, "has no root"),
    ({"source": "digits", "root": "/set"}, "takes no root"),
    ({"source": "digits", "given": "test"}, "without a test folder"),
    ({"source": "digits", "cache": "jpeg"}, "holds raw pixels"),
    ({"source": "digits", "classes": ["1", "0"]}, "its 10 classes"),
    ({"source": "digits", "boxes": "/boxes"}, "takes no boxes"),
    ({"source": "folder", "root": "/set", "boxes": ""}, "names nothing"),
]


@pytest.mark.parametrize(("words", "what"), TOGETHER)
def test_words_that_cannot_go_together_are_refused(words: dict[str, Any], what: str) -> None:
    with pytest.raises(ValidationError, match=what):
        Data.model_validate(words)


@pytest.mark.parametrize(
    "words",
    [
        {"source": "folder", "root": "/set", "given": "test", "classes": ["b", "a"]},
        {"source": "folder", "root": "/set", "boxes": "${XP_DATA}/boxes.csv"},
        {"source": "digits", "cache": "jpeg", "format": "jpeg"},
        {"source": "digits", "cache": "raw", "given": "merge"},
    ],
)
def test_words_that_go_together_are_let_through(words: dict[str, Any]) -> None:
    Data.model_validate(words)


@pytest.mark.parametrize(
    "text", ["rand-m0-inc1", "rand-m10-inc1", "rand-m1-p1-inc1", "rand-m1-n1-inc1", "rand-m1-p0-inc1"]
)
def test_the_limits_of_the_notation_are_inside(text: str) -> None:
    assert Augment(rand_augment=text).rand_augment == text
