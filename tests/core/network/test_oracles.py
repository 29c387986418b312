"""Laws of windowed Longformer attention over every combination of its words, with a tested table of exclusions.

Each law is checked on each combination. Where the table says that a law does not hold it must be seen to fail, so the
reasons cannot go stale. A law that needs another radius or number of globals sets it itself.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import pytest
import torch
from torch import Tensor

from engine.core.network.attention import LongformerAttention
from engine.core.network.sparse import SELECTS
from engine.core.network.window import WindowAttention
from engine.spec import LongformerAttention as Words
from engine.spec.patterns import PATTERNS, SparseShape
from engine.spec.shapes import sparse_shape
from tests.core.network.nets import dense, longformer, tokens

WINDOW, DIM, HEADS = 4, 8, 2
BACKENDS = ("auto", "reference", "sdpa")
COMBINATIONS: tuple[dict[str, Any], ...] = tuple(
    {"pattern": pattern, "select": select, "projections": projections, "bias": bias, "combine": combine}
    for pattern, select, projections, bias, combine in itertools.product(
        PATTERNS,
        SELECTS,
        ("dual", "shared"),
        ("shared", "separate", "none"),
        ("joint", "sum", "mean"),
    )
)


@dataclass(frozen=True)
class Exclusion:
    """Combinations for which a law does not hold, and why."""

    law: str
    reason: str
    applies: Callable[[SparseShape], bool]


EXCLUSIONS = (
    Exclusion("covering", "a cell's mean is one more key beside its tokens", lambda s: s.select == "pooled"),
    Exclusion("covering", "two softmaxes are added", lambda s: s.combine != "joint" and s.globals > 0),
    Exclusion("covering", "global rows have no bias", lambda s: s.bias == "none" and s.has_global_rows),
    Exclusion("all global", "there are no global rows", lambda s: not s.has_global_rows),
    Exclusion("all global", "the near softmax is added", lambda s: s.combine != "joint"),
    Exclusion("rows sum to one", "two softmaxes are added whole", lambda s: s.combine == "sum" and s.globals > 0),
    Exclusion("mirror", "raster order is not symmetric", lambda s: s.pattern == "row"),
    Exclusion(
        "uniform",
        "global rows read other values than ordinary ones",
        lambda s: s.has_second_set and s.combine == "joint",
    ),
    Exclusion(
        "row independence",
        "both projection sets are summed in every row",
        lambda s: s.has_second_set and s.combine != "joint",
    ),
)


def build(words: dict[str, Any], backend: str, **more: Any) -> LongformerAttention:
    return longformer(WINDOW, DIM, HEADS, backend, **{"tile": 2, "radius": 1, "globals": 4, **words, **more})


def close(one: Tensor, other: Tensor) -> bool:
    return torch.allclose(one, other, rtol=0, atol=1e-11)


def covering(words: dict[str, Any], backend: str) -> bool:
    """A neighbourhood that covers the window, with copied projections, is dense attention."""
    plain, module = dense(WINDOW, DIM, HEADS), build(words, backend, radius=WINDOW - 1)
    module.load_state_dict(plain.state_dict(), strict=False)
    module.copy_projections()
    if hasattr(module, "score"):
        module.score.data.zero_()
    x = tokens(WINDOW, DIM)
    return close(module(x).out, plain(x))


def all_global(words: dict[str, Any], backend: str) -> bool:
    """With every token global only the global projections and their bias count."""
    module, x = build(words, backend, globals=WINDOW**2), tokens(WINDOW, DIM)
    plain = WindowAttention(DIM, HEADS, DIM // HEADS, WINDOW).double()
    state = {name: value for name, value in module.state_dict().items() if name in plain.state_dict()}
    if module.sparse.has_second_set:
        state |= {f"qkv.{part}": getattr(module.qkv_global, part).detach() for part in ("weight", "bias")}
    table = module.global_table()
    state["attention_biases"] = torch.zeros(HEADS, WINDOW**2) if table is None else table.detach()
    plain.load_state_dict(state)
    return close(module(x).out, plain(x))


def lone_tokens(words: dict[str, Any], backend: str) -> bool:
    """Without globals and with no neighbour but itself a token keeps its own value."""
    module, x = build(words, backend, globals=0, radius=0, tile=1), tokens(WINDOW, DIM)
    values = module.split_heads(module.qkv(module.norm(x))).v
    return close(module(x).out, module.join_heads(values))


def rows_sum_to_one(words: dict[str, Any], backend: str) -> bool:
    sums = build(words, backend).probabilities(tokens(WINDOW, DIM)).sum(-1)
    return close(sums, torch.ones_like(sums))


def mirror(words: dict[str, Any], backend: str) -> bool:
    """A mirrored window gives the mirrored output."""
    module, x = build(words, backend), tokens(WINDOW, DIM)
    flips = [value.view(-1, WINDOW, WINDOW, DIM).flip(2).flatten(1, 2) for value in (x, module(x).out)]
    return close(module(flips[0]).out, flips[1])


def uniform(words: dict[str, Any], backend: str) -> bool:
    """Equal tokens give equal rows."""
    x = tokens(WINDOW, DIM)[:, :1].expand(-1, WINDOW**2, -1)
    out = build(words, backend)(x).out
    return close(out, out[:, :1].expand_as(out))


def row_independence(words: dict[str, Any], backend: str) -> bool:
    """Global rows do not depend on the local projections, the others not on the global ones."""
    module, x = build(words, backend), tokens(WINDOW, DIM)
    if not module.sparse.has_second_set:
        return True
    places = torch.tensor([[0, 5, 10, 15]]).expand(len(x), -1)
    is_global = torch.zeros(WINDOW**2, dtype=torch.bool).index_fill(0, places[0], True)
    before = module(x, chosen=places).out
    for linear, same in ((module.qkv, is_global), (module.qkv_global, ~is_global)):
        saved = linear.weight.detach().clone()
        linear.weight.data.mul_(1.5)
        after = module(x, chosen=places).out
        linear.weight.data.copy_(saved)
        if not close(after[:, same], before[:, same]):
            return False
    return True


LAWS: dict[str, Callable[[dict[str, Any], str], bool]] = {
    "covering": covering,
    "all global": all_global,
    "lone tokens": lone_tokens,
    "rows sum to one": rows_sum_to_one,
    "mirror": mirror,
    "uniform": uniform,
    "row independence": row_independence,
}


def shape_of(words: dict[str, Any]) -> SparseShape:
    return _built_shape(tuple(words.items()))


@cache
def _built_shape(words: tuple[tuple[str, Any], ...]) -> SparseShape:
    return build(dict(words), "reference").sparse


def is_excluded(law: str, words: dict[str, Any]) -> bool:
    shape = shape_of(words)
    return any(exclusion.applies(shape) for exclusion in EXCLUSIONS if exclusion.law == law)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("law", LAWS)
def test_a_law_holds_exactly_where_the_table_says(law: str, backend: str) -> None:
    wrong = []
    with torch.no_grad():
        for words in COMBINATIONS:
            if law == "covering" and words["pattern"] == "block":
                continue  # not built: see the test below
            if LAWS[law](words, backend) == is_excluded(law, words):
                wrong.append(words)
    assert not wrong


def test_a_block_stage_whose_tile_covers_its_window_is_dense_attention() -> None:
    for words in COMBINATIONS:
        if words["pattern"] == "block":
            assert sparse_shape(Words(kind="longformer", tile=WINDOW, **words), 1, WINDOW) is None


@pytest.mark.parametrize("exclusion", EXCLUSIONS, ids=lambda exclusion: f"{exclusion.law}: {exclusion.reason}")
def test_every_exclusion_is_needed(exclusion: Exclusion) -> None:
    others = [other for other in EXCLUSIONS if other.law == exclusion.law and other is not exclusion]
    alone = [
        words
        for words in COMBINATIONS
        if exclusion.applies(shape := shape_of(words)) and not any(o.applies(shape) for o in others)
    ]
    assert alone
