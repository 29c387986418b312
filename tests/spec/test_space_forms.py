"""An axis as other tools write it is refused with what to write here."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from engine.spec.search import Search
from engine.spec.space_forms import WORDS, check_forms, form_problem


@pytest.mark.parametrize(
    ("axis", "fix"),
    [
        ([1, 4], "write `{choice: [1, 4]}` to draw one of these, or `{int: [1, 4]}` to draw between them"),
        ([0.1, 4], "write `{choice: [0.1, 4]}` to draw one of these, or `{float: [0.1, 4]}` to draw between them"),
        (["sgd", "lion"], "write `{choice: [sgd, lion]}` to draw one of these"),
        ([True, False], "write `{choice: [true, false]}` to draw one of these"),
        (0.1, "write `{choice: [0.1, ...]}` with others, or set train.lr in the spec"),
        (None, "write `{choice: [null, ...]}` with others, or set train.lr in the spec"),
        ({"uniform": [0.1, 0.2]}, "did you mean 'float'?"),
        ({"log_uniform": [0.1, 0.2]}, "did you mean 'log'?"),
        ({"randint": [1, 2]}, "did you mean 'int'?"),
        ({"values": ["sgd"]}, "did you mean 'choice'?"),
        ({"kind": "uniform", "min": 1, "max": 8}, "write `{int: [1, 8]}`, or `log` to draw by order of magnitude"),
        ({"low": 0.5, "high": 8}, "write `{float: [0.5, 8]}`, or `log` to draw by order of magnitude"),
        ({"max": {"int": [1, 2]}}, "write a setting by its dotted path: `train.lr.max: {int: [1, 2]}`"),
    ],
)  # fmt: skip
def test_other_forms_are_told_what_to_write(axis: Any, fix: str) -> None:
    problem = form_problem("train.lr", axis)
    assert problem is not None
    assert problem[1] == fix


@pytest.mark.parametrize("axis", [{"log": [1, 2]}, {"choice": [1], "when": {"a": 1}}, {}])
def test_our_own_form_is_left_to_its_model(axis: Any) -> None:
    assert form_problem("train.lr", axis) is None


def test_what_was_read_before_is_taken_again() -> None:
    search = Search.model_validate({"space": {"train.lr": {"int": [1, 2]}}, "arms": {"a": None}})
    assert check_forms(search.space) == search.space


@pytest.mark.parametrize("place", ["space", "arms"])
def test_all_bad_axes_are_told_at_once(place: str) -> None:
    bad = {"train.lr": [1, 2], "train.epochs": 3}
    good = {"train.lr": {"int": [1, 2]}}
    given = {"space": bad} if place == "space" else {"space": good, "arms": {"a": bad}}
    with pytest.raises(ValidationError) as caught:
        Search.model_validate(given)
    assert [error["loc"][-1] for error in caught.value.errors()] == ["train.lr", "train.epochs"]


def test_the_words_are_those_of_an_axis() -> None:
    axis = Search.model_validate({"space": {"train.lr": {"int": [1, 2]}}}).space["train.lr"]
    assert {field.alias or name for name, field in type(axis).model_fields.items()} == set(WORDS)
