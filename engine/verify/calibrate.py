"""How fast this machine is: takes networks and ways of feeding as JSON, tries each a moment, gives seconds an image.

`python -P -m engine.verify.calibrate` reads a question from a plan (plan/cost/calibration.py), which loads no torch.
The networks take turns, and the lower quartile of a network's turns counts, in seconds of the processor where its work
is there: what the machine does besides is no property of it. A network that would take too long is only counted: its
speed is then scaled from the others'.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from engine.core.data.loader import EvalLoader, TrainLoader
from engine.core.data.pack import Pack, decode_jpeg, encode_jpeg, shrink
from engine.core.describe import saved_bytes
from engine.core.host_memory import keep_freed
from engine.core.measure import count_macs, count_params
from engine.core.network.build import build_network
from engine.core.train.optim import build_optimizer
from engine.errors import XpError
from engine.plan.cost.speeds import Feed, FeedSpeed, Probe, Speed
from engine.run.device import is_memory_error, prepare_device
from engine.run.inputs import make_forward
from engine.spec import Augment, Data, Train
from engine.spec.base import Precision

BURST = 0.25
"""Seconds that one call may take, about: batches are cut to it."""
LONGEST = {"cpu": 40e9, "gpu": 2e12}
"""Multiply-adds an image beyond which a network is counted and not tried."""
LEAST_TURNS, MOST_TURNS = 3, 20
UNSHARED = 1.15
"""How much longer two threads take than half the work of one: what they cannot share; 1.1 to 1.2 was measured."""
FED = 32  # images a turn of feeding
PHOTO = (375, 500)  # of ImageNet, as most are


class Trial:
    """One network on its device: what a forward pass, a step and a single image take."""

    def __init__(self, probe: Probe, slot: str) -> None:
        self.probe, self.times = probe, dict[str, list[float]]()
        precision: Precision = probe.precision  # type: ignore[assignment]  # a word of the spec, through JSON
        self.device = prepare_device(slot if probe.device == "gpu" else "cpu:0", probe.threads, False, precision)
        self.network = _build(probe).to(self.device)
        self.forward = make_forward(self.network, self.device, probe.precision)
        self.optimizer = build_optimizer(self.network, Train()) if probe.trains else None
        self.batch = 2
        self._fit_batch()

    def _fit_batch(self) -> None:
        """Take as many images of the batch as a burst has time for."""
        passes = 4 if self.optimizer else 1
        self._forward_pass(2)
        seconds = self._clock(lambda: self._forward_pass(2)) / 2 * passes
        self.batch = max(2, min(self.probe.batch, int(BURST / seconds)))

    def turn(self) -> None:
        """Try each way once, the first time untimed too: kernels are chosen and memory is asked for then."""
        ways: dict[str, tuple[Callable[[], None], int]] = {
            "forward": (lambda: self._forward_pass(self.batch), self.batch),
            "single": (lambda: self._forward_pass(1), 1),
        }
        if self.optimizer is not None:
            ways["step"] = (self._step, self.batch)
        torch.set_num_threads(self.probe.threads)
        for way, (work, images) in ways.items():
            if way not in self.times:
                work()
            self.times.setdefault(way, []).append(self._clock(work) / images)

    def typical(self, way: str) -> float | None:
        return _lower_quartile(self.times[way]) if way in self.times else None

    def _forward_pass(self, images: int) -> None:
        self.network.eval()
        with torch.inference_mode():
            self.forward(self.network, self._images(images))

    def _step(self) -> None:
        assert self.optimizer is not None
        self.network.train()
        self.optimizer.zero_grad(set_to_none=True)
        labels = torch.zeros(self.batch, dtype=torch.int64, device=self.device)
        loss = functional.cross_entropy(self.forward(self.network, self._images(self.batch)), labels)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.network.parameters(), 5.0)
        self.optimizer.step()

    def _images(self, number: int) -> torch.Tensor:
        size = self.probe.image_size
        return torch.full((number, 3, size, size), 127, dtype=torch.uint8)

    def _clock(self, work: Callable[[], None]) -> float:
        if self.device.type != "cuda":
            return _clock_alone(work, self.probe.threads)
        start = time.perf_counter()
        work()
        torch.cuda.synchronize(self.device)
        return time.perf_counter() - start


def _build(probe: Probe) -> nn.Module:
    memory = "lean" if probe.lean else "standard"
    return build_network(probe.student, probe.classes, probe.image_size, memory=memory)  # type: ignore[arg-type]


def try_networks(probes: Sequence[Probe], slot: str, seconds: float) -> list[Speed | None]:
    """Return what each network came to; None for one that cannot be built here. Turns go on for `seconds` in all."""
    shapes = [_count(probe) for probe in probes]
    trials: dict[int, Trial] = {}
    for place, (probe, shape) in enumerate(zip(probes, shapes, strict=True)):
        if shape is not None and shape.macs <= LONGEST[probe.device] and (trial := _open(probe, slot)):
            trials[place] = trial
    deadline, turns = time.perf_counter() + seconds, 0
    while trials and turns < MOST_TURNS and (turns < LEAST_TURNS or time.perf_counter() < deadline):
        for trial in trials.values():
            trial.turn()
        turns += 1
    return [shape and _with_times(shape, trials.get(place)) for place, shape in enumerate(shapes)]


def _open(probe: Probe, slot: str) -> Trial | None:
    try:
        return Trial(probe, slot)
    except Exception as error:
        if is_memory_error(error) or isinstance(error, XpError):
            return None
        raise


def _count(probe: Probe) -> Speed | None:
    """Return what shapes alone tell; nothing is computed, so that any size can be asked about."""
    try:
        with torch.device("meta"):
            network = _build(probe)
        return Speed(
            macs=count_macs(network, probe.image_size),
            params=count_params(network),
            saved=sum(saved_bytes(network, probe.image_size).values()) if probe.trains else 0,
        )
    except (XpError, RuntimeError, NotImplementedError, TypeError):  # a timm network that cannot be without data
        return None


def _with_times(shape: Speed, trial: Trial | None) -> Speed:
    if trial is None:
        return shape
    return shape.model_copy(update={way: trial.typical(way) for way in ("forward", "step", "single")})


def try_feed(feed: Feed, slot: str) -> FeedSpeed:
    """Return what loading an image takes one thread, of a pack of drawn ones."""
    device = prepare_device(slot if feed.device == "gpu" else "cpu:0", 1, False)
    pack, rows = _draw_pack(feed), np.arange(FED)
    data = Data(
        source="digits", image_size=feed.image_size, short_side=feed.short_side, format=feed.format, cache=feed.cache,
        augment=Augment.model_validate_json(feed.augment), crop_share=feed.crop_share, interpolation=feed.interpolation,
    )  # fmt: skip
    train = TrainLoader(pack, rows, data, feed.image_size, FED, 0, None, device)

    def evaluate() -> None:
        list(EvalLoader(pack, rows, data, feed.image_size, FED, device))

    seconds = [_time_of(work) / FED for work in (_epochs_of(train), evaluate)]
    return FeedSpeed(train=seconds[0], evaluate=seconds[1], pack=_time_of(_packing(feed)))


def _epochs_of(loader: TrainLoader) -> Callable[[], object]:
    """Return what does a new epoch at each call, so that no view is seen again."""
    numbers = iter(range(1000))
    return lambda: list(loader.epoch(next(numbers)))


def _time_of(work: Callable[[], object]) -> float:
    times = []
    for _ in range(5):
        times.append(_clock_alone(work, 1))
    return _lower_quartile(times[1:])


def _clock_alone(work: Callable[[], object], threads: int) -> float:
    """Return the seconds that work of so many threads takes where nobody else has the cores."""
    began, used = time.perf_counter(), time.process_time()
    work()
    used, took = time.process_time() - used, time.perf_counter() - began
    return min(took, used / threads * (UNSHARED if threads > 1 else 1.0))


def _lower_quartile(times: Sequence[float]) -> float:
    return statistics.quantiles(times, n=4, method="inclusive")[0] if len(times) > 1 else times[0]


def _draw_pack(feed: Feed) -> Pack:
    """Return a pack in memory of smooth pictures, which a JPEG of them is about as long as a photograph's."""
    height, width = feed.short_side, feed.short_side if not feed.is_photo else round(feed.short_side * 4 / 3)
    image = _picture(height, width)
    raw = np.frombuffer(encode_jpeg(image), dtype=np.uint8) if feed.format == "jpeg" else image.reshape(-1)
    return Pack(
        labels=np.zeros(FED, dtype=np.int64), keys=[f"{row:064x}" for row in range(FED)], class_names=("a",),
        groups=np.arange(FED), parts=[""] * FED, origins=[""] * FED,
        digest="", format=feed.format, skipped=(), _data=np.tile(raw, FED),
        _offsets=np.arange(FED + 1) * len(raw), _shapes=np.tile(np.array([[height, width]]), (FED, 1)),
    )  # fmt: skip


def _picture(height: int, width: int) -> np.ndarray[Any, np.dtype[np.uint8]]:
    coarse = torch.rand(1, 3, max(2, height // 8), max(2, width // 8), generator=torch.Generator().manual_seed(0))
    smooth = functional.interpolate(coarse, size=(height, width), mode="bilinear")[0]
    return np.ascontiguousarray((smooth * 255).to(torch.uint8).permute(1, 2, 0).numpy())


def _packing(feed: Feed) -> Callable[[], None]:
    """Return what packs one image: digits are pixels already."""
    photo = encode_jpeg(_picture(*PHOTO))

    def pack() -> None:
        pixels = shrink(decode_jpeg(photo), feed.short_side)
        if feed.format == "jpeg":
            encode_jpeg(pixels)

    return pack if feed.is_photo else lambda: None


def answer(question: Mapping[str, Any]) -> dict[str, Any]:
    """Return the speeds of a question that was JSON, in its order."""
    feeds = [try_feed(Feed(**words), question["slot"]) for words in question["feeds"]]
    speeds = try_networks([Probe(**words) for words in question["probes"]], question["slot"], question["seconds"])
    return {
        "probes": [speed and speed.model_dump() for speed in speeds],
        "feeds": [feed.model_dump() for feed in feeds],
    }


if __name__ == "__main__":
    keep_freed()  # as the jobs do
    print(json.dumps(answer(json.load(sys.stdin))))
