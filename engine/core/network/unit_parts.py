"""The parts of a prunable layer: which slices of which tensors belong to a unit, and how they are taken out.

A unit has `wide` rows in each of `blocks` blocks of a tensor: a head of timm's attention has rows among the queries,
the keys and the values, one of TinyViT's a single block with all three.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn

Side = Literal["out", "in", "along"]
CONV, LINEAR, NORM = (nn.Conv2d,), (nn.Linear,), (nn.BatchNorm2d,)


@dataclass(frozen=True)
class Part:
    """Some tensors of one module: `slots` names each with the axis that holds the units, `sizes` what counts them.

    `side`: `out` gives the units (rows), `in` reads them (columns), `along` goes with them one by one.
    """

    module: nn.Module
    side: Side
    slots: tuple[tuple[str, int], ...]
    sizes: tuple[str, ...] = ()
    wide: int = 1
    blocks: int = 1

    @property
    def weight(self) -> Tensor:
        found = self.module.weight
        assert isinstance(found, Tensor)
        return found

    @property
    def parameters(self) -> list[nn.Parameter]:
        found = [getattr(self.module, name) for name, _ in self.slots]
        return [value for value in found if isinstance(value, nn.Parameter)]

    @property
    def share(self) -> float:
        """Of its axis, how much is these units'."""
        return 1.0

    def keep(self, kept: Tensor, count: int) -> None:
        """Leave only the units in `kept`, of `count`."""
        places = self.places(kept, count)
        for name, dim in self.slots:
            keep_slices(self.module, name, places, dim)
        for size in self.sizes:
            setattr(self.module, size, len(places))

    def places(self, units: Tensor, count: int) -> Tensor:
        """Return the indices along the axis of the given units, of `count` in all."""
        starts = torch.arange(self.blocks, device=units.device) * count * self.wide
        within = torch.arange(self.wide, device=units.device)
        return (starts[:, None, None] + units[None, :, None] * self.wide + within).flatten()


def outputs(module: nn.Module, wide: int = 1, blocks: int = 1) -> Part:
    """The layer that makes the units: a linear one, or a convolution without groups."""
    size = "out_features" if isinstance(module, nn.Linear) else "out_channels"
    return Part(module, "out", (("weight", 0), ("bias", 0)), (size,), wide, blocks)


def inputs(module: nn.Module, wide: int = 1) -> Part:
    """A layer that reads the units."""
    size = "in_features" if isinstance(module, nn.Linear) else "in_channels"
    return Part(module, "in", (("weight", 1),), (size,), wide)


def along(module: nn.Module) -> Part:
    """A batch norm, or a depthwise convolution, which has a group for each channel."""
    if isinstance(module, nn.Conv2d):
        return Part(module, "along", (("weight", 0), ("bias", 0)), ("groups", "in_channels", "out_channels"))
    names = ("weight", "bias", "running_mean", "running_var")
    return Part(module, "along", tuple((name, 0) for name in names), ("num_features",))


def table(module: nn.Module, name: str) -> Part:
    """A parameter of the module itself with a row for each unit."""
    return Part(module, "along", ((name, 0),))


def counts(module: nn.Module, name: str, each: int = 1) -> Part:
    """A number of the module that is the units', times `each`."""
    return Part(module, "along", (), (name,), each)


def keep_part(part: Part, kept: Tensor, count: int) -> None:
    """Leave of a part only the units in `kept`, of `count`."""
    part.keep(kept, count)


def keep_slices(module: nn.Module, name: str, kept: Tensor, dim: int) -> None:
    """Replace a parameter or buffer by its slices at `kept`; one that is not there stays away."""
    old = getattr(module, name, None)
    if old is None:
        return
    new = old.detach().index_select(dim, kept.to(old.device))
    setattr(module, name, nn.Parameter(new, old.requires_grad) if isinstance(old, nn.Parameter) else new)


def is_depthwise(module: nn.Module) -> bool:
    """Whether it is a convolution with a group for each channel."""
    return isinstance(module, nn.Conv2d) and module.groups == module.in_channels == module.out_channels


def is_plain(module: nn.Module) -> bool:
    """Whether all its outputs see all its inputs."""
    return isinstance(module, nn.Linear) or (isinstance(module, nn.Conv2d) and module.groups == 1)
