"""What a measure job writes: takes timings and readings by load, gives measurements, rounds, the result's figures."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from engine.core.measure import Load, Mode
from engine.core.replay import Spent
from engine.core.runtimes.alone import Alone
from engine.core.runtimes.registry import RUNTIMES
from engine.inputs.machine import NOISY
from engine.run.attempt import Attempt
from engine.run.rounds import Figure, Timings, common_rounds, geometric_mean, percentiles, speed_up
from engine.spec.job_settings import MeasureSettings


@dataclass(frozen=True)
class SpeedNames:
    """What the speeds of one way of calling are called."""

    rate: str
    latency: str
    speed_up: str
    p95: str = ""
    p99: str = ""
    energy: str = "infer_energy"


@dataclass(frozen=True)
class AloneNames:
    """What the figures of a process that only runs a file are called."""

    seconds: str
    peak: str
    size: str


class MeasureLog:
    """Writes the figures of a measure job into its journal, and keeps those of its result."""

    def __init__(self, attempt: Attempt, device: str) -> None:
        self.journal, self.settings = attempt.journal, attempt.settings(MeasureSettings)
        self.device = device
        self.figures: dict[str, float] = {}
        self.rounds: list[dict[str, object]] = []
        self.spent: dict[Load, list[Spent]] = {}
        self.silence = ""
        self.noisy: list[dict[str, object]] = []

    def add_counts(self, counts: dict[str, int]) -> None:
        """Log what is the same however often it is counted."""
        self.figures.update(counts)
        for name, value in counts.items():
            self._add(name, Figure(value, value, value, 1), "1", Load(1, self.settings.measure.threads[0]))

    def add_spent(self, load: Load, spent: Spent | str) -> None:
        """Keep what a card said under a load in one round, or why it says nothing."""
        if isinstance(spent, str):
            self.silence = spent
        else:
            self.spent.setdefault(load, []).append(spent)

    def add_load(self, load: Load, own: Timings, base: Timings | None, *, is_apart: bool) -> None:
        """Log all of one load: speeds, memory, what the card said; of one that does not fit, that it does not.

        Raises MemoryError where the smallest batch does not fit.
        """
        if own.fits:
            self._add_speeds(load, *common_rounds(own, base), is_apart=is_apart)
            self._add_tails(load, own, is_apart=is_apart)
            self._add_unrest(load, {"own": own, **({"base": base} if base is not None else {})})
            self._add_peaks(load, own)
            self._add_readings(load, self.spent.get(load, []), is_apart=is_apart)
        elif not is_apart:
            if load.batch_size == min(self.settings.measure.batch_sizes):
                raise MemoryError(f"not even batch size {load.batch_size} fits")
            self._add("infer_oom", Figure(1.0, 1.0, 1.0, own.ooms), "1", load)

    def add_alone(
        self, word: str, size: int, found: Sequence[Alone], operators: Mapping[str, Mapping[str, int]]
    ) -> None:
        """Log the bytes of a file, and what processes told that only ran it."""
        settings, names = self.settings, ALONE[word]
        load = Load(min(settings.measure.batch_sizes), settings.measure.threads[0], cast(Mode, word))
        self._add(names.size, Figure(size, size, size, 1), "bytes", load)
        seconds, peaks = [one.seconds for one in found], [one.peak for one in found if one.peak is not None]
        self._add(names.seconds, Figure(geometric_mean(seconds), *percentiles(seconds), len(seconds)), "s", load)
        if peaks:
            self._add(names.peak, Figure(max(peaks), min(peaks), max(peaks), len(peaks)), "bytes", load)
        self.journal.fact(f"operators {word}", operators)

    def write_rounds(self) -> None:
        self.journal.fact("rounds", self.rounds)
        if self.silence:
            self.journal.fact("sensors", {"silent": self.silence})

    def _add_speeds(self, load: Load, own: Timings, base: Timings | None, *, is_apart: bool) -> None:
        """Log rate, latency and speed-up, and keep the rounds."""
        names = APART[load.mode] if is_apart else SHOWN
        rate = own.figure(lambda seconds: load.batch_size / seconds)
        self._add(names.rate, rate, "images/s", load)
        self._add(names.latency, own.figure(lambda seconds: 1e3 * seconds), "ms", load)
        self.figures[f"{names.rate}_{load.batch_size}_{load.threads}"] = rate.value
        rates, others = own.rates(load.batch_size), base.rates(load.batch_size) if base else None
        if others is not None:
            self._add(names.speed_up, speed_up(rates, others), "1", load)
        about = {**self._where(load), "batch_size": load.batch_size, "threads": load.threads}
        told = {"own": list(rates), "base": None if others is None else list(others)}
        self.rounds.append({**about, **told, **({"apart": load.mode} if is_apart else {})})

    def _add_tails(self, load: Load, own: Timings, *, is_apart: bool) -> None:
        """Log what the slowest calls take, where each was timed by itself and there were enough of them."""
        names = APART[load.mode] if is_apart else SHOWN
        for name, share in ((names.p95, 0.95), (names.p99, 0.99)):
            found = own.tail(share) if name and load.mode in SINGLE else None
            if found is not None:
                told = Figure(1e3 * found.value, 1e3 * found.p5, 1e3 * found.p95, found.n)
                self._add(name, told, "ms", load)

    def _add_unrest(self, load: Load, timings: Mapping[str, Timings]) -> None:
        about = {"batch_size": load.batch_size, "threads": load.threads, "mode": load.mode}
        for whose, one in timings.items():
            if one.spread > NOISY:
                self.noisy.append({**about, "network": whose, "spread": round(one.spread, 3)})

    def _add_peaks(self, load: Load, own: Timings) -> None:
        for name, peak in own.peaks.items():
            self._add(f"infer_{name}", Figure(peak, peak, peak, 1), "bytes", load)

    def _add_readings(self, load: Load, spent: Sequence[Spent], *, is_apart: bool) -> None:
        """Log the means over rounds of what the card told, and every reason for which it was slowed."""
        energy = APART[load.mode].energy if is_apart else SHOWN.energy
        for name, (unit, value_of) in READINGS.items():
            name = energy if name == SHOWN.energy else name
            values = [value for one in spent if (value := value_of(one, load)) is not None]
            if values:
                self._add(name, Figure(sum(values) / len(values), *percentiles(values), len(values)), unit, load)
        slowed = sorted({why for one in spent for why in one.reading.slowed_by})
        if slowed:
            self.journal.fact(f"slowed {load.batch_size} {load.threads}", slowed)

    def _add(self, name: str, figure: Figure, unit: str, load: Load) -> None:
        self.journal.measurement(
            name,
            figure.value,
            unit,
            **self._where(load),
            batch_size=load.batch_size,
            threads=load.threads,
            p5=figure.p5,
            p95=figure.p95,
            n=figure.n,
        )

    def _where(self, load: Load) -> dict[str, str]:
        """Return device and precision of a load; a runtime has its file on the CPU, whatever the job has beside it."""
        if load.mode in RUNTIMES:
            return {"device": "cpu", "precision": FILE_PRECISION}
        return {"device": self.device, "precision": self.settings.precision}


FILE_PRECISION = "fp32"  # of what goes in and comes out; a quantised file says by itself what it is inside
SINGLE: tuple[Mode, ...] = ("eager", "onnxruntime")
"""Modes of which every call is timed by itself: replays are timed several at once."""
SHOWN = SpeedNames(
    "infer_images_per_second", "infer_latency", "infer_speedup", "infer_latency_p95", "infer_latency_p99"
)
APART = {
    "eager": SpeedNames("infer_images_per_second_eager", "infer_latency_eager", "infer_speedup_eager"),
    "compiled": SpeedNames("infer_images_per_second_compiled", "infer_latency_compiled", "infer_speedup_compiled"),
    "onnxruntime": SpeedNames(
        *("infer_images_per_second_onnxruntime", "infer_latency_onnxruntime", "infer_speedup_onnxruntime"),
        *("infer_latency_p95_onnxruntime", "infer_latency_p99_onnxruntime", "infer_energy_onnxruntime"),
    ),
}
ALONE = {"onnxruntime": AloneNames("load_seconds_onnxruntime", "run_peak_rss_onnxruntime", "file_bytes_onnxruntime")}
Reader = Callable[[Spent, Load], float | None]
READINGS: dict[str, tuple[str, Reader]] = {
    "infer_energy": ("J", lambda spent, load: None if spent.joules is None else spent.joules / load.batch_size),
    "infer_power": ("W", lambda spent, load: spent.reading.power),
    "infer_sm_clock": ("MHz", lambda spent, load: spent.reading.sm_clock),
    "infer_memory_clock": ("MHz", lambda spent, load: spent.reading.memory_clock),
    "infer_temperature": ("C", lambda spent, load: spent.reading.temperature),
}
