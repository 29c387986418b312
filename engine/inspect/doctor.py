"""The examination: takes a home, gives findings about the machine, the packages and the home's own health."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
from dataclasses import dataclass
from importlib import metadata
from typing import Any

from engine.errors import XpError
from engine.home.paths import Home
from engine.launch.gpus import list_gpus
from engine.launch.memory import memory_limit, memory_room
from engine.launch.shortages import home_trouble
from engine.schedule.worker import scheduler_alive
from store.queue import Queue, QueueFault

PACKAGES = ("torch", "torchvision", "timm", "duckdb", "sqlalchemy", "pydantic")
LEAST_DISK = 2_000_000_000  # bytes
LEAST_MEMORY = 1.0  # GB: torch with timm and a small network


@dataclass(frozen=True)
class Finding:
    """One thing that was checked: whether it is in order, what was found, and what to do."""

    name: str
    is_well: bool
    what: str
    fix: str = ""

    def __str__(self) -> str:
        line = f"{'ok ' if self.is_well else 'BAD'} {self.name}: {self.what}"
        return f"{line}\n    fix: {self.fix}" if self.fix and not self.is_well else line

    def as_json(self) -> dict[str, Any]:
        return {"name": self.name, "ok": self.is_well, "what": self.what, "fix": self.fix}


def examine(home: Home) -> list[Finding]:
    """Return every finding, the machine first."""
    return [
        _python(),
        *map(_package, PACKAGES),
        _imports(),
        _devices(),
        _memory(),
        _disk(home),
        _locks(home),
        _queue(home),
    ]


def _python() -> Finding:
    return Finding("python", sys.version_info >= (3, 11), platform.python_version(), "use Python 3.11 or newer")


def _package(name: str) -> Finding:
    try:
        return Finding(name, True, metadata.version(name))
    except metadata.PackageNotFoundError:
        return Finding(name, False, "not installed", f"pip install {name}")


def _imports() -> Finding:
    """torch and torchvision builds that do not fit each other are found only by importing them."""
    code = "import torch, torchvision, timm"
    answer = subprocess.run([sys.executable, "-P", "-c", code], capture_output=True, text=True, check=False)
    last = (answer.stderr.strip().splitlines() or ["loads"])[-1]
    return Finding("torch with timm", answer.returncode == 0, last if answer.returncode else "loads", _TORCH_FIX)


_TORCH_FIX = "install torch, torchvision and timm together with the project's constraints.txt"


def _devices() -> Finding:
    gpus = ", ".join(list_gpus())
    return Finding("devices", True, gpus or f"no GPU: jobs run on the CPU ({os.cpu_count()} cores), one at a time")


def _memory() -> Finding:
    """What processes here may have, which in a container or a batch job is less than the machine has."""
    room, limit = memory_room() / 1e9, memory_limit() / 1e9
    fix = "end what else holds memory here, or ask for more of it"
    return Finding("memory", room > LEAST_MEMORY, f"{room:.1f} of {limit:.1f} GB free for processes here", fix)


def _disk(home: Home) -> Finding:
    free = shutil.disk_usage(home.root).free
    can_write, trouble = os.access(home.root, os.W_OK), home_trouble(home)
    told = f"{free / 1e9:.1f} GB free at {home.root}" + ("" if can_write else ", and it cannot be written")
    fix = "make room, or put the home on another disk with --home"
    is_well = can_write and not trouble and free > LEAST_DISK
    return Finding("disk", is_well, f"{told}; {trouble}" if trouble else told, fix)


def _locks(home: Home) -> Finding:
    return Finding("scheduler", True, "running" if scheduler_alive(home) else "none runs (submit starts one)")


def _queue(home: Home) -> Finding:
    fix = "xp rebuild --queue makes it again from experiments/ and jobs/"
    try:
        with Queue.open_readonly(home.queue_db) as queue:
            faults = queue.check_integrity()
    except (XpError, QueueFault) as error:
        faults = [str(getattr(error, "orig", error))]
    return Finding("queue.db", not faults, "; ".join(faults) or "whole", fix)
