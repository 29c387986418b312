"""Who may read and write a home: its owner alone, or a group; with real users where the test may be them."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from engine.home.access import home_umask, make_root, write_as_home, write_as_person
from engine.home.paths import open_home

ROOT = Path(__file__).parents[2]
ANNA, BEN, GROUP = 4711, 4712, 4710
SUBMIT = """
import sys
from engine.home.access import write_as_home
from engine.home.paths import open_home
from tests.helpers.queueing import Probe, submit_probes
home = open_home(sys.argv[1], create=True)
write_as_home(home.root)
submit_probes(home, sys.argv[2], [Probe(job, does={"do": "steps", "steps": 1}) for job in sys.argv[3:]])
"""


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_home_is_its_owners_alone(tmp_path: Path) -> None:
    with umask(0o022):
        home = open_home(tmp_path / "a" / "home", create=True)
    assert mode(home.root) == 0o700
    assert mode(home.root.parent) == 0o755, "what is around it is as the person has it"


@pytest.mark.parametrize(("parent", "mask"), [(0o2770, 0o022), (0o755, 0o002)])
def test_a_home_in_the_folder_of_a_group_is_the_groups(tmp_path: Path, parent: int, mask: int) -> None:
    tmp_path.chmod(parent)
    with umask(mask):
        make_root(tmp_path / "home")
    assert mode(tmp_path / "home") == 0o2770


@pytest.mark.parametrize(("root", "mask"), [(0o700, 0o077), (0o2770, 0o007), (0o755, 0o022), (0o775, 0o002)])
def test_what_is_written_is_as_open_as_the_home(tmp_path: Path, root: int, mask: int) -> None:
    home = tmp_path / "home"
    home.mkdir()
    home.chmod(root)
    make_root(home)
    assert mode(home) == root, "one that is there stays as it is"
    assert home_umask(home) == mask
    with umask(0o027):
        write_as_home(home)
        (home / "inside").touch()
        with write_as_person():
            (tmp_path / "report").touch()
        (home / "after").touch()
    assert mode(home / "inside") == mode(home / "after") == 0o666 & ~mask
    assert mode(tmp_path / "report") == 0o640


def test_without_a_home_nothing_changes(tmp_path: Path) -> None:
    with umask(0o027):
        write_as_home(tmp_path / "absent")
        with write_as_person():
            (tmp_path / "report").touch()
    assert mode(tmp_path / "report") == 0o640


@pytest.fixture
def common() -> Iterator[Path]:
    """A folder that two users share by their group; not below tmp_path, which nobody else may enter."""
    if os.getuid() != 0:
        pytest.skip("only root can be two users")
    folder = Path(tempfile.mkdtemp(prefix="xp-common-"))
    os.chown(folder, 0, GROUP)
    folder.chmod(0o2770)
    yield folder
    shutil.rmtree(folder)


def find_python() -> str | None:
    """A Python of our version that other users may start: ours, or else the system's."""
    code = f"import sys; assert sys.version_info[:2] == {sys.version_info[:2]}; import duckdb, engine"
    for python in (sys.executable, "/usr/bin/python3"):
        with suppress(OSError):
            if run_as(ANNA, "-c", code, python=python).returncode == 0:
                return python
    return None


def run_as(user: int, *words: str | Path, python: str) -> subprocess.CompletedProcess[str]:
    path = os.pathsep.join([str(ROOT), *(entry for entry in sys.path if entry.endswith("site-packages"))])
    bare = {"PATH": os.environ["PATH"], "PYTHONPATH": path, "HOME": "/nonexistent", "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.run(
        [python, *map(str, words)], capture_output=True, text=True, user=user, group=user, extra_groups=[GROUP],
        umask=0o022, cwd=ROOT, env=bare, check=False,
    )  # fmt: skip


@pytest.fixture
def python(common: Path) -> str:
    found = find_python()
    if found is None:
        pytest.skip("other users cannot run this code")
    return found


def test_two_users_of_a_group_share_a_home_and_lose_nothing(common: Path, python: str) -> None:
    """Each submits and works, over files that the other made; both have an ordinary umask."""
    home = common / "home"
    worker: list[str | Path] = [
        "-m",
        "engine.schedule.worker",
        "--home",
        home,
        "--until-idle",
        "--preload",
        "tests.launch.probe_job",
    ]
    for user, name, jobs in (
        (ANNA, "one", ["train-1", "train-2"]),
        (BEN, "one", ["train-2", "train-3"]),
    ):
        for words in (["-c", SUBMIT, home, name, *jobs], worker):
            answer = run_as(user, *words, python=python)
            assert (answer.returncode, "Error" in answer.stderr) == (0, False), answer.stderr
    answer = run_as(ANNA, "-m", "engine.cli", "rebuild", "--home", home, python=python)
    assert answer.returncode == 0, answer.stderr
    status = run_as(ANNA, "-m", "engine.cli", "status", "--json", "--home", home, python=python)
    assert json.loads(status.stdout)["experiments"][0]["jobs"] == {"done": 2}
    owners = {path.stat().st_uid for path in home.rglob("*")}
    assert owners == {ANNA, BEN}
    paths = [path for path in home.rglob("*") if not path.is_symlink()]
    assert {path.stat().st_gid for path in paths} == {GROUP}
    assert {mode(path) for path in paths if path.is_dir()} == {0o2770}
    assert {mode(path) for path in paths if path.is_file()} == {0o660}


def test_who_is_not_of_the_group_is_told_so(common: Path, python: str) -> None:
    home = common / "home"
    assert run_as(ANNA, "-c", SUBMIT, home, "one", "train-1", python=python).returncode == 0
    home.chmod(0o700)
    answer = run_as(BEN, "-m", "engine.cli", "status", "--home", home, python=python)
    assert answer.returncode == 2
    assert "not readable" in " ".join(answer.stderr.replace("│", "").split())
    assert "Traceback" not in answer.stderr
