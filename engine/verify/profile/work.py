"""What steps ask of a GPU: takes something that does them, gives launches, waits of the host and the card's idle share.

Launches and kernels are what CUPTI tells through torch's profiler, waits are torch's own warnings, with their lines.
Where CUPTI tells nothing of kernels, idle time is not measured and says so.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import torch

from engine.verify.profile.timings import CardWork

LAUNCHES = ("cudaLaunchKernel", "cuLaunchKernel", "cudaGraphLaunch", "cuGraphLaunch", "cudaLaunchCooperativeKernel")
SILENT = "CUPTI told of no kernel"
MOST_LINES = 8
ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Event:
    """One thing that CUPTI saw: a call of the host, or (`on_card`) a kernel or copy. Times in nanoseconds."""

    name: str
    on_card: bool
    start: int
    end: int


def watch_work(work: Callable[[], int]) -> CardWork:
    """Do `work`, which returns how many steps it did, and tell what they asked of the card, a step."""
    activities = [torch.profiler.ProfilerActivity.CPU, torch.profiler.ProfilerActivity.CUDA]
    torch.cuda.synchronize()
    with _hear_waits() as told, torch.profiler.profile(activities=activities, acc_events=True) as seen:
        steps = work()
    lines = [_line_of(one) for one in told if "synchroniz" in str(one.message)]
    return sum_work(_read_events(seen), lines, max(steps, 1))


def sum_work(events: Iterable[Event], waits: list[str], steps: int) -> CardWork:
    """Return the work of `steps` steps out of all that was seen; `waits` are the lines at which the host waited."""
    known = list(events)
    kernels = sorted((one.start, one.end) for one in known if one.on_card)
    launches = sum(one.name.startswith(LAUNCHES) for one in known if not one.on_card)
    lines = sorted(set(waits), key=waits.count, reverse=True)[:MOST_LINES]
    if not kernels:
        return CardWork(launches=None, waits=len(waits) / steps, lines=lines, busy=None, why=SILENT)
    busy = _covered(kernels) / 1e9 / steps
    return CardWork(launches=launches / steps, waits=len(waits) / steps, lines=lines, busy=busy)


def _covered(spans: list[tuple[int, int]]) -> int:
    """Return the length of the union of spans, which are sorted by where they begin."""
    covered, until = 0, spans[0][0]
    for start, end in spans:
        covered += max(0, end - max(start, until))
        until = max(until, end)
    return covered


def _read_events(seen: torch.profiler.profile) -> list[Event]:
    """Return what was seen, as Kineto has it."""
    results = getattr(getattr(seen, "profiler", None), "kineto_results", None)
    return [
        Event(one.name(), str(one.device_type()).endswith("CUDA"), one.start_ns(), one.end_ns())
        for one in (results.events() if results is not None else ())
    ]


@contextmanager
def _hear_waits() -> Iterator[list[warnings.WarningMessage]]:
    """Collect torch's warnings of operations that waited for the card."""
    torch.cuda.set_sync_debug_mode("warn")
    try:
        with warnings.catch_warnings(record=True) as told:
            warnings.simplefilter("always")
            yield told
    finally:
        torch.cuda.set_sync_debug_mode("default")


def _line_of(told: warnings.WarningMessage) -> str:
    file = Path(told.filename)
    place = file.relative_to(ROOT) if file.is_relative_to(ROOT) else file.name
    return f"{place}:{told.lineno}"
