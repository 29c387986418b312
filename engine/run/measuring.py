"""The job that measures: takes an attempt, gives size, speed and memory of its network, in turn with the baseline's.

The job's process runs no operator itself: it reads, counts and times in processes of their own (bench_process.py).
On a GPU the figures without a suffix are of graph replay, what the card needs; those of eager calls, which the host
waits for, and of the compiled network have a suffix of their own. A network that cannot be captured is measured eager.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from torch import nn

from engine.core.algorithm_macs import count_algorithm_macs
from engine.core.measure import Burst, Load, Mode, Stopwatch, count_macs, count_params
from engine.core.network.backends import settle
from engine.core.replay import Spent
from engine.run.attempt import Attempt
from engine.run.bench_process import BenchProcess
from engine.run.device import device_name, prepare_device, seed_everything
from engine.run.inputs import bare_network, load_trained
from engine.run.measure_log import MeasureLog
from engine.run.provenance import write_origin
from engine.run.rounds import Bench, time_rounds
from engine.spec import Student
from engine.spec.job_settings import MeasureSettings


@dataclass(frozen=True)
class Counts:
    """What needs no clock: the device that its process found, parameters and multiply-adds by their names."""

    device: str
    figures: dict[str, int]


class NetworkBench:
    """A network on the device of a slot, set up as for a job that is alone in its process."""

    def __init__(
        self, slot: str, settings: MeasureSettings, build: Callable[[], nn.Module], times: Path | None = None,
        cache: Path | None = None,
    ) -> None:  # fmt: skip
        self.device = prepare_device(slot, settings.measure.threads[0], False, settings.precision)
        seed_everything(0)
        self.network, self.settings = build(), settings
        settle(self.network, self.device, settings.precision, times)
        self.stopwatch: Stopwatch | None = None
        self.cache = cache  # of what is compiled: each round is a process of its own, and compiles nothing anew

    def count(self) -> Counts:
        size = self.settings.image_size
        figures = {
            "params": count_params(self.network),
            "macs": count_macs(self.network, size),
            "macs_algorithm": count_algorithm_macs(self.network, size),
        }
        return Counts(device_name(self.device), figures)

    def warm_up(self, load: Load) -> None:
        self._watch().warm_up(load)

    def time(self, load: Load, seconds: float) -> Burst:
        return self._watch().time(load, seconds)

    def spend(self) -> Spent | str:
        return self._watch().spend()

    def refusals(self, loads: Sequence[Load]) -> dict[Mode, str]:
        """Return why the network cannot be called in the ways of these loads, of those that it cannot."""
        found = {load.mode: self._watch().refusal(load) for load in loads}
        return {mode: why for mode, why in found.items() if why}

    def _watch(self) -> Stopwatch:
        if self.stopwatch is None:
            settings = self.settings
            place = (self.device, settings.precision, self.cache)
            self.stopwatch = Stopwatch(self.network, settings.image_size, *place)
        return self.stopwatch


@dataclass(frozen=True)
class Modes:
    """How networks are called: `shown` is what a report shows, `apart` the others, `refused` why not in some way."""

    shown: Mode
    apart: tuple[Mode, ...] = ()
    refused: dict[str, str] = field(default_factory=dict)

    def loads(self, settings: MeasureSettings) -> list[Load]:
        """Return every load in every way; eager calls come first, whose peaks hold the trials of kernels."""
        modes = sorted((self.shown, *self.apart), key=lambda mode: mode != "eager")
        sizes = [(size, threads) for threads in settings.measure.threads for size in settings.measure.batch_sizes]
        return [Load(size, threads, mode) for size, threads in sizes for mode in modes]


def run_measure(attempt: Attempt) -> None:
    """Measure a network in the shape of its parent, else of its settings; weights do not matter.

    Where the settings name the baseline's network, both are measured in turn, and their ratio is a figure too. A batch
    size that does not fit is a figure; MemoryError where none fits.
    """
    settings = attempt.settings(MeasureSettings)
    measure, progress = settings.measure, Progress(attempt, settings.measure.rounds)
    open_bench = partial(_open_bench, attempt, progress)
    builders = [partial(_own_network, attempt)]
    if settings.against is not None:
        builders.append(partial(_bare_network, settings, settings.against))
    openers = [partial(open_bench, build) for build in builders]
    with openers[0]() as bench:
        counts: Counts = bench.ask("count")
    write_origin(attempt, counts.device, measure.threads[0], None)
    log = MeasureLog(attempt, counts.device)
    log.add_counts(counts.figures)
    modes = _find_modes(settings, counts.device, openers)
    timings = time_rounds(
        openers, modes.loads(settings), measure.rounds, measure.seconds, progress.begin,
        partial(_look_at_card, log) if modes.shown == "graph" else None,
    )  # fmt: skip
    for load, (own, *base) in timings.items():
        log.add_load(load, own, base[0] if base else None, is_apart=load.mode != modes.shown)
    if modes.refused or modes.shown != "eager":
        attempt.journal.fact("modes", {"shown": modes.shown, "apart": modes.apart, "refused": modes.refused})
    log.write_rounds()
    attempt.write_result(0, log.figures)


def _find_modes(
    settings: MeasureSettings, device: str, openers: Sequence[Callable[[], BenchProcess[NetworkBench]]]
) -> Modes:
    """Return how all networks can be called: each is tried with the smallest batch, in a process of its own."""
    replays = settings.timing == "replays" and device != CPU
    asks: dict[Mode, bool] = {"graph": replays, "compiled": settings.measure.compiled}
    asked = [mode for mode, is_asked in asks.items() if is_asked]
    refused: dict[str, str] = {}
    smallest, threads = min(settings.measure.batch_sizes), settings.measure.threads[0]
    for opener in openers if asked else []:
        with opener() as bench:
            refused |= bench.ask("refusals", [Load(smallest, threads, mode) for mode in asked])
    for mode, why in refused.items():
        print(f"not measured as {mode}: {why}", flush=True)
    can = [mode for mode in asked if mode not in refused]
    apart: list[Mode] = ["eager", *(mode for mode in can if mode != "graph")] if "graph" in can else can
    return Modes("graph" if "graph" in can else "eager", tuple(apart), refused)


def _look_at_card(log: MeasureLog, bench: Bench, load: Load) -> None:
    if load.mode == "graph":
        log.add_spent(load, bench.ask("spend"))


@dataclass
class Progress:
    """Which round it is; looked at while a bench is at work, so that a job that is asked to stop leaves at once."""

    attempt: Attempt
    rounds: int
    done: int = 0

    def begin(self, number: int) -> None:
        self.done = number
        self.look_up()

    def look_up(self) -> None:
        self.attempt.watch("measure", self.done, self.rounds)


def _open_bench(attempt: Attempt, progress: Progress, build: Callable[[], nn.Module]) -> BenchProcess[NetworkBench]:
    settings, home = attempt.settings(MeasureSettings), attempt.home
    make = partial(NetworkBench, attempt.order.slot, settings, build, home.attention_times, home.compiled)
    return BenchProcess(make, progress.look_up)


def _own_network(attempt: Attempt) -> nn.Module:
    if "parent" in attempt.needs:
        return load_trained(attempt.home, attempt.need("parent"))
    settings = attempt.settings(MeasureSettings)
    return _bare_network(settings, settings.network)


def _bare_network(settings: MeasureSettings, network: Student) -> nn.Module:
    return bare_network(network, settings.classes_here, settings.image_size, None)


CPU = "cpu"  # what device_name calls it
