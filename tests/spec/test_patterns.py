"""Neighbourhoods, grids and key counts of a window, each against its definition, and what is in no registry."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.spec import LongformerAttention, patterns
from engine.spec.patterns import (
    PATTERNS,
    Pattern,
    SparseShape,
    grid_cells,
    grid_points,
    mean_keys,
    neighbours,
    raster_reach,
)
from engine.spec.shapes import sparse_shape


@given(window=st.integers(1, 16), data=st.data())
def test_grid_points_are_distinct_and_cells_cover_the_window(window: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(1, window**2))
    assert len(set(grid_points(window, count))) == count
    cells = grid_cells(window, count)
    assert len(cells) == count
    assert sorted(token for cell in cells for token in cell) == list(range(window**2))


@pytest.mark.parametrize(("window", "count"), [(7, 4), (14, 4), (28, 16), (4, 4), (9, 3), (8, 8)])
def test_even_grids_are_their_own_mirror_image(window: int, count: int) -> None:
    points = {divmod(point, window) for point in grid_points(window, count)}
    assert points == {(window - 1 - row, column) for row, column in points}
    assert points == {(row, window - 1 - column) for row, column in points}


def test_row_pattern_has_the_key_budget_of_its_square() -> None:
    shape = sparse_shape(LongformerAttention(kind="longformer", pattern="row", radius=2), 1, 14)
    assert shape is not None
    assert len(neighbours(shape, 14)[100]) == 25


def shape_of(pattern: str, **words: int) -> SparseShape:
    return SparseShape(pattern, "grid", "dual", "shared", "joint", **{"radius": 0, "globals": 0, "tile": 0, **words})


Place = tuple[int, int]

# whether a query sees a key, each at (row, column) of a window of this side
DEFINITIONS: dict[str, Callable[[SparseShape, int, Place, Place], bool]] = {
    "slide": lambda shape, side, query, key: max(abs(query[0] - key[0]), abs(query[1] - key[1])) <= shape.radius,
    "block": lambda shape, side, query, key: all(
        one // shape.tile == other // shape.tile for one, other in zip(query, key, strict=True)
    ),
    "row": lambda shape, side, query, key: (
        abs((key[0] - query[0]) * side + key[1] - query[1]) <= ((2 * shape.radius + 1) ** 2 - 1) // 2
    ),
}


def by_definition(shape: SparseShape, window: int, query: int) -> set[int]:
    """Compare every pair of tokens, where the source draws ranges."""
    sees = DEFINITIONS[shape.pattern]
    return {key for key in range(window**2) if sees(shape, window, divmod(query, window), divmod(key, window))}


def test_every_pattern_has_a_definition() -> None:
    assert set(DEFINITIONS) == set(PATTERNS)


@pytest.mark.parametrize(("size", "window"), [(0, 3), (1, 4), (1, 5), (2, 6), (2, 7), (3, 6)])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_neighbourhoods_are_those_of_the_definition(pattern: str, size: int, window: int) -> None:
    """`size` is the radius, or the tile where it divides the window."""
    tile = size if size and window % size == 0 else 1
    shape = shape_of(pattern, **({"tile": tile} if PATTERNS[pattern].is_tiled else {"radius": size}))
    found = neighbours(shape, window)
    assert [set(keys) for keys in found] == [by_definition(shape, window, query) for query in range(window**2)]


def test_keys_are_counted_once_and_global_rows_see_all() -> None:
    """Window 3, radius 1: corners see 4, edges 6, the middle 9. The middle is the global: it sees 9, and all see it."""
    assert mean_keys(shape_of("slide", radius=1), 3) == pytest.approx((4 * 4 + 4 * 6 + 9) / 9)
    assert mean_keys(shape_of("slide", radius=1, globals=1), 3) == pytest.approx((4 * 4 + 4 * 6 + 9) / 9)
    assert mean_keys(shape_of("slide", radius=0, globals=1), 3) == pytest.approx((8 * 2 + 9) / 9)
    pooled = replace(shape_of("slide", radius=1, globals=4), select="pooled")
    assert mean_keys(pooled, 3) == pytest.approx((4 * 4 + 4 * 6 + 9) / 9 + 4)


@pytest.mark.parametrize(
    ("window", "count", "points"),
    [
        (7, 1, [24]),
        (7, 4, [8, 12, 36, 40]),
        (4, 1, [10]),
        (4, 4, [5, 6, 9, 10]),
        (3, 9, list(range(9))),
        (4, 0, []),
        (6, 6, [7, 9, 10, 25, 27, 28]),
    ],
)
def test_grid_points_are_the_centres_of_their_cells(window: int, count: int, points: list[int]) -> None:
    assert sorted(grid_points(window, count)) == points


def test_cells_are_bands_cut_into_columns() -> None:
    assert grid_cells(4, 4) == [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]]
    assert grid_cells(3, 2) == [[0, 3, 6], [1, 2, 4, 5, 7, 8]]
    assert grid_cells(4, 0) == []


@pytest.mark.parametrize(("radius", "reach"), [(0, 0), (1, 4), (2, 12), (3, 24)])
def test_reach_of_a_row_is_half_a_square(radius: int, reach: int) -> None:
    assert raster_reach(radius) == reach


def test_an_unknown_pattern_or_select_raises() -> None:
    with pytest.raises(ValueError, match=r"unknown pattern 'slid': did you mean 'slide'\?"):
        shape_of("slid", radius=1)
    with pytest.raises(ValueError, match=r"unknown select 'greed': did you mean 'grid'\?"):
        replace(shape_of("slide"), select="greed")


def test_a_pattern_that_left_the_registry_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    shape = shape_of("row", radius=1)
    monkeypatch.delitem(PATTERNS, "row")
    with pytest.raises(ValueError, match="unknown pattern 'row'"):
        neighbours(shape, 4)


def test_every_neighbourhood_has_a_word() -> None:
    written = {function for name, function in inspect.getmembers(patterns, inspect.isfunction) if name[:5] == "near_"}
    assert {pattern.near for pattern in PATTERNS.values()} == written


@pytest.mark.parametrize("pattern", PATTERNS)
def test_every_token_sees_itself(pattern: str) -> None:
    shape = shape_of(pattern, **({"tile": 2} if PATTERNS[pattern].is_tiled else {"radius": 1}))
    assert all(query in keys for query, keys in enumerate(neighbours(shape, 4)))


def test_a_new_entry_is_a_new_neighbourhood(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(PATTERNS, "self", Pattern(lambda sparse, window, query: [query]))
    assert neighbours(shape_of("self"), 2) == [frozenset({query}) for query in range(4)]
