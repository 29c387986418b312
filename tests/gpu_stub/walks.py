"""What is run on the stub: functions for `children.call_on`, each called in a process that sees a card.

They import inside, as this file is read in the test's own process too, where no card is.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable
from typing import Any

from benchmarks.gpu_parts.variants import SMALL, Memory, variants


def sweep(precision: str) -> dict[str, Any]:
    """Train and evaluate each variant once; return how many were, those that failed, and lines that waited."""
    failed: list[str] = []
    waited: set[str] = set()
    done = 0
    for words, memory in variants():
        try:
            waited.update(_try_variant(words, memory, precision))
        except Exception as error:
            place = [frame for frame in traceback.extract_tb(error.__traceback__) if "/engine/" in frame.filename]
            failed.append(f"{words} {memory}: {error} ({place[-1].filename}:{place[-1].lineno})"[:400])
        done += 1
    return {"done": done, "failed": failed, "waited": sorted(waited)}


def _try_variant(words: dict[str, Any], memory: Memory, precision: str) -> list[str]:
    import torch

    from engine.core.network.build import build_network
    from engine.core.train.forward import Forward
    from engine.spec import Student
    from tests.gpu_stub.device import watch

    card = torch.device("cuda", 0)
    student = Student.model_validate({**SMALL, "attention": words})
    network = build_network(student, 10, 112, memory=memory).to(card).train()
    forward = Forward(card, precision, (0.5,) * 3, (0.2,) * 3)
    images = torch.zeros(2, 3, 112, 112, dtype=torch.uint8, device=card)
    forward.prepare(images)  # its constants are brought to the card once, which waits
    with watch() as seen:
        forward(network, images).sum().backward()  # type: ignore[no-untyped-call]
        network.eval()
        with torch.inference_mode():
            forward(network, images)
    return seen.waits


def count_step(batch: int, size: int = 224) -> dict[str, Any]:
    """Train TinyViT-5M for a few steps by the loop's own parts; return what the last one did."""
    import torch
    from torch.nn import functional

    from engine.core.network.build import build_network
    from engine.core.train.forward import Forward
    from engine.core.train.optim import build_optimizer, set_rate
    from engine.spec import Student, Train
    from tests.gpu_stub.device import watch

    card = torch.device("cuda", 0)
    network = build_network(Student.model_validate({"arch": "tiny_vit_5m"}), 100, size).to(card).train()
    optimizer = build_optimizer(network, Train())
    forward = Forward(card, "bf16", (0.5,) * 3, (0.2,) * 3)
    images = torch.zeros(batch, 3, size, size, dtype=torch.uint8, device=card)
    labels = torch.zeros(batch, dtype=torch.long).pin_memory()
    for _ in range(3):
        with watch() as seen:
            set_rate(optimizer, 1e-3)
            loss = functional.cross_entropy(forward(network, images), labels.to(card, non_blocking=True))
            loss.backward()  # type: ignore[no-untyped-call]
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
    return {**seen.counts, "waits": seen.waits, "peak_mb": torch.cuda.max_memory_allocated() >> 20}


def try_room(batch: int, size: int = 64) -> dict[str, Any]:
    """Measure the room that a training takes; return it beside the peak of real steps, and what the trial changed."""
    import torch

    from engine.core.network.build import build_network
    from engine.core.train.forward import Forward
    from engine.core.train.optim import build_optimizer
    from engine.core.train.room import free_bytes, step_bytes, training_bytes
    from engine.spec import Student, Train

    card = torch.device("cuda", 0)
    network = build_network(Student.model_validate({**SMALL, "windows": [7, 7, 7, 4]}), 10, size).to(card)
    forward = Forward(card, "bf16", (0.5,) * 3, (0.2,) * 3)
    draw = torch.cuda.get_rng_state(card)
    versions = {name: (buffer.data_ptr(), buffer.shape) for name, buffer in network.named_buffers()}
    asked: list[int] = []
    step = step_bytes(network, forward, batch, size, lambda: asked.append(1))
    needed, free = training_bytes(network, forward, batch, size), free_bytes(card)
    same = {name: (buffer.data_ptr(), buffer.shape) for name, buffer in network.named_buffers()} == versions
    found = {"step": step, "needed": needed, "free": free, "asked": len(asked), "is_training": network.training}
    found["unchanged"] = same and bool(torch.equal(draw, torch.cuda.get_rng_state(card)))
    found["gradients"] = sum(weight.grad is not None for weight in network.parameters())
    torch.cuda.empty_cache()
    torch.cuda.reset_peak_memory_stats()
    before, optimizer = torch.cuda.memory_reserved(), build_optimizer(network.train(), Train())
    for _ in range(3):
        blank = torch.zeros(batch, 3, size, size, dtype=torch.uint8, device=card)
        forward(network, blank).sum().backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)
    return {**found, "real": torch.cuda.max_memory_reserved() - before}


def run_out(kind: str) -> dict[str, Any]:
    """Ask for more than there is: of the card's memory, of pinned memory, of events; return whether it is known."""
    import torch

    from engine.run.device import is_memory_error

    card = torch.device("cuda", 0)
    torch.zeros(1, device=card)
    asks: dict[str, Callable[[], object]] = {
        "device": lambda: torch.empty(1 << 40, dtype=torch.uint8, device=card),
        "host": lambda: torch.empty(1 << 20, dtype=torch.uint8).pin_memory(),
        "event": lambda: torch.cuda.Event().record(),  # type: ignore[no-untyped-call]
    }
    try:
        asks[kind]()
    except Exception as error:
        return {"known": is_memory_error(error), "error": f"{type(error).__name__}: {error}"[:300]}
    return {"known": False, "error": "nothing was raised"}
