"""Training steps that are timed: takes a network's words, gives a step of ours, of ours as a graph, or of timm's."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import timm
import torch
from timm.optim._optim_factory import create_optimizer_v2
from torch import Tensor, nn
from torch.nn import functional

from benchmarks.gpu_parts.findings import Place
from engine.core.network.backends import settle as settle_backends
from engine.core.network.build import build_network, normalization
from engine.core.train.compiled import Step as CompiledStep
from engine.core.train.compiled import compile_forward
from engine.core.train.forward import Forward
from engine.core.train.optim import build_optimizer
from engine.spec import Student, Train
from engine.spec.base import Precision

CLASSES = 100
LONG = 10**7  # images: a training that is long enough for compiling to pay
Step = Callable[[], None]


@dataclass(frozen=True)
class Size:
    """How much goes through a network at once, and how long it is timed."""

    side: int
    batch: int
    steps: int
    rounds: int

    @classmethod
    def of(cls, place: Place) -> Size:
        return cls(224, 256, 10, 3) if place.is_real else cls(64, 2, 1, 1)


@dataclass
class Trainee:
    """A network with its optimizer on a device; `forward` takes uint8 images to logits."""

    network: nn.Module
    optimizer: torch.optim.Optimizer
    forward: Callable[[Tensor], Tensor]

    def learn(self, images: Tensor, labels: Tensor) -> None:
        """Do one step on a batch."""
        self.optimizer.zero_grad(set_to_none=True)
        functional.cross_entropy(self.forward(images), labels).backward()  # type: ignore[no-untyped-call]
        self.optimizer.step()


def our_trainee(
    place: Place, words: dict[str, Any], size: Size, precision: Precision, *, compiled: bool = False
) -> Trainee:
    """Return a network as `words` of a student say it, put together as the training loop does."""
    device = torch.device(place.device)
    network = build_network(Student.model_validate(words), CLASSES, size.side).to(device).train()
    optimizer = build_optimizer(network, Train())
    settle_backends(network, device, precision)
    forward = Forward(device, precision, *normalization(network))
    if compiled:
        told = CompiledStep(size.batch, size.side, LONG)
        forward, outcome = compile_forward(network, forward, "auto", told, place.folder / "compiled")
        if outcome.mode is None:
            raise RuntimeError(outcome.reason)
    return Trainee(network, optimizer, lambda images: forward(network, images))


def timm_trainee(
    place: Place, arch: str, precision: Precision, windows: Any = None, *, best: bool = False, compiled: bool = False
) -> Trainee:
    """Return timm's network as its training script has it: AMP, AdamW of its factory; channels last at its best."""
    device = torch.device(place.device)
    more: dict[str, Any] = {} if windows is None else {"window_sizes": tuple(windows)}
    network = timm.create_model(f"{arch}_224", num_classes=CLASSES, **more).to(device).train()
    layout = torch.channels_last if best else torch.contiguous_format
    network = network.to(memory_format=layout)
    optimizer = create_optimizer_v2(network, opt="adamw", lr=5e-4, weight_decay=0.05)
    mean, std = (torch.tensor(part, device=device).view(1, 3, 1, 1) for part in ((127.0,) * 3, (64.0,) * 3))
    called: Any = torch.compile(network) if compiled else network

    def forward(images: Tensor) -> Tensor:
        inputs = images.float().sub_(mean).div_(std).contiguous(memory_format=layout)
        with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
            logits: Tensor = called(inputs)
        return logits.float()

    return Trainee(network, optimizer, forward)


def draw_batch(place: Place, size: Size) -> tuple[Tensor, Tensor]:
    """Return uint8 images (B, 3, S, S) and labels (B,) on the device."""
    draw = torch.Generator().manual_seed(0)
    images = torch.randint(0, 256, (size.batch, 3, size.side, size.side), generator=draw).byte()
    labels = torch.randint(0, CLASSES, (size.batch,), generator=draw)
    return images.to(place.device), labels.to(place.device)


def eager_step(trainee: Trainee, batch: tuple[Tensor, Tensor]) -> Step:
    return lambda: trainee.learn(*batch)


def graph_step(trainee: Trainee, batch: tuple[Tensor, Tensor]) -> Step:
    """Return a step whose forward and backward pass are one CUDA graph; the optimizer stays outside."""
    images, labels = batch
    side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            trainee.learn(images, labels)
    torch.cuda.current_stream().wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    trainee.optimizer.zero_grad(set_to_none=True)
    with torch.cuda.graph(graph):
        functional.cross_entropy(trainee.forward(images), labels).backward()  # type: ignore[no-untyped-call]

    def step() -> None:
        graph.replay()
        trainee.optimizer.step()

    return step


def time_steps(place: Place, steps: Sequence[Step], size: Size) -> list[list[float]]:
    """Return images/s of each step, by rounds in which all take turns; the first round warms up."""
    rates: list[list[float]] = [[] for _ in steps]
    for turn in range(size.rounds + 1):
        for place_of, step in enumerate(steps):
            seconds = time_calls(place, step, size.steps if turn else 2 if place.is_real else 1)
            if turn:
                rates[place_of].append(size.batch * size.steps / seconds)
    return rates


def time_calls(place: Place, step: Step, count: int) -> float:
    settle(place)
    begin = time.perf_counter()
    for _ in range(count):
        step()
    settle(place)
    return time.perf_counter() - begin


def settle(place: Place) -> None:
    if place.device == "cuda":
        torch.cuda.synchronize()


def busy_share(step: Step, count: int) -> float:
    """Return the share of the time in which a kernel ran on the GPU, by torch's profiler."""
    from torch.profiler import ProfilerActivity, profile

    step()
    torch.cuda.synchronize()
    with profile(activities=[ProfilerActivity.CUDA]) as seen:
        begin = time.perf_counter()
        for _ in range(count):
            step()
        torch.cuda.synchronize()
        seconds = time.perf_counter() - begin
    ran = [one.time_range for one in seen.events() or () if one.device_type.name == "CUDA"]
    return covered(sorted((span.start, span.end) for span in ran)) / 1e6 / seconds


def covered(spans: Sequence[tuple[float, float]]) -> float:
    """Return the length of the union of spans that are sorted by where they begin."""
    total, end = 0.0, float("-inf")
    for first, last in spans:
        total += max(0.0, last - max(first, end))
        end = max(end, last)
    return total
