"""The wheel in a fresh environment and an empty folder: what a newcomer does, on every Python that is to be had.

XP_PYTHONS names interpreters (`:` between them), else those of PATH are taken. One that has xp's dependencies lends
them; into the environment of another the whole base install is brought, which takes minutes and gigabytes.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
VERSIONS = ("3.11", "3.12", "3.13")
SPEC = """\
name: small
data: {source: digits, image_size: 32}
student: {arch: tiny_vit, dims: [8, 8, 16, 16], depths: [1, 1, 1, 1], heads: [1, 1, 2, 2], windows: [4, 4, 2, 1]}
train: {epochs: 1, batch_size: 64}
measure: {batch_sizes: [1], seconds: 0.05}
arms: {plain: {}, pruned: {prune.ratio: 0.2, prune.recover_epochs: 1}}
"""
# What an interpreter prints of itself: where its packages are, and "" where it lacks what xp needs.
LENDS = "import sysconfig, importlib.util as u; print(sysconfig.get_path('purelib') if u.find_spec('timm') else '')"


def pythons() -> list[str]:
    """Return the interpreters to try; this one alone where no other is there."""
    named = os.environ.get("XP_PYTHONS", "")
    if named:
        return named.split(os.pathsep)
    found = [path for version in VERSIONS if (path := shutil.which(f"python{version}")) and _answers(path)]
    return found or [sys.executable]


def _answers(path: str) -> bool:
    """Whether it is a Python: a shim of pyenv may stand for one that is not installed."""
    return subprocess.run([path, "-c", ""], capture_output=True, check=False).returncode == 0


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "-w", str(folder), str(ROOT)]
    subprocess.run(build, check=True, capture_output=True)
    return next(folder.glob("*.whl"))


def install(python: str, wheel: Path, folder: Path) -> Path:
    """Make an environment with the wheel and its base dependencies; return its folder of programs."""
    subprocess.run([python, "-m", "venv", str(folder)], check=True, capture_output=True)
    own = str(folder / "bin" / "python")
    lent = subprocess.run([python, "-c", LENDS], capture_output=True, text=True, check=True).stdout.strip()
    about = ["--no-deps"] if lent else []
    subprocess.run([own, "-m", "pip", "install", "-q", *about, str(wheel)], check=True, capture_output=True)
    if lent:  # afterwards: pip would take an xp that lies among them for this one
        (folder / "lib" / Path(lent).parent.name / "site-packages" / "lent.pth").write_text(lent)
    return folder / "bin"


@pytest.mark.slow  # minutes for each Python: networks are trained, and the whole may have to be installed
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("python", pythons())
def test_a_newcomer_gets_from_the_wheel_to_a_report_and_tidies_up(python: str, wheel: Path, tmp_path: Path) -> None:
    programs, folder = install(python, wheel, tmp_path / "env"), tmp_path / "empty"
    folder.mkdir()
    plain = {name: value for name, value in os.environ.items() if not name.startswith(("PYTHON", "XP_"))}

    def xp(*words: str) -> str:
        done = subprocess.run([programs / "xp", *words], cwd=folder, env=plain, capture_output=True, text=True)
        assert done.returncode == 0, f"xp {' '.join(words)}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        assert "Traceback" not in done.stderr
        return done.stdout

    xp("init")
    assert "valid" in xp("validate", "specs/quickstart.yaml")
    (folder / "specs" / "small.yaml").write_text(SPEC)
    xp("submit", "specs/small.yaml", "--wait")
    assert "report.html" in xp("report", "small")
    assert "test accuracy" in (folder / "report" / "small" / "report.md").read_text().lower()
    assert "2 done" in xp("ls")
    assert "pruned" in xp("ls", "small")
    xp("gc")
    xp("undo")
    xp("rm", "small", "--yes")
    assert "small" not in xp("ls")
    xp("undo")
    assert "2 done" in xp("ls")
    code = "import xp; print(len(xp.results('small', format='rows')), xp.submit('specs/small.yaml').state)"
    asked = subprocess.run([programs / "python", "-c", code], cwd=folder, env=plain, capture_output=True, text=True)
    assert asked.stdout == "2 done\n", asked.stderr
