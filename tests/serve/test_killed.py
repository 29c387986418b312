"""The server as a process: killed in the midst of work it loses nothing, comes back to its port, and ends quietly."""

from __future__ import annotations

import http.client
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from engine.home.paths import Home
from tests.helpers.synthetic import Arm, SyntheticHome
from tests.serve.conftest import published
from tests.serve.listening import connect, read_all
from tests.serve.test_bad_requests import state_of

ROOT = Path(__file__).parents[2]
LISTEN = b"GET /live HTTP/1.1\r\nhost: localhost\r\n\r\n"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Home:
    made = SyntheticHome(tmp_path_factory.mktemp("home"))
    made.unfinish(made.experiment("study", {"a": Arm(), "b": Arm(0.7)})[2])
    return published(made.home)


@contextmanager
def serving(home: Home, *words: str) -> Iterator[tuple[subprocess.Popen[str], int, str]]:
    """Run `xp serve`; give the process, its port and its token."""
    command = [sys.executable, "-m", "engine.cli", "--home", str(home.root), "serve", *words]
    process = subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stderr is not None
    try:
        found = re.search(r"http://127\.0\.0\.1:(\d+)/#token=(\S+)", process.stderr.readline())
        assert found, process.stderr.read()
        yield process, int(found[1]), found[2]
    finally:
        process.kill()
        process.communicate()


def order(port: int, token: str, verb: str) -> int:
    kind = "application/x-www-form-urlencoded"
    with closing(http.client.HTTPConnection("127.0.0.1", port)) as line:
        line.request("POST", f"/order/{verb}", "id=study", {"X-XP-Token": token, "Content-Type": kind})
        return line.getresponse().status


@pytest.mark.slow  # 10 s: three processes start
def test_a_killed_server_comes_back(home: Home) -> None:
    with serving(home, "--port", "0") as (process, port, token), connect(port) as stream:
        stream.sendall(LISTEN)
        assert stream.recv(15).startswith(b"HTTP/1.1 200")
        assert order(port, token, "cancel") == 200
        before = state_of(home)
        process.send_signal(signal.SIGKILL)
        process.wait()
        read_all(stream)
    with serving(home, "--port", str(port)) as (_, again, known):
        assert (again, known) == (port, token)
        assert state_of(home) == before
        assert order(port, token, "retry") == 200
        taken = subprocess.run(
            [sys.executable, "-m", "engine.cli", "--home", str(home.root), "serve", "--port", str(port)],
            cwd=ROOT, capture_output=True, text=True,
        )  # fmt: skip
    assert taken.returncode == 2
    assert re.search(rf"cannot listen on 127\.0\.0\.1:{port}.*\nfix: --port \d+ is free", taken.stderr)
    assert "Traceback" not in taken.stderr


@pytest.mark.slow  # 4 s: a process starts
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_an_end_is_quiet_with_pages_open(home: Home, sign: signal.Signals) -> None:
    with serving(home, "--port", "0") as (process, port, _), connect(port) as stream:
        stream.sendall(LISTEN)
        assert stream.recv(15).startswith(b"HTTP/1.1 200")
        process.send_signal(sign)
        told, error = process.communicate(timeout=60)
    assert (told, error) == ("", "")
    assert process.returncode in (0, 130, -sign)
    assert not os.path.exists(f"/proc/{process.pid}")
