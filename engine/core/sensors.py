"""What a GPU says of itself: takes its uuid, gives clocks, power, temperature and the energy it has used, by NVML.

NVML is the driver's own library (libnvidia-ml), asked directly: there is nothing to install. A card that does not tell
something (an instance of MIG has no power of its own, old ones count no energy) leaves that figure out.
"""

from __future__ import annotations

import ctypes
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import fmean

LIBRARY = "libnvidia-ml.so.1"
# From nvml.h: nvmlClockType_t, nvmlTemperatureSensors_t.
SM_CLOCK, MEMORY_CLOCK, GPU_TEMPERATURE = 1, 2, 0
# Of nvmlClocksEventReasons: those by which a card runs slower than it could.
SLOWED = {
    0x4: "power cap",
    0x8: "hardware slowdown",
    0x20: "heat",
    0x40: "heat (hardware)",
    0x80: "power brake",
}


class NoSensors(Exception):
    """NVML is not here, or does not know the card: the message says which."""


@dataclass(frozen=True)
class Reading:
    """What a card said at one moment: clocks in MHz, power in W, temperature in degrees Celsius; None where untold."""

    sm_clock: float | None = None
    memory_clock: float | None = None
    power: float | None = None
    temperature: float | None = None
    slowed_by: tuple[str, ...] = ()


def mean_reading(readings: Sequence[Reading]) -> Reading:
    """Return the mean of what was told, and every reason by which the card was slowed meanwhile."""
    means = {name: _mean_of([getattr(one, name) for one in readings]) for name in FIGURES}
    return Reading(**means, slowed_by=tuple(dict.fromkeys(why for one in readings for why in one.slowed_by)))


def _mean_of(values: Sequence[float | None]) -> float | None:
    told = [value for value in values if value is not None]
    return fmean(told) if told else None


class Sensors:
    """One card, as NVML knows it; made by `open_sensors`."""

    def __init__(self, library: ctypes.CDLL, handle: ctypes.c_void_p) -> None:
        self.library, self.handle = library, handle

    def read(self) -> Reading:
        """Return what the card says now."""
        power = self._ask("nvmlDeviceGetPowerUsage", ctypes.c_uint())  # in mW
        return Reading(
            sm_clock=self._ask("nvmlDeviceGetClockInfo", ctypes.c_uint(), SM_CLOCK),
            memory_clock=self._ask("nvmlDeviceGetClockInfo", ctypes.c_uint(), MEMORY_CLOCK),
            power=None if power is None else power / 1e3,
            temperature=self._ask("nvmlDeviceGetTemperature", ctypes.c_uint(), GPU_TEMPERATURE),
            slowed_by=self._slowed_by(),
        )

    def joules(self) -> float | None:
        """Return the energy that the card has used since its driver was loaded, None where it does not count it.

        Cards renew it every few ten ms: differences are taken between two moments at which it moved.
        """
        used = self._ask("nvmlDeviceGetTotalEnergyConsumption", ctypes.c_ulonglong())
        return None if used is None else used / 1e3

    def _slowed_by(self) -> tuple[str, ...]:
        # The older of its two names: drivers have both.
        bits = self._ask("nvmlDeviceGetCurrentClocksThrottleReasons", ctypes.c_ulonglong())
        return tuple(word for bit, word in SLOWED.items() if int(bits or 0) & bit)

    def _ask(self, name: str, into: ctypes.c_uint | ctypes.c_ulonglong, *words: int) -> float | None:
        function = getattr(self.library, name, None)
        if function is None or function(self.handle, *words, ctypes.byref(into)) != 0:
            return None
        return float(into.value)


@contextmanager
def open_sensors(uuid: str, library: str = LIBRARY) -> Iterator[Sensors]:
    """Yield the sensors of the card that NVML knows by `uuid` (GPU-...). Raises NoSensors where there are none."""
    try:
        nvml = ctypes.CDLL(library)
    except OSError as error:
        raise NoSensors(f"NVML is not here: {error}") from None
    _check(nvml, "does not start", nvml.nvmlInit_v2())
    try:
        handle = ctypes.c_void_p()
        _check(nvml, f"does not know {uuid}", nvml.nvmlDeviceGetHandleByUUID(uuid.encode(), ctypes.byref(handle)))
        yield Sensors(nvml, handle)
    finally:
        nvml.nvmlShutdown()


def _check(nvml: ctypes.CDLL, what: str, status: int) -> None:
    if status:
        nvml.nvmlErrorString.restype = ctypes.c_char_p
        raise NoSensors(f"NVML {what}: {nvml.nvmlErrorString(status).decode()}")


FIGURES = ("sm_clock", "memory_clock", "power", "temperature")
