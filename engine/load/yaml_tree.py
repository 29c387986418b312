"""YAML with positions: takes a file or a text, gives a plain tree and where each key and value stands.

The only room that knows ruamel.yaml, chosen because it reads YAML 1.2 (`1e-3` is a number, `off` a word), refuses
duplicate keys, and keeps line and column.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path as FilePath
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.constructor import DuplicateKeyError
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from engine.errors import Problem, SpecError

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class Document:
    """A parsed file: the plain tree, and `file:line:column` for the key and the value at each path."""

    tree: dict[str, Any]
    keys: dict[Path, str] = field(default_factory=dict)
    values: dict[Path, str] = field(default_factory=dict)


def read_document(file: FilePath) -> Document:
    """Read one YAML mapping. Raises SpecError with the position for anything that is none."""
    try:
        text = file.read_text(encoding="utf-8")
    except OSError as error:
        raise _one_problem(f"{file}:1:1", f"cannot read the file: {error.strerror}", _near_files(file)) from error
    except UnicodeDecodeError as error:
        raise _one_problem(f"{file}:1:1", "the file is not UTF-8 text", "save it as UTF-8") from error
    return parse_document(text, str(file))


def parse_document(text: str, name: str) -> Document:
    """Parse YAML text; `name` stands for the file in positions."""
    _refuse_tabs(text, name)
    try:
        tree = YAML(typ="rt").load(text)
    except DuplicateKeyError as error:
        raise _duplicate_key(error, name) from error
    except YAMLError as error:
        raise _broken_yaml(error, name) from error
    if not isinstance(tree, CommentedMap):
        fix = "begin with `name: my_experiment`, then `data:`, `student:`; see specs/quickstart.yaml"
        raise _one_problem(f"{name}:1:1", "a spec is one YAML mapping", fix)
    document = Document({})
    document.tree.update(_plain_tree(tree, (), name, document))
    return document


def parse_value(text: str) -> Any:
    """Parse one value as YAML would inside a spec: `3`, `1e-3`, `null`, `[1, 2]`, a word."""
    try:
        return _plain(YAML(typ="rt").load(text)) if text.strip() else ""
    except YAMLError as error:
        fix = "quote the value as YAML would need it, for instance --set 'title=\"a: b\"'"
        raise _one_problem("--set", f"the value {text!r} is not YAML", fix) from error


def _plain_tree(node: Any, path: Path, name: str, document: Document) -> Any:
    """Strip ruamel's own types and write down the position of everything on the way."""
    if isinstance(node, CommentedMap):
        return {str(key): _plain_child(node, key, (*path, str(key)), name, document) for key in node}
    if isinstance(node, CommentedSeq):
        return [_plain_child(node, index, (*path, index), name, document) for index in range(len(node))]
    return _plain(node)


def _plain_child(node: CommentedMap | CommentedSeq, key: Any, path: Path, name: str, document: Document) -> Any:
    if isinstance(node, CommentedMap):
        spots = node.lc.data.get(key) or (node.lc.line, node.lc.col, node.lc.line, node.lc.col)
        document.keys[path] = _position(name, spots[0], spots[1])
        document.values[path] = _position(name, spots[2], spots[3])
    else:
        line, column = node.lc.item(key)
        document.keys[path] = document.values[path] = _position(name, line, column)
    return _plain_tree(node[key], path, name, document)


def _plain(node: Any) -> Any:
    if isinstance(node, Mapping):
        return {str(key): _plain(value) for key, value in node.items()}
    if isinstance(node, list):
        return [_plain(value) for value in node]
    if isinstance(node, bool) or node is None:
        return node
    for kind in (int, float, str):
        if isinstance(node, kind):
            return kind(node)
    return str(node)


def _position(name: str, line: int, column: int) -> str:
    return f"{name}:{line + 1}:{column + 1}"


def _refuse_tabs(text: str, name: str) -> None:
    """YAML forbids tabs as indentation; its own message for that is a riddle."""
    for number, line in enumerate(text.splitlines(), 1):
        match = re.match(r" *\t", line)
        if match and line.strip() and not line.strip().startswith("#"):
            where = f"{name}:{number}:{match.end()}"
            raise _one_problem(where, "a tab indents this line, and YAML allows spaces only", "replace it by spaces")


def _duplicate_key(error: DuplicateKeyError, name: str) -> SpecError:
    found = re.search(r'duplicate key "([^"]*)"', str(error.problem))
    key = found.group(1) if found else "this key"
    first = error.context_mark
    here = _mark_position(error.problem_mark, name)
    before = f" (it stands in the mapping of line {first.line + 1})" if first is not None else ""
    return _one_problem(here, f"the key {key!r} is given twice{before}", "keep one of the two, or rename one")


def _broken_yaml(error: YAMLError, name: str) -> SpecError:
    mark = error.problem_mark or error.context_mark if isinstance(error, MarkedYAMLError) else None
    reason = getattr(error, "problem", None) or str(error).splitlines()[0]
    fix = "check indentation, colons and brackets there; quote a text that holds `: ` or `#`"
    return _one_problem(_mark_position(mark, name), f"this is not YAML: {reason}", fix)


def _mark_position(mark: Any, name: str) -> str:
    return _position(name, mark.line, mark.column) if mark is not None else f"{name}:1:1"


def _near_files(file: FilePath) -> str:
    folder = file.parent if file.parent.is_dir() else FilePath()
    near = sorted(str(path) for path in folder.glob("*.y*ml") if not path.name.startswith("_"))
    return f"there are {', '.join(near[:8])}" if near else "give the path of a spec; `xp init` lays some out"


def _one_problem(where: str, what: str, fix: str) -> SpecError:
    return SpecError([Problem(where, "", what, fix)])
