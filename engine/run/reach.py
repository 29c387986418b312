"""What a job's process can run: takes the checkout, gives our files that core and run lead to, by their imports.

The source is read, nothing is imported (0.15 s, once for each fork server). A data file whose name
stands in a reached module beside it is reached too, as `timm_names.txt` of `spec/architectures.py`.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

OURS = ("engine", "store")
ROOMS = ("engine/core", "engine/run")  # all of their files count, whoever imports them
FILE_NAME = re.compile(rb'"([\w-]+\.[a-z]+)"')
BLOCKS = ("body", "orelse", "finalbody", "handlers", "cases")  # where a statement holds others


def reach_files(checkout: Path) -> list[Path]:
    """Return the files of ours that core and run reach, themselves included, in the order of their paths."""
    ahead = [path for room in ROOMS for path in (checkout / room).rglob("*.py")]
    seen: set[Path] = set()
    asked: set[str] = set()  # most names are imported by many modules: the disk is asked for each once
    while ahead:
        path = ahead.pop()
        if path not in seen:
            seen.add(path)
            ahead += _list_next(checkout, path, asked) if path.suffix == ".py" else ()
    return sorted(seen)


def _list_next(checkout: Path, path: Path, asked: set[str]) -> Iterator[Path]:
    """Yield what a module leads to: the packages around it, what it imports, the data beside it that it names.

    Names in `asked` are passed over, and all others come into it.
    """
    source = path.read_bytes()
    own = ".".join(path.relative_to(checkout).with_suffix("").parts)
    names = {own, *_imported_names(ast.parse(source))} - asked
    asked |= names
    for name in names:
        yield from _find_modules(checkout, name)
    beside = (path.with_name(name.decode()) for name in FILE_NAME.findall(source))
    yield from (file for file in beside if file.is_file())


def _imported_names(tree: ast.Module) -> Iterator[str]:
    """Yield every name that is imported, inside functions too. None of ours is relative: tests/test_layout.py."""
    ahead: list[ast.AST] = [tree]
    while ahead:
        node = ahead.pop()
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        for block in BLOCKS:
            inner = getattr(node, block, ())
            ahead += inner if isinstance(inner, list) else ()


def _find_modules(checkout: Path, name: str) -> Iterator[Path]:
    """Yield the file of a module of ours and of every package around it, which Python runs on the way."""
    parts = name.split(".")
    if parts[0] not in OURS:
        return
    for length in range(1, len(parts) + 1):
        place = checkout.joinpath(*parts[:length])
        yield from (file for file in (place / "__init__.py", place.with_suffix(".py")) if file.is_file())
