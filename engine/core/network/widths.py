"""Inner widths: what pruning changes and what a pruned network is built from; to JSON and back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from engine.spec.shapes import NetworkShape


@dataclass(frozen=True)
class Widths:
    """Units of every block of a TinyViT: MBConv inner channels of stage 0; heads and hidden units of stages 1 to 3.

    `stem`: the channels that stage 0 adds to, 0 where they are those of its settings.
    """

    mid: tuple[int, ...]
    heads: tuple[tuple[int, ...], ...]
    hidden: tuple[tuple[int, ...], ...]
    stem: int = 0

    def to_json(self) -> dict[str, Any]:
        found = asdict(self)
        return found if self.stem else {name: value for name, value in found.items() if name != "stem"}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Widths:
        return cls(
            tuple(value["mid"]),
            tuple(tuple(stage) for stage in value["heads"]),
            tuple(tuple(stage) for stage in value["hidden"]),
            int(value.get("stem", 0)),
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
    """Of any other network: how many units its prunable layers have, by the names of their modules.

    `sizes`: instead of that, of a network whose units a graph told, the shape of the weight of each module.
    """

    units: Mapping[str, int]
    sizes: Mapping[str, tuple[int, ...]] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        found: dict[str, Any] = {"units": dict(self.units)}
        return found | ({"sizes": {name: list(size) for name, size in self.sizes.items()}} if self.sizes else {})


def read_widths(value: Mapping[str, Any] | None) -> Widths | UnitWidths | None:
    """Return widths that were JSON; None for a network that is as wide as its settings say."""
    if value is None:
        return None
    if "units" in value:
        sizes = {str(name): tuple(map(int, size)) for name, size in value.get("sizes", {}).items()}
        return UnitWidths({str(name): int(units) for name, units in value["units"].items()}, sizes)
    return Widths.from_json(value)
