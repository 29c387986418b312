"""Named layers of a network, listened to: takes a network and names, gives what those layers say of a batch.

A layer is a module by its dotted name, as the network's own code and `xp describe` have it; what it says is its output:
maps (B, C, H, W) or (B, H, W, C), tokens (B, N, C), vectors (B, C). Maps and tokens are taken to be square, as images
are; tokens in front of a square (of class, registers) are left out.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cache, partial
from typing import Any

import torch
from torch import Tensor, nn

from engine.errors import DataError, closest_hint
from engine.spec.features import Keeps

Heard = dict[str, Tensor]


def find_layers(network: nn.Module, names: Sequence[str]) -> dict[str, nn.Module]:
    """Return the modules of these names. Raises DataError with the nearest names where there is none."""
    known = {name: module for name, module in network.named_modules() if name}
    for name in names:
        if name not in known:
            raise DataError(f"there is no layer {name!r}", where=name, fix=_layer_hint(name, known))
    return {name: known[name] for name in names}


def _layer_hint(name: str, known: Mapping[str, nn.Module]) -> str:
    """The nearest names; where none is near, the parts that a table of layers has."""
    parts = [other for other in known if other.count(".") <= 1 and _owns_weights(known[other])]
    near = closest_hint(name, known)
    return near if near.startswith("did") else closest_hint(name, parts)


def _owns_weights(module: nn.Module) -> bool:
    return next(module.parameters(), None) is not None


@contextmanager
def listening(layers: Mapping[str, nn.Module]) -> Iterator[Heard]:
    """Yield a mapping into which each layer's output comes, by its name, as the network is called inside."""
    heard: Heard = {}

    def keep(name: str, module: nn.Module, inputs: Any, output: Any) -> None:
        heard[name] = output

    hooks = [module.register_forward_hook(partial(keep, name)) for name, module in layers.items()]
    try:
        yield heard
    finally:
        for hook in hooks:
            hook.remove()


def read_layer(heard: Mapping[str, Any], name: str, batch: int) -> Tensor:
    """Return what layer `name` said of `batch` images as a map (B, C, H, W).

    Raises DataError where it was not called, or said something else than maps, tokens or vectors of these images.
    """
    output = heard.get(name)
    if output is None:
        raise DataError(f"layer {name!r} is not called when the network looks", where=name, fix=CHOOSE)
    if not isinstance(output, Tensor) or output.ndim not in (2, 3, 4) or len(output) != batch:
        shape = f"{tuple(output.shape)}" if isinstance(output, Tensor) else f"a {type(output).__name__}"
        what = f"layer {name!r} gives {shape} for {batch} images: no map, tokens or vector of each"
        raise DataError(what, where=name, fix=CHOOSE)
    return as_map(output)


CHOOSE = "name a layer whose output is one: a stage or a block, as xp describe shows them"


def as_map(output: Tensor) -> Tensor:
    """Return (B, C, H, W) of a layer's output."""
    if output.ndim == 2:
        return output[:, :, None, None]
    if output.ndim == 3:
        side = math.isqrt(output.shape[1])
        square = output[:, output.shape[1] - side * side :]
        return square.transpose(1, 2).reshape(len(output), -1, side, side)
    is_last = output.shape[2] != output.shape[3] and output.shape[1] == output.shape[2]
    return output.permute(0, 3, 1, 2) if is_last else output


def reduce_map(found: Tensor, pool: int, keeps: Keeps) -> Tensor:
    """Return fp32 (B, T, C) of a map (B, C, H, W): its means over `pool` x `pool` even cells; of energy, C is 1."""
    values = found.float()
    if keeps == "energy":
        values = values.square().mean(dim=1, keepdim=True)
    if pool == 1:
        return values.mean(dim=(2, 3))[:, None]
    # As adaptive average pooling does, by two products: its gradient on a GPU has no fixed order of sums.
    down, across = (_cells(size, pool).to(values) for size in values.shape[2:])
    return (down @ values @ across.T).flatten(2).transpose(1, 2)


@cache
def _cells(size: int, pool: int) -> Tensor:
    """Return (pool, size): in each row the shares of the places that a cell is the mean of."""
    shares = torch.zeros(pool, size)
    for cell in range(pool):
        first, last = cell * size // pool, -(-(cell + 1) * size // pool)
        shares[cell, first:last] = 1 / (last - first)
    return shares


def probe_layers(network: nn.Module, names: Sequence[str], image_size: int) -> dict[str, tuple[int, int]]:
    """Return (channels, side) of each layer, by one look at a blank image; the network is left as it was.

    Raises DataError as find_layers and read_layer do.
    """
    layers, was_training = find_layers(network, names), network.training
    like = next(network.parameters())
    blank = torch.zeros(1, 3, image_size, image_size, device=like.device, dtype=like.dtype)
    try:
        with torch.no_grad(), listening(layers) as heard:
            network.eval()(blank)
    finally:
        network.train(was_training)
    shapes = {name: read_layer(heard, name, 1).shape for name in names}
    return {name: (shape[1], shape[2]) for name, shape in shapes.items()}
