"""The house rules that a machine can hold: import order, one home per dependency, a light command line."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
STREET = [
    "errors",
    "names",
    "spec",
    "shapes",
    "arms",
    "identity",
    "problems",
    "later",
    "yaml_tree",
    "overlays",
    "load",
    "home",
    "archive",
    "parts",
    "folders",
    "content",
    "weights",
    "plan",
    "estimate",
    "check",
    "starter",
    "schedule",
    "launch",
    "core",
    "run",
    "images",
    "describing",
    "collect",
    "submit",
    "worker",
    "certificate",
    "verify",
    "find",
    "status",
    "orders",
    "logs",
    "why",
    "query",
    "prompt",
    "stats",
    "guard",
    "compare",
    "claims",
    "wording",
    "trace",
    "freeze",
    "figures",
    "report",
    "show",
    "watch",
    "doctor",
    "serve",
    "cli",
]
HOMES = {
    "torch": ("core", "run"),
    "timm": ("core", "run"),
    "jinja2": ("report", "serve"),
    "typer": ("cli",),
    "ruamel": ("yaml_tree",),
    "prompt_toolkit": ("prompt",),
}
HEAVY = ("torch", "timm", "duckdb", "sklearn", "matplotlib")


def own_files() -> list[Path]:
    return sorted([*(ROOT / "engine").rglob("*.py"), *(ROOT / "store").rglob("*.py")])


def room_of(file: Path) -> str:
    return file.relative_to(ROOT / "engine").parts[0].removesuffix(".py")


def imported_names(file: Path) -> list[str]:
    """Every absolute module name that the file imports, inside functions too."""
    names: list[str] = []
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: a relative import hides where it leads"
            names.append(node.module or "")
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


@pytest.mark.parametrize("file", own_files(), ids=lambda file: str(file.relative_to(ROOT)))
def test_imports_point_back_along_the_street(file: Path) -> None:
    in_store = file.is_relative_to(ROOT / "store")
    for name in imported_names(file):
        if name.split(".")[0] != "engine" or name == "engine":
            continue
        assert not in_store, f"{file.name} imports {name}: the store is a leaf"
        room, here = name.split(".")[1], room_of(file)
        if here not in ("__init__", room):
            assert STREET.index(room) < STREET.index(here), f"{here} imports {room}, which comes after it"


@pytest.mark.parametrize("package", sorted(HOMES))
def test_each_dependency_has_one_home(package: str) -> None:
    for file in own_files():
        if any(name.split(".")[0] == package for name in imported_names(file)):
            assert file.is_relative_to(ROOT / "engine"), f"{package} in {file}"
            assert room_of(file) in HOMES[package], f"{package} in {file}"


def test_duckdb_and_sqlalchemy_stay_in_the_store() -> None:
    for file in own_files():
        packages = {name.split(".")[0] for name in imported_names(file)}
        assert "duckdb" not in packages or "results" in str(file.relative_to(ROOT / "store"))
        assert "sqlalchemy" not in packages or "queue" in str(file.relative_to(ROOT / "store"))


def test_the_command_line_loads_nothing_heavy() -> None:
    code = f"import sys, engine.cli; print([name for name in {HEAVY!r} if name in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == "[]"


def test_no_file_is_longer_than_a_person_reads() -> None:
    long = [str(file) for file in own_files() if len(file.read_text().splitlines()) > 400]
    assert long == []


def test_every_module_says_what_it_takes_and_gives() -> None:
    bare = [str(file) for file in own_files() if not ast.get_docstring(ast.parse(file.read_text()))]
    assert bare == []
