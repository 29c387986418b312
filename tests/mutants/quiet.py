"""What a mutation test leaves alone: takes a syntax tree, gives the nodes whose change no test should have to notice.

Docstrings, annotations, decorators, what is raised or logged, words for people, and what only a type checker reads.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

LOGGERS = {"log", "logger", "logging", "warnings"}
WORDS = {"description", "help", "strict"}  # `strict` of zip checks the code itself
GUARDS = {"TYPE_CHECKING", "__name__"}


def quiet_nodes(tree: ast.AST) -> set[ast.AST]:
    """Return every node that is left alone, with all that is under it."""
    return {inner for node in ast.walk(tree) for part in _quiet_parts(node) for inner in ast.walk(part)}


def _quiet_parts(node: ast.AST) -> Iterator[ast.AST]:
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        yield from node.decorator_list
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.returns:
        yield node.returns
    if isinstance(node, ast.arg | ast.AnnAssign) and node.annotation:
        yield node.annotation
    if isinstance(node, ast.keyword) and node.arg in WORDS:
        yield node
    if isinstance(node, ast.Raise | ast.Import | ast.ImportFrom | ast.Assert) or _is_docstring(node):
        yield node
    if _is_logging(node) or _is_guard(node) or _is_export(node) or _is_alias_of_types(node):
        yield node


def _is_docstring(node: ast.AST) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)


def _is_logging(node: ast.AST) -> bool:
    call = node.value if isinstance(node, ast.Expr) else node
    called = call.func if isinstance(call, ast.Call) else None
    if not isinstance(called, ast.Attribute):
        return False
    base = called.value
    return isinstance(base, ast.Name) and base.id.strip("_").lower() in LOGGERS


def _is_guard(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and any(
        isinstance(inner, ast.Name | ast.Attribute) and _last_name(inner) in GUARDS for inner in ast.walk(node.test)
    )


def _is_export(node: ast.AST) -> bool:
    return isinstance(node, ast.Assign) and any(
        isinstance(target, ast.Name) and target.id == "__all__" for target in node.targets
    )


def _is_alias_of_types(node: ast.AST) -> bool:
    """A | B of classes: `str | None`, `Path | Home`."""
    if not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr)):
        return False
    return any(_is_type(side) for side in (node.left, node.right))


def _is_type(node: ast.AST) -> bool:
    if isinstance(node, ast.Constant):
        return node.value is None
    return isinstance(node, ast.Name | ast.Attribute) and (
        _last_name(node)[:1].isupper() or _last_name(node) in ("int", "str", "float", "bytes", "dict", "list", "tuple")
    )


def _last_name(node: ast.Name | ast.Attribute) -> str:
    return node.id if isinstance(node, ast.Name) else node.attr
