"""Weights in half precision: takes a network in autocast, gives its products their weights, cast all at once.

Autocast casts each weight by itself and each of its gradients back: two kernels a weight. Here a few kernels cast all
of them, and all gradients; the values are autocast's own, which finds nothing left to cast. On a GPU alone, where a
kernel costs more than its work.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from engine.core.network.fast import is_absorbed
from engine.core.network.sparse import SparseAttention

# Of these exactly, and not of what is made from them: a subclass may do other arithmetic with its weight.
PRODUCTS = (nn.Linear, nn.Conv2d)
NAMES = ("weight", "bias")
Place = tuple[dict[str, Tensor | None], str]


def pays_off(network: nn.Module, device: torch.device) -> bool:
    """Return whether to cast at once: on a GPU, but for a compiled network, which casts within other kernels."""
    # Asked without torch's compiler, which takes seconds to load.
    is_compiled = hasattr(network, "_orig_mod") or network._compiled_call_impl is not None
    return device.type == "cuda" and not is_compiled and not torch.compiler.is_compiling()


@contextmanager
def cast_weights(network: nn.Module, kind: torch.dtype) -> Iterator[None]:
    """Let linear and convolutional layers have their weights as `kind` inside; gradients go to the weights as ever."""
    places = list(_find_places(network))
    own = [parameters[name] for parameters, name in places]
    distinct = list({id(value): value for value in own if value is not None}.values())
    halves = dict(zip(map(id, distinct), _CastAll.apply(kind, *distinct), strict=True)) if distinct else {}
    try:
        for (parameters, name), value in zip(places, own, strict=True):
            parameters[name] = halves[id(value)]
        yield
    finally:
        for (parameters, name), value in zip(places, own, strict=True):
            parameters[name] = value


def _find_places(network: nn.Module) -> Iterator[Place]:
    modules = list(network.modules())
    left_out = {id(_by_hand(module)) for module in modules if isinstance(module, SparseAttention)}
    for module in modules:
        if type(module) in PRODUCTS and id(module) not in left_out:
            # Straight into the dict: what is put there for a while is no parameter.
            held: dict[str, Any] = module._parameters
            given = (name for name in NAMES if held.get(name) is not None)
            yield from ((held, name) for name in given if held[name].dtype == torch.float32)


def _by_hand(attention: SparseAttention) -> nn.Module | None:
    """Return the projection that is folded into other products: its bias is added in fp32, and stays so."""
    if not (attention.sparse.has_global_rows and is_absorbed(attention)):
        return None
    return attention.qkv_global if attention.sparse.has_second_set else attention.qkv


class _CastAll(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, kind: torch.dtype, *weights: Tensor) -> tuple[Tensor, ...]:
        ctx.set_materialize_grads(False)
        return tuple(_copy_all(weights, kind))

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grads: Tensor | None) -> tuple[Tensor | None, ...]:
        given = [grad for grad in grads if grad is not None]
        precise = iter(_copy_all(given, torch.float32))
        return None, *(None if grad is None else next(precise) for grad in grads)


def _copy_all(values: Sequence[Tensor], kind: torch.dtype) -> list[Tensor]:
    """Return the values as `kind`, in the layout that each has."""
    copies = [torch.empty_like(value, dtype=kind) for value in values]
    if copies:
        torch._foreach_copy_(copies, list(values))
    return copies
