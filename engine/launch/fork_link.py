"""Our end of a fork server: takes orders, gives what the server told; and how a module of ours is started."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import engine
from engine.errors import XpError
from engine.launch.environment import job_environment
from engine.launch.shortages import read_shortage

# Threads that spin at a barrier make a busy machine ten times slower (1450 against 123 ms a step, 2 threads on 2 cores
# that other work shares); a person's own setting wins.
PATIENT_THREADS = {"OMP_WAIT_POLICY": "PASSIVE"}


class ForkServer:
    """The other end of one `engine.launch.forkserver`. Raises XpError when it says that it cannot start."""

    def __init__(self, preload: str) -> None:
        self.link, theirs = socket.socketpair()
        self.preload, self.pending, self.is_open, self.is_ready = preload, b"", True, False
        # Our copy of its end is closed, or we would never read that the server is gone.
        with theirs, ExitStack() as failing:
            failing.callback(self.link.close)
            words = ["--preload", preload, "--socket", str(theirs.fileno())]
            # Exec'ed, not forked: the scheduler has threads and an open SQLite file, and a fork must have neither.
            self.process = subprocess.Popen(
                module_words("engine.launch.forkserver", *words),
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                # Standard output belongs to the command that started us: it may be JSON for a program.
                stdout=sys.stderr.fileno() if has_descriptor(sys.stderr) else None,
                env=job_environment(server_env()),
                start_new_session=True,
            )
            failing.pop_all()
        self.link.setblocking(False)

    def send(self, message: dict[str, Any]) -> None:
        """Hand over an order; a server that died meanwhile is noticed at the next look."""
        # A line goes whole: half of one would spoil every message after it.
        self.link.setblocking(True)
        try:
            self.link.sendall(json.dumps(message).encode() + b"\n")
        except OSError:
            self.is_open = False
        finally:
            self.link.setblocking(False)

    def receive(self) -> list[dict[str, Any]]:
        """Return the messages that are here; sets `is_open` to False when there will be no more."""
        while self.is_open:
            try:
                block = self.link.recv(1 << 16)
            except BlockingIOError:
                break
            except OSError:
                block = b""
            self.pending += block
            self.is_open = bool(block)
        *lines, self.pending = self.pending.split(b"\n")
        messages = [json.loads(line) for line in lines]
        for message in messages:
            self.is_ready |= "ready" in message
            # What the machine lacks now it may have later; another error would come again.
            if "error" in message and not read_shortage(message["error"]):
                raise XpError(
                    f"the process that starts jobs cannot load {self.preload}: {message['error']}",
                    fix="run `xp doctor`; the whole error stands in the scheduler's log",
                )
        return messages

    def close(self) -> None:
        """Close the socket, upon which the server ends (or is ended, if it is still importing); its children go on."""
        self.is_open = False
        self.link.close()
        try:
            # An idle server ends at once; one that still imports does not look at its socket.
            self.process.wait(0.2)
        except subprocess.TimeoutExpired:
            # Still importing, so it has no children yet.
            self.process.kill()
            self.process.wait()


def has_descriptor(stream: Any) -> bool:
    """Return whether a stream is a real file (a test runner or a notebook may put something else there)."""
    try:
        return int(stream.fileno()) >= 0
    except (OSError, ValueError, AttributeError):
        return False


def module_words(module: str, *words: str) -> list[str]:
    """Return the command of a module of ours, safe from a person's engine.py or torch.py in the folder we are in."""
    return [sys.executable, "-P", "-m", module, *words]


def server_env() -> dict[str, str]:
    """Return our environment with the folder of this package first on the path, wherever we were started."""
    root = str(Path(engine.__file__).resolve().parent.parent)
    before = os.environ.get("PYTHONPATH")
    return {**PATIENT_THREADS, **os.environ, "PYTHONPATH": root + (os.pathsep + before if before else "")}
