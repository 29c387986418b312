"""Size, speed and memory of a network: takes a module, gives figures with units; nothing here trains.

MACs are multiply-adds: half of what FlopCounterMode calls FLOPs, attention included. Three memories are never mixed:
what CUDA handed out, what it kept reserved, and the resident set of the process. On a GPU a network is timed in two
ways, which are two figures: as the host waits for a call (`eager`), and as the card needs for it (`graph`, replay.py).
"""

from __future__ import annotations

import copy
import resource
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from engine.core.replay import NotCaptured, Replay, Spent
from engine.core.sensors import NoSensors, open_sensors
from engine.core.train.compile_cache import use_cache
from engine.core.train.forward import HALVES, autocast

# The first calls allocate, choose kernels and fill caches.
WARM_UP_SECONDS = 0.1
# Of replays while the card's counter of energy is looked at, which moves every few ten ms.
SPEND_SECONDS = 0.5
Mode = Literal["eager", "graph", "compiled", "onnxruntime"]
"""How a network is called: by the host as it is; as a CUDA graph; as torch.compile makes it, on a GPU as a graph; by a
runtime that has its file (runtimes/registry.py)."""


@dataclass(frozen=True)
class Load:
    """What a network is given at once, how many threads work on it, and how it is called."""

    batch_size: int
    threads: int
    mode: Mode = "eager"


@dataclass(frozen=True)
class Burst:
    """Seconds of forward passes that followed one another, and the peaks of CUDA memory since the warm-up.

    Each of `times` is the mean of `calls` passes. Peaks are of eager calls; those that end in `_settled` leave out what
    cuDNN took as workspace while it tried kernels out.
    """

    times: list[float]
    peaks: dict[str, int]
    calls: int = 1

    @property
    def seconds(self) -> float:
        return sum(self.times) * self.calls


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
    """A network on its device in eval mode, to be timed in inference mode on one batch of random images.

    `cache`: where what torch.compile makes is kept, so that a later process reads it; None: where torch keeps it.
    """

    def __init__(
        self, network: nn.Module, image_size: int, device: torch.device | str, precision: str, cache: Path | None = None
    ) -> None:
        self.place, self.precision, self.image_size = torch.device(device), precision, image_size
        self.cache = cache
        self.network = network.to(self.place).eval()
        self._replay: Replay | None = None
        self._tried: dict[str, int] = {}

    def warm_up(self, load: Load) -> None:
        """Begin with a load: its first calls are not timed, its peaks of memory begin after what was before it.

        Raises NotCaptured where it is to be replayed and cannot be captured.
        """
        self._drop()
        reset_peaks(self.place)
        if self._is_replayed(load):
            self._replay = self._capture(load)
            self._replay.run(WARM_UP_SECONDS)
            return
        self.time(load, WARM_UP_SECONDS)
        self._settle(load)

    def time(self, load: Load, seconds: float) -> Burst:
        """Time forward passes until `seconds` have gone by, at least one."""
        if self._is_replayed(load):
            self._replay = self._replay or self._capture(load)
            return Burst(self._replay.run(seconds), {}, self._replay.each)
        images, network = self._draw_images(load.batch_size), self._callable(load.mode)
        times: list[float] = []
        with _threads(load.threads), torch.inference_mode(), autocast(self.place, self.precision):
            while not times or sum(times) < seconds:
                times.append(_one_call(lambda: network(images), self.place))
        return Burst(times, self._peaks() if load.mode == "eager" else {})

    def spend(self, seconds: float = SPEND_SECONDS) -> Spent | str:
        """Return what the card says while it replays the load that was begun with; else why it says nothing."""
        if self._replay is None:
            return "only a graph that is replayed keeps a card busy"
        try:
            with open_sensors(f"GPU-{torch.cuda.get_device_properties(self.place).uuid}") as sensors:
                return self._replay.spend(seconds, sensors)
        except NoSensors as error:
            return str(error)

    def refusal(self, load: Load) -> str:
        """Try a load; return why the network cannot be called so, empty where it can."""
        try:
            self.warm_up(load)
        except (NotCaptured, NotImplementedError, ImportError, torch._dynamo.exc.TorchDynamoException) as error:
            return (str(error).splitlines() or [type(error).__name__])[0]
        finally:
            self._drop()
        return ""

    def _is_replayed(self, load: Load) -> bool:
        return self.place.type == "cuda" and load.mode != "eager"

    def _capture(self, load: Load) -> Replay:
        casts = autocast(self.place, self.precision) if self.precision in HALVES else None
        images = self._draw_images(load.batch_size)
        return Replay(self._callable(load.mode), images, casts if isinstance(casts, torch.autocast) else None)

    def _callable(self, mode: Mode) -> Callable[[Tensor], object]:
        return self._compiled if mode == "compiled" else self.network

    @cached_property
    def _compiled(self) -> Callable[[Tensor], object]:
        import torch._inductor.config  # here: seconds of import, for who asks for it

        if self.cache is not None:
            use_cache(self.cache)
        # Its helpers would be children of a process that may have none.
        torch._inductor.config.compile_threads = 1
        compiled: Callable[[Tensor], object] = torch.compile(self.network, dynamic=False)
        return compiled

    def _drop(self) -> None:
        """Leave nothing of the load before on the card."""
        if self._replay is not None:
            self._replay.close()
        self._replay, self._tried = None, {}
        free_cached(self.place)

    def _settle(self, load: Load) -> None:
        """Begin new peaks on a GPU once kernels are chosen; keep those until then, with what the trials took."""
        if self.place.type == "cuda":
            self._tried = _cuda_peaks(self.place)
            free_cached(self.place)
            reset_peaks(self.place)
            self.time(load, 0.0)

    def _peaks(self) -> dict[str, int]:
        now = _cuda_peaks(self.place)
        whole = {name: max(peak, self._tried.get(name, 0)) for name, peak in now.items()}
        return whole | {f"{name}_settled": peak for name, peak in now.items() if self._tried}

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


def free_cached(device: torch.device | str) -> None:
    """Give back what torch holds of a GPU's memory and nobody uses: a later peak would hold it too."""
    if torch.device(device).type == "cuda":
        torch.cuda.empty_cache()


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


def _cuda_peaks(device: torch.device) -> dict[str, int]:
    return {name: peak for name, peak in peak_memory(device).items() if name.startswith("cuda")}


def host_peak_rss() -> int:
    """Return the largest resident set of this process so far, in bytes."""
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    # In kilobytes on Linux, in bytes on macOS.
    return peak if sys.platform == "darwin" else peak * 1024
