"""Where a result comes from: takes the attempt's files, gives commit, versions, machine and digests as one record."""

from __future__ import annotations

import hashlib
import platform
import socket
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import torch

from engine.home.files import write_atomic, write_json
from engine.inputs.machine import cpu_model
from engine.run.attempt import Attempt
from engine.run.code import read_code
from engine.run.device import TORCH_VERSION, device_name

PLACES = ("root", "weights", "teacher_weights")  # where this machine has its files
DRIVER = Path("/proc/driver/nvidia/version")


def describe_origin(spec: Path, *, device: str, threads: int, data_digest: str | None) -> dict[str, Any]:
    """Return the provenance of one attempt, whose settings are the file `spec`."""
    code, packages = read_code(), installed_packages()
    return {
        "git_commit": code.commit,
        "git_dirty": code.is_dirty,
        "code_digest": code.digest,
        "changes_digest": code.changes_digest,
        "python": platform.python_version(),
        "torch": TORCH_VERSION,
        "timm": _version_of("timm"),
        "host": socket.gethostname(),
        "device": device,
        "driver": _driver_version() if device != "cpu" else None,
        "cpu_model": cpu_model(),
        "threads": threads,
        "packages": packages,
        "packages_digest": hashlib.sha256("\n".join(packages).encode()).hexdigest(),
        "spec_digest": hashlib.sha256(spec.read_bytes()).hexdigest(),
        "data_digest": data_digest,
    }


def installed_packages() -> list[str]:
    """Return every installed package as `name-version`, sorted, from the names of their folders alone (1 ms)."""
    folders = (Path(entry) for entry in sys.path if entry)
    return sorted({found.name.removesuffix(".dist-info") for one in folders for found in one.glob("*.dist-info")})


def _version_of(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _driver_version() -> str | None:
    return next((word for line in _lines(DRIVER) for word in line.split() if word[:1].isdigit() and "." in word), None)


def _lines(path: Path) -> Iterator[str]:
    try:
        yield from path.read_text().splitlines()
    except OSError:
        return


def write_origin(attempt: Attempt, device: torch.device | str, threads: int, data_digest: str | None) -> None:
    """Write provenance.json of this attempt, and the text of the code's changes once for all who ran with them.

    `device` is its name where this process must not ask it itself.
    """
    name = device if isinstance(device, str) else device_name(device)
    about = describe_origin(attempt.job.spec, device=name, threads=threads, data_digest=data_digest)
    about["ranks"] = attempt.rank.ranks if attempt.rank else 1
    about["details"] = attempt.details.model_dump(mode="json", exclude=set(PLACES))
    code = read_code()
    if code.changes and code.changes_digest:
        kept = attempt.home.changes(code.changes_digest)
        if not kept.exists():
            kept.parent.mkdir(exist_ok=True)
            write_atomic(kept, code.changes)
    write_json(attempt.folder.provenance, about)
