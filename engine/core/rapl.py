"""What a processor says of its energy: takes nothing, gives the joules that its packages have used, by RAPL.

The kernel shows the counters as files (/sys/class/powercap), to root alone on most machines and hardly ever inside of
a virtual one. They count all that the packages do, not one process: a figure of a machine that does nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from engine.core.sensors import NoSensors

POWERCAP = Path("/sys/class/powercap")
PACKAGES = "*-rapl:[0-9]*"


@dataclass
class _Counter:
    """One package's counter in microjoules, which begins anew beyond `most`."""

    file: Path
    most: int
    last: int
    turned: int = 0

    def read(self) -> int:
        now = int(self.file.read_text())
        self.turned += int(now < self.last)
        self.last = now
        return now + self.turned * self.most


class Rapl:
    """The packages of this machine; made by `open_rapl`."""

    def __init__(self, counters: list[_Counter]) -> None:
        self.counters = counters

    def joules(self) -> float:
        """Return what all packages have used since some moment; ask at least once a minute, or a turn is missed."""
        return 1e-6 * sum(counter.read() for counter in self.counters)


def open_rapl(folder: Path = POWERCAP) -> Rapl:
    """Return the counters. Raises NoSensors, which says why, where there are none or they cannot be read."""
    zones = [zone for zone in sorted(folder.glob(PACKAGES)) if zone.name.count(":") == 1]  # those inside have two
    if not zones:
        raise NoSensors(f"this machine shows no counter of energy in {folder}")
    try:
        return Rapl([_open_counter(zone) for zone in zones])
    except (OSError, ValueError) as error:
        raise NoSensors(f"the counters of energy in {folder} cannot be read: {error}") from error


def _open_counter(zone: Path) -> _Counter:
    file = zone / "energy_uj"
    return _Counter(file, int((zone / "max_energy_range_uj").read_text()), int(file.read_text()))
