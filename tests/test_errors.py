"""Errors as a person and a process meet them: where, what, fix; the exit code; whole after a trip through pickle."""

from __future__ import annotations

import pickle
from collections.abc import Sequence

import pytest

from engine.errors import (
    DataError,
    HomeError,
    JobError,
    MissingData,
    Problem,
    QueryError,
    SpecError,
    XpError,
    closest_hint,
)

PROBLEMS = [Problem("a.yaml:2:3", "train.lr", "wrong", "mend it"), Problem("", "", "worse", "begin anew")]


def test_an_error_says_where_what_and_the_fix() -> None:
    assert str(DataError("broken", where="a.png", fix="remove it")) == "a.png: broken\nfix: remove it"
    assert str(DataError("broken")) == "broken"
    assert str(DataError("broken", fix="remove it")) == "broken\nfix: remove it"


def test_a_spec_error_says_all_its_problems() -> None:
    error = SpecError(PROBLEMS)
    assert str(error) == "a.yaml:2:3: train.lr: wrong\nfix: mend it\n: worse\nfix: begin anew"
    assert (error.where, error.what, error.fix) == ("a.yaml:2:3", "wrong", "mend it")


def test_a_printed_problem_is_short_whatever_was_typed() -> None:
    told = str(Problem(f"--set {'a' * 100_000}", "b" * 100_000, "c" * 100_000, "d" * 100_000))
    assert len(told) < 2300
    assert str(Problem(f"{'f' * 5000}.yaml:2:3", "", "wrong", "mend it")).split(": ")[0].endswith(".yaml:2:3")


@pytest.mark.parametrize("kind", [XpError, DataError, MissingData, HomeError, QueryError, JobError])
def test_an_error_comes_whole_out_of_another_process(kind: type[XpError]) -> None:
    back = pickle.loads(pickle.dumps(kind("broken", where="here", fix="mend it")))
    assert type(back) is kind
    assert (back.what, back.where, back.fix, back.exit_code) == ("broken", "here", "mend it", kind.exit_code)


def test_a_spec_error_comes_whole_out_of_another_process() -> None:
    back = pickle.loads(pickle.dumps(SpecError(PROBLEMS)))
    assert isinstance(back, SpecError)
    assert back.problems == tuple(PROBLEMS)


def test_only_a_job_that_cannot_go_on_ends_with_1() -> None:
    kinds = (XpError, SpecError, DataError, MissingData, HomeError, QueryError, JobError)
    assert [kind.exit_code for kind in kinds] == [2, 2, 2, 2, 2, 2, 1]


def test_what_is_missing_is_an_error_of_the_data() -> None:
    assert issubclass(MissingData, DataError)
    assert not issubclass(HomeError, DataError)


def test_the_nearest_choices_are_offered_at_most_three() -> None:
    assert closest_hint("hintn", ["hinton", "dist", "dkd"]) == "did you mean 'hinton'?"
    assert closest_hint("radios", ["radius", "ratios", "zebra"]) == "did you mean 'ratios' or 'radius'?"
    near = closest_hint("abcde", ["abcd1", "abcd2", "abcd3", "abcd4"])
    assert near.count("abcd") == 3


def test_without_a_near_choice_all_are_listed_once_and_in_order() -> None:
    assert closest_hint("x", ["beta", "alpha", "beta"]) == "choose one of 'alpha', 'beta'"


def test_a_long_list_is_cut_and_counted() -> None:
    known = [f"n{number:02d}" for number in range(14)]
    twelve = ", ".join(repr(name) for name in known[:12])
    assert closest_hint("x", known) == f"choose one of {twelve}, ... (14 in all)"
    assert closest_hint("x", known[:12]) == f"choose one of {twelve}"


def test_near_words_are_looked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def near(word: str, known: Sequence[str], **limits: float) -> list[str]:
        asked.append(word)
        return []

    monkeypatch.setattr("difflib.get_close_matches", near)
    for _ in range(3):
        assert closest_hint("never asked before", ["b", "a"]) == "choose one of 'a', 'b'"
    assert asked == ["never asked before"]
    closest_hint("never asked before", ["b", "a", "c"])
    assert len(asked) == 2
