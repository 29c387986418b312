"""A server that listens, in a thread of this process: for what only a socket can show."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from engine.serve.connections import Connection
from engine.serve.guard import Guard
from engine.serve.starting import listen, make_server

SECONDS = 60.0  # after which a test has failed, however busy the machine


@contextmanager
def listening(app: Guard, connection: type[Connection] = Connection) -> Iterator[int]:
    """Serve an application; give its port."""
    listener = listen("127.0.0.1", 0)
    port = int(listener.getsockname()[1])
    server = make_server(app, connection)
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        until(lambda: server.started)
        yield port
    finally:
        server.should_exit = True
        thread.join(SECONDS)
        assert not thread.is_alive()


def until(holds: object) -> None:
    """Wait until a function says so."""
    assert callable(holds)
    end = time.monotonic() + SECONDS
    while not holds():
        assert time.monotonic() < end, "it never came to that"
        time.sleep(0.01)


def connect(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=SECONDS)


def exchange(port: int, sent: bytes) -> bytes:
    """Send bytes as they are; return all that comes until the server closes."""
    with connect(port) as line:
        line.sendall(sent)
        return read_all(line)


def read_all(line: socket.socket) -> bytes:
    """Return what comes until the other side closes; a reset is an end as well."""
    parts = []
    try:
        while part := line.recv(65536):
            parts.append(part)
    except ConnectionResetError:
        pass
    return b"".join(parts)
