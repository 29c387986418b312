"""Mutants of Python: takes a source, gives small faults of it, each a place in its bytes and what is written there.

Nothing else of the file changes: a mutant is cut into the text at the positions of a node, never printed from a tree.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator

from tests.mutants.changes import CHANGES, Place
from tests.mutants.quiet import quiet_nodes
from tests.mutants.texts import Mutant, apply_mutant, mutant_of, number_mutants


def python_mutants(path: str, source: str, needed: dict[str, set[str]] | None = None) -> list[Mutant]:
    """Return the mutants of one file. `needed` says which keywords a function of the project cannot do without."""
    tree, place = ast.parse(source), Place(source, needed or {})
    walked = _walk(tree, quiet_nodes(tree) | _misplaced(tree, place))
    return number_mutants(
        mutant_of(path, place.raw, scope, kind, edit)
        for node, scope in walked
        for kind, change in CHANGES
        for edit in change(node, place)
    )


def is_sound(source: str, mutant: Mutant) -> bool:
    """Whether a Python mutant can be parsed and means something else than the source."""
    try:
        changed = ast.parse(apply_mutant(source, mutant))
    except SyntaxError:
        return False
    return ast.dump(changed) != ast.dump(ast.parse(source))


def needed_keywords(sources: list[str]) -> dict[str, set[str]]:
    """Return, for each function and data class defined here, the arguments without a default; of one name, of all."""
    needed: dict[str, set[str]] = {}
    for source in sources:
        for node in ast.walk(ast.parse(source)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                needed.setdefault(node.name, set()).update(_bare_arguments(node.args))
            elif isinstance(node, ast.ClassDef):
                needed.setdefault(node.name, set()).update(_bare_fields(node))
    return needed


def _bare_arguments(given: ast.arguments) -> set[str]:
    plain = [*given.posonlyargs, *given.args]
    bare = plain[: len(plain) - len(given.defaults)]
    bare += [arg for arg, default in zip(given.kwonlyargs, given.kw_defaults, strict=True) if default is None]
    return {arg.arg for arg in bare}


def _bare_fields(node: ast.ClassDef) -> set[str]:
    fields = [part for part in node.body if isinstance(part, ast.AnnAssign) and part.value is None]
    return {field.target.id for field in fields if isinstance(field.target, ast.Name)}


def _walk(tree: ast.AST, quiet: set[ast.AST], scope: str = "") -> Iterator[tuple[ast.AST, str]]:
    for child in ast.iter_child_nodes(tree):
        if child in quiet:
            continue
        inner = scope
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            inner = f"{scope}.{child.name}".strip(".")
        yield child, inner
        yield from _walk(child, quiet, inner)


def _misplaced(tree: ast.AST, place: Place) -> set[ast.AST]:
    """Return what stands inside an f-string at a place that the parser does not tell rightly."""
    strings = [node for node in ast.walk(tree) if isinstance(node, ast.JoinedStr)]
    values = [part.value for string in strings for part in string.values if isinstance(part, ast.FormattedValue)]
    return {inner for value in values if not place.holds(value) for inner in ast.walk(value)}
