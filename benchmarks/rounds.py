"""Whether the interval of a speed-up holds what it says: a network against itself, and against a slower twin.

    python benchmarks/rounds.py [--quick] [--json] [--repeats 20] [--rounds 6] [--seconds 0.6]

Each repetition measures as a measure job does: rounds of new processes, in which both networks take turns. Against
itself the 95 % interval of the ratio should hold 1; a twin that sleeps for a tenth of the time of a call should lie
below 1 with all of its interval. `ours` is how many of the repetitions did so, `peer` how many are asked for (18 of
20), `ratio` ours over asked. As a peer in figures: how far the ratios of the same repetitions lie from 1 where each
network is measured as a whole, one after the other, as was done before.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
import torch
from scipy import stats
from torch import Tensor, nn

from benchmarks import Row
from engine.core.measure import Burst, Load, Stopwatch
from engine.core.network.build import build_network
from engine.run.bench_process import BenchProcess
from engine.run.rounds import Timings, time_rounds
from engine.spec import Student

SIZE, CLASSES = 56, 10
ASKED = 18 / 20
SLOWER = 0.1
NETWORK: dict[str, Any] = {"arch": "tiny_vit", "dims": [32, 64, 80, 160], "depths": [2, 2, 2, 2], "heads": [1, 2, 4, 5]}
LOADS = (Load(1, 1), Load(8, 1))


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
    """The network of this benchmark, `slower` by a share."""

    def __init__(self, slower: float) -> None:
        torch.set_num_threads(1)
        torch.manual_seed(0)
        network = build_network(Student.model_validate(NETWORK), CLASSES, SIZE)
        self.watch = Stopwatch(Sleepy(network, slower) if slower else network, SIZE, "cpu", "fp32")

    def warm_up(self, load: Load) -> None:
        self.watch.warm_up(load)

    def time(self, load: Load, seconds: float) -> Burst:
        return self.watch.time(load, seconds)


def open_bench(slower: float) -> BenchProcess[Bench]:
    return BenchProcess(partial(Bench, slower), lambda: None)


@dataclass(frozen=True)
class Plan:
    """How a repetition measures."""

    rounds: int
    seconds: float

    def repeat(self, slower: float) -> dict[Load, list[Timings]]:
        """Measure the twin and the network side by side."""
        openers = [partial(open_bench, share) for share in (slower, 0.0)]
        return time_rounds(openers, LOADS, self.rounds, self.seconds, lambda _: None)

    def one_by_one(self) -> dict[Load, float]:
        """Measure the network as a whole twice, one process after the other; return the log ratios."""
        whole = [time_rounds([partial(open_bench, 0.0)], LOADS, 1, self.seconds, lambda _: None) for _ in range(2)]
        medians = [{load: timings[0].medians()[0] for load, timings in found.items()} for found in whole]
        return {load: float(np.log(medians[1][load] / medians[0][load])) for load in LOADS}


def log_ratios(own: Timings, base: Timings) -> list[float]:
    return [float(np.log(two / one)) for one, two in zip(own.medians(), base.medians(), strict=True)]


def interval(logs: Sequence[float]) -> tuple[float, float]:
    """Return the 95 % t interval of the mean."""
    low, high = stats.ttest_1samp(logs, 0.0).confidence_interval(0.95)
    return float(low), float(high)


def all_rows(plan: Plan, repeats: int) -> list[Row]:
    same: dict[Load, list[list[float]]] = {load: [] for load in LOADS}
    slow: dict[Load, list[list[float]]] = {load: [] for load in LOADS}
    before: dict[Load, list[float]] = {load: [] for load in LOADS}
    for number in range(repeats):
        for kept, slower in ((same, 0.0), (slow, SLOWER)):
            for load, (own, base) in plan.repeat(slower).items():
                kept[load].append(log_ratios(own, base))
        for load, away in plan.one_by_one().items():
            before[load].append(away)
        print(f"{number + 1} of {repeats}, load {os.getloadavg()[0]:.1f}", file=sys.stderr, flush=True)
    return [row for load in LOADS for row in load_rows(load, same[load], slow[load], before[load])]


def load_rows(load: Load, same: list[list[float]], slow: list[list[float]], before: list[float]) -> list[Row]:
    case, asked, n = f"batch {load.batch_size}", ASKED * len(same), len(same)
    held = sum(low <= 0.0 <= high for low, high in map(interval, same))
    found = sum(interval(logs)[1] < 0.0 for logs in slow)
    beside, apart = (statistics.fmean(map(abs, logs)) for logs in (map(statistics.fmean, same), before))
    told = float(np.exp(statistics.fmean(map(statistics.fmean, slow))))
    return [
        Row(case, "against itself: the interval holds 1", held, asked, held / asked, f"of {n}", n),
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
    options = parser.parse_args(arguments)
    rows = all_rows(Plan(options.rounds, options.seconds), 5 if options.quick else options.repeats)
    if options.json:
        print(json.dumps([asdict(row) for row in rows]))
    else:
        print("\n".join(f"{row.case}: {row.figure}: {row.ours:.3g} {row.unit}, peer {row.peer:.3g}" for row in rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
