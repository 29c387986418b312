"""Graph replay on the stub, for `children.call_on`: a network that can be captured, and one that asks the host."""

from __future__ import annotations

from typing import Any

KERNEL = 2e-6  # seconds of every kernel of the stub


def replay_layers(layers: int, batch: int) -> dict[str, Any]:
    """Replay a network of `layers` kernels; return what was timed, spent, and counted."""
    import torch
    from torch import nn

    from engine.core.measure import Load, Stopwatch
    from tests.gpu_stub.device import read_counts, watch

    torch.cuda.init()  # type: ignore[no-untyped-call]
    network = nn.Sequential(*(nn.ReLU() for _ in range(layers)))
    clock = Stopwatch(network, 32, torch.device("cuda", 0), "fp32")
    load = Load(batch, 1, "graph")
    clock.warm_up(load)
    with watch():
        burst = clock.time(load, 0.01)
        counts = read_counts()
    spent = clock.spend(0.5)
    told = spent if isinstance(spent, str) else [spent.seconds, spent.joules, spent.reading.sm_clock]
    eager = Load(batch, 1)
    clock.warm_up(eager)
    peaks = clock.time(eager, 0.0).peaks
    return {"times": burst.times, "calls": burst.calls, "seconds": burst.seconds, **counts, "spent": told,
            "peaks": sorted(peaks)}  # fmt: skip


def refuse_asking() -> dict[str, str]:
    """Return why a network is not captured that waits for the card between its kernels, and why a plain one is not."""
    import torch
    from torch import Tensor, nn

    from engine.core.measure import Load, Stopwatch

    class Asking(nn.Module):
        def forward(self, images: Tensor) -> Tensor:
            return images * float(images.sum())

    torch.cuda.init()  # type: ignore[no-untyped-call]
    load, card = Load(1, 1, "graph"), torch.device("cuda", 0)
    asking, plain = (Stopwatch(network, 32, card, "fp32") for network in (Asking(), nn.ReLU()))
    return {"asking": asking.refusal(load), "plain": plain.refusal(load), "again": asking.refusal(Load(1, 1))}


def name_dtype(precision: str) -> str:
    """Return the type of what a linear layer answers when it is replayed in a precision."""
    import torch
    from torch import nn

    from engine.core.measure import Load, Stopwatch

    torch.cuda.init()  # type: ignore[no-untyped-call]
    clock = Stopwatch(nn.Sequential(nn.Flatten(), nn.Linear(192, 4)), 8, torch.device("cuda", 0), precision)
    clock.warm_up(Load(1, 1, "graph"))
    assert clock._replay is not None
    answers = clock._replay.answers
    assert isinstance(answers, torch.Tensor)
    return str(answers.dtype)
