"""What code says, as a digest: takes syntax trees by module, gives sha256 in hex.

Comments, blank lines and layout say nothing; docstrings do, since code can read its own, and so does the name of a
module, since imports go by it. The dump is our own: that of `ast` writes other texts for the same code in other
versions of Python.
"""

from __future__ import annotations

import ast
import hashlib
from collections.abc import Callable, Mapping

# `u` before a text, and comments that are types: no part of what runs.
LEFT_OUT = ("kind", "type_comment", "type_ignores")


def code_digest(trees: Mapping[str, ast.Module]) -> str:
    """Return the sha256 over the trees, sorted by the path of their files. RecursionError where one is too deep."""
    total = hashlib.sha256()
    for name in sorted(trees):
        total.update(f"{name}\n{tree_digest(trees[name])}\n".encode())
    return total.hexdigest()


def tree_digest(tree: ast.Module) -> str:
    """Return the sha256 of what one module says."""
    total = hashlib.sha256()
    _write(tree, lambda text: total.update(text.encode("utf-8", "surrogatepass")))
    return total.hexdigest()


def _write(value: object, add: Callable[[str], None]) -> None:
    if isinstance(value, ast.AST):
        add(f"{type(value).__name__}(")
        for name, inner in ast.iter_fields(value):
            # What is empty is left out: a version of Python that has a field more writes nothing more.
            if name not in LEFT_OUT and inner is not None and inner != []:
                add(f"{name}=")
                _write(inner, add)
        add(")")
    elif isinstance(value, list):
        add("[")
        for one in value:
            _write(one, add)
        add("]")
    else:
        add(f"{value!r};")  # no two constants of Python are written alike
