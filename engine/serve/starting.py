"""A port, a process: takes a home and how it is to be used, serves until Ctrl-C.

The socket is opened here and handed to the server, so that a port that is taken is said before anything starts.
"""

from __future__ import annotations

import asyncio
import logging
import socket
import sys
from collections.abc import Callable
from concurrent.futures import wait
from typing import Any

import uvicorn

from engine.analysis.statistics import t_interval
from engine.errors import XpError
from engine.home.paths import Home
from engine.serve.access import Access
from engine.serve.app import make_app
from engine.serve.connections import Connection
from engine.serve.guard import Guard
from engine.serve.readings import begin_newest
from engine.serve.rendering import render
from engine.serve.routes import PAGES
from engine.serve.shapes import MOST_HEAD
from engine.serve.site import Site
from engine.serve.streams import running_jobs
from engine.serve.view import Asked, View

HOST, PORT = "127.0.0.1", 8420
GRACE = 2  # seconds that open streams have to end
WARMING = 3.0  # seconds: a large home goes on with it beside its first answers
WARM, WARMED = "warm", ("/", "/runs", "/queue")
TICK = 0.5  # seconds between a server's looks at itself
NEAR = 50  # ports after the one that is taken, of which a free one is named


def run_server(home: Home, port: int, access: Access, tell: Callable[[str], None], host: str = HOST) -> None:
    """Serve the pages of a home; `tell` is given the address once it answers. Raises XpError for a port in use."""
    listener = listen(host, port)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s", stream=sys.stderr)
    site = Site(home)
    server = make_server(Guard(make_app(site), access))
    warming = site.kept.begin(WARM, lambda: warm_up(site))
    # What comes before that is done would wait for it, and be slower for both.
    wait([warming], timeout=WARMING)
    tell(show_address(host, listener.getsockname()[1], access.lock.token))
    try:
        server.run(sockets=[listener])
    finally:
        site.apart.close()


def warm_up(site: Site) -> None:
    """Make the pages that are opened first, for nobody: what is read and imported for them is there when they are.

    Where curves lie is found last; where no job runs, the page of a large experiment is made beside the first answers.
    """
    for address in WARMED:
        asked = Asked(site)
        made = PAGES[address](asked)
        if isinstance(made, View):
            render(asked, made, address)
    t_interval([0.0, 1.0])  # brings scipy, which takes longer than any page
    site.deltas.warm_up()
    if not running_jobs(site.home):  # from which it would take time for what nobody may ask for
        begin_newest(site)


def make_server(app: Guard, connection: type[Connection] = Connection) -> uvicorn.Server:
    """Return what serves an application that is guarded, each of its connections within that class's limits."""
    # uvicorn's own lines name addresses with all that stands in them; what matters of them is said by the guard.
    quiet: dict[str, Any] = {"log_config": None, "log_level": "critical", "access_log": False, "server_header": False}
    config = uvicorn.Config(
        app, http=connection, ws="none", lifespan="off", proxy_headers=False, timeout_graceful_shutdown=GRACE,
        h11_max_incomplete_event_size=MOST_HEAD, **quiet,
    )  # fmt: skip
    return CalmServer(config)


class CalmServer(uvicorn.Server):
    """Looks at itself twice a second, where uvicorn does ten times, which costs more than a browser that watches."""

    async def main_loop(self) -> None:
        tick = 0
        # It counts tenths of a second.
        while not await self.on_tick(tick):
            tick += round(10 * TICK)
            await asyncio.sleep(TICK)


def show_address(host: str, port: int, token: str) -> str:
    """Return what to open: the token stands behind the sign that no browser sends."""
    shown = socket.gethostname() if host in ("0.0.0.0", "::") else f"[{host}]" if ":" in host else host
    return f"http://{shown}:{port}/#token={token}"


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket; port 0 is any that is free. Raises XpError where it is taken."""
    try:
        return _bind(host, port)
    except OSError as error:
        what = f"cannot listen on {host}:{port}: {error.strerror}"
        free = _free_near(host, port)
        fix = f"--port {free} is free, or --port 0 for any that is" if free else "name an address of this machine"
        raise XpError(what, fix=fix) from error


def _bind(host: str, port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    # A server that was killed a moment ago must be able to come back to its port.
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, port))
        made.listen(128)
    except OSError:
        made.close()
        raise
    return made


def _free_near(host: str, port: int) -> int | None:
    """Return a port that is free now, the nearest after `port` where there is one."""
    for near in [*range(max(port + 1, 1024), min(port + 1 + NEAR, 65536)), 0]:
        try:
            with _bind(host, near) as found:
                return int(found.getsockname()[1])
        except OSError:
            continue
    return None
