"""Inner widths: what pruning changes and what a pruned network is built from; to JSON and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from engine.spec.shapes import NetworkShape


@dataclass(frozen=True)
class Widths:
    """Units of every block of a TinyViT: MBConv inner channels of stage 0; heads and hidden units of stages 1 to 3."""

    mid: tuple[int, ...]
    heads: tuple[tuple[int, ...], ...]
    hidden: tuple[tuple[int, ...], ...]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Widths:
        return cls(
            tuple(value["mid"]),
            tuple(tuple(stage) for stage in value["heads"]),
            tuple(tuple(stage) for stage in value["hidden"]),
        )


def full_widths(shape: NetworkShape) -> Widths:
    """Return the widths of the unpruned network: four times the channels inside MBConv and MLP."""
    first, *rest = shape.stages
    return Widths(
        (4 * first.dim,) * first.depth,
        tuple((stage.heads,) * stage.depth for stage in rest),
        tuple((4 * stage.dim,) * stage.depth for stage in rest),
    )


@dataclass(frozen=True)
class UnitWidths:
    """Of any other network: how many units its prunable layers have, by the names of their modules."""

    units: Mapping[str, int]

    def to_json(self) -> dict[str, Any]:
        return {"units": dict(self.units)}


def read_widths(value: Mapping[str, Any] | None) -> Widths | UnitWidths | None:
    """Return widths that were JSON; None for a network that is as wide as its settings say."""
    if value is None:
        return None
    if "units" in value:
        return UnitWidths({str(name): int(units) for name, units in value["units"].items()})
    return Widths.from_json(value)
