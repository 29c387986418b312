"""A machine with 1 MB of shared memory, as containers have it: training, measuring and pictures take none of it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from engine.home.paths import open_home
from tests.flow.commands import RESOURCES, ROOT
from tests.helpers.queueing import states

# A place of its own: nobody else's shared memory is covered.
SMALL = ["unshare", "--map-root-user", "--mount", "sh", "-ec"]
MOUNT = "mount -t tmpfs -o size=1m tmpfs /dev/shm; "


def may_mount() -> bool:
    try:
        return subprocess.run([*SMALL, MOUNT], capture_output=True, timeout=30, check=False).returncode == 0
    except OSError:
        return False


@pytest.mark.slow
@pytest.mark.parametrize("workers", [0, 2])
def test_a_megabyte_of_shared_memory_is_enough(tmp_path: Path, workers: int) -> None:
    """Images are loaded by threads: what others put into /dev/shm, and break over with SIGBUS, is never there."""
    if not may_mount():
        pytest.skip("nothing may be mounted here")
    words = [
        "submit",
        str(RESOURCES / "tiny.yaml"),
        "--wait",
        "--home",
        str(tmp_path / "home"),
        "--set",
        f"data.workers={workers}",
    ]
    words += ["--set", "seeds=[0]", "--set", "arms={only: {}}", "--set", "baseline=only", "--set", "train.epochs=1"]
    # "$@" are the words of the command: none of them is a shell's to read.
    script = MOUNT + '"$@"; test "$(ls /dev/shm | wc -l)" = 0'
    line = [*SMALL, script, "sh", sys.executable, "-m", "engine.cli", *words]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(line, capture_output=True, text=True, env=environment, check=False, cwd=ROOT)
    assert done.returncode == 0, done.stderr
    home = open_home(tmp_path / "home")
    assert set(states(home).values()) == {"done"}
    assert {len(job.attempts()) for job in home.jobs()} == {1}, "nothing was tried twice"
