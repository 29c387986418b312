"""The cells of a search: takes a sheet, gives a heat map where arms cross two settings of a network's attention.

The two settings with most levels are the axes. Whatever else differs, as the split does, makes a chart of its own; a
place that two arms would share belongs to no grid.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import combinations

from engine.report.charts.grids import SearchGrid, Tried
from engine.report.charts.style import point_name
from engine.report.sentences import say
from engine.report.sheet import Sheet

ACCURACY = "test_top1"
SETTINGS = {
    "student.windows": "windows", "student.attention.globals": "globals", "student.attention.radius": "radius",
    "student.attention.tile": "tile", "student.attention.pattern": "pattern", "student.attention.select": "select",
}  # fmt: skip
ATTENTION = "student.attention."
MOST_GRIDS = 6
LEAST_CELLS = 3  # of a grid: two are a comparison
Place = tuple[str, str]


def search_grids(sheet: Sheet) -> list[SearchGrid]:
    """Return the heat maps of an experiment, none where its arms cross no two such settings."""
    sparse = {place: tree for place, tree in sheet.settings.items() if tree.get(f"{ATTENTION}kind") == "longformer"}
    groups: dict[str, dict[Place, Mapping[str, object]]] = {}
    for place, tree in sparse.items():
        rest = {path: value for path, value in tree.items() if not _is_searched(path)}
        groups.setdefault(json.dumps([place[1] if _is_apart(sheet) else "", rest], sort_keys=True), {})[place] = tree
    found = [grid for held in groups.values() if (grid := _grid(sheet, held)) is not None]
    named = [SearchGrid(f"{one.name}_{at}" if at else one.name, one.title, one.down, one.across, one.rows, one.columns,
                        one.cells, one.notes) for at, one in enumerate(found)]  # fmt: skip
    return named[:MOST_GRIDS]


def _is_searched(path: str) -> bool:
    return path.startswith((ATTENTION, "student.windows"))


def _is_apart(sheet: Sheet) -> bool:
    """Whether points of the matrix are something else than the settings searched over, as splits are."""
    return not any(name in point for point in sheet.points for name in SETTINGS)


def _grid(sheet: Sheet, held: Mapping[Place, Mapping[str, object]]) -> SearchGrid | None:
    axes = _axes(held)
    if axes is None:
        return None
    down, across = axes
    rows, columns = _levels(held, down), _levels(held, across)
    places = {
        (rows.index(_value(tree, down)), columns.index(_value(tree, across))): place for place, tree in held.items()
    }
    cells = {at: tried for at, place in places.items() if (tried := _tried(sheet, place)) is not None}
    point = next(iter(held))[1]
    where = f", {point_name(point)}" if point_name(point) and _is_apart(sheet) and len(sheet.points) > 1 else ""
    title = f"Test accuracy: {SETTINGS[down]} and {SETTINGS[across]}{where}"
    notes = _notes(cells, len(rows) * len(columns))
    return SearchGrid("search", title, SETTINGS[down], SETTINGS[across], rows, columns, cells, notes)


def _axes(held: Mapping[Place, Mapping[str, object]]) -> tuple[str, str] | None:
    """Return the two settings, those with most levels first, that no two arms have both in common."""
    varied = [path for path in SETTINGS if len(_levels(held, path)) > 1]
    pairs = sorted(combinations(varied, 2), key=lambda pair: -len(_levels(held, pair[0])) * len(_levels(held, pair[1])))
    for pair in pairs:
        taken = {tuple(_value(tree, path) for path in pair) for tree in held.values()}
        if len(taken) == len(held) >= LEAST_CELLS:
            return pair
    return None


def _levels(held: Mapping[Place, Mapping[str, object]], path: str) -> list[str]:
    """Return the levels in order: numbers by size, words as they come."""
    values = list(dict.fromkeys(_value(tree, path) for tree in held.values()))
    return sorted(values, key=_order) if all(_is_number(value) for value in values) else values


def _value(tree: Mapping[str, object], path: str) -> str:
    value = tree.get(path)
    if value is None:
        return "default"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)


def _is_number(value: str) -> bool:
    return all(part.strip().lstrip("-").isdigit() for part in value.split(","))


def _order(value: str) -> list[int]:
    return [int(part) for part in value.split(",")]


def _tried(sheet: Sheet, place: Place) -> Tried | None:
    row = sheet.cells.get((*place, ACCURACY))
    if row is None or not row["n"]:
        return None
    half = 50 * (row["high"] - row["low"]) if row["std"] and row["low"] is not None else None
    return Tried(100 * row["mean"], half, row["n"])


def _notes(cells: Mapping[tuple[int, int], Tried], places: int) -> Sequence[str]:
    notes = [say("grid_note")]
    notes += [say("grid_half")] if any(one.half is not None for one in cells.values()) else []
    notes += [say("grid_empty")] if len(cells) < places else []
    return notes
