"""What decides figures is what a job can run: the files that core and run lead to, found without importing them."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from modulefinder import ModuleFinder
from pathlib import Path

import pytest

from engine.run.code import CHECKOUT, digest_files
from engine.run.reach import reach_files
from engine.spec.registries import REGISTRIES

DECIDING = (
    "engine/errors.py", "engine/home/files.py", "engine/home/paths.py", "engine/spec/identity.py",
    "engine/spec/timm_names.txt", "engine/spec/timm_optimizers.txt", "engine/spec/timm_views.txt",
    "engine/inputs/weights.py",
    "engine/inputs/folders.py", "engine/inputs/quotas.py",
    "engine/launch/preempt.py", "engine/core/network/fast.py", "engine/run/heads.py", "store/journal.py",
    "engine/inputs/forms/parquet.py", "store/parquet.py", "store/file_names.py",
)  # fmt: skip
TELLING = (
    "engine/report/page.py", "engine/cli/jobs.py", "engine/inspect/status.py", "engine/analysis/compare.py",
    "engine/plan/draft.py", "engine/load/overlays.py", "engine/collect/files.py", "engine/schedule/submit.py",
    "engine/verify/targets.py", "store/queue/rows.py", "store/results/reading.py", "store/schema.sql",
    "store/queries/compare_runs.sql", "templates/report.md.j2", "specs/quickstart.yaml",
)  # fmt: skip


@pytest.fixture(scope="module")
def copied(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree as a wheel lays it out: beside other packages, and no checkout."""
    place = tmp_path_factory.mktemp("site-packages")
    for name in ("engine", "store", "templates", "specs"):
        shutil.copytree(CHECKOUT / name, place / name, ignore=shutil.ignore_patterns("__pycache__"))
    (place / "torch").mkdir()
    (place / "torch" / "__init__.py").touch()
    return place


@pytest.fixture(scope="module")
def own_digest() -> str:
    return digest_files(CHECKOUT)


def make_tree(place: Path, start: str, files: Mapping[str, str]) -> list[str]:
    """Write engine/core/a.py, which says `start`, and other files of engine/; return what is reached of them."""
    for name, text in {"core/a.py": start, **files}.items():
        path = place / "engine" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return [path.relative_to(place / "engine").as_posix() for path in reach_files(place)]


@pytest.mark.parametrize("name", DECIDING)
def test_edit_of_what_jobs_run_is_other_code(name: str, copied: Path, own_digest: str) -> None:
    before = (copied / name).read_bytes()
    (copied / name).write_bytes(before + b"\n")
    try:
        assert digest_files(copied) != own_digest
    finally:
        (copied / name).write_bytes(before)


def test_edits_of_what_tells_decide_nothing(copied: Path, own_digest: str) -> None:
    """The tree has the digest of the checkout too, wherever it lies."""
    kept = {name: (copied / name).read_bytes() for name in TELLING}
    for name, before in kept.items():
        (copied / name).write_bytes(before + b"\n")
    try:
        assert digest_files(copied) == own_digest
    finally:
        for name, before in kept.items():
            (copied / name).write_bytes(before)


def test_reached_modules_are_those_of_modulefinder() -> None:
    """Python's own finder reads byte code instead of the source."""
    finder = ModuleFinder(path=[str(CHECKOUT)])
    for room in ("core", "run"):
        for path in (CHECKOUT / "engine" / room).rglob("*.py"):
            parts = path.relative_to(CHECKOUT).with_suffix("").parts
            finder.import_hook(".".join(parts[:-1] if parts[-1] == "__init__" else parts))
    files = (vars(module)["__file__"] for module in finder.modules.values())
    found = {Path(file) for file in files if file}
    assert {path for path in reach_files(CHECKOUT) if path.suffix == ".py"} == found


def test_jobs_read_no_data_from_elsewhere() -> None:
    """A file that finds its data by its own place names it, or it would not count."""
    users = [path for path in reach_files(CHECKOUT) if path.suffix == ".py" and "__file__" in path.read_text()]
    assert [path.name for path in users] == [
        "loading.py",  # of own code: it asks where others lie
        "code.py",
        "architectures.py",
        "optimizers.py",
        "registries.py",
        "timm_views.py",
    ]
    assert {CHECKOUT / "engine" / file for file, _ in REGISTRIES.values()} <= set(reach_files(CHECKOUT))


def test_every_room_that_jobs_run_is_edited_here() -> None:
    """A room that comes into reach is added to the list above."""
    reached = {path.relative_to(CHECKOUT).parts[:2] for path in reach_files(CHECKOUT)}
    assert {Path(name).parts[:2] for name in DECIDING} == reached - {
        ("engine", "__init__.py"),
        ("store", "__init__.py"),
        ("store", "escape.py"),
    }


def test_imports_are_followed_to_their_end(tmp_path: Path) -> None:
    files = {"b.py": "from engine import c", "c.py": "", "d.py": "from engine import c"}
    assert make_tree(tmp_path, "import engine.b", files) == ["b.py", "c.py", "core/a.py"]


def test_imports_inside_functions_count(tmp_path: Path) -> None:
    text = "def f():\n  try:\n    pass\n  except OSError:\n    from engine.b import x\n  else:\n    import engine.c\n"
    assert make_tree(tmp_path, text, {"b.py": "", "c.py": ""}) == ["b.py", "c.py", "core/a.py"]


def test_imports_in_each_branch_count(tmp_path: Path) -> None:
    first = "if 1:\n  import engine.b\nelse:\n  import engine.c\n"
    second = "match 1:\n  case 1:\n    with open('') as f:\n      import engine.d\n"
    names = make_tree(tmp_path, first + second, {"b.py": "", "c.py": "", "d.py": ""})
    assert names == ["b.py", "c.py", "core/a.py", "d.py"]


def test_circle_of_imports_comes_to_an_end(tmp_path: Path) -> None:
    assert make_tree(tmp_path, "import engine.b", {"b.py": "import engine.core.a"}) == ["b.py", "core/a.py"]


def test_packages_on_the_way_count(tmp_path: Path) -> None:
    files = {"b/__init__.py": "", "b/c/__init__.py": "import engine.e", "b/c/d.py": "", "b/f.py": "", "e.py": ""}
    names = make_tree(tmp_path, "import engine.b.c.d", files)
    assert names == ["b/__init__.py", "b/c/__init__.py", "b/c/d.py", "core/a.py", "e.py"]


def test_data_named_beside_a_module_counts(tmp_path: Path) -> None:
    files = {"b/c.py": 'x = "named.txt"', "b/named.txt": "", "b/other.txt": ""}
    names = make_tree(tmp_path, 'import engine.b.c\nx = "other.txt"', files)
    assert names == ["b/c.py", "b/named.txt", "core/a.py"]


def test_packages_of_others_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "torch.py").touch()
    assert make_tree(tmp_path, "import torch, engine_of_others.b", {}) == ["core/a.py"]
