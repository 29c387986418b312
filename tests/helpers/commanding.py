"""Commands as a person types them, each in a process of its own that is forked from one which has loaded the engine.

Streams, exit code, folder and environment are a process's own; the second that Python takes to load is paid once. What
a command loads, and how it starts, is held elsewhere (tests/cli/test_group.py, tests/flow).
"""

from __future__ import annotations

import atexit
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PROGRAM = """
import gc, importlib, json, os, sys
import engine.cli
for name in sys.argv[1].split():
    importlib.import_module(name)
assert len(os.listdir("/proc/self/task")) == 1, "a fork would lose the other threads"
gc.freeze()

for line in sys.stdin:
    words, folder, environment, out, err = json.loads(line)
    if os.fork() == 0:
        for number, path in ((0, os.devnull), (1, out), (2, err)):
            opened = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            os.dup2(opened, number)
            os.close(opened)
        os.environ.clear()
        os.environ.update(environment)
        os.chdir(folder)
        sys.argv[:] = ["xp", *words]
        break
    print(os.waitstatus_to_exitcode(os.wait()[1]), flush=True)
else:
    os._exit(0)
engine.cli.main()
"""
# What commands load when they are called.
LOADED = (
    "engine.analysis.query", "engine.cli.jobs", "engine.cli.plan", "engine.cli.progress", "engine.cli.results",
    "engine.cli.specs", "engine.cli.status", "engine.cli.submit", "engine.collect", "engine.inspect.doctor",
    "engine.inspect.logs", "engine.plan.estimate", "engine.schedule.orders", "engine.schedule.submit", "store.queue",
)  # fmt: skip


@cache
def _open_server() -> subprocess.Popen[str]:
    """Return the process that forks, one for all tests of this one; it ends when its input does."""
    given = {**os.environ, "OPENBLAS_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    line = [sys.executable, "-c", PROGRAM, " ".join(LOADED)]
    server = subprocess.Popen(line, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=given)
    atexit.register(server.communicate)
    return server


def run_command(words: Sequence[str], folder: Path, environment: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    """Run `xp WORDS` in `folder`; return its exit code (minus the signal that ended it) and both streams."""
    server = _open_server()
    assert server.stdin is not None
    assert server.stdout is not None
    with tempfile.TemporaryDirectory() as place:
        out, err = Path(place, "out"), Path(place, "err")
        server.stdin.write(json.dumps([list(words), str(folder), dict(environment), str(out), str(err)]) + "\n")
        server.stdin.flush()
        code = int(server.stdout.readline())
        return subprocess.CompletedProcess(list(words), code, out.read_text(), err.read_text())
