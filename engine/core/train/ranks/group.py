"""What the ranks of one training say to each other: takes tensors of each, gives all of them theirs together.

Tensors of a GPU go by NCCL where that was begun, all others by gloo, those of a GPU over the host then. A rank that
ended is told as PeerLost: whoever started the ranks says why (engine/launch/ranks.py).
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from functools import partial
from pathlib import Path

import torch
import torch.distributed as dist
from torch import Tensor
from torch._C._distributed_c10d import FileStore

from engine.core.data.share import Share
from engine.core.train.checkpoint import State, decode_state, encode_state

# A rank that is slow is no rank that is gone: the scheduler sees to one that stands still, the parent to one that ends.
PATIENCE = timedelta(hours=24)
Act = Callable[[Tensor], object]
INTERFACE = "GLOO_SOCKET_IFNAME"


class PeerLost(Exception):
    """Another rank ended, or cannot be reached."""


class Ranks:
    """This rank among the others. Every call is made by all of them, in the same order."""

    def __init__(self, share: Share, *, has_nccl: bool = False) -> None:
        self.share, self.has_nccl = share, has_nccl

    @property
    def is_first(self) -> bool:
        """Whether this is the one that writes."""
        return self.share.rank == 0

    def gather(self, rows: Tensor, sizes: Sequence[int]) -> Tensor:
        """Return the rows of all ranks, one after the other; rank r has `sizes[r]` of them."""
        mine = self._ready(rows)
        room = mine.new_zeros((max(sizes), *mine.shape[1:]))
        room[: len(mine)] = mine
        found = [torch.empty_like(room) for _ in sizes]
        with _peers():
            dist.all_gather(found, room)
        return torch.cat([one[:size] for one, size in zip(found, sizes, strict=True)]).to(rows.device)

    def sum(self, value: Tensor) -> None:
        """Put the sum of all ranks' values into the place of each; all have the same bits."""
        self._exchange(value, dist.all_reduce)

    def sum_all(self, values: Sequence[Tensor]) -> None:
        """The same for many tensors, in one message for each kind of number."""
        self._exchange_all(values, dist.all_reduce)

    def take_first(self, values: Sequence[Tensor]) -> None:
        """Put the values of rank 0 into the place of each."""
        self._exchange_all(values, partial(dist.broadcast, src=0))

    def any(self, flags: Sequence[bool]) -> list[bool]:
        """Return of each flag whether any rank has it."""
        told = torch.tensor(flags, dtype=torch.int32)
        with _peers():
            dist.all_reduce(told, dist.ReduceOp.MAX)
        return [bool(flag) for flag in told.tolist()]

    def hand_out(self, state: State | None) -> State:
        """Return the state that rank 0 gives; the others give None."""
        raw = torch.frombuffer(bytearray(encode_state(state)), dtype=torch.uint8) if state is not None else None
        size = torch.tensor([0 if raw is None else len(raw)])
        self.take_first([size])
        raw = torch.empty(int(size), dtype=torch.uint8) if raw is None else raw
        self.take_first([raw])
        if state is not None:
            return state
        found = decode_state(raw.numpy().tobytes())
        assert found is not None
        return found

    def _exchange(self, value: Tensor, act: Act) -> None:
        mine = self._ready(value)
        with _peers():
            act(mine)
        if mine.data_ptr() != value.data_ptr():
            value.copy_(mine)

    def _exchange_all(self, values: Sequence[Tensor], act: Act) -> None:
        for kind in sorted({value.dtype for value in values}, key=str):
            alike = [value for value in values if value.dtype == kind]
            flat = torch.cat([value.reshape(-1) for value in alike])
            self._exchange(flat, act)
            parts = torch.split(flat, [value.numel() for value in alike])
            for value, part in zip(alike, parts, strict=True):
                value.copy_(part.view(value.shape))

    def _ready(self, value: Tensor) -> Tensor:
        """Return the value where a message can take it from, as one piece of memory."""
        there = value.detach() if self.has_nccl or value.device.type == "cpu" else value.detach().cpu()
        return there.contiguous()


def open_ranks(share: Share, store: Path, device: torch.device) -> Ranks:
    """Meet the other ranks of this machine over a file; returns when all are there."""
    has_nccl = device.type == "cuda" and dist.is_nccl_available()
    # All are on one machine, whose name need not lead anywhere.
    os.environ.setdefault(INTERFACE, "lo0" if sys.platform == "darwin" else "lo")
    backend = "cpu:gloo,cuda:nccl" if has_nccl else "gloo"
    with _peers():
        meeting = FileStore(str(store), share.ranks)
        dist.init_process_group(backend, None, PATIENCE, share.ranks, share.rank, meeting)
    return Ranks(share, has_nccl=has_nccl)


@contextmanager
def _peers() -> Iterator[None]:
    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except RuntimeError as error:
        raise PeerLost(str(error)) from error
