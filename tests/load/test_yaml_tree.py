"""YAML with positions: every key and value has its line and column, and what is no spec is refused where it breaks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.errors import Problem, SpecError
from engine.load.yaml_tree import parse_document, parse_value, read_document

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
    assert problem.fix == "keep one of the two, or rename one"


def test_broken_yaml_is_shown_where_it_breaks() -> None:
    problem = problem_of("a: 1\nb: [1, 2\nc: 3\n")
    assert problem.where == "f:3:2"
    assert problem.what.startswith("this is not YAML: ")
    assert len(problem.what) > len("this is not YAML: ")
    assert "brackets" in problem.fix


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


def test_a_file_is_named_in_its_positions(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_text("name: ä\n", encoding="utf-8")
    document = read_document(tmp_path / "a.yaml")
    assert document.tree == {"name": "ä"}
    assert document.values[("name",)] == f"{tmp_path}/a.yaml:1:7"


def test_a_file_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    for name in ("b.yaml", "a.yml", "_small.yaml", "c.txt"):
        (tmp_path / name).write_text("")
    with pytest.raises(SpecError) as caught:
        read_document(tmp_path / "d.yaml")
    (problem,) = caught.value.problems
    assert problem.where == f"{tmp_path}/d.yaml:1:1"
    assert problem.what == "cannot read the file: No such file or directory"
    assert problem.fix == f"there are {tmp_path}/a.yml, {tmp_path}/b.yaml"


def test_where_no_spec_is_near_init_is_named(tmp_path: Path) -> None:
    with pytest.raises(SpecError) as caught:
        read_document(tmp_path / "d.yaml")
    assert "`xp init`" in caught.value.problems[0].fix


def test_a_file_of_bytes_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"name: \xff\n")
    with pytest.raises(SpecError) as caught:
        read_document(tmp_path / "a.yaml")
    (problem,) = caught.value.problems
    assert (problem.what, problem.fix) == ("the file is not UTF-8 text", "save it as UTF-8")
