"""Code that installed packages register under short names: takes nothing, gives each with its kind; imports none of it.

A package says so in its metadata (entry points), and a spec may then write the short name in the place of the module:

    [project.entry-points."xp.networks"]
    fast_vit = "my_lab.nets:FastVit"
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import entry_points

from engine.spec.own_code import CodeKind, names_code

GROUPS: Mapping[CodeKind, str] = {
    "network": "xp.networks",
    "loss": "xp.losses",
    "attention": "xp.attentions",
    "source": "xp.sources",
    "optimizer": "xp.optimizers",
    "criterion": "xp.criteria",
    "augmentation": "xp.augmentations",
}


@dataclass(frozen=True)
class Registered:
    """A short name, what it stands for, and the package that registers it."""

    kind: CodeKind
    name: str
    reference: str
    package: str


def list_registered() -> list[Registered]:
    """Return what is registered, by kind and name; of one that names no class or function nothing is told."""
    return [
        Registered(kind, point.name, point.value, f"{point.dist.name} {point.dist.version}" if point.dist else "")
        for kind, group in GROUPS.items()
        for point in sorted(entry_points(group=group), key=lambda point: point.name)
        if names_code(point.value)
    ]


def find_registered(kind: CodeKind, name: str) -> str | None:
    """Return what a short name stands for, None where no package, or more than one, registers it."""
    found = {point.value for point in entry_points(group=GROUPS[kind], name=name) if names_code(point.value)}
    return found.pop() if len(found) == 1 else None
