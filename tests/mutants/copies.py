"""Copies of the tree to be mutated: takes a checkout, gives folders of its files, each with its interpreter.

The interpreter is a venv of its own over the packages of this one: a checkout's venv knows the checkout, and a process
that a test starts with a bare environment would read the sources there, without the mutant.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.mutants.texts import Mutant, apply_mutant

WHENCE = "import engine, store; print(engine.__file__); print(store.__file__)"


@dataclass(frozen=True)
class Copy:
    """One copy: its tree, and beside it logs, temporary files and the venv."""

    folder: Path

    @property
    def root(self) -> Path:
        return self.folder / "tree"

    @property
    def python(self) -> Path:
        return self.folder / "venv" / "bin" / "python"

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables of its processes; what Python compiles is written once, before the first mutant."""
        own = {"PYTHONPATH": str(self.root), "TMPDIR": str(self.folder / "t"), "PYTHONDONTWRITEBYTECODE": "1"}
        one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE"}
        return {**os.environ, **one_thread, **own}

    @contextmanager
    def mutated(self, mutant: Mutant) -> Iterator[None]:
        """Hold the mutant in the tree."""
        file = self.root / mutant.path
        source = file.read_bytes()
        _forget_compiled(file)
        file.write_text(apply_mutant(source.decode(), mutant))
        try:
            yield
        finally:
            file.write_bytes(source)
            _forget_compiled(file)


def _forget_compiled(file: Path) -> None:
    """A compiled file of the same second and size would be taken for the changed one's; some subprocesses write one."""
    for compiled in (file.parent / "__pycache__").glob(f"{file.stem}.*.pyc"):
        compiled.unlink()


def make_copy(source: Path, folder: Path) -> Copy:
    """Copy what git knows of the tree and what is new beside it; compile it; see that nothing else is read."""
    copy = Copy(folder)
    (folder / "t").mkdir(parents=True)
    for name in own_files(source):
        target = copy.root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source / name, target, follow_symlinks=False)
    _make_venv(source, copy)
    subprocess.run([copy.python, "-m", "compileall", "-q", "engine", "store", "tests"], cwd=copy.root, check=True)
    _assert_own(copy)
    return copy


def own_files(source: Path) -> list[str]:
    """Return tracked files, and untracked ones under folders that hold tracked ones, as git lists them."""
    tracked = _ask_git(source, "--cached")
    tops = {name.split("/")[0] for name in tracked if "/" in name}
    fresh = [name for name in _ask_git(source, "--others", "--exclude-standard") if name.split("/")[0] in tops]
    return [name for name in [*tracked, *fresh] if (source / name).is_file()]


def _ask_git(source: Path, *words: str) -> list[str]:
    answer = subprocess.run(["git", "ls-files", "-z", *words], cwd=source, capture_output=True, text=True, check=True)
    return [name for name in answer.stdout.split("\0") if name]


def _make_venv(source: Path, copy: Copy) -> None:
    home = copy.folder / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", home], check=True)
    packages = [entry for entry in sys.path if entry.endswith("-packages") and Path(entry) != source]
    site = next(home.glob("lib/python*/site-packages"))
    (site / "own.pth").write_text("\n".join([str(copy.root), *packages]) + "\n")


def _assert_own(copy: Copy) -> None:
    """A process with a bare environment, started elsewhere, reads the copy."""
    bare = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    words = [str(copy.python), "-c", WHENCE]
    answer = subprocess.run(words, cwd=copy.folder, env=bare, capture_output=True, text=True, check=True)
    for line in answer.stdout.split():
        if not Path(line).is_relative_to(copy.root):
            raise RuntimeError(f"a process of the copy reads {line}, not {copy.root}")
