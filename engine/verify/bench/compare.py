"""Networks in turn: takes subjects and how long, gives their times, and how many times as fast as the first each is.

As in a measure job: in each round every network has a new process, they take turns there and back, and the ratio's
interval is over the rounds, paired, on the log scale (Student's t).
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from torch import nn

from engine.analysis.speeds import SpeedRatio, ratio_of_rounds
from engine.core.measure import Load, Mode
from engine.core.runtimes.registry import RUNTIMES
from engine.errors import JobError
from engine.inputs.machine import NOISY, MachineState, machine_state
from engine.run.bench_process import BenchProcess
from engine.run.network_bench import NetworkBench, Setup
from engine.run.rounds import Timings, common_rounds, time_rounds
from engine.spec.forms import FORMS
from engine.verify.bench.subjects import Subject

SLOT = "cpu:0"


@dataclass(frozen=True)
class Wanted:
    """How it is measured: `seconds` for each network and load over all rounds."""

    modes: tuple[Mode, ...]
    batch_sizes: tuple[int, ...] = (1,)
    threads: tuple[int, ...] = (1,)
    rounds: int = 12
    seconds: float = 3.0

    @property
    def loads(self) -> list[Load]:
        sizes = [(size, threads) for threads in self.threads for size in self.batch_sizes]
        return [Load(size, threads, mode) for mode in self.modes for size, threads in sizes]


@dataclass(frozen=True)
class Line:
    """One network under one load; `ratio` is how many times as fast as the first it is, None for the first itself."""

    name: str
    load: Load
    timings: Timings
    ratio: SpeedRatio | None

    @property
    def is_noisy(self) -> bool:
        return self.timings.spread > NOISY

    def milliseconds(self, share: float) -> float | None:
        """Return what this share of the calls keeps below; None where there are too few to tell."""
        found = self.timings.tail(share)
        return None if found is None else 1e3 * found.value

    @property
    def rate(self) -> float:
        """Images a second: the geometric mean of the rounds."""
        return self.timings.figure(lambda seconds: self.load.batch_size / seconds).value


@dataclass(frozen=True)
class Comparison:
    """All lines, those of a load together and in the order of the networks, and what the machine was like."""

    lines: tuple[Line, ...]
    before: MachineState
    after: MachineState


def compare_networks(subjects: Sequence[Subject], wanted: Wanted, tell: Callable[[str], None]) -> Comparison:
    """Measure; `tell` hears how far it is. Raises JobError where one cannot be run as it is asked."""
    with tempfile.TemporaryDirectory(prefix="xp-bench-") as folder:
        setups = [_setup_of(one, wanted, Path(folder) / str(place)) for place, one in enumerate(subjects)]
        openers = [partial(_open, one, setup) for one, setup in zip(subjects, setups, strict=True)]
        for one, opener, setup in zip(subjects, openers, setups, strict=True):
            _prepare(one, opener, setup, wanted, tell)
        before = machine_state()
        watch = partial(_tell_round, wanted.rounds, tell)
        found = time_rounds(openers, wanted.loads, wanted.rounds, wanted.seconds, watch)
    lines = [line for load, timings in found.items() for line in _lines_of(load, subjects, timings)]
    return Comparison(tuple(lines), before, machine_state())


def _setup_of(subject: Subject, wanted: Wanted, start: Path) -> Setup:
    """Return how a network is set up: its own file where it is one, else files that are yet to be written."""
    words: list[str] = [mode for mode in wanted.modes if mode in RUNTIMES]
    files = {
        word: subject.file if subject.build is None and subject.file is not None
        else start.with_suffix(FORMS[RUNTIMES[word].form].suffix)
        for word in words
    }  # fmt: skip
    return Setup(SLOT, wanted.threads[0], subject.image_size, "fp32", files=files)


def _open(subject: Subject, setup: Setup) -> BenchProcess[NetworkBench]:
    return BenchProcess(partial(NetworkBench, setup, subject.build or _no_module), lambda: None)


def _no_module() -> nn.Module:
    raise JobError("a file of a runtime is no module of torch")


def _prepare(
    subject: Subject,
    opener: Callable[[], BenchProcess[NetworkBench]],
    setup: Setup,
    wanted: Wanted,
    tell: Callable[[str], None],
) -> None:
    """Write the files that are needed, and try each way once, so that a minute is not spent on what cannot be."""
    refused: dict[str, str] = {}
    with opener() as bench:
        if subject.build is not None and setup.files:
            tell(f"{subject.name}: written for {', '.join(setup.files)}")
            refused |= bench.ask("write", setup.files)
    with opener() as bench:
        tries = [Load(min(wanted.batch_sizes), wanted.threads[0], mode) for mode in wanted.modes]
        refused |= bench.ask("refusals", [load for load in tries if load.mode not in refused])
    for mode, why in refused.items():
        raise JobError(f"{subject.name} cannot be run as {mode}: {why}", where="--runtime", fix=f"leave {mode} away")


def _tell_round(rounds: int, tell: Callable[[str], None], number: int) -> None:
    tell(f"round {number + 1} of {rounds}")


def _lines_of(load: Load, subjects: Sequence[Subject], timings: Sequence[Timings]) -> list[Line]:
    first = timings[0]
    lines = []
    for place, (one, own) in enumerate(zip(subjects, timings, strict=True)):
        lines.append(Line(one.name, load, own, _ratio(own, first) if place else None))
    return lines


def _ratio(own: Timings, first: Timings) -> SpeedRatio | None:
    """Return how many times as fast, over the rounds in which both had the memory; None with fewer than two."""
    own, base = common_rounds(own, first)
    if base is None or len(own.rounds) < 2:
        return None
    return ratio_of_rounds([math.log(two / one) for one, two in zip(own.medians(), base.medians(), strict=True)])
