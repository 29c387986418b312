"""Multiply-adds of the algorithm: takes a network, gives what its attention patterns need, whatever is computed.

A pattern that is carried out as dense attention under a mask computes every product of a window, and the fast path of
a tiled one those of masked globals too. Here only the pairs of a query and a key that see each other count, padding
and its projections not, and of two ways to compute global rows the cheaper one.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from itertools import product

from torch import nn

from engine.core.measure import count_macs_by_module
from engine.core.network.sparse import SparseAttention
from engine.core.network.tiny_vit import TinyViT
from engine.core.network.window import WindowAttention
from engine.spec.patterns import SparseShape, grid_cells, grid_points, neighbours


@dataclass(frozen=True)
class Pairs:
    """One window: its real tokens, those of them that are global, and the pairs of query and key that see each other.

    `local` pairs meet by the local projections; `wide` ones by the global ones, where there are any.
    """

    tokens: int
    globals: int
    local: int
    wide: int


def count_algorithm_macs(network: nn.Module, image_size: int) -> int:
    """Return the multiply-adds for one image that the patterns need; of a network without ours, what it computes."""
    counts = count_macs_by_module(network, image_size)
    if not isinstance(network, TinyViT):
        return counts[""]
    # `stages.1.blocks.0.attn`: the number of its stage comes second.
    parts = network.attention_modules()
    needed = {name: _attention_macs(network, int(name.split(".")[1]), part) for name, part in parts}
    return counts[""] + sum(needed.values()) - sum(counts[name] for name in needed)


def _attention_macs(network: TinyViT, stage: int, part: WindowAttention) -> int:
    sides = _real_sides(network.shape.stages[stage].side, part.window, network.ways.mask_padding)
    sparse = part.sparse if isinstance(part, SparseAttention) else None
    return sum(number * _window_macs(part, count_pairs(sparse, part.window, *sizes)) for sizes, number in sides.items())


def _real_sides(side: int, window: int, mask_padding: bool) -> Counter[tuple[int, int]]:
    """Return how many windows of a map have how many rows and columns of real tokens; padding counts unless masked."""
    along = [min(window, side - first) if mask_padding else window for first in range(0, side, window)]
    return Counter(product(along, along))


def count_pairs(sparse: SparseShape | None, window: int, rows: int, columns: int) -> Pairs:
    """Return the pairs of a window whose first `rows` x `columns` tokens are real; None is dense attention.

    Chosen globals count as if they lay on the grid.
    """
    real = {row * window + column for row in range(rows) for column in range(columns)}
    if sparse is None:
        return Pairs(len(real), 0, len(real) ** 2, 0)
    near = [keys & real for query, keys in enumerate(neighbours(sparse, window)) if query in real]
    local = sum(map(len, near))
    if sparse.has_global_keys_only:
        cells = sum(not real.isdisjoint(cell) for cell in grid_cells(window, sparse.globals))
        return Pairs(len(real), 0, local + len(real) * cells, 0)
    points = set(grid_points(window, sparse.globals)) & real
    whole, ordinary = len(points) * len(real), sorted(real - points)
    if sparse.combine != "joint":  # a softmax of its own: every global key for every row
        return Pairs(len(real), len(points), local, len(ordinary) * len(points) + whole)
    places = dict(zip(sorted(real), near, strict=True))
    return Pairs(len(real), len(points), sum(len(places[query] | points) for query in ordinary), whole)


def _window_macs(part: WindowAttention, pairs: Pairs) -> int:
    """Four projections of every token, and a product with each pair's key and one with its value (N, C, h, d, g)."""
    dim, inner, tokens = part.qkv.in_features, part.heads * part.head_dim, pairs.tokens
    macs = 4 * tokens * dim * inner + 2 * inner * pairs.local
    if not isinstance(part, SparseAttention):
        return macs
    if part.select.has_score and part.sparse.globals:
        macs += tokens * dim
    return macs + _global_macs(part, pairs, dim, inner)


def _global_macs(part: SparseAttention, pairs: Pairs, dim: int, inner: int) -> int:
    """A second set projects the window once more, or only the global rows, with W_k and W_v absorbed into them."""
    direct = 2 * inner * pairs.wide
    if not part.sparse.has_second_set or not pairs.globals:
        return direct
    if part.sparse.combine != "joint":
        return direct + 3 * pairs.tokens * dim * inner
    absorbed = 3 * pairs.globals * dim * inner + 2 * part.heads * pairs.globals * pairs.tokens * dim
    return min(absorbed, direct + 2 * pairs.tokens * dim * inner + pairs.globals * dim * inner)
