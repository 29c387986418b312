"""What the fork server refuses, and that the real program can be loaded in it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from engine.errors import XpError
from engine.launch.local import LocalLauncher
from tests.launch.test_local import order, wait_for
from tests.queueing import make_home

ROOT = Path(__file__).parents[2]
LOADED = """
import sys
from engine.launch.forkserver import load_module
from engine.launch.process import thread_count
load_module("engine.run")
import torch
print(thread_count(), torch.cuda.is_initialized(), [name for name in ("duckdb", "sqlalchemy") if name in sys.modules])
"""


@pytest.mark.slow
def test_the_real_program_loads_with_one_thread_no_cuda_and_no_database() -> None:
    answer = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=False, cwd=ROOT)
    assert answer.stdout.split("\n")[0] == "1 False []", answer.stderr


def test_a_program_that_starts_threads_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "threaded.py").write_text(
        "import threading, time\nthreading.Thread(target=time.sleep, args=(30,), daemon=True).start()\n"
    )
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    launcher = LocalLauncher("threaded")
    handle = launcher.submit(order(make_home(tmp_path)))
    with pytest.raises(XpError, match="started 1 threads"):
        wait_for(launcher, handle)
    launcher.close()
