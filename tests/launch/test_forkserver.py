"""What the fork server refuses, and that the real program can be loaded in it."""

from __future__ import annotations

import faulthandler
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from engine.errors import XpError
from engine.home.paths import Home
from engine.launch import Order, attempt_process, forkserver
from engine.launch.local import LocalLauncher
from engine.launch.process import signal_process, write_handle
from tests.helpers.queueing import PROBE, make_home, told_process
from tests.launch.test_local import order, wait_for

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


def ignored(pid: int) -> set[signal.Signals]:
    """Return the signals that a process ignores, as the kernel tells it."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    mask = next(int(line.split()[1], 16) for line in lines if line.startswith("SigIgn:"))
    return {number for number in signal.Signals if mask >> (number - 1) & 1}


def test_a_job_hears_what_its_server_ignores(tmp_path: Path) -> None:
    """The server ignores a Ctrl-C and hang-ups, which are the scheduler's business; its children must not."""
    home = make_home(tmp_path)
    launcher = LocalLauncher(PROBE)
    handle = launcher.submit(order(home, do="sleep", seconds=600))
    pid, start = told_process(home)
    heard = {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGCHLD}
    assert launcher.server is not None
    assert ignored(launcher.server.process.pid) >= {signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1}
    assert ignored(pid) & heard == set()
    signal_process(pid, start, signal.SIGKILL)
    wait_for(launcher, handle)
    launcher.close()


class FakeModule:
    """A program to preload: keeps what it was asked, and ends as told."""

    def __init__(self, ending: object) -> None:
        self.ending, self.asked = ending, list[Any]()

    def main(self, order: Order) -> object:
        self.asked.append((order, os.environ["CUDA_VISIBLE_DEVICES"]))
        if isinstance(self.ending, BaseException):
            raise self.ending
        return self.ending


@pytest.fixture
def child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Order, dict[str, Any], list[str]]:
    """An order, the message that the server gets, and the steps that a child takes, made up."""
    steps: list[str] = []

    def write(path: Path, words: dict[str, Any]) -> None:
        steps.append(path.name)
        write_handle(path, words)

    order = Order(Home(tmp_path, tmp_path / "cache"), "train-1", 3, "GPU-5a", 1)
    for name in order.environment:
        monkeypatch.setenv(name, "before")
    monkeypatch.setattr(forkserver, "_reset_signals", lambda: steps.append("signals"))
    monkeypatch.setattr(forkserver, "_take_over_streams", lambda log: steps.append(log.name))
    monkeypatch.setattr(attempt_process, "write_handle", write)
    monkeypatch.setattr(faulthandler, "register", lambda number, **_: steps.append(f"stacks on {number}"))
    monkeypatch.setattr(faulthandler, "enable", lambda descriptor, **_: None)
    monkeypatch.setattr(os, "setsid", lambda: steps.append("session"))
    return order, {"folder": str(order.folder.root), "env": order.environment}, steps


def test_a_child_is_its_own_before_it_says_so(child: tuple[Order, dict[str, Any], list[str]]) -> None:
    """Signals and session first: whoever reads the handle may signal all of its session."""
    order, message, steps = child
    module = FakeModule(85)
    assert forkserver._run_order(module, message) == 85
    assert steps == ["signals", "session", "handle.json", "log.txt", f"stacks on {signal.SIGQUIT}", "handle.json"]
    assert module.asked == [(order, "GPU-5a")], "folder and environment make the same order again"


def test_a_taken_folder_ends_the_child_before_it_writes(child: tuple[Order, dict[str, Any], list[str]]) -> None:
    order, message, steps = child
    order.folder.root.mkdir(parents=True)
    assert forkserver._run_order(FakeModule(0), message) == 75
    assert steps == ["signals", "session"]


class Left(BaseException):
    """Stands for os._exit, which no handler sees."""


@pytest.mark.parametrize(
    ("ending", "status"),
    [(0, 0), (86, 86), (257, 1), (SystemExit(3), 3), (SystemExit(None), 0), (SystemExit("words"), 1)],
)
def test_a_child_never_returns_into_the_servers_loop(
    child: tuple[Order, dict[str, Any], list[str]], monkeypatch: pytest.MonkeyPatch, ending: object, status: int
) -> None:
    left: list[int] = []

    def leave(code: int) -> None:
        left.append(code)
        raise Left

    monkeypatch.setattr(os, "_exit", leave)
    with pytest.raises(Left):
        forkserver.run_child(FakeModule(ending), child[1])
    assert left == [status]


def test_loading_puts_the_environment_back(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    lines = ["import os", "seen = os.environ['OPENBLAS_NUM_THREADS']", "asked = []"]
    (tmp_path / "quiet_program.py").write_text("\n".join([*lines, "def prepare(): asked.append(1)"]))
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(forkserver, "thread_count", lambda: 1)
    for before in (None, "7"):
        sys.modules.pop("quiet_program", None)
        if before is None:
            monkeypatch.delenv("OPENBLAS_NUM_THREADS", raising=False)
        else:
            monkeypatch.setenv("OPENBLAS_NUM_THREADS", before)
        module = forkserver.load_module("quiet_program")
        assert (module.seen, module.asked, os.environ.get("OPENBLAS_NUM_THREADS")) == ("1", [1], before)


def test_orders_that_arrive_in_pieces_are_forked_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    server, forked = object.__new__(forkserver.Server), list[Any]()
    server.link, far = socket.socketpair()
    server.pending = b""
    monkeypatch.setattr(server, "fork", forked.append)
    far.sendall(b'{"order": 1}\n{"ord')
    assert server.receive()
    assert forked == [{"order": 1}]
    far.sendall(b'er": 2}\n')
    assert server.receive()
    far.close()
    assert not server.receive()
    assert forked == [{"order": 1}, {"order": 2}]
    server.tell({"nobody": "listens"})
    server.link.close()
