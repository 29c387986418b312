"""Forks a pytest per mutant: takes orders as JSON lines, gives a verdict as a JSON line for each.

A script of its own that imports nothing of the project: what it loads before it forks is only what others wrote, so
each child reads engine, store and tests anew, from the copy that is its working folder.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib
import importlib.util
import json
import os
import signal
import sys
import time
import traceback
from pathlib import Path
from types import FrameType
from typing import Any

import hypothesis
import psutil
import pytest

HEAVY = (
    "torch",
    "torch.utils.data",
    "torchvision",
    "timm",
    "duckdb",
    "sqlalchemy.orm",
    "pydantic",
    "typer",
    "jinja2",
    "ruamel.yaml",
    "matplotlib.pyplot",
    "scipy.stats",
    "sklearn.datasets",
    "statsmodels.api",
    "PIL.Image",
    "numpy",
    "rich",
    "hypothesis",
    "_hypothesis_pytestplugin",
    "pytest_timeout",
)
SUBREAPER = 36  # prctl(2): what a test leaves behind becomes a child of this process, which can then end it


class Recorder:
    """A pytest plugin that remembers the first failure."""

    def __init__(self) -> None:
        self.killer = ""

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.failed:
            self.killer = self.killer or report.nodeid

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        if report.failed:
            self.killer = self.killer or report.nodeid


def main() -> None:
    root = Path.cwd()
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what a package prints while it loads is no answer
    sys.path[:] = [str(root), *(entry for entry in sys.path[1:] if entry not in ("", str(root)))]
    for name in HEAVY:
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    _make_repeatable()
    gc.collect()
    gc.freeze()  # a child that collects garbage must not copy what it shares
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)
    signal.signal(signal.SIGTERM, _leave)
    with contextlib.suppress(KeyboardInterrupt, SystemExit):
        try:
            for line in sys.stdin:
                print(json.dumps(judge(json.loads(line), root)), file=answers, flush=True)
        finally:
            end_children()
    os._exit(0)  # what packages do at exit takes seconds and is for nobody


def _make_repeatable() -> None:
    """The same mutant is judged by the same examples each time."""
    hypothesis.settings.register_profile("mutants", derandomize=True, database=None)
    hypothesis.settings.load_profile("mutants")


def judge(order: dict[str, Any], root: Path) -> dict[str, Any]:
    """Run the tests of an order in a child. Returns its exit status (None: out of time), the failed test, seconds."""
    verdict = Path(order["verdict"])
    verdict.unlink(missing_ok=True)
    start = time.monotonic()
    pid = os.fork()
    if pid == 0:
        _become_tests(order, root, verdict)
    status = _wait(pid, order["limit"])
    seconds = time.monotonic() - start
    end_children()
    killer = verdict.read_text() if verdict.exists() else ""
    return {"status": status, "killer": killer, "seconds": seconds}


def _wait(pid: int, limit: float) -> int | None:
    end = time.monotonic() + limit
    while time.monotonic() < end:
        done, status = os.waitpid(pid, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        time.sleep(0.01)
    return None


def _become_tests(order: dict[str, Any], root: Path, verdict: Path) -> None:
    """Run pytest and leave, whatever happens."""
    status = 70
    try:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.setsid()
        _redirect(order["log"])
        for package in ("engine", "store"):
            found = importlib.util.find_spec(package)
            assert found is not None
            assert Path(str(found.origin)).is_relative_to(root), f"{package} is read from {found.origin}"
        recorder = Recorder()
        status = int(pytest.main(order["words"], plugins=[recorder]))
        verdict.write_text(recorder.killer)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def _redirect(log: str) -> None:
    out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    quiet = os.open(os.devnull, os.O_RDONLY)
    for source, target in ((quiet, 0), (out, 1), (out, 2)):
        os.dup2(source, target)


def end_children() -> None:
    """End every process below this one and those they started meanwhile; then collect them."""
    own = psutil.Process()
    while below := own.children(recursive=True):
        for process in below:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
        with contextlib.suppress(ChildProcessError):
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        time.sleep(0.005)


def _leave(_number: int, _frame: FrameType | None) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    sys.exit(0)  # by way of `finally`


if __name__ == "__main__":
    main()
