"""Every word of a spec says what it means, and its facts are those that are checked."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import BaseModel

from engine.spec import Spec
from engine.spec.lexicon import Facts, Term, all_terms, term_at
from engine.spec.paper import Paper, Sayings

PLACES = [(root, path) for root in (Spec, Paper, Sayings) for path in all_terms(root)]
NO_EXAMPLE = ("claims.arm", "claims.against")  # an arm of the spec


def plain(value: Any) -> bool:
    return not isinstance(value, BaseModel) and value is not ...


@pytest.mark.parametrize(("root", "path"), PLACES, ids=[f"{root.__name__}: {path}" for root, path in PLACES])
def test_every_word_has_a_sentence(root: type[BaseModel], path: str) -> None:
    term = all_terms(root)[path]
    assert term.about[:1].strip()
    assert term.about.endswith(".")
    assert len(term.about) <= 330
    if root is Spec and not term.facts.models and path not in NO_EXAMPLE:
        assert term.examples, f"{path} has no example"


def test_every_example_is_valid() -> None:
    """Each in its model, beside what that needs."""
    for path, term in all_terms().items():
        name = path.rpartition(".")[2]
        assert term.model is not None
        field = term.model.model_fields.get(name)
        if field is None:  # an alias
            continue
        for example in term.examples:
            if term.facts.choices and not isinstance(example, list | dict) and not term.facts.kinds:
                assert example in term.facts.choices, path


@pytest.mark.parametrize(
    ("path", "range_", "unit"),
    [
        ("train.lr", "above 0, at most 100", ""),
        ("data.image_size", "at least 8, at most 2,048", "pixels"),
        ("train.momentum", "above 0, below 1", ""),
        ("measure.rounds", "at least 2, at most 10,000", "rounds"),
        ("data.workers", "at least 0, at most 4,096", ""),
        ("title", "", ""),
    ],
)
def test_a_word_knows_its_range_and_unit(path: str, range_: str, unit: str) -> None:
    assert (all_terms()[path].facts.range, all_terms()[path].facts.unit) == (range_, unit)


def test_a_word_is_found_wherever_it_stands() -> None:
    lr = all_terms()["train.lr"]
    assert term_at(("train", "lr")) is lr
    assert term_at(("arms", "b", "train", "lr")) is lr
    found = term_at(("claims", 3, "metric"))
    assert found is not None
    assert found.path == "claims.metric"
    assert term_at(("student", "zzz")) is None


def test_kinds_of_one_section_are_one_word() -> None:
    kind = all_terms()["student.attention.kind"]
    assert kind.facts.choices == ("window", "longformer")
    assert "dense attention" in kind.about
    assert "global tokens" in kind.about


def test_what_may_be_null_or_a_list_says_so() -> None:
    terms = all_terms()
    assert terms["prune"].facts.is_null
    assert not terms["train"].facts.is_null
    assert terms["seeds"].facts.is_list
    assert terms["seeds"].facts.kinds == ("a list of whole numbers",)
    assert terms["student.dims"].facts.fewest == 4
    assert terms["student.options"].facts.inner == frozenset({dict, bool, int, float, str}) - {bool, int, float, str}


def test_an_example_is_the_first_that_there_is() -> None:
    assert Term("a", "", Facts(), default=3, examples=(5, 6)).example == 5
    assert Term("a", "", Facts(), default=3).example == 3
    assert Term("a", "", Facts(choices=("x",)), default=None).example == "x"
    assert Term("a", "", Facts()).example is None


def test_words_aside_are_known() -> None:
    aside = {path for path, term in all_terms().items() if term.is_aside}
    assert {"data.root", "train.memory", "resources"} <= aside
    assert "train.lr" not in aside
