"""A network as it is measured: takes how it is made, or its files, gives counts, timings and what a call spends.

It lives in a process of its own (bench_process.py), set up as for a job that is alone there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from torch import nn

from engine.core.algorithm_macs import count_algorithm_macs
from engine.core.measure import SPEND_SECONDS, Burst, Load, Mode, Stopwatch, count_macs, count_params
from engine.core.network.backends import settle
from engine.core.rapl import open_rapl
from engine.core.replay import Spent
from engine.core.runtimes.registry import RUNTIMES, write_file
from engine.core.runtimes.watch import FileWatch
from engine.core.sensors import NoSensors, Reading
from engine.errors import XpError
from engine.run.device import device_name, prepare_device, seed_everything
from engine.spec.base import Precision


@dataclass(frozen=True)
class Counts:
    """What needs no clock: the device that its process found, parameters and multiply-adds by their names."""

    device: str
    figures: dict[str, int]


@dataclass(frozen=True)
class Setup:
    """How a network is measured: the slot, its threads at first, image size and precision; `files` by runtime.

    `times`: what was measured of attention kernels; `cache`: of what is compiled, because each round is a process of
    its own, and compiles nothing anew.
    """

    slot: str
    threads: int
    image_size: int
    precision: Precision
    times: Path | None = None
    cache: Path | None = None
    files: Mapping[str, Path] = field(default_factory=dict)


class NetworkBench:
    """A network on the device of a slot; `build` makes it when it is first needed, which a file never is."""

    def __init__(self, setup: Setup, build: Callable[[], nn.Module]) -> None:
        self.setup, self.build = setup, build
        self.device = prepare_device(setup.slot, setup.threads, False, setup.precision)
        self.files = FileWatch(setup.files, setup.image_size)

    @cached_property
    def network(self) -> nn.Module:
        seed_everything(0)
        made = self.build()
        settle(made, self.device, self.setup.precision, self.setup.times)
        return made

    @cached_property
    def stopwatch(self) -> Stopwatch:
        setup = self.setup
        return Stopwatch(self.network, setup.image_size, self.device, setup.precision, setup.cache)

    def count(self) -> Counts:
        size = self.setup.image_size
        figures = {
            "params": count_params(self.network),
            "macs": count_macs(self.network, size),
            "macs_algorithm": count_algorithm_macs(self.network, size),
        }
        return Counts(device_name(self.device), figures)

    def warm_up(self, load: Load) -> None:
        self._watch(load).warm_up(load)

    def time(self, load: Load, seconds: float) -> Burst:
        return self._watch(load).time(load, seconds)

    def spend(self, load: Load) -> Spent | str:
        """Return what a card says of the load that was begun with, else a processor's counter, else why none."""
        if load.mode not in RUNTIMES and self.device.type == "cuda":
            return self.stopwatch.spend()
        try:
            counter = open_rapl()
            start = counter.joules()
            burst = self.time(load, SPEND_SECONDS)
            calls = len(burst.times)
            return Spent(calls, burst.seconds / calls, Reading(), (counter.joules() - start) / calls)
        except NoSensors as error:
            return str(error)

    def refusals(self, loads: Sequence[Load]) -> dict[Mode, str]:
        """Return why the network cannot be called in the ways of these loads, of those that it cannot."""
        found = {load.mode: self._refusal(load) for load in loads}
        return {mode: why for mode, why in found.items() if why}

    def write(self, files: Mapping[str, Path]) -> dict[str, str]:
        """Write the network as a file for each runtime; return why it cannot be, of those for which it cannot."""
        refused: dict[str, str] = {}
        for word, path in files.items():
            try:
                write_file(word, self.network, self.setup.image_size, path)
            except XpError as error:
                refused[word] = error.what
        return refused

    def _refusal(self, load: Load) -> str:
        if load.mode not in RUNTIMES:
            return self.stopwatch.refusal(load)
        try:
            self.files.warm_up(load)
        except XpError as error:
            return error.what
        return ""

    def _watch(self, load: Load) -> Stopwatch | FileWatch:
        return self.files if load.mode in RUNTIMES else self.stopwatch
