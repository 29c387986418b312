"""The near end of a fork server without its process: messages in pieces, orders to a dead one, its environment."""

from __future__ import annotations

import socket
import subprocess
from pathlib import Path

import pytest

from engine.errors import XpError
from engine.launch import local
from engine.launch.fork_link import ForkServer, has_descriptor, server_env


def linked() -> tuple[ForkServer, socket.socket]:
    """A fork server's near end with a socket of the test's in place of its process."""
    server = object.__new__(ForkServer)
    server.link, far = socket.socketpair()
    server.link.setblocking(False)
    server.preload, server.pending, server.is_open, server.is_ready = "engine.run", b"", True, False
    return server, far


def test_messages_arrive_whole_however_they_were_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    server, far = linked()
    far.sendall(b'{"ready": true}\n{"exi')
    assert server.receive() == [{"ready": True}]
    assert server.is_ready
    far.sendall(b't": 3}\n')
    far.close()
    assert server.receive() == [{"exit": 3}], "what came before the end counts"
    assert not server.is_open
    server.link.close()


def test_a_server_that_cannot_load_is_an_error_with_a_fix() -> None:
    server, far = linked()
    far.sendall(b'{"error": "ImportError: no torch"}\n')
    with pytest.raises(XpError, match=r"cannot load engine\.run: ImportError: no torch") as caught:
        server.receive()
    assert "xp doctor" in caught.value.fix
    far.close()
    server.link.close()


def test_a_server_that_lacks_what_may_come_again_is_no_error_yet() -> None:
    server, far = linked()
    far.sendall(b'{"error": "OSError: [Errno 24] Too many open files"}\n')
    far.close()
    assert len(server.receive()) == 1
    assert (server.is_open, server.is_ready) == (False, False)
    server.link.close()


def test_an_order_to_a_dead_server_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    server, far = linked()
    server.send({"order": 1})
    assert far.recv(100) == b'{"order": 1}\n'
    assert (server.is_open, server.link.getblocking()) == (True, False)
    far.close()
    server.send({"order": 2})
    assert (server.is_open, server.link.getblocking()) == (False, False)
    server.link.close()


@pytest.mark.parametrize(("is_slow", "calls"), [(False, ["wait 0.2"]), (True, ["wait 0.2", "kill", "wait None"])])
def test_a_server_that_still_imports_is_ended(is_slow: bool, calls: list[str]) -> None:
    made: list[str] = []

    class FakeProcess:
        def wait(self, timeout: float | None = None) -> int:
            made.append(f"wait {timeout}")
            if is_slow and timeout is not None:
                raise subprocess.TimeoutExpired("x", timeout)
            return 0

        def kill(self) -> None:
            made.append("kill")

    server, far = linked()
    server.process = FakeProcess()  # type: ignore[assignment]
    server.close()
    assert (made, server.is_open, server.link.fileno()) == (calls, False, -1)
    far.close()


def test_threads_are_patient_unless_a_person_says_otherwise(monkeypatch: pytest.MonkeyPatch) -> None:
    root = str(Path(local.__file__).resolve().parents[2])
    monkeypatch.delenv("OMP_WAIT_POLICY", raising=False)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    assert (server_env()["OMP_WAIT_POLICY"], server_env()["PYTHONPATH"]) == ("PASSIVE", root)
    monkeypatch.setenv("OMP_WAIT_POLICY", "ACTIVE")
    monkeypatch.setenv("PYTHONPATH", "/mine")
    assert (server_env()["OMP_WAIT_POLICY"], server_env()["PYTHONPATH"]) == ("ACTIVE", f"{root}:/mine")


def test_a_stream_without_a_file_has_no_descriptor(tmp_path: Path) -> None:
    with open(tmp_path / "log", "w") as log:
        assert has_descriptor(log)
    assert not has_descriptor(log)
    assert not has_descriptor(None)
