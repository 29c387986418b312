"""A training in several processes: takes an order, gives how many ranks do it, what each is, and how they begin.

Rank 0 is the attempt as everybody knows it. The others do the same work on their share of each batch, and write
nothing: what they would write goes into a scratch folder. They begin where rank 0 stands, weights, optimizer,
generators and pruned shape alike, as a later attempt goes on from a checkpoint; so it does not matter how many ranks a
checkpoint was written by.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import torch

from engine.core.train.checkpoint import LoadedCheckpoint, State
from engine.core.train.ranks.batch_wide import require_known_draws
from engine.core.train.ranks.group import open_ranks
from engine.errors import XpError
from engine.home.paths import AttemptFolder
from engine.inputs.gpus import split_slots
from engine.launch import Order
from engine.launch.ranks import Rank
from engine.run.attempt import Attempt
from engine.spec.job_file import read_details
from engine.spec.job_kinds import kind_in_id

if TYPE_CHECKING:
    from engine.core.train.loop import Loop

MEETING = "meeting"


def count_ranks(order: Order) -> int:
    """Return how many processes do this order: for a training one for each GPU of its slot, on the CPU as asked."""
    kind = kind_in_id(order.job)
    if kind is None or not kind.trains:
        return 1
    slots = split_slots(order.slot)
    if len(slots) > 1 or not slots[0].startswith("cpu:"):
        return len(slots)
    try:
        return read_details(order.home.job(order.job)).resources.ranks
    except (XpError, OSError, ValueError):  # the attempt meets it again, and says so
        return 1


def order_of(order: Order, rank: Rank) -> Order:
    """Return the order as a rank has it: with the one device that is its own."""
    slots = split_slots(order.slot)
    return replace(order, slot=slots[rank.number % len(slots)])


class Helper(Attempt):
    """Any rank but the first: it does as the attempt does, and nothing that it writes is seen."""

    def __init__(self, order: Order, rank: Rank) -> None:
        self.scratch = AttemptFolder(rank.scratch / str(rank.number))
        super().__init__(order, rank)

    def place_folder(self, folder: AttemptFolder) -> AttemptFolder:
        return self.scratch

    def metric(self, name: str, value: float, step: int, epoch: int) -> None:
        pass

    def beat(self, phase: str, **figures: float | int | None) -> None:
        pass

    def save(self, state: State, step: int) -> None:
        pass

    def resume(self) -> LoadedCheckpoint:
        """Wait for where rank 0 stands, and begin there."""
        assert self.ranks is not None
        state = self.ranks.hand_out(None)
        self.was_compiled = state.get("compiled")
        return LoadedCheckpoint(state, Path(), int(state["progress"]["step"]))


def open_attempt(order: Order, rank: Rank | None) -> Attempt:
    """Return the attempt that this process is, or helps with."""
    return Attempt(order, rank) if rank is None or rank.number == 0 else Helper(order, rank)


def meet(attempt: Attempt, device: torch.device) -> None:
    """Find the other ranks, where there are any; called once this process has its device."""
    if attempt.rank is not None:
        attempt.ranks = open_ranks(attempt.share, attempt.rank.scratch / MEETING, device)


def begin_together(attempt: Attempt, loop: Loop, size: int) -> None:
    """Let the other ranks begin where the first one stands. Raises JobError where this network cannot be shared.

    `size` is that of the images, in pixels.
    """
    ranks = attempt.ranks
    if ranks is None:
        return
    if ranks.is_first:
        attempt.journal.fact("ranks", {"ranks": ranks.share.ranks})
        print(f"trains in {ranks.share.ranks} processes, each with its share of every batch", flush=True)
        ranks.hand_out({**loop.capture(), **attempt.extra})
    forward = loop.recipe.forward
    require_known_draws(loop.network, lambda images: forward(loop.network, images), size, ranks)
