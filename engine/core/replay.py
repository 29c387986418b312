"""Graph replay: takes a network and images on a GPU, gives the seconds that the card needs for a forward pass.

A call from Python costs the host some µs for each kernel, which a small batch does not hide: then it is the host that
is timed, and a network of more kernels looks slow that is not. Captured once as a CUDA graph, a pass is one order to
the card; several of them run between two events of the card's own clock.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from engine.core.sensors import Reading, Sensors, mean_reading

WARM_CALLS = 3  # before capturing: torch asks for some, in which kernels are chosen
SAMPLE_SECONDS = 0.002  # of replays between two events, which tell half a µs
POLL_SECONDS = 0.005  # between looks at the sensors
MEMORY_FIRST = ("out of memory", "ALLOC_FAILED")


class NotCaptured(Exception):
    """The network cannot be captured: it asks the host something between its kernels. The message is CUDA's first."""


@dataclass(frozen=True)
class Spent:
    """What a card spent on `calls` passes that followed one another: mean seconds, mean reading, joules of a pass.

    `joules` is None where the card counts none, or not often enough.
    """

    calls: int
    seconds: float
    reading: Reading
    joules: float | None


class Replay:
    """A forward pass as a CUDA graph, warmed up and ready; `close` gives its memory back."""

    def __init__(self, network: Callable[[Tensor], object], images: Tensor, casts: torch.autocast | None) -> None:
        self.place, self.images = images.device, images
        self.graph = torch.cuda.CUDAGraph()
        self._held = ExitStack()
        try:
            # As long as the graph: weights are cast once, and it reads what autocast keeps of them.
            if casts is not None:
                self._held.enter_context(casts)
            self.answers = self._capture(network)
            self.graph.replay()
            self.each = max(1, math.ceil(SAMPLE_SECONDS / max(self.times(1, 3)[-1], 1e-6)))
        except BaseException:
            self.close()
            raise

    def _capture(self, network: Callable[[Tensor], object]) -> object:
        side = torch.cuda.Stream(self.place)  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream(self.place))
        with torch.cuda.stream(side), torch.inference_mode():
            for _ in range(WARM_CALLS):
                network(self.images)
        torch.cuda.current_stream(self.place).wait_stream(side)
        torch.cuda.synchronize(self.place)
        try:
            with torch.inference_mode(), torch.cuda.graph(self.graph, stream=side):
                return network(self.images)
        except (RuntimeError, NotImplementedError) as error:
            first = _first_cause(error)
            if any(word in str(first) for word in MEMORY_FIRST):
                raise first from error
            raise NotCaptured(f"{type(first).__name__}: {(str(first).splitlines() or [''])[0]}") from error

    def times(self, each: int, samples: int) -> list[float]:
        """Return the mean seconds of a pass in each of `samples` runs of `each` passes."""
        marks = [torch.cuda.Event(enable_timing=True) for _ in range(samples + 1)]  # type: ignore[no-untyped-call]
        marks[0].record()
        for mark in marks[1:]:
            for _ in range(each):
                self.graph.replay()
            mark.record()
        torch.cuda.synchronize(self.place)
        return [one.elapsed_time(two) / 1e3 / each for one, two in pairwise(marks)]

    def run(self, seconds: float) -> list[float]:
        """Return the samples of about `seconds` of replays."""
        one = self.times(self.each, 1)[0] * self.each
        return self.times(self.each, max(1, math.ceil(seconds / max(one, 1e-6))))

    def spend(self, seconds: float, sensors: Sensors) -> Spent:
        """Keep the card busy for about `seconds`, and look at its sensors meanwhile.

        Power is the energy between the first and the last moment at which the counter moved while the card was busy,
        over the time between them; joules of a pass are that power times its seconds.
        """
        one = max(self.times(self.each, 1)[0], 1e-6)
        calls = max(1, math.ceil(seconds / one))
        begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
        begin.record()
        watch = _Watch(sensors)
        for number in range(calls):
            self.graph.replay()
            if number % self.each == 0:
                watch.look()
        end.record()
        while not end.query():  # type: ignore[no-untyped-call]
            time.sleep(POLL_SECONDS)
            watch.look()
        torch.cuda.synchronize(self.place)
        each = begin.elapsed_time(end) / 1e3 / calls
        watts = watch.watts()
        return Spent(calls, each, mean_reading(watch.readings), None if watts is None else watts * each)

    def close(self) -> None:
        self._held.close()
        self.graph.reset()


class _Watch:
    """The sensors while the card is at work: readings, and the moments at which the counter of energy moved."""

    def __init__(self, sensors: Sensors) -> None:
        self.sensors, self.readings = sensors, list[Reading]()
        self.moved: list[tuple[float, float]] = []
        self._looked, self._last = float("-inf"), sensors.joules()

    def look(self) -> None:
        now = time.perf_counter()
        if now - self._looked < POLL_SECONDS:
            return
        self._looked = now
        self.readings.append(self.sensors.read())
        joules = self.sensors.joules()
        if joules is not None and joules != self._last:
            self._last = joules
            self.moved.append((time.perf_counter(), joules))

    def watts(self) -> float | None:
        """Return the mean power between the first and the last move, None where there were less than two."""
        if len(self.moved) < 2:
            return None
        (began, before), (ended, after) = self.moved[0], self.moved[-1]
        return (after - before) / (ended - began)


def _first_cause(error: BaseException) -> BaseException:
    """What went wrong while capturing stands behind what ending the capture says of it."""
    while error.__context__ is not None:
        error = error.__context__
    return error
