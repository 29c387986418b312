"""Speed: tells images/s of training steps on images that lie there: eager, compiled, as a graph, against timm's.

Networks of one comparison take turns. timm's step is the one of its training script, with its fused (SDPA) attention,
by default and at its best (channels last, compiled); sparse attention is held against dense with the same windows.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch

from benchmarks.gpu_parts.findings import Place, Teller
from benchmarks.gpu_parts.steps import (
    Size,
    Step,
    Trainee,
    busy_share,
    draw_batch,
    eager_step,
    graph_step,
    our_trainee,
    time_steps,
    timm_trainee,
)
from engine.core.train.compiled import LEAST_IMAGES
from engine.run.device import prepare_device
from engine.spec.base import Precision

NETWORKS = {"5M": "tiny_vit_5m", "21M": "tiny_vit_21m"}
COMPILING = 60.0  # seconds that one compilation may well take
BUSY_STEPS = 5


@dataclass(frozen=True)
class Sparse:
    """A sparse attention, the windows that it has, and how many times as fast as dense it should be."""

    words: dict[str, Any]
    windows: list[int]
    goal: float


SPARSE = {
    "5M block {7,28,14,7}": Sparse({"kind": "longformer", "pattern": "block"}, [7, 28, 14, 7], 1.3),
    "5M slide {14,14,14,7}": Sparse({"kind": "longformer", "pattern": "slide"}, [14, 14, 14, 7], 1.0),
}


def run(place: Place, teller: Teller) -> None:
    size = Size.of(place)
    precision: Precision = "bf16" if place.device == "cuda" else "fp32"
    if place.device == "cuda":
        prepare_device("0", 2, deterministic=False, precision=precision)
    for name, arch in NETWORKS.items():
        with teller.case(name):
            compare_steps(place, teller, name, arch, size, precision)
    for name, sparse in SPARSE.items():
        with teller.case(name):
            compare_sparse(place, teller, name, sparse, size, precision)
    for name, arch in NETWORKS.items():
        with teller.case(f"{name} compiled"):
            compare_compiled(place, teller, name, arch, size, precision)


def compare_steps(place: Place, teller: Teller, name: str, arch: str, size: Size, precision: Precision) -> None:
    batch = draw_batch(place, size)
    ours = our_trainee(place, {"arch": arch}, size, precision)
    steps: dict[str, Step] = {
        "eager": eager_step(ours, batch),
        "timm": eager_step(timm_trainee(place, arch, precision), batch),
        "timm, channels last": eager_step(timm_trainee(place, arch, precision, best=True), batch),
    }
    if place.is_real:
        with teller.case(f"{name}, attention in Triton"):
            words = {"arch": arch, "attention": {"kind": "window", "backend": "triton"}}
            steps["attention in Triton"] = eager_step(our_trainee(place, words, size, precision), batch)
    if place.device == "cuda":
        with teller.case(f"{name} as a graph"):
            steps["graph"] = graph_step(our_trainee(place, {"arch": arch}, size, precision), batch)
    rates = dict(zip(steps, map(statistics.median, time_steps(place, list(steps.values()), size)), strict=True))
    peer = max(rate for way, rate in rates.items() if way.startswith("timm"))
    for way, rate in rates.items():
        teller.measure(name, f"step, {way}", rate, "images/s", peer=None if way.startswith("timm") else peer)
    busy = busy_share(steps["eager"], BUSY_STEPS) if place.is_real else 0.0
    teller.measure(name, "GPU busy in eager steps", 100 * busy, "%", goal=90.0)


def compare_sparse(place: Place, teller: Teller, name: str, sparse: Sparse, size: Size, precision: Precision) -> None:
    """Tell speed and memory of a sparse attention, and of its kernels in Triton, over those of dense attention."""
    batch = draw_batch(place, size)
    windows: dict[str, Any] = {"arch": "tiny_vit_5m", "windows": sparse.windows}
    ways: dict[str, Callable[[], Trainee]] = {
        "dense": lambda: our_trainee(place, windows, size, precision),
        "timm dense": lambda: timm_trainee(place, "tiny_vit_5m", precision, sparse.windows),
        "sparse": lambda: our_trainee(place, {**windows, "attention": sparse.words}, size, precision),
    }
    kernels = {**windows, "attention": {**sparse.words, "backend": "triton"}}
    if place.is_real:
        ways["sparse, triton"] = lambda: our_trainee(place, kernels, size, precision)
    peaks = {way: peak_of(place, make, batch) for way, make in ways.items()}
    steps = [eager_step(make(), batch) for make in ways.values()]
    rates = dict(zip(ways, map(statistics.median, time_steps(place, steps, size)), strict=True))
    for way in (way for way in ways if way.startswith("sparse")):
        note = f"{rates[way]:.0f} images/s" if place.is_real else ""
        ratio = rates[way] / rates["dense"]
        teller.measure(name, f"{way}: times as fast as dense", ratio, "", goal=sparse.goal, note=note)
        teller.measure(name, f"{way}: times as fast as timm's dense", rates[way] / rates["timm dense"], "")
        saved = peaks["dense"] / max(1.0, peaks[way])
        teller.measure(name, f"{way}: dense takes more memory, times", saved, "", goal=1.0)


def peak_of(place: Place, make: Callable[[], Trainee], batch: tuple[torch.Tensor, torch.Tensor]) -> float:
    """Return the most memory that two steps held, in bytes; 1 where there is no GPU."""
    if place.device == "cpu":
        return 1.0
    trainee = make()
    trainee.learn(*batch)
    torch.cuda.reset_peak_memory_stats()
    trainee.learn(*batch)
    return float(torch.cuda.max_memory_allocated())


def compare_compiled(place: Place, teller: Teller, name: str, arch: str, size: Size, precision: Precision) -> None:
    """Tell compiled steps of ours and timm's, where there is a GPU and time for it."""
    if not place.is_real or place.left < 2 * COMPILING:
        why = "no time left" if place.is_real else ""
        teller.tell(name, "step, compiled", "not measured", unit="images/s", note=why or "compiled only on a GPU")
        return
    batch = draw_batch(place, size)
    plain = our_trainee(place, {"arch": arch}, size, precision)
    begin = time.monotonic()
    ours = our_trainee(place, {"arch": arch}, size, precision, compiled=True)
    spent = time.monotonic() - begin
    timms = timm_trainee(place, arch, precision, best=True, compiled=True)
    rates = time_steps(place, [eager_step(one, batch) for one in (ours, timms, plain)], size)
    mine, peer, before = map(statistics.median, rates)
    teller.measure(name, "step, compiled", mine, "images/s", peer=peer)
    teller.measure(name, "compiling took", spent, "s")
    least = images_to_pay(spent, mine, before)
    if least is None:
        teller.tell(name, "compiling pays from", "not measured", unit="images", note="the step is no faster")
    else:
        about = f"train.compile: auto begins at {LEAST_IMAGES:,}"
        teller.measure(name, "compiling pays from", least, "images", note=about)


def images_to_pay(seconds: float, compiled: float, eager: float) -> float | None:
    """Return after how many images `seconds` of compiling are won back; None where steps are no faster (images/s)."""
    return seconds / (1 / eager - 1 / compiled) if compiled > eager else None
