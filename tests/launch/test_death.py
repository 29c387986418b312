"""A process that follows another ends with it, however that one ended."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.helpers.queueing import until

FOLLOWER = "import os, sys, time\nfrom engine.launch.death import die_with\n"


def run_python(code: str, *words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", code, *words]
    return subprocess.Popen(command, text=True, cwd=Path(__file__).parents[2])


def test_who_is_too_late_ends_at_once() -> None:
    process = run_python(FOLLOWER + "die_with(int(sys.argv[1]) + 1)", str(os.getpid()))
    assert process.wait(60) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that its parent is dead")
def test_a_killed_parent_takes_its_child_along(tmp_path: Path) -> None:
    told = tmp_path / "pid"
    inner = FOLLOWER + "die_with(os.getppid()); open(sys.argv[1] + '.new', 'w').write(str(os.getpid()))\n"
    inner += "os.rename(sys.argv[1] + '.new', sys.argv[1]); time.sleep(120)"
    outer = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {inner!r}, sys.argv[1]]).wait()"
    parent = run_python(outer, str(told))
    until(told.exists, seconds=60.0)
    child = int(told.read_text())
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    until(lambda: not _is_alive(child), seconds=10.0)


def _is_alive(pid: int) -> bool:
    """Whether it runs; what nobody has waited for yet does not."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
    except OSError:
        return False
    return state != "Z"
