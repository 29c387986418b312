"""Units of networks whose blocks nobody has written down: takes one, gives what Torch-Pruning's graph couples in it.

Torch-Pruning (Fang et al. 2023, arXiv 2301.12900; the extra `prune`) follows a network's gradients and tells which
channels must go together. Of its groups those are taken that are made of plain and depthwise convolutions, linear
layers and batch norms alone; whether taking a channel away is then setting it to zero is tried before it is believed
(core/prune/structured.py). What comes out is kept as the sizes of modules, so that nobody who loads it needs the graph.
"""

from __future__ import annotations

import importlib
import importlib.util
import warnings
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from engine.core.network.unit_parts import Part, along, inputs, is_depthwise, is_plain, keep_slices, outputs

PACKAGE = "torch_pruning"


@dataclass(frozen=True)
class GraphPart(Part):
    """A part that may be some of an axis: `positions` (units, wide) says where each unit lies on it."""

    positions: Tensor = field(default_factory=lambda: torch.empty(0))

    def places(self, units: Tensor, count: int) -> Tensor:
        return self.positions.to(units.device)[units].flatten()

    @property
    def share(self) -> float:
        name, dim = next((name, dim) for name, dim in self.slots if getattr(self.module, name, None) is not None)
        return self.positions.numel() / int(getattr(self.module, name).shape[dim])

    def keep(self, kept: Tensor, count: int) -> None:
        """Leave the units in `kept`, and all of the axis that is of other units."""
        stays = torch.ones(count, dtype=torch.bool)
        stays[kept.cpu()] = False
        gone = self.places(stays.nonzero().flatten(), count)
        names = [name for name, _ in self.slots if getattr(self.module, name, None) is not None]
        dims = dict(self.slots)
        length = int(getattr(self.module, names[0]).shape[dims[names[0]]])
        flags = torch.ones(length, dtype=torch.bool)
        flags[gone] = False
        for name in names:
            keep_slices(self.module, name, flags.nonzero().flatten(), dims[name])
        for size in self.sizes:
            setattr(self.module, size, int(flags.sum()))


Found = tuple[str, int, tuple[GraphPart, ...]]


def sizes_of(network: nn.Module, modules: Iterable[nn.Module]) -> dict[str, tuple[int, ...]]:
    """Return the shapes that modules of a network have now, by name: of the weight, or of a norm's statistics."""
    names = {module: name for name, module in network.named_modules()}
    return {names[module]: tuple(_sized(module).shape) for module in modules}


def cut_sizes(network: nn.Module, sizes: Mapping[str, tuple[int, ...]]) -> None:
    """Make modules as small as `sizes` says; which of their channels stay means nothing. Raises ValueError."""
    for name, size in sizes.items():
        module = network.get_submodule(name)
        for part in filter(None, (_read_part(module, True), _read_part(module, False))):
            axis = 1 if part.side == "in" else 0
            most = _sized(module).shape[axis]
            if not 0 < size[axis] <= most:
                raise ValueError(f"{name} has {most} units, and {size[axis]} are to stay")
            if size[axis] < most:
                part.keep(torch.arange(size[axis]), most)


def _sized(module: Any) -> Tensor:
    found = module.running_mean if isinstance(module, nn.BatchNorm2d) else module.weight
    assert isinstance(found, Tensor)
    return found


def has_graph() -> bool:
    """Whether Torch-Pruning is installed."""
    return importlib.util.find_spec(PACKAGE) is not None


def find_groups(network: nn.Module, image_size: int) -> list[Found]:
    """Return name, number and parts of the units that the graph couples; none without Torch-Pruning.

    Channels that a concatenation holds behind others come before those: their going moves no other.
    """
    if not has_graph():
        return []
    names = {module: name for name, module in network.named_modules()}
    groups = [_read_group(group, names) for group in _trace(network, image_size)]
    return sorted((group for group in groups if group is not None), key=_behind, reverse=True)


def _behind(group: Found) -> int:
    return max(int(part.positions.max()) for part in group[2])


def _trace(network: nn.Module, image_size: int) -> list[Any]:
    """Return Torch-Pruning's groups, the classifier's outputs left out; none of a network that it cannot follow."""
    pruning: Any = importlib.import_module(PACKAGE)
    parameter = next(network.parameters())
    images = torch.zeros(1, 3, image_size, image_size, dtype=parameter.dtype, device=parameter.device)
    was_training, wanted = network.training, [value.requires_grad for value in network.parameters()]
    try:
        with warnings.catch_warnings(), torch.enable_grad():
            warnings.simplefilter("ignore")
            network.eval().requires_grad_(True)
            graph = pruning.DependencyGraph().build_dependency(network, example_inputs=images, verbose=False)
            return list(graph.get_all_groups(ignored_layers=_classifiers(network)))
    except (RuntimeError, ValueError, KeyError, IndexError, AttributeError, NotImplementedError, AssertionError):
        return []
    finally:
        network.train(was_training)
        for value, wants in zip(network.parameters(), wanted, strict=True):
            value.requires_grad_(wants)


def _classifiers(network: Any) -> list[nn.Module]:
    found = network.get_classifier() if hasattr(network, "get_classifier") else None
    return list(found) if isinstance(found, tuple | list) else [found] if found is not None else []


def _read_group(group: Sequence[Any], names: dict[nn.Module, str]) -> Found | None:
    """Return the units of one of its groups; None where it holds anything but plain layers and batch norms."""
    root = group[0][0].target.module
    units = len(group[0][1])
    parts: list[GraphPart] = []
    for item in group:
        target = item.dep.target
        if target.module not in names:  # an addition, a concatenation: nothing that has weights
            if isinstance(target.module, nn.Parameter):
                return None
            continue
        part = _read_part(target.module, item.dep.handler.__name__.endswith("out_channels"))
        positions = _positions(item, units)
        if part is None or positions is None:
            return None
        parts.append(_graph_part(part, positions))
    order = {"out": 0, "along": 1, "in": 2}
    parts.sort(key=lambda part: order[part.side])  # a stable sort: the root stays first
    return (names[root], units, tuple(parts)) if {"out", "in"} <= {part.side for part in parts} else None


def _read_part(module: nn.Module, is_output: bool) -> Part | None:
    if isinstance(module, nn.BatchNorm2d) or is_depthwise(module):
        return along(module)
    if is_plain(module):
        return outputs(module) if is_output else inputs(module)
    return None


def _positions(item: Any, units: int) -> Tensor | None:
    """Return where each unit of the root lies on the item's axis, (units, wide); None where they are not alike."""
    places = list(zip(item.root_idxs, item.idxs, strict=True))
    if not places or len(places) % units:
        return None
    found: list[list[int]] = [[] for _ in range(units)]
    for unit, place in places:
        found[unit].append(int(place))
    wide = len(places) // units
    return torch.tensor(found) if all(len(held) == wide for held in found) else None


def _graph_part(part: Part, positions: Tensor) -> GraphPart:
    return GraphPart(part.module, part.side, part.slots, part.sizes, part.wide, part.blocks, positions)
