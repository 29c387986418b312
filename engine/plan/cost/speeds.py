"""How fast a machine is: takes a network or a way of feeding images, gives seconds an image, as they were measured.

A Probe and a Feed are questions, which a child process answers by trying (verify/calibrate.py); Speed and FeedSpeed are
the answers. Whoever asks about another network or size gets the nearest answer, scaled.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

from engine.plan.cost.macs import count_macs
from engine.spec import Student
from engine.spec.base import Interpolation, Model
from engine.spec.job_settings import DeviceKind

Way = Literal["forward", "step", "single"]
"""A forward pass of a batch, a whole training step, a forward pass of one image alone."""


@dataclass(frozen=True)
class Probe:
    """A network at work; `network` is its settings as JSON. `trains`: a training step is tried too."""

    network: str
    classes: int
    image_size: int
    precision: str
    batch: int
    threads: int
    lean: bool
    device: DeviceKind
    trains: bool

    @property
    def macs(self) -> float:
        """Multiply-adds for one image, by formula."""
        return _formula_macs(self.network, self.image_size)

    @property
    def student(self) -> Student:
        return Student.model_validate_json(self.network)


@dataclass(frozen=True)
class Feed:
    """Images on their way to a network; `augment` is its settings as JSON, `is_photo` says that they are decoded."""

    short_side: int
    format: Literal["raw", "jpeg"]
    cache: Literal["auto", "jpeg", "raw", "device"]
    augment: str
    image_size: int
    interpolation: Interpolation
    crop_share: float
    device: DeviceKind
    is_photo: bool


class Speed(Model):
    """Seconds an image; None where it was not tried. `saved` bytes an image are kept for the backward pass, in fp32."""

    macs: float
    params: float
    saved: float
    forward: float | None = None
    step: float | None = None
    single: float | None = None


class FeedSpeed(Model):
    """Seconds an image: a training view, a centre crop, an image packed; one thread works on it."""

    train: float
    evaluate: float
    pack: float


DEFAULT_RATES: Mapping[DeviceKind, float] = {"cpu": 15e9, "gpu": 4e12}
"""Multiply-adds a second of a forward pass where nothing was ever measured: the right size, no more."""
DEFAULT_FEED = FeedSpeed(train=1.5e-3, evaluate=1.0e-3, pack=8e-3)
STEP_FORWARDS = 3.0  # a step is a forward pass and a backward pass of twice the work


class Speeds:
    """All that is known of this machine: what `Probe`s and `Feed`s came to."""

    def __init__(self, networks: Mapping[Probe, Speed], feeds: Mapping[Feed, FeedSpeed]) -> None:
        self.networks, self.feeds = networks, feeds

    def seconds(self, probe: Probe, way: Way) -> float:
        """Return seconds an image: as measured for this network, else those of the nearest, scaled by MACs."""
        known = [(other, speed) for other, speed in self.networks.items() if other.device == probe.device]
        same = [pair for pair in known if _is_same(pair[0], probe) and getattr(pair[1], way) is not None]
        if same:
            closest, speed = min(same, key=lambda pair: _distance(pair[0], probe))
            return float(getattr(speed, way)) * _per_thread(closest, probe)
        macs = self.macs(probe)
        tried = [(speed.macs, value) for _, speed in known if (value := getattr(speed, way)) and speed.macs]
        if tried:
            own, value = min(tried, key=lambda pair: abs(math.log(pair[0] / macs)))
            return float(value) * macs / own
        return macs / DEFAULT_RATES[probe.device] * (STEP_FORWARDS if way == "step" else 1.0)

    def macs(self, probe: Probe) -> float:
        """Return multiply-adds for one image, as counted, else by formula."""
        found = self.shape(probe)
        return max(1.0, found.macs if found else probe.macs)

    def shape(self, probe: Probe) -> Speed | None:
        """Return what is known of a network of this shape, None where nobody has looked at it."""
        same = [(other, speed) for other, speed in self.networks.items() if _is_same(other, probe)]
        return min(same, key=lambda pair: _distance(pair[0], probe))[1] if same else None

    def feed(self, feed: Feed) -> FeedSpeed:
        """Return how fast images come: as measured for this way, else as images of another size do, by area."""
        if feed in self.feeds:
            return self.feeds[feed]
        others: Iterable[Feed] = (other for other in self.feeds if other.device == feed.device)
        nearest = min(others, key=lambda other: abs(other.image_size - feed.image_size), default=None)
        if nearest is None:
            return DEFAULT_FEED
        share, known = (feed.image_size / nearest.image_size) ** 2, self.feeds[nearest]
        return FeedSpeed(train=known.train * share, evaluate=known.evaluate * share, pack=known.pack)


@cache
def _formula_macs(network: str, image_size: int) -> float:
    return count_macs(Student.model_validate_json(network), image_size)


def _is_same(one: Probe, other: Probe) -> bool:
    return one.image_size == other.image_size and one.network == other.network


def _distance(one: Probe, other: Probe) -> tuple[bool, bool, bool, float]:
    """Return how far a try is from what is asked: precision first, then memory, threads, batch."""
    batches = abs(math.log(one.batch / other.batch))
    return one.precision != other.precision, one.lean != other.lean, one.threads != other.threads, batches


def _per_thread(tried: Probe, asked: Probe) -> float:
    """On a CPU half the threads take longer, not quite twice: threads ** 0.8 was measured with two."""
    return float((tried.threads / asked.threads) ** 0.8) if asked.device == "cpu" else 1.0
