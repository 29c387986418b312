"""Size, speed and memory of a network: takes a module, gives figures with units; nothing here trains.

MACs are multiply-adds: half of what FlopCounterMode calls FLOPs, attention included. Three memories are never mixed:
what CUDA handed out, what it kept reserved, and the resident set of the process.
"""

from __future__ import annotations

import copy
import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from engine.core.train.forward import autocast

# The first calls allocate, choose kernels and fill caches.
WARM_UP_SECONDS = 0.1


@dataclass(frozen=True)
class Load:
    """What a network is given at once, and how many threads work on it."""

    batch_size: int
    threads: int


@dataclass(frozen=True)
class Burst:
    """Seconds of forward passes that followed one another, and the peaks of CUDA memory since the warm-up."""

    times: list[float]
    peaks: dict[str, int]


def count_params(network: nn.Module) -> int:
    """Return the number of parameters, a shared one counted once."""
    return sum(parameter.numel() for parameter in network.parameters())


def count_macs(network: nn.Module, image_size: int) -> int:
    """Return the multiply-adds that are computed for one image of the given size, what a mask hides included."""
    return count_macs_by_module(network, image_size)[""]


def count_macs_by_module(network: nn.Module, image_size: int) -> dict[str, int]:
    """Return multiply-adds for one image by module name; "" is the whole. Counts shapes on a copy without data."""
    twin = copy.deepcopy(network).to("meta").eval()
    counter = FlopCounterMode(display=False)
    kind = next(network.parameters()).dtype
    with torch.no_grad(), counter:
        twin(torch.zeros(1, 3, image_size, image_size, device="meta", dtype=kind))
    root = type(twin).__name__
    counts = {name: sum(flops.values()) // 2 for name, flops in counter.get_flop_counts().items()}
    inner = {name.removeprefix(f"{root}."): value for name, value in counts.items() if name.startswith(f"{root}.")}
    return inner | {"": counter.get_total_flops() // 2}


class Stopwatch:
    """A network on its device in eval mode, to be timed in inference mode on one batch of random images."""

    def __init__(self, network: nn.Module, image_size: int, device: torch.device | str, precision: str) -> None:
        self.place, self.precision, self.image_size = torch.device(device), precision, image_size
        self.network = network.to(self.place).eval()

    def warm_up(self, load: Load) -> None:
        """Begin with a load: its first calls are not timed, its peaks of memory begin after what was before it."""
        reset_peaks(self.place)
        self.time(load, WARM_UP_SECONDS)

    def time(self, load: Load, seconds: float) -> Burst:
        """Time forward passes until `seconds` have gone by, at least one."""
        images = self._draw_images(load.batch_size)
        times: list[float] = []
        with _threads(load.threads), torch.inference_mode(), autocast(self.place, self.precision):
            while not times or sum(times) < seconds:
                times.append(_one_call(lambda: self.network(images), self.place))
        peaks = {name: peak for name, peak in peak_memory(self.place).items() if name.startswith("cuda")}
        return Burst(times, peaks)

    def _draw_images(self, number: int) -> Tensor:
        draw = torch.Generator().manual_seed(0)
        return torch.randn(number, 3, self.image_size, self.image_size, generator=draw).to(self.place)


def _one_call(work: Callable[[], object], place: torch.device) -> float:
    """Seconds of one call; on CUDA between two synchronisations."""
    if place.type == "cuda":
        torch.cuda.synchronize(place)
    start = time.perf_counter()
    work()
    if place.type == "cuda":
        torch.cuda.synchronize(place)
    return time.perf_counter() - start


@contextmanager
def _threads(number: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def reset_peaks(device: torch.device | str) -> None:
    """Begin a new peak of CUDA memory; the resident peak of a process cannot be reset."""
    if torch.device(device).type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)


def peak_memory(device: torch.device | str = "cpu") -> dict[str, int]:
    """Return peaks in bytes by their names in the store; the CUDA ones only for a CUDA device."""
    peaks = {"host_peak_rss": host_peak_rss()}
    if torch.device(device).type == "cuda":
        peaks["cuda_peak_allocated"] = torch.cuda.max_memory_allocated(device)
        peaks["cuda_peak_reserved"] = torch.cuda.max_memory_reserved(device)
    return peaks


def host_peak_rss() -> int:
    """Return the largest resident set of this process so far, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # In kilobytes on Linux, in bytes on macOS.
    return peak if sys.platform == "darwin" else peak * 1024
