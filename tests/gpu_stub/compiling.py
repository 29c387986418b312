"""torch.compile on the stub, for `children.call_on`: Inductor's kernels are compiled for the card and counted.

They are launched by Triton's own launcher, in whose place kernels.py stands; Inductor's static one loads into the real
driver. What they would write is not there afterwards, so no number is looked at.
"""

from __future__ import annotations

from typing import Any

SIZE, BATCH = 32, 8


def compile_step(cache: str, wish: str, precision: str, is_whole: bool = True) -> dict[str, Any]:
    """Compile the training step of a small network and do three of them; return the outcome and what the last did."""
    from pathlib import Path

    import torch
    from torch import nn
    from torch.nn import functional

    from engine.core.train.compiled import Step, compile_forward
    from engine.core.train.forward import Forward
    from engine.core.train.update import Update
    from engine.spec import Train
    from tests.gpu_stub.device import watch
    from tests.gpu_stub.kernels import LAUNCHED

    _let_compile()
    card = torch.device("cuda", 0)
    network = nn.Sequential(nn.Flatten(), nn.Linear(3 * SIZE**2, 16), nn.GELU(), nn.Dropout(0.1), nn.Linear(16, 10))
    network.to(card).train()
    plain = Forward(card, precision, (0.5,) * 3, (0.2,) * 3)
    step = Step(BATCH, SIZE, 10**6, is_whole=is_whole)
    forward, outcome = compile_forward(network, plain, wish, step, Path(cache))  # type: ignore[arg-type]
    update = Update(network, Train(), card, precision)
    images, labels = torch.zeros(BATCH, 3, SIZE, SIZE, dtype=torch.uint8, device=card), torch.zeros(BATCH).long()
    labels = labels.to(card)
    LAUNCHED.clear()
    for _ in range(4):
        with watch() as seen:
            update.begin()
            update.scale(functional.cross_entropy(forward(network, images), labels)).backward()  # type: ignore[no-untyped-call]
            update.step(1e-3)
    return {**outcome.as_fact(), "triton": sum(LAUNCHED.values()), "waits": seen.waits, "counts": seen.counts}


def _let_compile() -> None:
    from torch._inductor import config

    from tests.gpu_stub.kernels import install_driver

    install_driver()
    config.use_static_cuda_launcher = False
    config.compile_threads = 1


def replay_step(folder: str) -> dict[str, Any]:
    """Do the acceptance's step as a graph (benchmarks/gpu_parts/steps.py) with a small network; return what it did."""
    from pathlib import Path

    from benchmarks.gpu_parts.findings import Place
    from benchmarks.gpu_parts.steps import Size, draw_batch, graph_step, our_trainee
    from benchmarks.gpu_parts.variants import SMALL
    from tests.gpu_stub.device import watch

    place, size = Place("cuda", Path(folder), float("inf")), Size(112, 2, 1, 1)
    trainee = our_trainee(place, SMALL, size, "bf16")
    step = graph_step(trainee, draw_batch(place, size))
    with watch() as seen:
        step()
    return {**seen.counts, "waits": seen.waits}
