"""Triton on the stub: a driver that compiles every kernel for the card, as on a card, and counts its launches.

Triton's own driver is a C extension around the real one. This one stands in its place at the launcher, which is
the last thing that Triton calls: kernels have been specialised, compiled and given their arguments by then.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import torch
from triton.backends.compiler import GPUTarget
from triton.backends.nvidia.driver import CudaDriver
from triton.runtime import driver

from tests.gpu_stub.device import count_launch

LAUNCHED: Counter[str] = Counter()
SHARED = 232448  # bytes that a block of an H100 may have


class Launcher:
    """A compiled kernel; called with a grid, a stream and arguments, it runs nothing."""

    def __init__(self, source: Any, metadata: Any) -> None:
        self.name: str = metadata.name

    def __call__(self, x: int, y: int, z: int, stream: int, *more: Any) -> None:
        assert x > 0
        assert 0 < y <= 65535
        assert 0 < z <= 65535
        assert stream == torch.cuda.current_stream().cuda_stream
        LAUNCHED[self.name] += 1
        count_launch()


class Utils:
    """What Triton asks of the driver's library."""

    def load_binary(self, name: str, code: bytes, shared: int, device: int) -> tuple[int, int, int, int, int]:
        return 1, 1, 32, 0, 1024

    def unload_module(self, module: int) -> None:
        pass

    def get_device_properties(self, device: int) -> dict[str, int]:
        return {"max_shared_mem": SHARED, "multiprocessor_count": 132, "warpSize": 32, "max_num_regs": 65536}


class CountingDriver(CudaDriver):  # type: ignore[misc]  # triton is not typed
    """The driver of a card that the stub plays; a CudaDriver, as Inductor puts its own in the place of any other."""

    launcher_cls = Launcher

    def __init__(self) -> None:
        self.utils = Utils()

    def get_current_device(self) -> int:
        return torch.cuda.current_device()

    def get_current_stream(self, device: int) -> int:
        return torch.cuda.current_stream(device).cuda_stream

    def get_current_target(self) -> GPUTarget:
        major, minor = torch.cuda.get_device_capability()
        return GPUTarget("cuda", 10 * major + minor, 32)

    def get_device_interface(self) -> Any:
        return torch.cuda


def install_driver() -> None:
    """Let Triton launch its kernels here; nothing that they would write is there afterwards."""
    driver.set_active(CountingDriver())
