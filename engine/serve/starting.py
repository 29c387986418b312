"""A port, a process: takes a home and an address, serves until Ctrl-C.

The socket is opened here and handed to the server, so that a port that is taken is said before anything starts.
"""

from __future__ import annotations

import socket
from collections.abc import Callable

import uvicorn

from engine.errors import XpError
from engine.home.paths import Home
from engine.serve.app import make_app
from engine.serve.site import Site

HOST, PORT = "127.0.0.1", 8420
GRACE = 2  # seconds that open streams have to end


def run_server(home: Home, port: int, tell: Callable[[str], None]) -> None:
    """Serve the pages of a home; `tell` is given the address once it answers. Raises XpError for a port in use."""
    listener = listen(HOST, port)
    config = uvicorn.Config(
        make_app(Site(home)), log_level="warning", access_log=False, timeout_graceful_shutdown=GRACE, lifespan="off"
    )
    tell(f"http://{HOST}:{listener.getsockname()[1]}/")
    uvicorn.Server(config).run(sockets=[listener])


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket; port 0 is any that is free. Raises XpError where it is taken."""
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    # A server that was killed a moment ago must be able to come back to its port.
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, port))
        made.listen(128)
    except OSError as error:
        made.close()
        what = f"cannot listen on {host}:{port}: {error.strerror}"
        raise XpError(what, fix=f"name another port, as in --port {port + 1}, or 0 for any that is free") from error
    return made
