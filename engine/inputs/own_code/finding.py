"""Code by its name: takes a reference of a spec, gives its file and all files of the same project that it imports.

Nothing is imported: files are parsed, and what they import is looked for beside them, in functions too. The standard
library, xp itself and what is installed are no part of a project.
"""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import sys
import warnings
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib.machinery import PathFinder
from pathlib import Path

from engine.errors import XpError, closest_hint
from engine.inputs.own_code.digest import code_digest, tree_digest
from engine.spec.own_code import DIGEST_DIGITS, Reference

MOST_BYTES, MOST_FILES = 1 << 20, 1000
OURS = ("engine", "store")
INSTALLED = ("site-packages", "dist-packages")
MODULE = r"[A-Za-z_]\w*"  # as in a reference of a spec


@dataclass(frozen=True)
class Code:
    """The code that a reference means: `module` below the folder `root`, and each file by its path there.

    `files` are the texts, `parts` the digest of what each says, `digest` that of all.
    """

    reference: Reference
    root: Path
    module: str
    files: Mapping[str, bytes] = field(repr=False)
    parts: Mapping[str, str] = field(repr=False)
    digest: str

    @property
    def settled(self) -> str:
        """The code's name in the settings of jobs: no place, but what it says."""
        return f"{self.module}:{self.reference.name}@{self.digest[:DIGEST_DIGITS]}"

    @property
    def file(self) -> Path:
        """The file that the reference names."""
        return next(path for path in _module_files(self.root, self.module)[::-1])


def find_code(reference: Reference) -> Code:
    """Return the code that a reference means.

    Raises XpError where there is none, it is no Python, or does not define the name at its top level, once.
    """
    root, module = _locate(reference)
    return read_code(reference, root, module)


def read_file(path: Path) -> Code:
    """Return the code of a file, whatever it defines. Raises XpError where it is gone or no Python."""
    root, module = _locate_file(path)
    return read_code(Reference(str(path), ""), root, module)


def read_code(reference: Reference, root: Path, module: str) -> Code:
    """Return the code of a `module` below `root`, and of what it imports there. Raises as `find_code` does."""
    trees: dict[str, ast.Module] = {}
    texts: dict[str, bytes] = {}
    ahead = [module]
    asked: set[str] = set()
    while ahead:
        name = ahead.pop()
        if name in asked:
            continue
        asked.add(name)
        for path in _module_files(root, name):
            relative = path.relative_to(root).as_posix()
            if relative not in trees:
                texts[relative] = _read(path)
                trees[relative] = _parse(path, texts[relative])
                ahead += [found for found in _imported(trees[relative], relative) if _is_own(found, root, module)]
        if len(trees) > MOST_FILES:
            fix = "name a smaller module: all that it imports of its project is copied"
            raise XpError(f"{reference} leads to more than {MOST_FILES:,} files", where=str(root), fix=fix)
    entry = _module_files(root, module)[-1]
    if reference.name:
        _check_name(reference.name, trees, entry.relative_to(root).as_posix(), entry)
    try:
        parts = {name: tree_digest(tree) for name, tree in trees.items()}
        return Code(reference, root, module, texts, parts, code_digest(trees))
    except RecursionError as error:
        raise XpError("its expressions are nested too deep", where=str(entry), fix="write it in steps") from error


def _locate(reference: Reference) -> tuple[Path, str]:
    """Return the folder that imports begin at, and the dotted module below it."""
    if reference.is_file:
        return _locate_file(Path(reference.place).expanduser().absolute())
    module = reference.place
    first = module.split(".")[0]
    if first in OURS or first in sys.stdlib_module_names:
        owner = "xp's own" if first in OURS else "Python's own"
        raise XpError(f"module {first} is {owner}", where=str(reference), fix="name a module of yours")
    for root in _search_places(first):
        if _reaches(root, module):
            return root, module
    fix = (
        f"install its package, run xp in the folder that holds {first}, or name the file: ./{first}.py:{reference.name}"
    )
    raise XpError(f"there is no module {module}", where=str(reference), fix=fix)


def _locate_file(path: Path) -> tuple[Path, str]:
    path = Path(os.path.normpath(path))
    if not path.is_file():
        near = sorted(one.name for one in path.parent.glob("*.py"))[:100] if path.parent.is_dir() else []
        fix = closest_hint(path.name, near) if near else "give a path relative to the spec"
        raise XpError(f"there is no file {path}", fix=fix)
    if not path.stem.isidentifier():
        fix = f"rename it, to `{''.join(sign if sign.isalnum() else '_' for sign in path.stem)}.py` for one"
        raise XpError("its name is none that Python can import", where=str(path), fix=fix)
    names, folder = [path.stem], path.parent
    while (folder / "__init__.py").is_file() and folder.parent != folder:
        names.insert(0, folder.name)
        folder = folder.parent
    names = names[:-1] if names[-1] == "__init__" and len(names) > 1 else names
    for name in names:
        if not re.fullmatch(MODULE, name):
            raise XpError(
                f"{name!r} cannot stand in a name of code",
                where=str(path),
                fix="rename it, to Latin letters, digits and _",
            )
    if names[0] in OURS or names[0] in sys.stdlib_module_names:
        fix = "rename it: imports of that name would mean another module"
        raise XpError(
            f"{names[0]} is the name of a module of {'xp' if names[0] in OURS else 'Python'}", where=str(path), fix=fix
        )
    return folder, ".".join(names)


def _search_places(first: str) -> Iterator[Path]:
    """Yield the folders in which a module of this name may lie: here, then where Python looks. Nothing is imported."""
    for place in dict.fromkeys([os.getcwd(), *sys.path]):
        found = PathFinder.find_spec(first, [place or os.getcwd()])
        if found is not None:
            yield Path(place or os.getcwd()).absolute()
    # An editable installation may have a finder of its own; a name without a dot makes it import nothing.
    found = importlib.util.find_spec(first) if first not in sys.modules else None
    for place in (found.submodule_search_locations or ()) if found else ():
        yield Path(place).absolute().parent
    if found and found.origin and not found.submodule_search_locations:
        yield Path(found.origin).absolute().parent


def _reaches(root: Path, module: str) -> bool:
    files = _module_files(root, module)
    last = root.joinpath(*module.split("."))
    return bool(files) and files[-1] in (last.with_suffix(".py"), last / "__init__.py")


def _module_files(root: Path, module: str) -> list[Path]:
    """Return the files that Python runs to import a module: those of the packages around it, then its own."""
    found = []
    parts = module.split(".")
    for length in range(1, len(parts) + 1):
        place = root.joinpath(*parts[:length])
        if (place / "__init__.py").is_file():
            found.append(place / "__init__.py")
        elif place.with_suffix(".py").is_file():
            return [*found, place.with_suffix(".py")]
        elif not place.is_dir():
            return found
    return found


def _read(path: Path) -> bytes:
    try:
        with open(path, "rb") as file:
            text = file.read(MOST_BYTES + 1)
    except OSError as error:
        raise XpError(f"cannot be read: {error.strerror}", where=str(path), fix="make it readable") from error
    if len(text) > MOST_BYTES:
        raise XpError(f"has more than {MOST_BYTES:,} bytes", where=str(path), fix="keep data out of code")
    return text


def _parse(path: Path, text: bytes) -> ast.Module:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what Python warns of is the owner's to hear, when it runs
            return ast.parse(text, str(path))
    except SyntaxError as error:
        where = f"{path}:{error.lineno or 1}"
        raise XpError(f"is no Python: {error.msg}", where=where, fix=f"try it: python {path}") from error
    except (ValueError, RecursionError, MemoryError) as error:
        raise XpError(f"is no Python: {error}", where=str(path), fix=f"try it: python {path}") from error


def _imported(tree: ast.Module, relative: str) -> Iterator[str]:
    """Yield every dotted name that a module imports; one of `from a import b` may be a module of a, or a word in it."""
    parts = relative.removesuffix(".py").split("/")
    package = parts[:-1]
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = _base_of(node, package)
            if base:
                yield base
                yield from (f"{base}.{alias.name}" for alias in node.names if alias.name != "*")
            elif base is not None:
                yield from (alias.name for alias in node.names)


def _base_of(node: ast.ImportFrom, package: Sequence[str]) -> str | None:
    """Return the package that names are imported from, None where it lies above the project."""
    if not node.level:
        return node.module
    if node.level - 1 > len(package):
        return None
    above = package[: len(package) - (node.level - 1)]
    return ".".join([*above, *(node.module.split(".") if node.module else ())])


def _is_own(name: str, root: Path, module: str) -> bool:
    first = name.split(".")[0]
    if first in OURS or first in sys.stdlib_module_names:
        return False
    # Beside an installed package lies everything else that is installed.
    return first == module.split(".")[0] or root.name not in INSTALLED


def _check_name(name: str, trees: Mapping[str, ast.Module], relative: str, path: Path) -> None:
    """Refuse a name that the module does not define at its top level, or defines more than once.

    One that it has from elsewhere than its own project is refused too: its owner uses it, and never said it may be
    called.
    """
    lines = [line for line, found in _defined(trees[relative]) if found == name]
    if not lines and not _gives(trees, relative, name, set()):
        known = sorted({found for _, found in _defined(trees[relative]) if not found.startswith("_")})
        fix = closest_hint(name, known) if known else f"write `class {name}` or `def {name}` there"
        raise XpError(f"defines no {name}", where=str(path), fix=fix)
    if len(lines) > 1:
        what = f"defines {name} twice, in lines {' and '.join(map(str, lines[:2]))}: the last one would count"
        raise XpError(what, where=f"{path}:{lines[1]}", fix="rename one of them")


def _gives(trees: Mapping[str, ast.Module], relative: str, name: str, asked: set[tuple[str, str]]) -> bool:
    """Whether a module of the project defines a name, or takes it from another one of the project that does."""
    if relative not in trees or (relative, name) in asked:
        return False
    asked.add((relative, name))
    if any(found == name for _, found in _defined(trees[relative])):
        return True
    package = relative.removesuffix(".py").split("/")[:-1]
    taken = [
        (f"{(_base_of(node, package) or '').replace('.', '/')}{ending}", name if alias.name == "*" else alias.name)
        for node in trees[relative].body if isinstance(node, ast.ImportFrom)
        for alias in node.names if alias.name == "*" or (alias.asname or alias.name) == name
        for ending in (".py", "/__init__.py")
    ]  # fmt: skip
    return any(_gives(trees, file, word, asked) for file, word in taken)


def _defined(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Yield line and name of what a module defines at its top level; of an `if` or `try` one branch alone runs."""
    for node in tree.body:
        if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.lineno, node.name
        elif isinstance(node, ast.Assign):
            yield from ((node.lineno, target.id) for target in node.targets if isinstance(target, ast.Name))
        elif isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            yield node.lineno, node.target.id
        elif isinstance(node, ast.If | ast.Try):
            blocks = [node.body, node.orelse, *(one.body for one in getattr(node, "handlers", ()))]
            inner = {name: line for block in reversed(blocks) for line, name in _defined(ast.Module(block, []))}
            yield from ((line, name) for name, line in inner.items())
