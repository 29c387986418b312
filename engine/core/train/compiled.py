"""A compiled training step: takes a network, its forward pass and a wish, gives the forward pass that training uses.

Compiled is the network in training, as one graph, at the batch size of a full step; all else (the short last batch of
an epoch, validation, the first pass of a loss that couples micro-batches) runs as it does without. So a training
compiles once, and which kernel a batch meets depends on the batch alone, wherever a resumed run begins. Random masks
are drawn as without compiling. What was compiled lies in a folder that later attempts and jobs of the same shape read.
A training goes on as it began: compiled and plain steps round differently, and a resume must not change the bits.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor, nn

from engine.core.train.compile_cache import use_cache
from engine.core.train.forward import Forward
from engine.errors import JobError
from engine.launch.shortages import find_shortage

Wish = Literal["off", "auto", "max"]
Mode = Literal["default", "reduce-overhead", "max-autotune-no-cudagraphs", "max-autotune"]

# Of `auto` on a GPU; both are guesses until somebody measures them on one (benchmarks/gpu.py tells where it pays),
# and an outcome that rests on them says so.
# Images to be trained on from which `auto` compiles for a GPU: below, compiling takes longer than it saves.
LEAST_IMAGES = 200_000
# Pixels of a batch up to which a GPU waits for its host's launches, so that `auto` takes CUDA graphs: 64 of 224 px.
SMALL_BATCH = 64 * 224 * 224
# A CUDA graph is captured in the step after the first, and replayed from the third on.
TRIED_STEPS = {"reduce-overhead": 3, "max-autotune": 3}
GUESSED = "by a threshold that was not measured"
PLAIN_BEFORE = "it goes on as it began: the steps of an earlier attempt were not compiled"
MOVED = "; an earlier attempt, on another kind of device, did"


@dataclass(frozen=True)
class Step:
    """What a training does again and again: `images` at once of `size` px; `total` images until its end.

    `is_whole`: a step is one such pass. Gradients that pass after pass adds to must not lie in a CUDA graph's memory.
    """

    images: int
    size: int
    total: int
    is_whole: bool = True


@dataclass(frozen=True)
class Outcome:
    """What became of the wish. `mode` is None where nothing is compiled, `reason` says why; `seconds` it took.

    `found` and `made` count the graphs that were read from the cache and that were compiled.
    """

    wish: Wish
    mode: Mode | None
    reason: str
    seconds: float = 0.0
    found: int = 0
    made: int = 0

    def as_fact(self) -> dict[str, Any]:
        return asdict(self)


@dataclass(frozen=True)
class CompiledForward(Forward):
    """A forward pass whose full training batches, of `images`, go through `call`."""

    call: Callable[[Tensor], Tensor]
    images: int

    def run(self, network: nn.Module, inputs: Tensor) -> Tensor:
        is_step = network.training and torch.is_grad_enabled() and len(inputs) == self.images
        return self.call(inputs) if is_step else super().run(network, inputs)


def choose_mode(wish: Wish, kind: str, step: Step) -> tuple[Mode | None, str]:
    """Return how to compile on a device of `kind` ("cpu", "cuda"), None for not at all, and why.

    From the settings and the kind of device alone: each attempt of a job must come to the same answer.
    """
    if wish == "off":
        return None, "not asked for"
    if wish == "max":
        if kind != "cuda":
            return "default", "there is no more to choose from on a CPU"
        return ("max-autotune", "asked for") if step.is_whole else ("max-autotune-no-cudagraphs", "asked for")
    if kind != "cuda":
        # A compiled step of TinyViT took as much CPU time as ours, and compiling took minutes.
        return None, "auto leaves a CPU as it is; max compiles there too"
    if step.total < LEAST_IMAGES:
        return None, f"too short to pay: {step.total:,} images to train on, below {LEAST_IMAGES:,} ({GUESSED})"
    if step.is_whole and step.images * step.size**2 <= SMALL_BATCH:
        return "reduce-overhead", f"small steps, up to {SMALL_BATCH:,} pixels: CUDA graphs ({GUESSED})"
    return "default", f"long enough to pay: {LEAST_IMAGES:,} images or more ({GUESSED})"


def compile_forward(
    network: nn.Module, forward: Forward, wish: Wish, step: Step, cache: Path, was_compiled: bool | None = None
) -> tuple[Forward, Outcome]:
    """Return the forward pass that trains `network`, compiled where `wish` has it, and what became of the wish.

    One step on empty images compiles both directions, here and not in the midst of training; weights, running
    statistics, gradients and random numbers are afterwards as they were. Where that fails (no compiler, an operator
    that it does not know) the pass is the one that was given, and the reason is in the outcome.

    `was_compiled` is of the steps that an earlier attempt has done, None where there are none: after plain steps come
    plain ones. Raises JobError where compiled ones cannot be gone on with, and what the machine lacked (memory, room).
    """
    mode, reason = choose_mode(wish, forward.device.type, step)
    if mode is None:
        return forward, Outcome(wish, None, f"{reason}{MOVED if was_compiled else ''}")
    if was_compiled is False:
        return forward, Outcome(wish, None, PLAIN_BEFORE)
    before, began = _count_graphs(), time.monotonic()
    try:
        compiled = _compile(network, forward, mode, step, cache)
    except (torch.cuda.OutOfMemoryError, MemoryError):
        raise  # which a smaller micro-batch is the answer to
    except Exception as error:  # compilers fail in any way they like, and training goes on without
        if find_shortage(error):
            raise
        with suppress(RuntimeError):  # its table of compilers may grow under it, and what it kept does no harm
            torch.compiler.reset()
        if was_compiled:
            raise _refuse(mode, error) from error
        return forward, Outcome(wish, None, f"it cannot be compiled here: {_first_line(error)}")
    found, made = (after - earlier for after, earlier in zip(_count_graphs(), before, strict=True))
    return compiled, Outcome(wish, mode, reason, round(time.monotonic() - began, 1), found, made)


def _compile(network: nn.Module, forward: Forward, mode: Mode, step: Step, cache: Path) -> Forward:
    """Return the compiled pass, both directions of which have been tried."""
    use_cache(cache)
    given = {field.name: getattr(forward, field.name) for field in fields(Forward)}
    call = torch.compile(network, fullgraph=True, dynamic=False, mode=mode)
    compiled = CompiledForward(**given, call=call, images=step.images)
    for _ in range(TRIED_STEPS.get(mode, 1)):
        _try_step(network, compiled, step)
    return compiled


def _refuse(mode: Mode, error: Exception) -> JobError:
    what = f"its steps so far were compiled ({mode}), and compiling fails here: {_first_line(error)}"
    fix = (
        "mend that, then xp retry; plain steps would change its bits: train.compile: off is another job, from its start"
    )
    return JobError(what, where="train.compile", fix=fix)


def _count_graphs() -> tuple[int, int]:
    """Return how many graphs this process has read from the cache and compiled."""
    from torch._dynamo.utils import counters

    told = counters["inductor"]
    return told["fxgraph_cache_hit"], told["fxgraph_cache_miss"] + told["fxgraph_cache_bypass"]


def _try_step(network: nn.Module, forward: Forward, step: Step) -> None:
    images = torch.zeros(step.images, 3, step.size, step.size, dtype=torch.uint8)
    buffers, was_training = [buffer.clone() for buffer in network.buffers()], network.training
    network.train()
    try:
        with torch.random.fork_rng(), torch.enable_grad():
            forward(network, images).square().mean().backward()  # type: ignore[no-untyped-call]
    finally:
        network.zero_grad(set_to_none=True)
        for buffer, value in zip(network.buffers(), buffers, strict=True):
            buffer.copy_(value)
        network.train(was_training)


def _first_line(error: BaseException) -> str:
    """Return what a compiler's long message begins with."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {lines[0][:200]}" if lines else type(error).__name__
