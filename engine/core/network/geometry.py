"""Index tables of one window: takes its side and the sparse settings, gives tensors for the attention formulas.

Tokens are numbered in raster order. Every table is a pure function of its arguments; modules keep them as buffers
that are no part of a state dict.
"""

from __future__ import annotations

import torch
from torch import Tensor

from engine.spec.shapes import SparseShape, grid_cells, grid_points, neighbours


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
