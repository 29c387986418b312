"""A network taken apart: takes a module and a load, gives the operators of one forward pass, each by all that times it.

One pass is recorded below autograd, where each operator is one call of torch's own kernels: what a block does between
its layers (residual sums, softmax, windows cut and pasted) is there too. A piece is an operator with the shapes,
strides and types of its tensors and its other arguments; what is the network's own, and so seldom in a cache, is told
from what the operator before it has just written. Views move nothing and are left out.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from engine.core.train.forward import autocast
from engine.errors import JobError

Pieces = Counter[str]
"""How often each piece is in a pass."""
TENSOR, WORD = "%tensor", "%word"  # no names of arguments
OWN, MADE = "own", "made"
"""A tensor of the network; one that the pass has made."""


def record_pass(
    network: nn.Module, image_size: int, batch_size: int, precision: str, owners: Mapping[str, nn.Module] | None = None
) -> dict[str, Pieces]:
    """Return the pieces of one forward pass on the CPU by owner, "" where it is none of `owners`, modules by name.

    Raises JobError for an operator whose arguments cannot be written down.
    """
    found: dict[str, Pieces] = {}
    current = [""]
    own = {value.untyped_storage()._cdata for value in (*network.parameters(), *network.buffers())}
    images = torch.zeros(batch_size, 3, image_size, image_size, dtype=next(network.parameters()).dtype)

    def add(piece: str) -> None:
        found.setdefault(current[-1], Counter())[piece] += 1

    network.eval()
    with _follow(owners or {}, current), torch.no_grad(), autocast(torch.device("cpu"), precision):
        network(images)  # some keep for later passes what the first has made
        with _Recorder(add, own):
            network(images)
    return found


def all_pieces(recorded: Mapping[str, Pieces]) -> Pieces:
    """Return the pieces of a whole pass."""
    return sum(recorded.values(), Counter())


@contextmanager
def _follow(owners: Mapping[str, nn.Module], current: list[str]) -> Iterator[None]:
    """Keep the owner that is at work at the end of `current`."""
    handles = []
    for name, module in owners.items():
        handles.append(module.register_forward_pre_hook(lambda _, __, name=name: current.append(name)))
        handles.append(module.register_forward_hook(lambda _, __, ___: current.pop() and None))
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


class _Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    def __init__(self, add: Callable[[str], None], own: set[int]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.add, self.own = add, own

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if not is_view(func):
            self.add(write_piece(func, args, kwargs or {}, self.own))
        return func(*args, **(kwargs or {}))


def write_piece(func: Any, args: Any, kwargs: Mapping[str, Any], own: set[int] = frozenset()) -> str:  # type: ignore[assignment]
    """Return a piece as text, which is JSON: the same for all calls that take the same time."""
    told: dict[str, Any] = {"op": str(func), "args": [_write(value, str(func), own) for value in args]}
    if kwargs:
        told["named"] = {name: _write(value, str(func), own) for name, value in sorted(kwargs.items())}
    return json.dumps(told, separators=(",", ":"))


def is_view(func: Any) -> bool:
    """Whether what an operator gives is another look at what it takes."""
    returns = func._schema.returns
    is_told = any(one.alias_info is not None and not one.alias_info.is_write for one in returns)
    return is_told or str(func) in UNTOLD_VIEWS


def _write(value: Any, op: str, own: set[int]) -> Any:
    if isinstance(value, Tensor):
        whose = OWN if value.untyped_storage()._cdata in own else MADE
        return {TENSOR: [list(value.shape), list(value.stride()), str(value.dtype)[6:], whose]}
    if isinstance(value, list | tuple):
        return [_write(one, op, own) for one in value]
    if value is None or isinstance(value, bool | int | float | str):
        return value
    for name, kind in WORDS.items():
        if isinstance(value, kind):
            return {WORD: [name, str(value).removeprefix("torch.")]}
    raise JobError(f"{op} cannot be timed alone: an argument of it is a {type(value).__name__}")


def read_word(name: str, text: str) -> Any:
    """Return a type, a layout and the like of its name; a device is where it is replayed."""
    return torch.device("cpu") if name == "device" else getattr(torch, text)


UNTOLD_VIEWS = ("aten._unsafe_view.default",)
"""Those whose own words do not say so."""
WORDS: Mapping[str, type] = {
    "dtype": torch.dtype,
    "layout": torch.layout,
    "format": torch.memory_format,
    "device": torch.device,
}
