"""Keys and merges of YAML: what is merged comes after own keys, and no key is there twice."""

from __future__ import annotations

import pytest

from engine.errors import Problem, SpecError
from engine.load.yaml_tree import parse_document


def problem_of(text: str) -> Problem:
    with pytest.raises(SpecError) as caught:
        parse_document(text, "f")
    (problem,) = caught.value.problems
    return problem


def test_merged_keys_come_after_own_ones_and_the_first_source_wins() -> None:
    text = "x: &x {p: 1}\ny: &y {p: 2, q: 3}\na: {z: 0, <<: [*x, *y], q: 4}\nb: {<<: *y, <: 1}\n"
    tree = parse_document(text, "f").tree
    assert list(tree["a"].items()) == [("z", 0), ("q", 4), ("p", 1)]
    assert tree["b"] == {"<": 1, "p": 2, "q": 3}


def test_what_is_merged_may_merge_itself() -> None:
    text = "x: &x {p: 1, q: 1}\ny: &y {<<: *x, q: 2}\nz: {<<: *y, r: 3}\n"
    assert parse_document(text, "f").tree["z"] == {"r": 3, "q": 2, "p": 1}


def test_a_merged_value_is_shown_where_it_is_written() -> None:
    document = parse_document("base: &b {x: 1}\nhere:\n  y: 2\n  <<: *b\nagain: *b\n", "f")
    assert (document.keys[("here", "x")], document.values[("here", "x")]) == ("f:4:3", "f:1:14")
    assert (document.keys[("again",)], document.values[("again", "x")]) == ("f:5:1", "f:1:14")


def test_each_use_of_an_anchor_is_a_mapping_of_its_own() -> None:
    tree = parse_document("a: &a {x: [1]}\nb: *a\n", "f").tree
    tree["a"]["x"].append(2)
    assert tree["b"] == {"x": [1]}


@pytest.mark.parametrize(
    ("text", "where"),
    [("a: {<<: 3}\n", "f:1:9"), ("a: {<<: [{b: 1}, c]}\n", "f:1:18"), ("<<: {b: 1}\n<<: {c: 1}", "f:2:1")],
)
def test_a_merge_that_cannot_be_is_refused(text: str, where: str) -> None:
    problem = problem_of(text)
    assert problem.where == where
    assert "<<" in problem.what


@pytest.mark.parametrize(
    ("text", "where"),
    [("a: {x: 1, x: 2}\n", "f:1:11"), ('a: 1\n"a": 2\n', "f:2:1"), ("a: [{1: b, '1': c}]\n", "f:1:12")],
)
def test_keys_that_are_one_text_are_given_twice(text: str, where: str) -> None:
    problem = problem_of(text)
    assert problem.where == where
    assert "is given twice (it stands in the mapping of line 1)" in problem.what


@pytest.mark.parametrize("text", ["? [a, b]\n: 1\n", "? {a: 1}\n: 1\n", "[a]: 1\n"])
def test_a_key_is_a_word_alone(text: str) -> None:
    assert problem_of(text).what == "a key is a word"


def test_a_quoted_merge_sign_is_a_key() -> None:
    assert parse_document('"<<": 1\n', "f").tree == {"<<": 1}
