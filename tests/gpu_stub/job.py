"""`engine.run` on the stub: takes jobs of a home, gives how an attempt ended and what its training did on the card.

All numbers are zeros there, so what judges numbers is told to look away; it asks the card as many questions as before.
Everything else is the engine's own: a tensor on the wrong device ends the job, as on a card.
"""

from __future__ import annotations

import gc
import io
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr
from dataclasses import dataclass, field
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor

from engine import run
from engine.core.train.loop import Loop
from engine.home.paths import Home
from engine.launch import Order
from store.journal import read_journal
from tests.gpu_stub.device import watch

SLOT = "GPU-11111111-2222-3333-4444-555555555555"
TOLD = 1500  # letters of what a job said, for who reads a failed test
CARD_PEAKS = ("cuda_peak_allocated", "infer_cuda_peak_allocated")


@dataclass(frozen=True)
class Epoch:
    """What all batches of an epoch did, `steps` of them; `waits` are the lines at which the host waited."""

    steps: int
    launches: int
    syncs: int
    waits: list[str]


@dataclass
class Ran:
    """One attempt: its exit status, what it said of errors, the peak of the card's memory (bytes), its facts."""

    job: str
    status: int
    said: str
    committed: bool
    peak: float = 0.0
    epochs: list[Epoch] = field(default_factory=list)
    facts: dict[str, Any] = field(default_factory=dict)
    measured: list[str] = field(default_factory=list)


def run_job(home: Home, job: str, slot: str = SLOT, ooms: int = 0) -> Ran:
    """Run the next attempt of a job in this process, by the door that a fork server's child takes."""
    folder, said, epochs = home.job(job), io.StringIO(), list[Epoch]()
    number = len(folder.attempts()) + 1
    forget_peaks()
    with look_away(), watch_epochs(epochs), redirect_stderr(said):
        status = run.main(Order(home, job, number, slot, ooms))
    ran = Ran(job, int(status), said.getvalue()[-TOLD:], folder.result.exists(), epochs=epochs)
    for line in read_journal(folder.attempt(number).journal)[0]:
        note_line(ran, line)
    if is_begun():
        ran.peak = max(ran.peak, torch.cuda.max_memory_allocated())
    return ran


def note_line(ran: Ran, line: dict[str, Any]) -> None:
    if line["type"] == "fact":
        ran.facts[line["name"]] = line["value"]
    if line["type"] == "measurement":
        ran.measured.append(f"{line['name']} {line['batch_size']}")
        if line["name"] in CARD_PEAKS:
            ran.peak = max(ran.peak, line["value"])


def forget_peaks() -> None:
    """Leave nothing of the job before in the card's memory: each real one has a process of its own."""
    gc.collect()
    if is_begun():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()


def is_begun() -> bool:
    """Return whether CUDA has begun in this process, without beginning it."""
    return bool(torch.cuda.is_initialized())  # type: ignore[no-untyped-call]


@contextmanager
def look_away() -> Iterator[None]:
    """Let zeros pass for good numbers."""
    with ExitStack() as held:
        # NCCL asks a card for more than the stub has: ranks speak over the host here.
        held.enter_context(patch("torch.distributed.is_nccl_available", lambda: False))
        held.enter_context(patch("engine.core.train.loop.require_finite", lambda network, loss_sum: None))
        held.enter_context(patch("engine.core.train.update.LEAST_SCALE", -1.0))
        held.enter_context(patch("engine.run.targets.require_skill", lambda top1, classes, images, part: None))
        held.enter_context(patch("engine.core.distill.encoding._finite", ask_finite))
        held.enter_context(patch("engine.core.data.kernels.ready.is_alike", lambda there, here: True))
        yield


def ask_finite(logits: Tensor) -> Tensor:
    """Wait for the answer as the engine does, and take any."""
    raw = logits.detach().float()
    bool(torch.isfinite(raw).all())
    return raw


@contextmanager
def watch_epochs(epochs: list[Epoch]) -> Iterator[None]:
    """Note what each epoch of a training does, its loader included."""
    run_epoch = Loop._run_epoch

    def watched(loop: Loop) -> None:
        before = loop.progress.batch
        with watch() as seen:
            run_epoch(loop)
        counts = seen.counts
        epochs.append(Epoch(loop.progress.batch - before, counts["launches"], counts["syncs"], seen.waits))

    with patch.object(Loop, "_run_epoch", watched):
        yield
