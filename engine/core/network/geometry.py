"""Index tables of one window: takes its side and the sparse settings, gives tensors for the attention formulas.

Tokens are numbered in raster order. Every table is a pure function of its arguments; modules keep them as buffers
that are no part of a state dict.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor

from engine.spec.patterns import SparseShape, grid_cells, grid_points, neighbours

BAND_ROWS = 4
"""Fewer rows a band see fewer keys in vain, and are more and smaller products: 4 to 7 were best on two CPU threads."""


def offset_index(window: int) -> Tensor:
    """Return (N, N) int64: entry |dy| * window + |dx| of the bias table for each query and key."""
    line = torch.arange(window)
    apart = (line[:, None] - line[None, :]).abs()
    index = apart[:, None, :, None] * window + apart[None, :, None, :]
    return index.reshape(window**2, window**2)


def near_mask(sparse: SparseShape, window: int) -> Tensor:
    """Return (N, N) bool: whether the key lies in the query's neighbourhood."""
    mask = torch.zeros(window**2, window**2, dtype=torch.bool)
    for query, keys in enumerate(neighbours(sparse, window)):
        mask[query, list(keys)] = True
    return mask


def grid_index(window: int, count: int) -> Tensor:
    """Return (g,) int64: the centres of a near-square grid of cells, the places of static globals."""
    return torch.tensor(grid_points(window, count), dtype=torch.long)


def tie_order(window: int, count: int) -> Tensor:
    """Return (N,) int64: all tokens, grid points first, then raster order: who wins among equal scores."""
    first = grid_points(window, count)
    rest = [token for token in range(window**2) if token not in set(first)]
    return torch.tensor(first + rest, dtype=torch.long)


def cell_marks(window: int, count: int) -> Tensor:
    """Return (g, N) bool: whether a token lies in grid cell c; every token lies in one."""
    matrix = torch.zeros(count, window**2, dtype=torch.bool)
    for cell, tokens in enumerate(grid_cells(window, count)):
        matrix[cell, tokens] = True
    return matrix


def tile_order(window: int, tile: int) -> Tensor:
    """Return (T, tile^2) int64: the tokens of each tile, tiles and their tokens both in raster order."""
    tokens = torch.arange(window**2).view(window // tile, tile, window // tile, tile)
    return tokens.transpose(1, 2).reshape(-1, tile**2)


def tile_tables(window: int, tile: int) -> tuple[Tensor, Tensor]:
    """Return the tokens of each tile (T, n), and the offsets within a tile (n, n), alike in all of them."""
    order = tile_order(window, tile)
    return order, offset_index(window)[order[0]][:, order[0]]


def mask_index(offsets: Tensor, near: Tensor, grid: Tensor, tokens_only: bool) -> Tensor:
    """Return (N, N): where the bias of each query and key lies in a table of N entries and one more, of unseen keys.

    Seen are the neighbourhood and, unless `tokens_only` (what is global is no token), the places of the grid.
    """
    seen = near if tokens_only else near.index_fill(1, grid, True)
    return offsets.masked_fill(~seen, len(offsets))


def tile_index(offsets: Tensor, tiles: Tensor, tile_offsets: Tensor, grid: Tensor, tokens_only: bool) -> Tensor:
    """Return (T, n, n + g) as `mask_index` does, tile by tile: the globals last, unseen where they lie in the tile."""
    near = tile_offsets.expand(len(tiles), -1, -1)
    if tokens_only:
        return near.contiguous()
    inside = (tiles[:, :, None] == grid).any(1)
    far = offsets[tiles][:, :, grid].masked_fill(inside[:, None, :], len(offsets))
    return torch.cat([near, far], -1)


def key_bands(sparse: SparseShape, window: int) -> list[tuple[slice, slice]]:
    """Cut the window's rows into bands of about BAND_ROWS; return the queries of each, and the run of keys they see.

    Tokens are in raster order, so that both are slices and nothing has to be gathered.
    """
    count, near = max(1, round(window / BAND_ROWS)), neighbours(sparse, window)
    cuts = [band * window // count * window for band in range(count + 1)]
    runs = [frozenset[int]().union(*near[first:last]) for first, last in pairwise(cuts)]
    return [(slice(*cut), slice(min(run), max(run) + 1)) for cut, run in zip(pairwise(cuts), runs, strict=True)]


def band_index(index: Tensor, bands: list[tuple[slice, slice]]) -> Tensor:
    """Return the entries of an (N, N) table of indices that the bands look at, one band after another, (n,)."""
    return torch.cat([index[queries, keys].flatten() for queries, keys in bands])
