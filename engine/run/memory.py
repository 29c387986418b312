"""Running out of memory: takes an attempt and its network, gives how many images a step takes at once, and what to say.

An attempt that runs out ends with 86 and leaves a clean process; the next one takes half as many images at once and
adds up the gradients (engine/core/train/micro_batch.py). Where BatchNorm would see those halves, that is another
experiment: the same size is tried once more, since others may have held the memory, and then the job fails and says
what to do.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from torch import nn

from engine.core.train.checkpoint import State
from engine.core.train.micro_batch import draws_masks, has_batch_norm
from engine.errors import JobError
from engine.run.attempt import Attempt
from engine.run.device import is_memory_error
from engine.spec.job_kinds import KINDS


class OutOfMemory(JobError):
    """A training ran out of memory; `is_final` when trying again, with fewer images at once, is of no use."""

    is_final = False


@dataclass(frozen=True)
class MicroBatch:
    """How a step of `batch` images goes through the network: `images` at once. `may_split`: fewer are allowed."""

    batch: int
    images: int
    may_split: bool
    has_batch_norm: bool
    draws_masks: bool

    @property
    def is_split(self) -> bool:
        return self.images < self.batch


def find_micro_batch(attempt: Attempt, network: nn.Module, batch: int, state: State | None) -> MicroBatch:
    """Return how many images go through at once in this attempt, which `state`, a checkpoint, may have settled.

    Writes it into the journal and every checkpoint from here on when they are fewer than the batch.
    """
    normed = has_batch_norm(network)
    on_oom = attempt.details.on_oom
    may_split = KINDS[attempt.kind].trains and (on_oom == "split" or (on_oom == "auto" and not normed))
    images = int((state or {}).get("micro_batch") or batch)
    if may_split:
        least = min(2 if normed else 1, batch)
        # Half as many for each time that memory ran out, rounded up.
        images = max(least, min(images, -(-batch >> attempt.order.ooms)))
    room = MicroBatch(batch, images, may_split, normed, draws_masks(network))
    if room.is_split:
        attempt.extra["micro_batch"] = room.images
        about = {"images": images, "batch_size": batch, "batch_norm": normed, "masks": room.draws_masks}
        attempt.journal.fact("micro_batch", about)
        print(f"goes on in micro-batches of {images} of {batch} images, after running out of memory", flush=True)
    return room


@contextmanager
def watch_memory(attempt: Attempt, room: MicroBatch) -> Iterator[None]:
    """Turn an error of the allocator into OutOfMemory, which says what comes next."""
    try:
        yield
    except BaseException as error:
        if not is_memory_error(error):
            raise
        raise _explain(attempt, room) from error


def _explain(attempt: Attempt, room: MicroBatch) -> OutOfMemory:
    what, least = f"out of memory with {room.images} images at once", 2 if room.has_batch_norm else 1
    if room.may_split and room.images > least:
        half = max(least, min(room.images, -(-room.batch >> attempt.order.ooms + 1)))
        return OutOfMemory(f"{what}: the next attempt takes {half}, in steps of {room.batch} as before")
    error = OutOfMemory(what + _why_whole(room), fix=KINDS[attempt.kind].less_memory + _or_split(room))
    error.is_final = attempt.order.ooms > 0
    return error


def _why_whole(room: MicroBatch) -> str:
    """Say why no fewer images go through at once."""
    if room.may_split:
        return ", which is as few as can be"
    if room.has_batch_norm:
        return ", and BatchNorm in micro-batches would see fewer images at once: another experiment"
    return ""


def _or_split(room: MicroBatch) -> str:
    return "" if room.may_split else "; or say train.on_oom: split to have micro-batches all the same"
