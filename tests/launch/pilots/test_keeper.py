"""Whoever ends of a pilot and those above it, the pilot is asked to end, and nothing is left behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from engine.launch.process import is_alive, see_process
from tests.helpers.queueing import until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells a process that another is dead")
ROOT = Path(__file__).parents[3]
# A pilot that starts something which outlives it, tells both pids and its keeper's, and waits to be asked to end.
PROGRAM = """\
import os, signal, subprocess, sys, time
from engine.launch.pilots.keeper import keep

def program():
    asked = []
    signal.signal(signal.SIGTERM, lambda *_: asked.append(1))
    words = [sys.executable, "-c", "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(120)"]
    left = subprocess.Popen(words, start_new_session=True)
    with open(sys.argv[1] + ".new", "w") as file:
        file.write(f"{os.getpid()} {left.pid} {os.getppid()}")
    os.rename(sys.argv[1] + ".new", sys.argv[1])
    while not asked:
        time.sleep(0.01)
    open(sys.argv[1] + ".saved", "w").close()
    return 7

sys.exit(keep(program))
"""


class Kept:
    """A pilot below its keepers, and what it has started."""

    def __init__(self, folder: Path) -> None:
        self.told = folder / "pids"
        self.outer = subprocess.Popen([sys.executable, "-c", PROGRAM, str(self.told)], cwd=ROOT)
        until(self.told.exists, 60.0)
        self.pilot, self.left, self.inner = map(int, self.told.read_text().split())
        self.starts = {pid: see_process(pid) for pid in (self.pilot, self.left, self.inner)}

    @property
    def has_saved(self) -> bool:
        return self.told.with_suffix(".saved").exists()

    def wait_gone(self) -> None:
        """Wait until all three have ended."""
        until(lambda: not any(seen and is_alive(pid, seen.start) for pid, seen in self.starts.items()), 30.0)


@pytest.fixture
def kept(tmp_path: Path) -> Kept:
    return Kept(tmp_path)


def test_one_that_is_asked_to_end_saves_and_hands_its_status_on(kept: Kept) -> None:
    """The inner one asks, not who signals all below the outer one: that would end loader workers under a last step."""
    seen = kept.starts[kept.inner]
    assert seen is not None
    assert seen.parent != kept.outer.pid
    assert seen.session != kept.outer.pid
    kept.outer.terminate()
    assert kept.outer.wait(30) == 7
    assert kept.has_saved
    kept.wait_gone()


def test_a_killed_outer_one_lets_the_pilot_save(kept: Kept) -> None:
    kept.outer.kill()
    kept.outer.wait()
    kept.wait_gone()
    assert kept.has_saved


def test_what_a_killed_pilot_leaves_is_killed(kept: Kept) -> None:
    os.kill(kept.pilot, signal.SIGKILL)
    assert kept.outer.wait(30) == 128 + signal.SIGKILL
    kept.wait_gone()
    assert not kept.has_saved


def test_a_killed_inner_one_lets_the_pilot_save(kept: Kept) -> None:
    os.kill(kept.inner, signal.SIGKILL)
    assert kept.outer.wait(30) == 128 + signal.SIGKILL
    until(lambda: kept.has_saved, 30.0)
    # Nobody adopts then what the pilot leaves.
    os.kill(kept.left, signal.SIGKILL)
    kept.wait_gone()
