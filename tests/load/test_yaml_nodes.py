"""YAML within limits: a text that would grow beyond them, or is none, is refused where it begins to."""

from __future__ import annotations

import pytest
from ruamel.yaml.nodes import MappingNode

from engine.errors import Problem, SpecError
from engine.home.limits import Limits
from engine.load.yaml_nodes import compose_nodes, mark_position

MOST_DEPTH, MOST_NODES = Limits().yaml_depth, Limits().yaml_nodes


def problem_of(text: str) -> Problem:
    with pytest.raises(SpecError) as caught:
        compose_nodes(text, "f")
    (problem,) = caught.value.problems
    return problem


def nested(levels: int) -> str:
    return f"a: {'[' * levels}{']' * levels}"


def test_depth_is_limited_where_the_next_level_opens() -> None:
    problem = problem_of(nested(3000))
    assert problem.where == f"f:1:{3 + MOST_DEPTH}"
    assert problem.what == f"mappings and lists lie more than {MOST_DEPTH} deep in each other"
    assert "close a bracket" in problem.fix
    assert compose_nodes(nested(MOST_DEPTH - 1), "f") is not None
    assert "deep in each other" in problem_of(nested(MOST_DEPTH)).what


def test_depth_that_no_reader_limits_is_refused_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """Older releases of the reader know no greatest depth: Python's own ends them."""
    monkeypatch.setenv("XP_LIMITS", "yaml_depth=1M")
    problem = problem_of(nested(1000))
    assert problem.where == "f:1:1"
    assert "deeper in each other than this reader can follow" in problem.what
    assert "raise the limit" not in problem.fix, "raised further it would be no better"


def test_block_style_has_the_same_depth() -> None:
    text = "".join(f"{'  ' * level}a:\n" for level in range(3000))
    assert problem_of(text).where.startswith(f"f:{MOST_DEPTH}:")


def bomb(levels: int, each: int = 10) -> str:
    first = f"a0: &a0 [{', '.join(['x'] * each)}]\n"
    return first + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * each)}]\n" for n in range(1, levels))


def test_aliases_that_multiply_are_refused_before_they_grow() -> None:
    """Nine levels of ten are a thousand million nodes; the line is the first that passes the limit."""
    problem = problem_of(bomb(9))
    assert problem.where == "f:5:5"
    assert problem.what == f"aliases make this 111,111 keys and values, more than {MOST_NODES:,}"
    assert problem.fix.startswith("write out what is meant, or repeat less; if it is meant")
    assert "XP_LIMITS='yaml_nodes=...'" in problem.fix


def test_aliases_that_merge_multiply_too() -> None:
    lines = "".join(f"a{n}: &a{n} {{x{n}: 1, <<: [{', '.join([f'*a{n - 1}'] * 10)}]}}\n" for n in range(1, 9))
    assert "aliases make this" in problem_of("a0: &a0 {x0: 1}\n" + lines).what


def test_a_long_text_in_aliases_counts_for_several() -> None:
    many = f"a: &a {'x' * 9000}\nb: [{', '.join(['*a'] * 300)}]\n"
    assert "aliases make this 27,301 keys and values" in problem_of(many).what
    assert compose_nodes(many.replace("x" * 9000, "x"), "f") is not None


def test_nodes_are_counted_while_they_are_read() -> None:
    assert compose_nodes(f"a: [{'1,' * (MOST_NODES - 3)}]", "f") is not None
    problem = problem_of(f"a: [{'1,' * (MOST_NODES - 3)}\n{'1,' * 10**6}")
    assert problem.what == f"this has more than {MOST_NODES:,} keys and values"
    assert problem.where == "f:2:1"
    assert "yaml_nodes" in problem.fix


def test_a_limit_may_be_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XP_LIMITS", "yaml_depth=100 yaml_nodes=200")
    assert compose_nodes(nested(99), "f") is not None
    assert "more than 200 keys" in problem_of(f"a: [{'1,' * 300}]").what


def test_a_text_that_is_long_itself_is_no_bomb() -> None:
    text = "a: &a [1, 2]\n" + "".join(f"b{number}: [*a, {number}]\n" for number in range(500))
    assert compose_nodes(text, "f") is not None


def test_aliases_in_aliases_have_a_depth() -> None:
    text = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [*a{n - 1}]\n" for n in range(1, 500))
    problem = problem_of(text)
    assert problem.where == f"f:{MOST_DEPTH}:{len(f'a{MOST_DEPTH - 1}: ') + 1}"
    assert "deep in each other" in problem.what


@pytest.mark.parametrize("text", ["a: &x [1, *x]", "a: &x {b: {c: *x}}", "a: &x {<<: *x}", "a: &x [*x, *x]"])
def test_a_node_that_holds_itself_is_refused(text: str) -> None:
    problem = problem_of(text)
    assert (problem.where, problem.what) == ("f:1:4", "this node holds itself through an alias")


def test_an_anchor_may_be_used_again_for_another_node() -> None:
    root = compose_nodes("a: &x 1\nb: *x\nc: &x 2\nd: *x\n", "f")
    assert isinstance(root, MappingNode)
    assert [value.value for _, value in root.value] == ["1", "1", "2", "2"]


@pytest.mark.parametrize(
    ("text", "where", "what"),
    [
        ("a: 1\nb: x\0y\n", "f:2:5", "the character U+0000 cannot stand in YAML"),
        ("a: \x07\n", "f:1:4", "the character U+0007 cannot stand in YAML"),
        ("a: 1\n---\nb: 2\n", "f:2:1", "a second document begins here, and a spec is one"),
        ("a: 1\n...\n---\nb: 2\n", "f:3:1", "a second document begins here, and a spec is one"),
        ("# c\n%YAML 1.1\n---\na: off\n", "f:2:1", "a spec is YAML 1.2"),
        ('a: 1\nb: "\\UFFFFFFFF"\n', "f:2:5", "this is not YAML: an escape that is no character"),
        ("a: *x\n", "f:1:4", "this is not YAML: found undefined alias 'x'"),
        ("%YAML 3.0\n---\na: 1\n", "f:1:1", "a spec is YAML 1.2"),
        ("a: @x\n", "f:1:4", "this is not YAML: found character '@' that cannot start any token"),
    ],
)
def test_what_is_no_single_document_is_shown_where_it_breaks(text: str, where: str, what: str) -> None:
    problem = problem_of(text)
    assert (problem.where, problem.what) == (where, what)
    assert problem.fix


@pytest.mark.parametrize("text", ["%YAML 1.2\n---\na: 1\n", "---\na: 1\n...\n", "\ufeffa: 1\n", "# only\n---\na: 1\n"])
def test_a_document_may_be_marked_as_one(text: str) -> None:
    assert isinstance(compose_nodes(text, "f"), MappingNode)


@pytest.mark.parametrize("text", ["", "\n", "# a comment\n", "---\n"])
def test_an_empty_text_has_no_mapping(text: str) -> None:
    assert not isinstance(compose_nodes(text, "f"), MappingNode)


def test_a_mark_that_is_absent_is_the_first_place() -> None:
    assert mark_position(None, "f") == "f:1:1"


@pytest.mark.parametrize(
    ("text", "place", "fix"),
    [
        ("a: &one 1\nb: *oen\n", "f:2:4", "did you mean 'one'?"),
        ("b: *one\n", "f:1:4", "write its value here; no &name stands before it"),
    ],
)
def test_an_alias_of_nothing_is_offered_the_nearest(text: str, place: str, fix: str) -> None:
    problem = problem_of(text)
    assert (problem.where, problem.fix) == (place, fix)


def test_a_tab_behind_a_colon_is_to_be_a_space() -> None:
    problem = problem_of("a:\t{b: 1}\n")
    assert (problem.where, problem.what) == ("f:1:3", "a tab stands where YAML allows spaces only")
    assert problem.fix == "write a space"
