"""Whole against pruned: takes a network's words and widths, gives the share of its latency that the widths save.

`python -P -m engine.run.latency_check` reads them as JSON from a job that prunes. Both networks are in new processes
in each round and take turns, so that what the machine does besides meets both alike; the share is of their ratio.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from torch import nn

from engine.core.host_memory import keep_freed
from engine.core.measure import Load
from engine.launch.death import die_with
from engine.run.bench_process import BenchProcess
from engine.run.inputs import bare_network
from engine.run.network_bench import NetworkBench, Setup
from engine.run.rounds import Figure, speed_up, time_rounds
from engine.spec import Student

ROUNDS, SECONDS = 6, 3.0  # of each network, over all rounds


def check_widths(question: Mapping[str, Any]) -> dict[str, Any]:
    """Return the share that is saved, with the 5th and 95th percentile of its rounds, and the seconds of each round."""
    student, size = Student.model_validate(question["network"]), question["image_size"]
    setup = Setup("cpu:0", question["threads"], size, question["precision"])
    build = partial(bare_network, student, question["outputs"], size)
    openers = [partial(_open_bench, setup, partial(build, widths)) for widths in (None, question["widths"])]
    load = Load(1, question["threads"])
    whole, left = time_rounds(openers, [load], ROUNDS, SECONDS, lambda number: None)[load]
    seconds = {"whole": whole.medians(), "left": left.medians()}
    return {**saved_share(seconds["whole"], seconds["left"]), "rounds": seconds}


def saved_share(whole: list[float], left: list[float]) -> dict[str, Any]:
    """Return the share of the seconds of `whole` that `left` does not take, from rounds side by side."""
    kept: Figure = speed_up(left, whole)  # a ratio of any two series; of seconds it is the share that stays
    return {"value": 1 - kept.value, "p5": 1 - kept.p95, "p95": 1 - kept.p5, "n": kept.n}


def _open_bench(setup: Setup, build: Callable[[], nn.Module]) -> BenchProcess[NetworkBench]:
    return BenchProcess(partial(NetworkBench, setup, build), lambda: None)


if __name__ == "__main__":
    asked = json.load(sys.stdin)
    die_with(asked["parent"])
    keep_freed()
    print(json.dumps(check_widths(asked)))
