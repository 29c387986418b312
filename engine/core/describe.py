"""The layer table of a network: takes its settings, gives a row per part with what it really uses and costs.

Windows, radii, globals and tiles are the effective ones, after clipping. MACs and saved bytes are for one image; saved
bytes are what autograd keeps between forward and backward on the CPU in fp32, each storage once, parameters left out.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from engine.core.measure import count_macs, count_macs_by_module, count_params
from engine.core.network.build import Memory, build_network
from engine.core.network.tiny_vit import TinyViT
from engine.spec import Network
from engine.spec.patterns import SparseShape
from engine.spec.shapes import StageShape

BATCH = 2
"""Batch norm in train mode wants more than one value a channel, even where the map is a single token."""


@dataclass(frozen=True)
class LayerRow:
    """One part of a network; the last row of a table is `total`. Texts are empty where they mean nothing."""

    layer: str
    resolution: str
    window: str
    attention: str
    params: int
    macs: int
    saved_bytes: int


def describe_network(
    words: Network, num_classes: int, image_size: int, *, memory: Memory = "standard"
) -> list[LayerRow]:
    """Return the rows of a network, stem first, then a total; builds it without loading weights."""
    bare = words.model_copy(update={"weights": "none"}) if hasattr(words, "weights") else words
    network = build_network(bare, num_classes, image_size, memory=memory)
    parts = _parts(network)
    macs, saved = count_macs_by_module(network, image_size), saved_bytes(network, image_size)
    rows = []
    for name, module in parts.items():
        shape = _stage_of(network, name)
        texts = ("", "", "") if shape is None else _texts(shape)
        rows.append(LayerRow(name, *texts, count_params(module), macs.get(name, 0), saved.get(name, 0)))
    total = LayerRow("total", "", "", "", count_params(network), macs[""], sum(saved.values()))
    return [*rows, total]


def count_sizes(words: Network, num_classes: int, image_size: int) -> tuple[int, int]:
    """Return parameters and MACs of a network by its shapes alone: it is never given memory."""
    with torch.device("meta"):
        network = build_network(words, num_classes, image_size)
    return count_params(network), count_macs(network, image_size)


def saved_bytes(network: nn.Module, image_size: int) -> dict[str, int]:
    """Return the bytes per image that each part keeps for the backward pass; counted on shapes, nothing is computed.

    A storage that two parts keep counts for the first of them.
    """
    # In train mode, to count what a step of training keeps.
    ghost = copy.deepcopy(network).to("meta").train()
    own = {value.untyped_storage()._cdata for value in (*ghost.parameters(), *ghost.buffers())}
    seen: dict[int, Any] = {}
    counts: dict[str, int] = {}
    current = [""]

    def pack(value: Tensor) -> Tensor:
        storage = value.untyped_storage()
        if storage._cdata not in own and storage._cdata not in seen:
            # Held on to: no later storage may get its address, which is what tells them apart.
            seen[storage._cdata] = storage
            counts[current[0]] = counts.get(current[0], 0) + storage.nbytes() // BATCH
        return value

    for name, module in _parts(ghost).items():
        module.register_forward_pre_hook(_enter(current, name))
    images = torch.empty(BATCH, 3, image_size, image_size, device="meta", dtype=next(ghost.parameters()).dtype)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda value: value), torch.enable_grad():
        ghost(images)
    return counts


def _enter(current: list[str], name: str) -> Callable[[nn.Module, Any], None]:
    def hook(_: nn.Module, __: Any) -> None:
        current[0] = name

    return hook


def _parts(network: nn.Module) -> dict[str, nn.Module]:
    """Return the parts that are rows: the children of the network, stages and the like taken apart."""
    parts: dict[str, nn.Module] = {}
    for name, child in network.named_children():
        if isinstance(child, nn.Sequential | nn.ModuleList) and len(child) > 0:
            parts |= {f"{name}.{inner}": module for inner, module in child.named_children()}
        else:
            parts[name] = child
    return {name: module for name, module in parts.items() if count_params(module) > 0}


def _stage_of(network: nn.Module, name: str) -> StageShape | None:
    if not isinstance(network, TinyViT) or not name.startswith("stages."):
        return None
    return network.shape.stages[int(name.removeprefix("stages."))]


def _texts(shape: StageShape) -> tuple[str, str, str]:
    """Return resolution, window and attention as a person reads them."""
    resolution = f"{shape.side} x {shape.side}"
    if shape.kind == "conv":
        return resolution, "", "convolution"
    clipped = f" (asked {shape.asked_window})" if shape.window != shape.asked_window else ""
    window = f"{shape.window} x {shape.window}{clipped}"
    if shape.sparse is None:
        return resolution, window, "window"
    share = shape.keys_per_query / shape.tokens
    return resolution, window, f"{_sparse_text(shape.sparse)}, {shape.keys_per_query:.1f} keys a query ({share:.0%})"


def _sparse_text(sparse: SparseShape) -> str:
    reach = f"tile {sparse.tile}" if sparse.is_tiled else f"radius {sparse.radius}"
    chosen = f"{sparse.globals} globals ({sparse.select})" if sparse.globals else "no globals"
    words = [f"{sparse.pattern} {reach}", chosen]
    if sparse.has_global_rows:
        words.append(f"{sparse.projections} projections")
    return ", ".join(words + ([sparse.combine] if sparse.combine != "joint" else []))
