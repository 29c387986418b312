"""Memory as the kernel tells it: takes nothing, gives how much a process here may have, and whom it was too much for.

In a container or a batch job the limit is that of the control group, and /proc/meminfo tells of the whole machine. Both
versions of control groups are read (v2: memory.max, memory.events; v1: memory.limit_in_bytes, memory.oom_control).

A kill for want of memory leaves no word with its process: SIGKILL, as from a person. The evidence is a counter of the
group, `oom_kill`, that rose while the process lived.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from engine.home.control_files import HandleFile
from engine.home.files import read_regular

PROC, GROUPS = Path("/proc"), Path("/sys/fs/cgroup")
# Version 1 writes "no limit" as the largest number of whole pages.
NO_LIMIT = 1 << 60
COUNTER, COUNTER_BYTES = "oom_kill", 1 << 20


@dataclass(frozen=True)
class Files:
    """What the files of a control group are called in one of the two versions."""

    limit: str
    usage: str
    events: str
    cache: str  # the line of memory.stat that counts what can be given back at once


V1 = Files("memory.limit_in_bytes", "memory.usage_in_bytes", "memory.oom_control", "total_inactive_file")
V2 = Files("memory.max", "memory.current", "memory.events", "inactive_file")


def memory_limit(proc: Path = PROC, groups: Path = GROUPS) -> int:
    """Return the bytes of memory that processes here may have together: the machine's, or what a group says."""
    limits = [limit for folder, files in _find_groups(proc, groups) if (limit := _read_limit(folder, files))]
    return min([_meminfo(proc, "MemTotal"), *limits])


def memory_room(proc: Path = PROC, groups: Path = GROUPS) -> int:
    """Return the bytes of memory that are free for a process here, what the page cache gives back at once included."""
    rooms = [_meminfo(proc, "MemAvailable")]
    for folder, files in _find_groups(proc, groups):
        limit, used = _read_limit(folder, files), _read_number(folder / files.usage)
        if limit and used is not None:
            rooms.append(max(0, limit - used + _read_word(folder / "memory.stat", files.cache)))
    return min(rooms)


def oom_counter(proc: Path = PROC, groups: Path = GROUPS) -> Path:
    """Return the file that counts kills for want of memory in our group; the machine's own where the group has none."""
    files = (folder / files.events for folder, files in _find_groups(proc, groups))
    return next((path for path in files if count_kills(path) is not None), proc / "vmstat")


def count_kills(counter: Path) -> int | None:
    """Return how many processes were killed for want of memory, or None where that is not told."""
    try:
        # A handle names it, and what a handle names may be anything.
        words = [line.split() for line in read_regular(counter, COUNTER_BYTES).decode().splitlines()]
        return next((int(line[1]) for line in words if len(line) == 2 and line[0] == COUNTER), None)
    except (OSError, ValueError):
        return None


class Kills:
    """Tells whether a process was killed for want of memory, from what its handle says of the counter as it began."""

    def __init__(self) -> None:
        self.explained: dict[str, int] = {}  # how far each counter's kills are known to be whose

    def explain(self, told: HandleFile) -> bool:
        """Return whether the counter rose since; each kill that it counts explains one end."""
        counter, before = told.oom_counter, told.oom_kills
        now = count_kills(Path(counter)) if counter and "\0" not in counter else None
        if now is None or before is None:
            return False
        known = max(before, self.explained.get(counter, 0))
        self.explained[counter] = known + (now > known)
        return now > known


def _find_groups(proc: Path, groups: Path) -> Iterator[tuple[Path, Files]]:
    """Yield the folders of our control group and of those around it, the closest first."""
    try:
        lines = (proc / "self/cgroup").read_text().splitlines()
    except OSError:
        return
    for number, controllers, path in (line.split(":", 2) for line in lines if line.count(":") >= 2):
        if "memory" in controllers.split(","):
            yield from ((folder, V1) for folder in _up_from(groups / "memory", path))
        elif number == "0" and not controllers:
            yield from ((folder, V2) for folder in _up_from(groups, path))


def _up_from(top: Path, path: str) -> Iterator[Path]:
    folder = top / path.strip("/")
    # In a container the path may be the host's, and what is mounted is our own group.
    while folder != top and not folder.is_dir():
        folder = folder.parent
    yield from (one for one in (folder, *folder.parents) if one.is_relative_to(top))


def _read_limit(folder: Path, files: Files) -> int | None:
    limit = _read_number(folder / files.limit)
    return limit if limit is not None and limit < NO_LIMIT else None


def _read_number(path: Path) -> int | None:
    try:
        return int(path.read_text())
    except (OSError, ValueError):  # "max": no limit
        return None


def _read_word(path: Path, word: str) -> int:
    try:
        lines = [line.split() for line in path.read_text().splitlines()]
    except OSError:
        return 0
    return next((int(line[1]) for line in lines if line[:1] == [word]), 0)


def _meminfo(proc: Path, word: str) -> int:
    """Return bytes; as much as there could be where the kernel does not tell."""
    return 1024 * _read_word(proc / "meminfo", word + ":") or NO_LIMIT
