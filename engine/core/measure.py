"""Size, speed and memory of a network: takes a module, gives figures with units; nothing here trains.

MACs are multiply-adds: half of what FlopCounterMode calls FLOPs, attention included. Three memories are never mixed:
what CUDA handed out, what it kept reserved, and the resident set of the process.
"""

from __future__ import annotations

import copy
import resource
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

# The first calls allocate, choose kernels and fill caches.
WARM_UP_SECONDS = 0.3
# However slow the network is: fewer rounds give no percentiles.
LEAST_ROUNDS = 5


@dataclass(frozen=True)
class Figure:
    """A measured value: the median of `n` rounds with the 5th and 95th percentile."""

    value: float
    p5: float
    p95: float
    n: int


@dataclass(frozen=True)
class Speed:
    """Inference of the network alone: rate in images/s and latency of a batch in ms, from the same rounds."""

    rate: Figure
    latency: Figure


def count_params(network: nn.Module) -> int:
    """Return the number of parameters, a shared one counted once."""
    return sum(parameter.numel() for parameter in network.parameters())


def count_macs(network: nn.Module, image_size: int) -> int:
    """Return the multiply-adds for one image of the given size."""
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


def measure_speed(
    network: nn.Module,
    image_size: int,
    batch_size: int,
    *,
    threads: int = 1,
    seconds: float = 1.0,
    device: torch.device | str = "cpu",
    precision: str = "fp32",
) -> Speed:
    """Time forward passes on a fixed random batch for at least `seconds`, after a warm-up, in inference mode.

    The network is moved to `device` and put in eval mode; its mode comes back afterwards, its place does not.
    """
    place = torch.device(device)
    was_training = network.training
    network.to(place).eval()
    images = torch.randn(batch_size, 3, image_size, image_size, generator=torch.Generator().manual_seed(0)).to(place)
    with _threads(threads), torch.inference_mode(), autocast(place, precision):
        _repeat(network, images, place, WARM_UP_SECONDS, 2)
        times = _repeat(network, images, place, seconds, LEAST_ROUNDS)
    network.train(was_training)
    return Speed(_figure([batch_size / value for value in times]), _figure([value * 1e3 for value in times]))


def _repeat(network: nn.Module, images: Tensor, place: torch.device, seconds: float, least: int) -> list[float]:
    times: list[float] = []
    while len(times) < least or sum(times) < seconds:
        times.append(_one_round(lambda: network(images), place))
    return times


def _one_round(work: Callable[[], object], place: torch.device) -> float:
    """Seconds of one call; on CUDA between two synchronisations."""
    if place.type == "cuda":
        torch.cuda.synchronize(place)
    start = time.perf_counter()
    work()
    if place.type == "cuda":
        torch.cuda.synchronize(place)
    return time.perf_counter() - start


def _figure(values: list[float]) -> Figure:
    if len(values) == 1:
        return Figure(values[0], values[0], values[0], 1)
    cuts = statistics.quantiles(values, n=20, method="inclusive")
    return Figure(statistics.median(values), cuts[0], cuts[-1], len(values))


@contextmanager
def _threads(number: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def autocast(place: torch.device, precision: str) -> torch.autocast | nullcontext[None]:
    """Return the context in which `bf16` work runs; fp32 runs as it is."""
    return torch.autocast(place.type, torch.bfloat16) if precision == "bf16" else nullcontext()


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
