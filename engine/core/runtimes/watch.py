"""A file's calls timed, in turn with others: takes files by runtime, gives bursts as a stopwatch of torch does."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from engine.core.measure import WARM_UP_SECONDS, Burst, Load
from engine.core.runtimes.onnx_session import Batch
from engine.core.runtimes.registry import Opened, open_file


class FileWatch:
    """Networks in files, on random images in fp32; the load's mode says by which runtime."""

    def __init__(self, files: Mapping[str, Path], image_size: int) -> None:
        self.files, self.image_size = files, image_size
        self._opened: dict[tuple[str, int], Opened] = {}

    def warm_up(self, load: Load) -> None:
        """Begin with a load: what is opened and allocated at first is not timed."""
        self.time(load, WARM_UP_SECONDS)

    def time(self, load: Load, seconds: float) -> Burst:
        """Time calls until `seconds` have gone by, at least one. Raises DataError for a file that cannot be opened."""
        network, images = self._open(load), self._draw_images(load.batch_size)
        times: list[float] = []
        while not times or sum(times) < seconds:
            start = time.perf_counter()
            network(images)
            times.append(time.perf_counter() - start)
        return Burst(times, {})

    def _open(self, load: Load) -> Opened:
        key = load.mode, load.threads
        if key not in self._opened:
            self._opened[key] = open_file(load.mode, self.files[load.mode], load.threads)
        return self._opened[key]

    def _draw_images(self, number: int) -> Batch:
        draw = np.random.default_rng(0)
        return draw.standard_normal((number, 3, self.image_size, self.image_size), dtype=np.float32)
