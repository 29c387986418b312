"""The wheel has what `xp serve` needs: installed in a bare folder, its pages come up with every file they name."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import urllib.request
import zipfile
from pathlib import Path

import pytest

from engine.home.paths import Home

ROOT = Path(__file__).parents[2]
PAGES = ("", "runs", "compare", "queue", "teachers", "sql", "reports")
pytestmark = pytest.mark.slow  # half a minute: a wheel is built, and installed without what it depends on


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    line = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", str(folder), str(ROOT)]
    made = subprocess.run(line, capture_output=True, text=True)
    if made.returncode and "hatchling" in made.stderr:
        pytest.skip("needs hatchling, which builds the wheel: it is not here and cannot be fetched")
    assert made.returncode == 0, made.stderr
    return next(folder.glob("*.whl"))


def test_the_wheel_has_every_template_and_static_file(wheel: Path) -> None:
    inside = set(zipfile.ZipFile(wheel).namelist())
    wanted = [path.relative_to(ROOT) for path in (ROOT / "templates").rglob("*") if path.is_file()]
    assert len(wanted) > 20
    assert [str(path) for path in wanted if str(path) not in inside] == []


def test_installed_in_a_bare_folder_its_pages_come_up(wheel: Path, done_home: Home, tmp_path: Path) -> None:
    target = tmp_path / "installed"
    line = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", str(target)]
    subprocess.run([*line, str(wheel)], check=True, capture_output=True)
    env = {**os.environ, "PYTHONPATH": str(target)}
    line = [sys.executable, "-P", "-m", "engine.cli", "serve", "--port", "0", "--home", str(done_home.root)]
    server = subprocess.Popen(line, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, env=env, cwd=tmp_path, text=True)
    assert server.stderr is not None
    try:
        told = re.search(r"http://\S+/", server.stderr.readline())
        assert told is not None
        where = subprocess.run(
            [sys.executable, "-P", "-c", "import engine; print(engine.__file__)"],
            env=env, cwd=tmp_path, capture_output=True, text=True, check=True,
        ).stdout  # fmt: skip
        assert where.startswith(str(target)), "the installed one, not this folder"
        for page in PAGES:
            for link in re.findall(r'(?:src|href)="(\./static/[^"]+)"', read(f"{told[0]}{page}")):
                assert read(f"{told[0]}{link[2:]}"), link
    finally:
        server.terminate()
        server.communicate(timeout=60)


def read(address: str) -> str:
    with urllib.request.urlopen(address, timeout=60) as answer:
        return str(answer.read().decode())
