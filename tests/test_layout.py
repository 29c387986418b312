"""The house rules that a machine can hold: import order, no circles, one home per dependency, maps that are true."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

from tests.conftest import LONGEST, ROOMS, unit_of

ROOT = Path(__file__).parent.parent
TESTS = ROOT / "tests"
ENGINE, STORE = ROOT / "engine", ROOT / "store"
STREET = (
    "errors", "home", "spec", "load", "inputs", "plan", "launch", "collect", "schedule", "core", "run", "analysis",
    "inspect", "verify", "report", "archive", "exchange", "search", "serve", "api", "cli",
)  # fmt: skip
HOMES = {
    "torch": ("core", "run", "verify"),
    "timm": ("core", "run"),
    "triton": ("core",),
    "onnx": ("core",),
    "onnxruntime": ("core",),
    "torchao": ("core",),
    "executorch": ("core",),
    "jinja2": ("report", "serve"),
    "starlette": ("serve",),
    "uvicorn": ("serve",),
    "matplotlib": ("report", "run"),
    "typer": ("cli",),
    "prompt_toolkit": ("cli",),
    "rich": ("cli",),
    "ruamel": ("load",),
    "sklearn": ("inputs", "core"),
    "huggingface_hub": ("inputs",),
    "duckdb": ("store/results", "store/parquet"),
    # Nowhere: what they write is read, and what they read is written, without them.
    "mlflow": (),
    "wandb": (),
    "tensorboard": (),
    "ray": (),
    "sqlalchemy": ("store/queue",),
    "optuna": ("search",),
}
HEAVY = ("torch", "triton", "timm", "duckdb", "sklearn", "matplotlib", "starlette")
MOST_ENTRIES, MOST_LINES = 22, 400
TESTED_FROM = 60  # lines: a file that is longer has tests of its own


def own_files() -> list[Path]:
    return sorted([*ENGINE.rglob("*.py"), *STORE.rglob("*.py")])


def module_name(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(file): file for file in own_files()}


def room_of(name: str) -> str:
    """Return the room of a dotted module name: `core` for `engine.core.data`, `store/results` for `store.results`."""
    parts = name.split(".")
    return "/".join(parts[:2]) if parts[0] == "store" else parts[1] if len(parts) > 1 else ""


@cache
def imported_names(file: Path) -> tuple[str, ...]:
    """Every absolute name that the file imports, inside functions and under TYPE_CHECKING too."""
    names: list[str] = []
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{file}: a relative import hides where it leads"
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return tuple(names)


def own_imports(file: Path) -> set[str]:
    """The modules of ours that the file imports: the longest part of each name that is one."""
    found = set()
    for name in imported_names(file):
        while name and name not in MODULES:
            name = name.rpartition(".")[0]
        found.add(name)
    return found - {"", "engine", "store", module_name(file)}


def test_engine_reads_as_the_flow() -> None:
    rooms = {path.stem for path in ENGINE.iterdir() if is_part(path)}
    assert rooms == set(STREET)
    assert len({*rooms, "__init__"}) <= MOST_ENTRIES


@pytest.mark.parametrize("file", own_files(), ids=lambda file: str(file.relative_to(ROOT)))
def test_imports_point_back_along_the_street(file: Path) -> None:
    here = room_of(module_name(file))
    for name in own_imports(file):
        if name.startswith("store"):
            continue
        assert not file.is_relative_to(STORE), f"{file.name} imports {name}: the store is a leaf"
        room = room_of(name)
        if here not in ("", room):
            assert STREET.index(room) < STREET.index(here), f"{here} imports {room}, which comes after it"


def test_no_module_imports_itself_in_a_circle() -> None:
    arrows = {name: own_imports(file) for name, file in MODULES.items()}
    circles = [name for name in arrows if name in reach(arrows, name)]
    assert circles == []


def reach(arrows: dict[str, set[str]], start: str) -> set[str]:
    """Return what is imported from `start`, directly or through others."""
    seen: set[str] = set()
    ahead = list(arrows[start])
    while ahead:
        name = ahead.pop()
        if name not in seen:
            seen.add(name)
            ahead += arrows.get(name, ())
    return seen


@pytest.mark.parametrize("package", sorted(HOMES))
def test_each_dependency_has_one_home(package: str) -> None:
    users = {
        room_of(name)
        for name, file in MODULES.items()
        if any(imported.split(".")[0] == package for imported in imported_names(file))
    }
    assert users <= set(HOMES[package])


def rooms_with_maps() -> list[Path]:
    return sorted(path.parent for path in own_files() if path.name == "__init__.py")


@pytest.mark.parametrize("folder", rooms_with_maps(), ids=lambda folder: str(folder.relative_to(ROOT)))
def test_map_of_a_room_names_its_files(folder: Path) -> None:
    text = ast.get_docstring(ast.parse((folder / "__init__.py").read_text()), clean=False) or ""
    lines = re.findall(r"^ *(\S+(?: \S+)*)  +\S", text, re.MULTILINE)
    told = {name for line in lines for name in line.split()}
    assert told == {path.stem for path in folder.iterdir() if is_part(path)}


def is_part(path: Path) -> bool:
    if path.is_dir():
        return any(path.glob("*.py"))
    return path.suffix == ".py" and not path.name.startswith("__")


def mirror_of(file: Path) -> Path:
    """Return where the tests of a source file lie: the same path below tests/, a package's own in its folder."""
    path = file.relative_to(ENGINE) if file.is_relative_to(ENGINE) else file.relative_to(ROOT)
    name = path.parent.name if path.name == "__init__.py" else path.stem
    return ROOT / "tests" / path.parent / f"test_{name}.py"


def test_every_longer_file_has_its_tests() -> None:
    longer = [file for file in own_files() if len(file.read_text().splitlines()) > TESTED_FROM]
    bare = [str(file.relative_to(ROOT)) for file in longer if not mirror_of(file).exists()]
    assert bare == []


def test_the_command_line_loads_nothing_heavy() -> None:
    code = f"import sys, engine.cli; print([name for name in {HEAVY!r} if name in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert answer.stdout.strip() == "[]"


def test_no_file_is_longer_than_a_person_reads() -> None:
    long = [str(file) for file in own_files() if len(file.read_text().splitlines()) > MOST_LINES]
    assert long == []


def test_every_module_says_what_it_takes_and_gives() -> None:
    bare = [str(file) for file in own_files() if not ast.get_docstring(ast.parse(file.read_text()))]
    assert bare == []


def test_files_that_tests_begin_with_are_there() -> None:
    assert [name for name in LONGEST if not (TESTS / name).is_file()] == []
    assert [name for name in ROOMS if not (TESTS / name).is_dir()] == []


def test_files_of_a_room_that_shares_its_homes_stay_together() -> None:
    assert unit_of("serve/browser/test_sql.py") == "serve/browser"
    assert unit_of("serve/pages/test_run.py") == unit_of("serve/test_app.py") == "serve"
    assert unit_of("core/test_card.py") == "core/test_card.py"
