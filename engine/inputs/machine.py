"""The processor of this machine: takes nothing, gives its name, the cores we may use, their pace, how busy they are."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass
from pathlib import Path

NOISY = 0.05
"""Interquartile range of calls over their median: beyond it the machine did something else, or changed its pace."""
CPU_FILE, STAT_FILE = Path("/proc/cpuinfo"), Path("/proc/stat")
GOVERNOR_FILE = Path("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor")


@dataclass(frozen=True)
class MachineState:
    """What a speed on this machine depends on besides the network.

    `governor` is how the kernel sets the pace of the cores, None where it does not tell; `crowding` how many processes
    there were for each core in the last minute, those that measure included.
    """

    cpu: str
    cores: int
    governor: str | None
    crowding: float


def machine_state() -> MachineState:
    try:
        governor = GOVERNOR_FILE.read_text().strip() or None
    except OSError:
        governor = None
    return MachineState(cpu_model(), usable_cores(), governor, round(crowding(), 2))


def cpu_model() -> str:
    """Return the processor's own name, else what the platform calls it."""
    try:
        lines = CPU_FILE.read_text().splitlines()
    except OSError:
        lines = []
    names = (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.processor() or platform.machine())


def usable_cores() -> int:
    """Return the cores that the kernel lets this process run on."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def idle_seconds() -> float | None:
    """Return how long the cores that we may use have been idle in all, since the machine began; None where untold."""
    mine = {f"cpu{number}" for number in os.sched_getaffinity(0)} if hasattr(os, "sched_getaffinity") else set()
    try:
        lines = [line.split() for line in STAT_FILE.read_text().splitlines()]
        # After the name: user, nice, system, idle, waiting for a disk, in ticks.
        ticks = [int(line[4]) + int(line[5]) for line in lines if line and line[0] in mine]
        return sum(ticks) / os.sysconf("SC_CLK_TCK") if ticks else None
    except (OSError, ValueError, IndexError):
        return None


def crowding() -> float:
    """Return how many processes there were for each core in the last minute; 0 where the system does not tell."""
    try:
        return os.getloadavg()[0] / usable_cores()
    except OSError:
        return 0.0
