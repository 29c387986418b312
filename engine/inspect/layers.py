"""`xp describe`: takes a spec, gives a table for each arm: its layers, what they really use, and what they cost."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

from engine.core.describe import LayerRow, describe_network
from engine.errors import DataError
from engine.home.paths import Home
from engine.inputs.content import data_content
from engine.plan.own_code import settle_spec
from engine.spec import Data, Spec
from engine.spec.cells import expand_cells

CLASSES = 100  # where the images are not here to be counted


@dataclass(frozen=True)
class ArmTable:
    """The layers of one arm's student at one class count."""

    arm: str
    num_classes: int
    rows: tuple[LayerRow, ...]

    def as_json(self) -> dict[str, Any]:
        return {"arm": self.arm, "num_classes": self.num_classes, "layers": [asdict(row) for row in self.rows]}


def describe_arms(spec: Spec, home: Home) -> Iterator[ArmTable]:
    """Yield a table for each arm, at the first point of a matrix.

    Its classes are those of the images, else those that data.classes names, else 100.
    """
    seen: set[str] = set()
    known: dict[Any, tuple[LayerRow, ...]] = {}  # arms often share a network, and building one takes seconds
    for cell in expand_cells(settle_spec(spec, home)):
        if cell.arm in seen:
            continue
        seen.add(cell.arm)
        settings = cell.settings
        count = _class_count(settings.data, home)
        asked = (settings.student, count, settings.data.image_size)
        key = (settings.student.model_dump_json(), *asked[1:], settings.train.memory)
        if key not in known:
            known[key] = tuple(describe_network(*asked, memory=settings.train.memory))
        yield ArmTable(cell.arm, count, known[key])


def _class_count(data: Data, home: Home) -> int:
    """Count the classes of one arm's images: an arm may take only some of them, or others."""
    try:
        return data_content(data, home.digests).num_classes
    except DataError:
        return len(data.classes or ()) or CLASSES
