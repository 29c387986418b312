"""A clock for pieces: takes them as text, gives the seconds that one call of each takes on the CPU.

A piece that is called again and again has its code and its weights in the nearest caches, as it has in no network. So
each is called once at a time, in an order of chance among all others, after the caches were swept and what the
operator before it would have written was written. What counts is the least of many calls, in seconds of the processor
where one thread works: what the machine does besides is no property of it.
"""

from __future__ import annotations

import json
import math
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from engine.core.latency.pieces import MADE, TENSOR, WORD, read_word

ROUNDS = 15
SWEEP_BYTES = 4 << 20
"""More than the caches of a core hold, less than those that cores share: weights come from the latter."""
HELD_BYTES = 512 << 20
"""Of the tensors of pieces that are timed in turn; more are timed one group after the other."""


class Replayed:
    """One piece, ready to be called."""

    def __init__(self, piece: str) -> None:
        told = json.loads(piece)
        self.call = _find_op(told["op"])
        self.made: list[Tensor] = []
        self.args = _read(told["args"], self.made)
        self.named = _read(told.get("named", {}), self.made)

    def rewrite(self) -> None:
        """Write what the operator before would have written."""
        for flat in self.made:
            flat.mul_(1)

    def __call__(self) -> None:
        self.call(*self.args, **self.named)


class Company:
    """Pieces, and whole networks beside them, that are timed in turn."""

    def __init__(self, pieces: Sequence[str], wholes: Mapping[str, Callable[[], object]], threads: int) -> None:
        self.replayed = {piece: Replayed(piece) for piece in pieces}
        self.wholes, self.threads = wholes, threads
        self.best: dict[str, float] = {}
        self.sweep = torch.zeros(SWEEP_BYTES, dtype=torch.uint8)
        self.draw = random.Random(0)

    def round(self) -> None:
        """Time each once."""
        order = [*self.replayed, *self.wholes]
        self.draw.shuffle(order)
        for name in order:
            self._time(name)

    def _time(self, name: str) -> None:
        call = self.wholes.get(name)
        if call is not None:
            call()  # the caches are as after a pass
        else:
            self.sweep.add_(1)
            call = self.replayed[name]
            call.rewrite()
        self.best[name] = min(self.best.get(name, math.inf), time_call(call, self.threads))


def time_pieces(
    pieces: Sequence[str], threads: int, wholes: Mapping[str, Callable[[], object]] | None = None, rounds: int = ROUNDS
) -> dict[str, float]:
    """Return the seconds of a call of each piece, and of each of `wholes`, which are networks on their input."""
    found: dict[str, float] = {}
    groups = list(_group(pieces)) or [[]]
    with torch.inference_mode():
        for place, group in enumerate(groups):
            company = Company(group, (wholes or {}) if place == 0 else {}, threads)
            for _ in range(rounds + 1):
                company.round()
            found |= company.best
    return found


def time_call(call: Callable[[], object], threads: int) -> float:
    """Return the seconds of one call; of several threads no clock but the wall's tells how long they take together."""
    used, began = time.process_time(), time.perf_counter()
    call()
    took, used = time.perf_counter() - began, time.process_time() - used
    return min(took, used) if threads == 1 else took


def _group(pieces: Sequence[str]) -> Iterator[list[str]]:
    group: list[str] = []
    held = 0
    for piece in pieces:
        held += tensor_bytes(json.loads(piece))
        if group and held > HELD_BYTES:
            yield group
            group, held = [], tensor_bytes(json.loads(piece))
        group.append(piece)
    if group:
        yield group


def tensor_bytes(words: Any) -> int:
    """Return the bytes of the tensors that a piece is called with."""
    if isinstance(words, dict) and TENSOR in words:
        shape, stride, kind, _ = words[TENSOR]
        return _span(shape, stride) * int(getattr(torch, kind).itemsize)
    inner = words.values() if isinstance(words, dict) else words if isinstance(words, list) else ()
    return sum(map(tensor_bytes, inner))


def _span(shape: Sequence[int], stride: Sequence[int]) -> int:
    """Return how many elements lie between the first and the last, both counted."""
    if 0 in shape:
        return 0
    return 1 + sum((size - 1) * step for size, step in zip(shape, stride, strict=True))


def _find_op(name: str) -> Callable[..., object]:
    space, op, overload = name.split(".")
    found: Callable[..., object] = getattr(getattr(getattr(torch.ops, space), op), overload)
    return found


def _read(words: Any, made: list[Tensor]) -> Any:
    """Return what the words of a piece mean; the memory of what a pass made is added to `made`."""
    if isinstance(words, list):
        return [_read(one, made) for one in words]
    if not isinstance(words, dict):
        return words
    if TENSOR in words:
        return _make(words[TENSOR], made)
    if WORD in words:
        return read_word(*words[WORD])
    return {name: _read(value, made) for name, value in words.items()}


def _make(look: Sequence[Any], made: list[Tensor]) -> Tensor:
    """Return a tensor of that look. Integers are zeros, which are places in any tensor."""
    shape, stride, kind, whose = look
    flat = torch.zeros(_span(shape, stride), dtype=getattr(torch, kind))
    if flat.is_floating_point():
        flat.normal_()
        if whose == MADE:
            made.append(flat)
    return flat.as_strided(shape, stride)
