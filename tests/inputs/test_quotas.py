"""Quotas are whole numbers worked out by hand here; a part that is asked for is never silently empty."""

from __future__ import annotations

import pytest

from engine.errors import DataError
from engine.inputs.quotas import check_quotas, class_quotas, held_part, split_quotas


@pytest.mark.parametrize(
    ("parts", "held"),
    [(["train", "val", "test"], "test"), (["val", "train"], "val"), (["train", "test"], "test"), (["train", ""], None)],
)
def test_the_given_test_part_is_test_else_val(parts: list[str], held: str | None) -> None:
    assert held_part(parts) == held


@pytest.mark.parametrize(
    ("count", "shares", "expected"),
    [
        (10, (60, 20, 20), (6, 2, 2)),
        (7, (60, 20, 20), (4, 2, 1)),  # 4.2 1.4 1.4: the first of the largest remainders
        (9, (60, 20, 20), (5, 2, 2)),  # 5.4 1.8 1.8
        (5, (75, 10, 15), (4, 0, 1)),  # 3.75 0.5 0.75
        (11, (3, 1, 0), (8, 3, 0)),  # 8.25 2.75
        (0, (60, 20, 20), (0, 0, 0)),
    ],
)
def test_quotas_are_floors_and_then_the_largest_remainders(
    count: int, shares: tuple[int, int, int], expected: tuple[int, int, int]
) -> None:
    named = dict(zip(("train", "val", "test"), shares, strict=True))
    assert tuple(class_quotas(count, named).values()) == expected


def test_a_split_without_more_words_is_the_plain_quotas() -> None:
    assert split_quotas(50, "70/20/10") == {"train": 35, "val": 10, "test": 5}


@pytest.mark.parametrize(
    ("count", "held", "expected"), [(100, 20, (60, 20, 20)), (100, 0, (75, 25, 0)), (11, 1, (8, 2, 1))]
)
def test_what_a_given_test_part_leaves_is_shared_as_train_to_val(
    count: int, held: int, expected: tuple[int, int, int]
) -> None:
    quotas = split_quotas(count, "60/20/20", held=held)
    assert (quotas["train"], quotas["val"], quotas["test"]) == expected


@pytest.mark.parametrize(
    ("count", "text", "expected"),
    [
        (100, "60/20/20", {"train": 60, "val": 20, "test": 10, "unused": 10}),
        (100, "80/10/10", {"train": 80, "val": 10, "test": 10, "unused": 0}),
        (100, "70/15/15", {"train": 70, "val": 15, "test": 10, "unused": 5}),
        (25, "80/10/10", {"train": 20, "val": 2, "test": 3, "unused": 0}),  # 2.5 is rounded up, val takes the rest
        (5, "90/0/10", {"train": 4, "val": 0, "test": 1, "unused": 0}),  # 4.5 would be 5, and one is tested
        (14, "60/30/10", {"train": 8, "val": 5, "test": 1, "unused": 0}),  # 8.4 4.2 1.4: val takes what is left
        (3, "50/30/20", {"train": 2, "val": 1, "test": 0, "unused": 0}),
        (5, "50/39/11", {"train": 3, "val": 1, "test": 1, "unused": 0}),  # val asks for 2, and 1 is left
    ],
)
def test_nested_quotas_round_each_part_and_leave_the_rest_unused(
    count: int, text: str, expected: dict[str, int]
) -> None:
    assert split_quotas(count, text, nested=True) == expected


def test_a_nested_split_that_tests_on_less_is_refused() -> None:
    assert split_quotas(100, "80/10/10", nested=True)["test"] == 10
    with pytest.raises(DataError, match=r"share one test set of 10 %, and 86/5/9 has 9 %\nfix: .*at least 10"):
        split_quotas(100, "86/5/9", nested=True)


@pytest.mark.parametrize("part", ["train", "val", "test"])
def test_an_empty_part_is_refused_where_the_text_asks_for_it(part: str) -> None:
    quotas = {"train": 2, "val": 1, "test": 1}
    check_quotas(quotas, "ant", 4, "50/25/25")
    with pytest.raises(DataError, match=rf"class 'ant' has 4 images: too few for a 50/25/25 split, its {part} part"):
        check_quotas(quotas | {part: 0}, "ant", 4, "50/25/25")


def test_a_part_that_the_text_leaves_out_may_be_empty() -> None:
    check_quotas({"train": 2, "val": 0, "test": 1}, "ant", 3, "70/0/30")
    check_quotas({"train": 2, "val": 1, "test": 0}, "ant", 3, "70/30/0")
    with pytest.raises(DataError, match="its test part"):
        check_quotas({"train": 2, "val": 0, "test": 0}, "ant", 2, "70/0/30")
