"""YAML with positions: every key and value has its line and column, and what is no spec is refused where it breaks."""

from __future__ import annotations

from typing import Any

import pytest

from engine.errors import Problem, SpecError
from engine.home.limits import Limits
from engine.load.yaml_tree import parse_document, parse_value

MOST_DIGITS = Limits().number_digits

TEXT = """name: a
data:
  source: digits
  augment: {flip: 0.5,
            erasing: 0.1}
seeds: [3, 4]
claims:
  - id: c
    text: "x: y"
"""


def problem_of(text: str) -> Problem:
    with pytest.raises(SpecError) as caught:
        parse_document(text, "f")
    (problem,) = caught.value.problems
    return problem


def test_the_tree_is_plain() -> None:
    tree = parse_document(TEXT, "f").tree
    assert tree == {
        "name": "a",
        "data": {"source": "digits", "augment": {"flip": 0.5, "erasing": 0.1}},
        "seeds": [3, 4],
        "claims": [{"id": "c", "text": "x: y"}],
    }
    kinds = {type(tree), type(tree["data"]), type(tree["seeds"]), type(tree["seeds"][0]), type(tree["name"])}
    assert kinds == {dict, list, int, str}
    assert type(tree["data"]["augment"]["flip"]) is float


@pytest.mark.parametrize(
    ("path", "key", "value"),
    [
        (("name",), "f:1:1", "f:1:7"),
        (("data",), "f:2:1", "f:3:3"),
        (("data", "source"), "f:3:3", "f:3:11"),
        (("data", "augment", "flip"), "f:4:13", "f:4:19"),
        (("data", "augment", "erasing"), "f:5:13", "f:5:22"),
        (("seeds",), "f:6:1", "f:6:8"),
        (("seeds", 1), "f:6:12", "f:6:12"),
        (("claims", 0), "f:8:5", "f:8:5"),
        (("claims", 0, "text"), "f:9:5", "f:9:11"),
    ],
)
def test_every_key_and_value_has_its_line_and_column(path: tuple[str | int, ...], key: str, value: str) -> None:
    document = parse_document(TEXT, "f")
    assert (document.keys[path], document.values[path]) == (key, value)


def test_keys_are_texts_and_merged_keys_have_a_place() -> None:
    assert parse_document("1: a\n2.5: b\n", "f").tree == {"1": "a", "2.5": "b"}
    merged = parse_document("base: &b {x: 1}\nhere:\n  <<: *b\n  y: 2\n", "f")
    assert merged.tree["here"] == {"x": 1, "y": 2}
    assert merged.keys[("here", "x")] == "f:3:3"


@pytest.mark.parametrize(
    ("text", "where"),
    [("a: 1\n\tb: 2\n", "f:2:1"), ("a:\n  \tb: 2\n", "f:2:3"), ("a: 1\n\n \tb: 2", "f:3:2")],
)
def test_a_tab_that_indents_is_shown(text: str, where: str) -> None:
    problem = problem_of(text)
    assert problem.where == where
    assert "a tab indents this line" in problem.what
    assert "spaces" in problem.fix


@pytest.mark.parametrize("text", ["a: [1,\n\t\n  2]\n", "a: [1,\n\t# note\n  2]\n", "a: [1,\t2]\n"])
def test_a_tab_that_indents_nothing_is_let_be(text: str) -> None:
    assert parse_document(text, "f").tree == {"a": [1, 2]}


def test_a_key_that_is_given_twice_is_shown_where_it_comes_again() -> None:
    problem = problem_of("a: 1\nb:\n  x: 1\n  y: 2\n  x: 3\n")
    assert problem.where == "f:5:3"
    assert problem.what == "the key 'x' is given twice (it stands in the mapping of line 3)"
    assert problem.fix == "keep one of the two lines, or rename one"


def test_broken_yaml_is_shown_where_it_breaks() -> None:
    problem = problem_of("a: 1\nb: [1, 2\nc: 3\n")
    assert problem.where == "f:2:4"
    assert problem.what == "this is not YAML: nothing closes this bracket"
    assert problem.fix == "write `[1, 2]`"
    other = problem_of("a: {b: [}\n: ]\n")
    assert other.what.startswith("this is not YAML: ")
    assert "brackets" in other.fix


@pytest.mark.parametrize("text", ["", "- a\n- b\n", "word\n", "3\n"])
def test_what_is_no_mapping_is_refused(text: str) -> None:
    problem = problem_of(text)
    assert (problem.where, problem.what) == ("f:1:1", "a spec is one YAML mapping")
    assert "name:" in problem.fix


VALUES: dict[str, Any] = {
    "3": 3,
    "1e-3": 0.001,
    "null": None,
    "": "",
    "  ": "",
    "off": "off",
    "true": True,
    "[1, 2.5]": [1, 2.5],
    "{a: {b: 1}}": {"a": {"b": 1}},
    "'3'": "3",
    "a=b": "a=b",
}


@pytest.mark.parametrize("text", VALUES)
def test_a_value_is_what_yaml_1_2_says(text: str) -> None:
    value = parse_value(text)
    assert value == VALUES[text]
    assert type(value) is type(VALUES[text])


def test_a_value_that_is_no_yaml_is_refused() -> None:
    with pytest.raises(SpecError) as caught:
        parse_value("[1, 2")
    (problem,) = caught.value.problems
    assert (problem.where, problem.what) == ("--set", "the value '[1, 2' is not YAML")
    assert "quote the value" in problem.fix


# What a node may say --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "where", "tag"),
    [
        ("a: !foo 5\n", "f:1:4", "'!foo'"),
        ("a: 1\nb: !!python/object:os.system [ls]\n", "f:2:4", "'!!python/object:os.system'"),
        ("a: !!python/tuple [1]\n", "f:1:4", "'!!python/tuple'"),
        ("a: !!set {b}\n", "f:1:4", "'!!set'"),
        ("a: !!omap [b: 1]\n", "f:1:4", "'!!omap'"),
        ("a: !!binary aGk=\n", "f:1:4", "'!!binary'"),
        ("a: !!str [b]\n", "f:1:4", "'!!str'"),
        ("a: !!seq {b: 1}\n", "f:1:4", "'!!seq'"),
        ("!foo k: 1\n", "f:1:1", "'!foo'"),
        ("--- !foo\na: 1\n", "f:1:5", "'!foo'"),
    ],
)
def test_a_tag_is_refused_where_it_stands(text: str, where: str, tag: str) -> None:
    problem = problem_of(text)
    assert (problem.where, problem.what) == (where, f"the tag {tag} means nothing in a spec")
    assert problem.fix.startswith("remove the tag ")


def test_a_tag_of_what_it_is_anyway_is_let_be() -> None:
    text = "a: !!str 5\nb: !!int 5\nc: !!map {d: 1}\ne: !!seq [1]\nf: ! 5\n"
    assert parse_document(text, "f").tree == {"a": "5", "b": 5, "c": {"d": 1}, "e": [1], "f": 5}


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("-_", "'-_' is no number"),
        ("._", "'._' is no number"),
        ("!!int many", "'many' is no number"),
        ("!!bool maybe", "'maybe' is no truth value"),
    ],
)
def test_what_reads_as_a_value_and_is_none_is_refused(text: str, what: str) -> None:
    problem = problem_of(f"name: a\ntitle: {text}\n")
    assert (problem.where, problem.what) == ("f:2:8", what)
    assert "in quotes where a text is meant" in problem.fix


@pytest.mark.parametrize("text", ["2024-13-45", "2024-02-28", "2024-02-28T10:00:00Z"])
def test_a_date_is_a_text_possible_or_not(text: str) -> None:
    assert parse_document(f"title: {text}\n", "f").tree == {"title": text}


def test_a_number_of_too_many_digits_is_refused() -> None:
    problem = problem_of(f"a: {'9' * 5000}\n")
    assert problem.where == "f:1:4"
    assert problem.what == f"'{'9' * 57}...' is no number"
    assert problem.fix.startswith(f"use {MOST_DIGITS} digits at most; ")
    assert parse_document(f"a: {'9' * MOST_DIGITS}\n", "f").tree == {"a": 10**MOST_DIGITS - 1}


ODD = {
    "U+0000": r"a\0b", "U+001B": r"\e[31m", "U+0007": r"\a", "U+000D": r"a\rb", "U+007F": r"\x7f", "U+0080": r"\x80",
    "U+009B": r"\x9b31m", "U+202E": r"\u202egnp", "U+2066": r"\u2066", "U+D800": r"\ud800", "U+DFFF": r"x \udfff y",
}  # fmt: skip


@pytest.mark.parametrize("sign", ODD)
def test_a_text_is_printable(sign: str) -> None:
    for text in (f'a: "{ODD[sign]}"\n', f'"{ODD[sign]}": b\n'):
        problem = problem_of(text)
        assert problem.where == ("f:1:4" if text.startswith("a") else "f:1:1")
        assert problem.what == f"this text holds the character {sign}, which is not printable"
        assert "leave it out" in problem.fix


def test_letters_of_all_scripts_tabs_and_line_breaks_are_printable() -> None:
    text = "שלום \u200e مرحبا 图 é \U0001f600\ttab"
    assert parse_document(f"a: '{text}'\nb: |\n  one\n  two\n", "f").tree == {"a": text, "b": "one\ntwo\n"}


def test_a_text_has_a_length() -> None:
    most = Limits().text_characters
    assert parse_document(f"a: {'x' * most}\n", "f").tree == {"a": "x" * most}
    for text in (f"a: {'x' * (most + 1)}\n", f"? {'x' * (most + 1)}\n: 1\n"):
        problem = problem_of(text)
        assert problem.what == f"this text has {most + 1:,} characters, more than {most:,}"
        assert "text_characters" in problem.fix


SCALARS: dict[str, Any] = {
    "010": 10,
    "0x1f": 31,
    "-0x1f": -31,
    "0o17": 15,
    "0b101": 5,
    "+12": 12,
    "1_000": 1000,
    "+1.5e3": 1500.0,
    ".5": 0.5,
    "1_0.5": 10.5,
    ".inf": float("inf"),
    "-.INF": float("-inf"),
    "True": True,
    "~": None,
    "Null": None,
    "2024-01-02": "2024-01-02",
    "2024-01-02 03:04:05": "2024-01-02 03:04:05",
    "1:30": "1:30",
    "yes": "yes",
    "=": "=",
    "'😀'": "😀",
}


@pytest.mark.parametrize("text", SCALARS)
def test_scalars_are_those_of_yaml_1_2(text: str) -> None:
    value = parse_document(f"a: {text}\n", "f").tree["a"]
    assert value == SCALARS[text]
    assert type(value) is type(SCALARS[text])


def test_a_number_that_is_none_stays_what_it_is() -> None:
    value = parse_document("a: .nan\n", "f").tree["a"]
    assert value != value  # as only a NaN is


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("!foo x", "the value '!foo x': the tag '!foo' means nothing in a spec"),
        ("&a [*a]", "the value '&a [*a]': this node holds itself through an alias"),
        ("[" * 3000, f"the value '{'[' * 57}...': mappings and lists lie more than 64 deep in each other"),
    ],
)
def test_a_value_has_the_limits_of_a_file(text: str, what: str) -> None:
    with pytest.raises(SpecError) as caught:
        parse_value(text)
    (problem,) = caught.value.problems
    assert (problem.where, problem.what) == ("--set", what)
    assert problem.fix
