"""Whether the interval of a speed-up holds what it says: a network against itself, and against a slower twin.

    python benchmarks/rounds.py [--quick] [--json] [--repeats 20] [--rounds 6] [--seconds 0.6] [--same]

Each repetition measures as a measure job does: rounds of new processes, in which both networks take turns. Against
itself the 95 % interval of the ratio should hold 1; a twin that sleeps for a tenth of the time of a call should lie
below 1 with all of its interval. Against itself it is timed in ONNX Runtime too, where that is installed; `--same` does
nothing else. `ours` is how many of the repetitions did so, `peer` how many are asked for (18 of
20), `ratio` ours over asked. As a peer in figures: how far the ratios of the same repetitions lie from 1 where each
network is measured as a whole, one after the other, as was done before.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy import stats
from torch import Tensor, nn

from benchmarks import Row
from engine.core.measure import Burst, Load, Stopwatch
from engine.core.network.build import build_network
from engine.core.runtimes.registry import RUNTIMES, write_file
from engine.core.runtimes.watch import FileWatch
from engine.run.bench_process import BenchProcess
from engine.run.rounds import Timings, time_rounds
from engine.spec import Student
from engine.spec.forms import FORMS

SIZE, CLASSES = 56, 10
ASKED = 18 / 20
SLOWER = 0.1
NETWORK: dict[str, Any] = {"arch": "tiny_vit", "dims": [32, 64, 80, 160], "depths": [2, 2, 2, 2], "heads": [1, 2, 4, 5]}
LOADS = (Load(1, 1), Load(8, 1))
FILED = tuple(Load(size, 1, "onnxruntime") for size in (1, 8))


class Sleepy(nn.Module):
    """A network that sleeps after each call, for a share of the time that the call took."""

    def __init__(self, network: nn.Module, share: float) -> None:
        super().__init__()
        self.network, self.share = network, share

    def forward(self, images: Tensor) -> Tensor:
        start = time.perf_counter()
        answer: Tensor = self.network(images)
        time.sleep(self.share * (time.perf_counter() - start))
        return answer


class Bench:
    """The network of this benchmark, `slower` by a share; `file` is where it is for a runtime."""

    def __init__(self, slower: float, file: Path) -> None:
        torch.set_num_threads(1)
        torch.manual_seed(0)
        self.network, self.file = build_network(Student.model_validate(NETWORK), CLASSES, SIZE), file
        self.watch = Stopwatch(Sleepy(self.network, slower) if slower else self.network, SIZE, "cpu", "fp32")
        self.filed = FileWatch({"onnxruntime": file}, SIZE)

    def write(self) -> None:
        write_file("onnxruntime", self.network, SIZE, self.file)

    def warm_up(self, load: Load) -> None:
        (self.filed if load.mode in RUNTIMES else self.watch).warm_up(load)

    def time(self, load: Load, seconds: float) -> Burst:
        return (self.filed if load.mode in RUNTIMES else self.watch).time(load, seconds)


def open_bench(slower: float, file: Path) -> BenchProcess[Bench]:
    return BenchProcess(partial(Bench, slower, file), lambda: None)


@dataclass(frozen=True)
class Plan:
    """How a repetition measures."""

    rounds: int
    seconds: float
    file: Path

    @property
    def same_loads(self) -> tuple[Load, ...]:
        """Return the loads under which the network meets itself."""
        return LOADS if FORMS["onnx"].missing else (*LOADS, *FILED)

    def prepare(self) -> None:
        """Write the network's file, in a process of its own."""
        if self.same_loads != LOADS:
            with open_bench(0.0, self.file) as bench:
                bench.ask("write")

    def repeat(self, slower: float) -> dict[Load, list[Timings]]:
        """Measure the twin and the network side by side."""
        openers = [partial(open_bench, share, self.file) for share in (slower, 0.0)]
        loads = LOADS if slower else self.same_loads
        return time_rounds(openers, loads, self.rounds, self.seconds, lambda _: None)

    def one_by_one(self) -> dict[Load, float]:
        """Measure the network as a whole twice, one process after the other; return the log ratios."""
        opener = partial(open_bench, 0.0, self.file)
        whole = [time_rounds([opener], LOADS, 1, self.seconds, lambda _: None) for _ in range(2)]
        medians = [{load: timings[0].medians()[0] for load, timings in found.items()} for found in whole]
        return {load: float(np.log(medians[1][load] / medians[0][load])) for load in LOADS}


def log_ratios(own: Timings, base: Timings) -> list[float]:
    return [float(np.log(two / one)) for one, two in zip(own.medians(), base.medians(), strict=True)]


def interval(logs: Sequence[float]) -> tuple[float, float]:
    """Return the 95 % t interval of the mean."""
    low, high = stats.ttest_1samp(logs, 0.0).confidence_interval(0.95)
    return float(low), float(high)


def all_rows(plan: Plan, repeats: int, *, same_alone: bool) -> list[Row]:
    plan.prepare()
    same: dict[Load, list[list[float]]] = {load: [] for load in plan.same_loads}
    slow: dict[Load, list[list[float]]] = {load: [] for load in LOADS}
    before: dict[Load, list[float]] = {load: [] for load in LOADS}
    for number in range(repeats):
        for kept, slower in ((same, 0.0),) if same_alone else ((same, 0.0), (slow, SLOWER)):
            for load, (own, base) in plan.repeat(slower).items():
                kept[load].append(log_ratios(own, base))
        for load, away in {} if same_alone else plan.one_by_one().items():
            before[load].append(away)
        told = ", ".join(f"{held_by(found)}" for found in same.values())
        print(f"{number + 1} of {repeats}, load {os.getloadavg()[0]:.1f}, held {told}", file=sys.stderr, flush=True)
    rows = [same_row(load, found) for load, found in same.items()]
    return rows + [row for load in LOADS if slow[load] for row in slow_rows(load, same[load], slow[load], before[load])]


def held_by(found: list[list[float]]) -> int:
    """Return in how many repetitions the interval holds 1."""
    return sum(low <= 0.0 <= high for low, high in map(interval, found))


def case_of(load: Load) -> str:
    return f"batch {load.batch_size}" + (f", {load.mode}" if load.mode != "eager" else "")


def same_row(load: Load, same: list[list[float]]) -> Row:
    asked, held = ASKED * len(same), held_by(same)
    figure = "against itself: the interval holds 1"
    return Row(case_of(load), figure, held, asked, held / asked, f"of {len(same)}", len(same))


def slow_rows(load: Load, same: list[list[float]], slow: list[list[float]], before: list[float]) -> list[Row]:
    case, asked, n = case_of(load), ASKED * len(same), len(same)
    found = sum(interval(logs)[1] < 0.0 for logs in slow)
    beside, apart = (statistics.fmean(map(abs, logs)) for logs in (map(statistics.fmean, same), before))
    told = float(np.exp(statistics.fmean(map(statistics.fmean, slow))))
    return [
        Row(case, "10 % slower: found", found, asked, found / asked, f"of {n}", n),
        Row(case, "against itself: mean distance from 1", 100 * beside, 100 * apart, apart / beside, "%", n),
        Row(case, "10 % slower: mean ratio", told, 1 / (1 + SLOWER), told * (1 + SLOWER), "times as fast", n),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="5 repetitions: under two minutes on 2 cores")
    parser.add_argument("--json", action="store_true", help="print one JSON list instead of lines")
    parser.add_argument("--repeats", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=0.6)
    parser.add_argument("--same", action="store_true", help="only the network against itself")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="xp-rounds-") as folder:
        plan = Plan(options.rounds, options.seconds, Path(folder) / "network.onnx")
        rows = all_rows(plan, 5 if options.quick else options.repeats, same_alone=options.same)
    if options.json:
        print(json.dumps([asdict(row) for row in rows]))
    else:
        print("\n".join(f"{row.case}: {row.figure}: {row.ours:.3g} {row.unit}, peer {row.peer:.3g}" for row in rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
