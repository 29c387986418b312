"""YAML as nodes: takes a text, gives ruamel's nodes with their marks, or the place where it is no YAML or too much.

The only file, with yaml_tree.py, that knows ruamel.yaml, chosen because it reads YAML 1.2 (`1e-3` is a number, `off` a
word) and keeps line and column. Nodes are taken rather than ruamel's objects: no tag makes anything of them, and they
show how much a document would grow before it does. The limits are those of engine/home/limits.py.
"""

from __future__ import annotations

import re
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.composer import Composer
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import MappingNode, Node, ScalarNode
from ruamel.yaml.reader import ReaderError
from ruamel.yaml.scanner import Scanner

from engine.errors import Problem, SpecError, closest_hint
from engine.home.limits import limits, raise_limit
from engine.load.yaml_slips import find_slip

LONG_TEXT = 100  # characters


def one_problem(where: str, what: str, fix: str) -> SpecError:
    return SpecError([Problem(where, "", what, fix)])


def mark_position(mark: Any, name: str) -> str:
    return f"{name}:{mark.line + 1}:{mark.column + 1}" if mark is not None else f"{name}:1:1"


def compose_nodes(text: str, name: str) -> Node | None:
    """Return the root node of a text, None for an empty one; `name` stands for the file in positions."""
    _refuse_version(text, name)
    root = _parse_nodes(text, name)
    if root is not None and "*" in text:
        try:
            _measure(root, name, {})
        except RecursionError as error:
            raise _too_deep_at_all(name) from error
    return root


class TooManyNodes(MarkedYAMLError):
    """A text has more nodes than the limit, and is read no further."""


class ShallowScanner(Scanner):
    """Reads tokens, and opens no bracket beyond the limit: it reads ahead of the composer, by a thousand of them."""

    def fetch_flow_collection_start(self, TokenClass: Any, to_push: str) -> None:
        if len(self.indents) + len(self.flow_context) >= limits().yaml_depth:
            raise MarkedYAMLError(problem="maximum depth", problem_mark=self.reader.get_mark())
        super().fetch_flow_collection_start(TokenClass, to_push)


class CountingComposer(Composer):
    """Composes nodes, and no more than the limit."""

    count = 0

    def compose_node(self, parent: Any, index: Any) -> Any:
        self.count += 1
        if self.count > limits().yaml_nodes:
            raise TooManyNodes(problem_mark=self.parser.peek_event().start_mark)
        return super().compose_node(parent, index)


def _parse_nodes(text: str, name: str) -> Node | None:
    try:
        root = _compose(text)
    except RecursionError as error:
        raise _too_deep_at_all(name) from error
    except YAMLError as error:
        raise _broken_yaml(error, text, name) from error
    except (ValueError, OverflowError) as error:  # an escape such as "\UFFFFFFFF" is no character
        fix = "write the character itself, or \\u and four digits"
        raise one_problem(_escape_place(text, name), "this is not YAML: an escape that is no character", fix) from error
    return root


def _compose(text: str) -> Node | None:
    yaml = YAML(typ="safe", pure=True)
    yaml.Scanner, yaml.Composer = ShallowScanner, CountingComposer
    yaml.max_depth = limits().yaml_depth
    yaml.composer.warn_double_anchors = False  # the later one counts from there on, as YAML says
    root: Node | None = yaml.compose(text)
    return root


def _is_yaml(text: str) -> bool:
    """Whether a text is a mapping in YAML."""
    try:
        return isinstance(_compose(text), MappingNode)
    except (YAMLError, ValueError, OverflowError, RecursionError):
        return False


def _escape_place(text: str, name: str) -> str:
    found = re.search(r"\\U(?!000[0-9a-fA-F]|0010)", text)
    return _text_position(text, found.start() if found else 0, name)


def _text_position(text: str, index: int, name: str) -> str:
    before = text[:index]
    return f"{name}:{before.count(chr(10)) + 1}:{index - before.rfind(chr(10))}"


def _refuse_version(text: str, name: str) -> None:
    """Under another version `010` is eight and `off` is false: the same text would be another experiment."""
    found = re.search(r"^%YAML +(?!1\.2\s*$).*", text, re.MULTILINE) if "%YAML" in text else None
    if found:
        where = _text_position(text, found.start(), name)
        raise one_problem(where, "a spec is YAML 1.2", "write %YAML 1.2, or remove the line")


def refuse_tabs(text: str, name: str) -> None:
    """YAML forbids tabs as indentation; its own message for that is a riddle."""
    for number, line in enumerate(text.splitlines(), 1) if "\t" in text else ():
        match = re.match(r" *\t", line)
        if match and line.strip() and not line.strip().startswith("#"):
            where = f"{name}:{number}:{match.end()}"
            raise one_problem(where, "a tab indents this line, and YAML allows spaces only", _tab_fix(text, number - 1))


def _tab_fix(text: str, at: int) -> str:
    slip = find_slip(text, [at], _is_yaml)
    return slip.fix if slip is not None and slip.line == at else "replace it by spaces"


def _broken_yaml(error: YAMLError, text: str, name: str) -> SpecError:
    """Return ruamel's complaint with its place, in our words where its own are of no help."""
    if isinstance(error, ReaderError):
        char = error.character
        what = f"the character U+{char if isinstance(char, int) else ord(char):04X} cannot stand in YAML"
        where = _text_position(text, int(error.position), name)
        return one_problem(where, what, "remove it")
    mark = error.problem_mark or error.context_mark if isinstance(error, MarkedYAMLError) else None
    if isinstance(error, TooManyNodes):
        what = f"this has more than {limits().yaml_nodes:,} keys and values"
        return one_problem(mark_position(mark, name), what, raise_limit("yaml_nodes"))
    reason = getattr(error, "problem", None) or str(error).splitlines()[0]
    if reason.startswith("maximum depth"):
        return _too_deep(mark_position(mark, name))
    if reason == "but found another document":
        fix = "keep one of the two, each in a file of its own; a line `---` begins another document"
        return one_problem(mark_position(mark, name), "a second document begins here, and a spec is one", fix)
    marks = (error.context_mark, error.problem_mark) if isinstance(error, MarkedYAMLError) else ()
    slip = find_slip(text, [found.line for found in marks if found is not None], _is_yaml) if name else None
    if slip is not None:
        place = f"{name}:{slip.line + 1}:{slip.column + 1}"
        return one_problem(place, f"this is not YAML: {slip.what or reason}", slip.fix)
    if reason.startswith("found undefined alias"):
        known = re.findall(r"(?<![\w'\"])&([\w-]+)", text)
        fix = closest_hint(reason.split("'")[1], known) if known else "write its value here; no &name stands before it"
        return one_problem(mark_position(mark, name), f"this is not YAML: {reason}", fix)
    if reason.startswith("found character '\\t'"):
        return one_problem(mark_position(mark, name), "a tab stands where YAML allows spaces only", "write a space")
    fix = "check indentation, colons and brackets there; quote a text that holds a colon and a space, or #"
    return one_problem(mark_position(mark, name), f"this is not YAML: {reason}", fix)


def _too_deep(where: str) -> SpecError:
    what = f"mappings and lists lie more than {limits().yaml_depth} deep in each other"
    return one_problem(where, what, f"close a bracket that was left open; {raise_limit('yaml_depth')}")


def _too_deep_at_all(name: str) -> SpecError:
    """Where the limit was raised beyond what the reader itself can take, to raise it further is no fix."""
    what = "mappings and lists lie deeper in each other than this reader can follow, whatever yaml_depth allows"
    return one_problem(f"{name}:1:1", what, "close a bracket that was left open, or lay it out flatter")


def _measure(node: Node, name: str, seen: dict[int, tuple[int, int] | None]) -> tuple[int, int]:
    """Return how many nodes a node stands for, and how deep they lie; each is looked at once, however often it is used.

    Raises SpecError where aliases make a small text huge, or make a node hold itself.
    """
    known = seen.get(id(node), (0, 0))
    if known is None:
        fix = "write out what the alias *name stands for"
        raise one_problem(mark_position(node.start_mark, name), "this node holds itself through an alias", fix)
    if id(node) in seen:
        return known
    seen[id(node)] = None
    size, depth = _own_size(node), 0
    for child in _children(node):
        more, below = _measure(child, name, seen)
        size, depth = size + more, max(depth, below)
    seen[id(node)] = size, depth + 1
    if depth >= limits().yaml_depth:
        raise _too_deep(mark_position(node.start_mark, name))
    if size > limits().yaml_nodes:
        what = f"aliases make this {size:,} keys and values, more than {limits().yaml_nodes:,}"
        fix = f"write out what is meant, or repeat less; {raise_limit('yaml_nodes')}"
        raise one_problem(mark_position(node.start_mark, name), what, fix)
    return size, depth + 1


def _own_size(node: Node) -> int:
    """A long text counts for several, or a few aliases of it would be as large as many nodes."""
    return 1 + len(node.value) // LONG_TEXT if isinstance(node, ScalarNode) else 1


def _children(node: Node) -> list[Node]:
    if isinstance(node, MappingNode):
        return [part for pair in node.value for part in pair]
    return node.value if isinstance(node.value, list) else []
