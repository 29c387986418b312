"""A PostgreSQL server of our own in one folder: initdb, a port nobody has, no system service. Root lends it `nobody`.

`kill` is kill -9 of the server and all its processes, as a machine that loses power would have it.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

PROGRAMS = ("initdb", "postgres", "pg_isready")
PLACES = "/usr/lib/postgresql/*/bin"


def find_programs() -> Path | None:
    """Return the folder of the newest server's programs; Debian has them outside of PATH."""
    on_path = shutil.which("initdb")
    found = sorted(Path("/").glob(PLACES.lstrip("/")), key=lambda folder: float(folder.parent.name))
    folders = [*([Path(on_path).parent] if on_path else []), *reversed(found)]
    return next((folder for folder in folders if all((folder / name).exists() for name in PROGRAMS)), None)


def missing_programs() -> str:
    """Return why there can be no server here, "" where there can."""
    try:
        import psycopg  # noqa: F401  # whether it is there
    except ImportError:
        return "psycopg is not installed: pip install 'xp-engine[postgres]'"
    return "" if find_programs() else "PostgreSQL is not installed: apt-get install postgresql"


class PostgresSite:
    """A server that can be stopped, killed and started again on the same data.

    Without `syncs` it waits for no disk: for tests that ask what it answers, and not what it keeps.
    """

    def __init__(self, folder: Path, *, syncs: bool = True) -> None:
        self.folder, self.data = folder, folder / "data"
        self.options = (
            [] if syncs else ["-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"]
        )
        programs = find_programs()
        assert programs is not None
        self.programs = programs
        self.port = free_port()
        self.server: subprocess.Popen[bytes] | None = None
        # The server refuses to be root's.
        self.user = "nobody" if os.getuid() == 0 else None
        if self.user:
            shutil.chown(folder, self.user)
        self._run("initdb", "-D", str(self.data), "-U", "xp", "-A", "trust", "-E", "UTF8", "--no-sync")

    @property
    def url(self) -> str:
        return f"postgresql+psycopg://xp@127.0.0.1:{self.port}/postgres"

    def _run(self, name: str, *words: str) -> None:
        line = [str(self.programs / name), *words]
        subprocess.run(line, check=True, capture_output=True, user=self.user, extra_groups=[] if self.user else None)

    def start(self) -> None:
        words = ["-D", str(self.data), "-p", str(self.port), "-k", str(self.folder), "-h", "127.0.0.1", *self.options]
        with open(self.folder / "server.log", "ab") as log:
            self.server = subprocess.Popen(
                [str(self.programs / "postgres"), *words], stdout=log, stderr=log, user=self.user,
                extra_groups=[] if self.user else None, start_new_session=True,
            )  # fmt: skip
        end = time.monotonic() + 60
        ready = [str(self.programs / "pg_isready"), "-h", "127.0.0.1", "-p", str(self.port), "-q"]
        while subprocess.run(ready, check=False).returncode != 0:
            assert time.monotonic() < end, (self.folder / "server.log").read_text()
            time.sleep(0.05)

    def stop(self) -> None:
        """Restart's first half: sessions are cut off, what was committed is written."""
        self._end(signal.SIGINT)

    def kill(self) -> None:
        """Kill the server's own process; those of its sessions end when they notice."""
        self._end(signal.SIGKILL)

    def _end(self, number: int) -> None:
        if self.server is not None:
            children = [int(pid) for pid in subprocess.run(
                ["ps", "-o", "pid=", "--ppid", str(self.server.pid)], capture_output=True, text=True, check=False
            ).stdout.split()]  # fmt: skip
            os.kill(self.server.pid, number)
            for child in children if number == signal.SIGKILL else ():
                try:
                    os.kill(child, number)
                except ProcessLookupError:
                    continue
            self.server.wait(120)
            self.server = None


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


@contextmanager
def running_server(folder: Path, *, syncs: bool = True) -> Iterator[PostgresSite]:
    site = PostgresSite(folder, syncs=syncs)
    try:
        site.start()
        yield site
    finally:
        site.stop()


@contextmanager
def in_folder(*, syncs: bool = True) -> Iterator[PostgresSite]:
    """Give a server in a folder of its own; skip the test, with the reason, where there can be none."""
    if why := missing_programs():
        pytest.skip(why)
    with tempfile.TemporaryDirectory(prefix="xp-postgres-") as folder:
        os.chmod(folder, 0o755)
        with running_server(Path(folder), syncs=syncs) as site:
            yield site
