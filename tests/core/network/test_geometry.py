"""Index tables of a window, against tables written by hand and against one key at a time."""

from __future__ import annotations

import pytest
import torch

from engine.core.network import geometry
from engine.spec.patterns import PATTERNS, SparseShape, neighbours


def shape_of(pattern: str, **words: int) -> SparseShape:
    return SparseShape(pattern, "grid", "dual", "shared", "joint", **{"radius": 0, "globals": 0, "tile": 0, **words})


def test_offsets_are_rows_and_columns_apart() -> None:
    assert geometry.offset_index(2).tolist() == [[0, 1, 2, 3], [1, 0, 3, 2], [2, 3, 0, 1], [3, 2, 1, 0]]


@pytest.mark.parametrize("pattern", PATTERNS)
def test_the_mask_is_the_neighbourhood(pattern: str) -> None:
    shape = shape_of(pattern, radius=1, tile=2)
    mask = geometry.near_mask(shape, 4)
    assert [set(row.nonzero().flatten().tolist()) for row in mask] == neighbours(shape, 4)


def test_ties_go_to_the_grid_then_in_raster_order() -> None:
    assert geometry.grid_index(3, 1).tolist() == [4]
    assert geometry.tie_order(3, 1).tolist() == [4, 0, 1, 2, 3, 5, 6, 7, 8]


def test_every_token_lies_in_one_cell() -> None:
    marks = geometry.cell_marks(4, 4)
    assert marks.sum(0).tolist() == [1] * 16
    assert marks[0].nonzero().flatten().tolist() == [0, 1, 4, 5]


def test_tiles_are_in_raster_order_and_alike() -> None:
    order, offsets = geometry.tile_tables(4, 2)
    assert order.tolist() == [[0, 1, 4, 5], [2, 3, 6, 7], [8, 9, 12, 13], [10, 11, 14, 15]]
    assert offsets.tolist() == [[0, 1, 4, 5], [1, 0, 5, 4], [4, 5, 0, 1], [5, 4, 1, 0]]
    whole = geometry.offset_index(4)
    assert all(torch.equal(whole[tile][:, tile], offsets) for tile in order)


@pytest.mark.parametrize("tokens_only", [False, True])
def test_a_masked_index_hides_what_is_not_seen(tokens_only: bool) -> None:
    near, grid, offsets = (
        geometry.near_mask(shape_of("slide", radius=1), 3),
        torch.tensor([8]),
        geometry.offset_index(3),
    )
    index = geometry.mask_index(offsets, near, grid, tokens_only)
    for query in range(9):
        for key in range(9):
            seen = bool(near[query, key]) or (key == 8 and not tokens_only)
            assert index[query, key] == (offsets[query, key] if seen else 9)


def test_a_tiled_index_puts_the_globals_last_and_once() -> None:
    offsets, (tiles, within) = geometry.offset_index(4), geometry.tile_tables(4, 2)
    index = geometry.tile_index(offsets, tiles, within, torch.tensor([5, 10]), False)
    assert index.shape == (4, 4, 6)
    for tile in range(4):
        assert torch.equal(index[tile, :, :4], within)
        for place, token in enumerate(tiles[tile].tolist()):
            for column, key in ((4, 5), (5, 10)):
                inside = key in tiles[tile].tolist()
                assert index[tile, place, column] == (16 if inside else offsets[token, key])


def test_a_tiled_index_of_tokens_alone_has_no_globals() -> None:
    offsets, (tiles, within) = geometry.offset_index(4), geometry.tile_tables(4, 2)
    index = geometry.tile_index(offsets, tiles, within, torch.tensor([5]), True)
    assert index.tolist() == [within.tolist()] * 4
