"""The job that measures: takes an attempt, gives size, speed and memory of its network, in turn with the baseline's.

The job's process runs no operator itself: it reads, counts and times in processes of their own (bench_process.py).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from torch import nn

from engine.core.algorithm_macs import count_algorithm_macs
from engine.core.measure import Burst, Load, Stopwatch, count_macs, count_params
from engine.core.network.backends import settle
from engine.run.attempt import Attempt
from engine.run.bench_process import BenchProcess
from engine.run.device import device_name, prepare_device, seed_everything
from engine.run.inputs import bare_network, load_trained
from engine.run.provenance import write_origin
from engine.run.rounds import Figure, Timings, speed_up, time_rounds
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
        self, slot: str, settings: MeasureSettings, build: Callable[[], nn.Module], times: Path | None = None
    ) -> None:
        self.device = prepare_device(slot, settings.measure.threads[0], False, settings.precision)
        seed_everything(0)
        self.network, self.settings = build(), settings
        settle(self.network, self.device, settings.precision, times)
        self.stopwatch: Stopwatch | None = None

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

    def _watch(self) -> Stopwatch:
        if self.stopwatch is None:
            settings = self.settings
            self.stopwatch = Stopwatch(self.network, settings.image_size, self.device, settings.precision)
        return self.stopwatch


def run_measure(attempt: Attempt) -> None:
    """Measure a network in the shape of its parent, else of its settings; weights do not matter.

    Where the settings name the baseline's network, both are measured in turn, and their ratio is a figure too.
    """
    settings = attempt.settings(MeasureSettings)
    measure, progress = settings.measure, Progress(attempt, settings.measure.rounds)
    open_bench = partial(_open_bench, attempt, progress)
    builders = [partial(_own_network, attempt)]
    if settings.against is not None:
        builders.append(partial(_bare_network, settings, settings.against))
    with open_bench(builders[0]) as bench:
        counts: Counts = bench.ask("count")
    write_origin(attempt, counts.device, measure.threads[0], None)
    log = MeasureLog(attempt, counts.device)
    log.add_counts(counts.figures)
    loads = [Load(batch_size, threads) for threads in measure.threads for batch_size in measure.batch_sizes]
    openers = [partial(open_bench, build) for build in builders]
    timings = time_rounds(openers, loads, measure.rounds, measure.seconds, progress.begin)
    for load, (own, *base) in timings.items():
        log.add_speeds(load, own, base[0] if base else None)
    attempt.journal.fact("rounds", log.rounds)
    attempt.write_result(0, log.figures)


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
    settings, times = attempt.settings(MeasureSettings), attempt.home.attention_times
    make = partial(NetworkBench, attempt.order.slot, settings, build, times)
    return BenchProcess(make, progress.look_up)


def _own_network(attempt: Attempt) -> nn.Module:
    if "parent" in attempt.needs:
        return load_trained(attempt.home, attempt.need("parent"))
    settings = attempt.settings(MeasureSettings)
    return _bare_network(settings, settings.network)


def _bare_network(settings: MeasureSettings, network: Student) -> nn.Module:
    return bare_network(network, settings.classes_here, settings.image_size, None)


class MeasureLog:
    """Writes the figures of a measure job into its journal, and keeps those of its result."""

    def __init__(self, attempt: Attempt, device: str) -> None:
        self.journal, self.settings = attempt.journal, attempt.settings(MeasureSettings)
        self.device = device
        self.figures: dict[str, float] = {}
        self.rounds: list[dict[str, object]] = []

    def add_counts(self, counts: dict[str, int]) -> None:
        """Log what is the same however often it is counted."""
        self.figures.update(counts)
        for name, value in counts.items():
            self._add(name, Figure(value, value, value, 1), "1", Load(1, self.settings.measure.threads[0]))

    def add_speeds(self, load: Load, own: Timings, base: Timings | None) -> None:
        """Log rate, latency, speed-up and memory under one load, and keep the rounds."""
        rate = own.figure(lambda seconds: load.batch_size / seconds)
        self._add("infer_images_per_second", rate, "images/s", load)
        self._add("infer_latency", own.figure(lambda seconds: 1e3 * seconds), "ms", load)
        self.figures[f"infer_images_per_second_{load.batch_size}_{load.threads}"] = rate.value
        rates, others = own.rates(load.batch_size), base.rates(load.batch_size) if base else None
        if others is not None:
            self._add("infer_speedup", speed_up(rates, others), "1", load)
        for name, peak in own.peaks.items():
            self._add(f"infer_{name}", Figure(peak, peak, peak, 1), "bytes", load)
        self._keep_rounds(load, rates, others)

    def _keep_rounds(self, load: Load, own: Sequence[float], base: Sequence[float] | None) -> None:
        where = {"device": self.device, "precision": self.settings.precision}
        about = {**where, "batch_size": load.batch_size, "threads": load.threads}
        self.rounds.append({**about, "own": list(own), "base": None if base is None else list(base)})

    def _add(self, name: str, figure: Figure, unit: str, load: Load) -> None:
        self.journal.measurement(
            name,
            figure.value,
            unit,
            device=self.device,
            precision=self.settings.precision,
            batch_size=load.batch_size,
            threads=load.threads,
            p5=figure.p5,
            p95=figure.p95,
            n=figure.n,
        )
