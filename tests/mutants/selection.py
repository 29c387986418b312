"""Which tests judge a file: takes a tree and a path, gives test files, the likeliest to notice first.

First the test at the mirrored path, then the rest of that folder, then those that import the mutated module. A query or
template is judged by the tests of the modules that name it, or are named as it is up to its first `_`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable
from functools import cache
from pathlib import Path


def select_tests(root: Path, path: str) -> list[list[str]]:
    """Return test files as paths from the root, each once, in three groups: nearest, of the room, elsewhere."""
    modules = [path] if path.endswith(".py") else [path, *users_of(root, path)]
    near = [file for module in modules for file in mirrored_tests(root, module)]
    rooms = [file for module in modules[1:] or modules for file in room_tests(root, module)]
    names = {module_name(module) for module in modules}
    far = importing_tests(root, names | {name for module in names for name in handed_on(root, module)})
    seen: set[str] = set()
    groups: list[list[str]] = []
    for group in (near, rooms, far):
        groups.append([file for file in dict.fromkeys(group) if file not in seen])
        seen.update(group)
    return groups


def module_name(path: str) -> str:
    return path.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


def mirrored_tests(root: Path, path: str) -> list[str]:
    """Return tests/a/test_b.py of engine/a/b.py, tests/store/test_b.py of store/b.py, of a package its own."""
    folder, stem = _mirror(path)
    if stem == "__init__":
        folder, stem = folder.parent, folder.name
    names = [folder / f"test_{stem}.py", folder / stem / f"test_{stem}.py"]
    return [str(name) for name in names if (root / name).is_file()]


def room_tests(root: Path, path: str) -> list[str]:
    """Return the tests of the nearest mirrored folder that has any, and the file named as the room beside it."""
    folder, _ = _mirror(path)
    while len(folder.parts) > 1:
        beside = folder.parent / f"test_{folder.name}.py"
        found = [str(file.relative_to(root)) for file in sorted((root / folder).rglob("test_*.py"))]
        found += [str(beside)] if (root / beside).is_file() else []
        if found:
            return found
        folder = folder.parent
    return []


def importing_tests(root: Path, modules: set[str]) -> list[str]:
    """Return the tests that import one of the modules, or a name out of it."""
    found = []
    for file in sorted((root / "tests").rglob("test_*.py")):
        if modules & imports_of(file):
            found.append(str(file.relative_to(root)))
    return found


def users_of(root: Path, path: str) -> list[str]:
    """Return the modules whose text names the file, or whose own name its name begins with."""
    file = Path(path)
    stem = file.name.split(".")[0]
    prefix = stem.split("_")[0]
    found = []
    for module in _sources(root):
        room = module.parent.name if module.name == "__init__.py" else module.stem
        text = module.read_text()
        if room == prefix or f'"{stem}"' in text or file.name in text:
            found.append(str(module.relative_to(root)))
    return found


def handed_on(root: Path, module: str) -> set[str]:
    """Return the names under which packages hand on what a module gives: store.queue.claims.A as store.queue.A."""
    found: set[str] = set()
    for file in _sources(root):
        if file.name == "__init__.py":
            package = module_name(str(file.relative_to(root)))
            names = {name for name in imports_of(file) if name.startswith(f"{module}.")}
            found |= {f"{package}{name.removeprefix(module)}" for name in names}
    return found


@cache
def imports_of(file: Path) -> frozenset[str]:
    """Return every module a file may import: of `from a.b import c` both a.b and a.b.c."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return frozenset(names)


def _mirror(path: str) -> tuple[Path, str]:
    """Return the folder of tests that mirrors a file's folder, and the file's stem."""
    file = Path(path)
    inside = file.parent.parts[1:] if file.parts[0] == "engine" else file.parent.parts
    return Path("tests", *inside), file.name.split(".")[0]


def _sources(root: Path) -> Iterable[Path]:
    return [file for top in ("engine", "store") for file in sorted((root / top).rglob("*.py"))]
