"""The pins of an installation: takes constraints.txt (names and versions) and constraints.lock (with their hashes)."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
CONSTRAINTS, LOCK = ROOT / "constraints.txt", ROOT / "constraints.lock"


def read_pins(file: Path) -> dict[str, str]:
    """Return name -> version of each pinned package, with names as registries compare them (lower case, hyphens)."""
    found = re.findall(r"^([A-Za-z0-9][\w.-]*)==([^\s;\\]+)", file.read_text(), re.MULTILINE)
    return {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in found}


def read_hashes(file: Path) -> dict[str, int]:
    """Return name -> how many SHA-256 hashes stand below its pin."""
    counts: dict[str, int] = {}
    name = ""
    for line in file.read_text().splitlines():
        if found := re.match(r"([A-Za-z0-9][\w.-]*)==", line):
            name = re.sub(r"[-_.]+", "-", found[1]).lower()
            counts[name] = 0
        elif re.fullmatch(r"\s+--hash=sha256:[0-9a-f]{64}( \\)?", line):
            counts[name] += 1
    return counts
