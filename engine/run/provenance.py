"""Where a result comes from: takes the attempt's files, gives commit, versions, machine and digests as one record."""

from __future__ import annotations

import hashlib
import platform
import socket
import subprocess
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from engine.home import write_json
from engine.run.attempt import Attempt
from engine.run.device import TORCH_VERSION, device_name

DRIVER = Path("/proc/driver/nvidia/version")
CHECKOUT = Path(__file__).resolve().parents[2]


def describe_origin(spec: Path, *, device: str, threads: int, data_digest: str | None) -> dict[str, Any]:
    """Return the provenance of one attempt, whose settings are the file `spec`."""
    commit, dirty = git_state(CHECKOUT)
    return {
        "git_commit": commit,
        "git_dirty": dirty,
        "python": platform.python_version(),
        "torch": TORCH_VERSION,
        "timm": _version_of("timm"),
        "host": socket.gethostname(),
        "device": device,
        "driver": _driver_version() if device != "cpu" else None,
        "cpu_model": _cpu_model(),
        "threads": threads,
        "spec_digest": hashlib.sha256(spec.read_bytes()).hexdigest(),
        "data_digest": data_digest,
    }


def git_state(checkout: Path) -> tuple[str | None, bool | None]:
    """Return the commit and whether files differ from it; (None, None) outside a checkout, as in a wheel."""
    if not (checkout / ".git").exists():
        return None, None
    command = ["git", "-C", str(checkout), "describe", "--always", "--abbrev=40", "--exclude=*", "--dirty=+"]
    try:
        text = subprocess.run(command, capture_output=True, text=True, timeout=10, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None, None
    return text.rstrip("+"), text.endswith("+")


def _version_of(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _driver_version() -> str | None:
    return next((word for line in _lines(DRIVER) for word in line.split() if word[:1].isdigit() and "." in word), None)


def _cpu_model() -> str:
    names = (line.split(":", 1)[1].strip() for line in _lines(Path("/proc/cpuinfo")) if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def _lines(path: Path) -> Iterator[str]:
    try:
        yield from path.read_text().splitlines()
    except OSError:
        return


def write_origin(attempt: Attempt, device: torch.device, threads: int, data_digest: str | None) -> None:
    """Write provenance.json of this attempt."""
    name = device_name(device)
    write_json(
        attempt.folder.provenance,
        describe_origin(attempt.job.spec, device=name, threads=threads, data_digest=data_digest),
    )
