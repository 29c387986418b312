"""Attention against its formula, a plain loop, and the laws that it must keep."""

from __future__ import annotations

import itertools
import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from engine.core.network.attention import LongformerAttention
from engine.core.network.sparse import SELECTS
from engine.spec.patterns import PATTERNS, neighbours
from tests.core.network.nets import dense, longformer, tokens, twin_of

TOLERANCE = 1e-12
TOKEN_SELECTS = [word for word, select in SELECTS.items() if select.makes_globals and not select.keys_only]


def loop_attention(module: LongformerAttention, x: Tensor, places: list[list[int]]) -> Tensor:
    """Compute joint attention one row at a time, straight from its definition, for token globals."""
    y = module.norm(x)
    local = module.split_heads(module.qkv(y))
    wide = module.split_heads(module.qkv_global(y)) if module.sparse.has_second_set else local
    near = neighbours(module.sparse, module.window)
    rows = []
    for window, head, query in itertools.product(range(x.shape[0]), range(module.heads), range(x.shape[1])):
        is_global = query in places[window]
        q, k, v = (part[window, head] for part in (wide if is_global else local))
        keys = sorted(range(x.shape[1]) if is_global else near[query] | set(places[window]))
        logits = [row_logit(module, q, k, query, key, head, is_global) for key in keys]
        rows.append(torch.stack(logits).softmax(0) @ v[keys])
    out = torch.stack(rows).view(x.shape[0], module.heads, x.shape[1], module.head_dim)
    return module.join_heads(out)


def row_logit(
    module: LongformerAttention, q: Tensor, k: Tensor, query: int, key: int, head: int, is_global: bool
) -> Tensor:
    (row, column), (other_row, other_column) = divmod(query, module.window), divmod(key, module.window)
    entry = abs(row - other_row) * module.window + abs(column - other_column)
    table = module.attention_biases
    if is_global and module.sparse.bias == "separate":
        table = module.attention_biases_global
    logit = q[query] @ k[key] / math.sqrt(module.head_dim)
    return logit if is_global and module.sparse.bias == "none" else logit + table[head, entry]


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("projections", ["dual", "shared"])
@pytest.mark.parametrize("bias", ["shared", "separate", "none"])
def test_reference_equals_a_plain_loop(pattern: str, projections: str, bias: str) -> None:
    module = longformer(4, 8, 2, pattern=pattern, tile=2, radius=1, globals=3, projections=projections, bias=bias)
    x = tokens(4, 8, 2)
    places = [[0, 5, 6], [3, 9, 15]]
    expected = loop_attention(module, x, places)
    torch.testing.assert_close(module(x, chosen=torch.tensor(places)).out, expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("pattern", ["slide", "row"])
@pytest.mark.parametrize("select", TOKEN_SELECTS)
@pytest.mark.parametrize("bias", ["shared", "separate"])
@pytest.mark.parametrize("projections", ["dual", "shared"])
def test_covering_neighbourhood_equals_dense_attention(pattern: str, select: str, bias: str, projections: str) -> None:
    plain, x = dense(5), tokens(5)
    module = longformer(5, pattern=pattern, select=select, radius=4, globals=3, bias=bias, projections=projections)
    twin_of(plain, module)
    if select == "learned":
        module.score.data.zero_()
    torch.testing.assert_close(module(x).out, plain(x), rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("combine", ["joint", "sum", "mean"])
def test_all_tokens_global_leaves_only_the_global_projections(combine: str) -> None:
    plain, x = dense(4), tokens(4)
    module = longformer(4, globals=16, radius=1, combine=combine)
    wide = dense(4)
    wide.load_state_dict(
        {**plain.state_dict(), "qkv.weight": module.qkv_global.weight, "qkv.bias": module.qkv_global.bias}
    )
    twin = longformer(4, globals=16, radius=1, combine=combine)
    twin.load_state_dict({**module.state_dict(), **{k: v for k, v in wide.state_dict().items() if "qkv" not in k}})
    if combine == "joint":
        torch.testing.assert_close(twin(x).out, wide(x), rtol=0, atol=TOLERANCE)
    else:
        assert not torch.allclose(twin(x).out, wide(x))


@pytest.mark.parametrize("pattern", ["slide", "row"])
@pytest.mark.parametrize("combine", ["joint", "sum", "mean"])
def test_no_globals_and_no_radius_passes_each_value_through(pattern: str, combine: str) -> None:
    module, x = longformer(4, pattern=pattern, radius=0, select="none", combine=combine), tokens(4)
    values = module.split_heads(module.qkv(module.norm(x))).v
    torch.testing.assert_close(module(x).out, module.join_heads(values), rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("select", SELECTS)
@pytest.mark.parametrize("combine", ["joint", "sum", "mean"])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_every_parameter_learns(select: str, combine: str, pattern: str) -> None:
    module = longformer(6, pattern=pattern, tile=3, select=select, combine=combine, bias="separate")
    module(tokens()).out.square().sum().backward()
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.isfinite().all(), name
        assert parameter.grad.abs().max() > 0, name


@pytest.mark.parametrize("select", SELECTS)
@pytest.mark.parametrize("combine", ["joint", "mean"])
def test_weights_of_a_row_sum_to_one(select: str, combine: str) -> None:
    weights = longformer(select=select, combine=combine).probabilities(tokens())
    torch.testing.assert_close(weights.sum(-1), torch.ones_like(weights.sum(-1)), rtol=0, atol=TOLERANCE)


def test_global_rows_ignore_local_projections_and_others_ignore_global_ones() -> None:
    module, x = longformer(radius=1), tokens()
    is_global = torch.zeros(36, dtype=torch.bool)
    is_global[module.grid] = True
    before = module(x).out
    for linear, changed in ((module.qkv, ~is_global), (module.qkv_global, is_global)):
        saved = linear.weight.detach().clone()
        linear.weight.data += 0.1
        after = module(x).out
        assert torch.equal(after[:, ~changed], before[:, ~changed])
        assert not torch.isclose(after[:, changed], before[:, changed]).all(-1).any()
        linear.weight.data.copy_(saved)


@pytest.mark.parametrize("pattern", ["slide", "block"])
@pytest.mark.parametrize("axis", [1, 2])
def test_mirrored_window_gives_mirrored_output(pattern: str, axis: int) -> None:
    module, x = longformer(6, pattern=pattern, tile=3, radius=1), tokens()
    mirrored = x.view(3, 6, 6, 16).flip(axis).reshape(3, 36, 16)
    expected = module(x).out.view(3, 6, 6, 16).flip(axis).reshape(3, 36, 16)
    torch.testing.assert_close(module(mirrored).out, expected, rtol=0, atol=TOLERANCE)


def test_raster_order_does_not_mirror() -> None:
    module, x = longformer(6, pattern="row", radius=1), tokens()
    mirrored = x.view(3, 6, 6, 16).flip(2).reshape(3, 36, 16)
    expected = module(x).out.view(3, 6, 6, 16).flip(2).reshape(3, 36, 16)
    assert not torch.allclose(module(mirrored).out, expected)


@pytest.mark.parametrize("pattern", ["slide", "row"])
def test_wider_radius_sees_at_least_as_much(pattern: str) -> None:
    masks = [longformer(6, pattern=pattern, radius=radius).near for radius in range(6)]
    assert all((narrow <= wide).all() for narrow, wide in itertools.pairwise(masks))
    assert masks[-1].all()


@pytest.mark.parametrize("select", SELECTS)
@pytest.mark.parametrize("pattern", PATTERNS)
def test_equal_tokens_give_equal_rows_with_equal_projections(select: str, pattern: str) -> None:
    module = longformer(6, pattern=pattern, tile=3, select=select, projections="shared")
    x = tokens()[:, :1].expand(3, 36, 16)
    out = module(x).out
    torch.testing.assert_close(out, out[:, :1].expand_as(out), rtol=0, atol=TOLERANCE)


def test_received_attention_is_divided_by_the_rows_that_see_a_token() -> None:
    module, x = longformer(4, 8, 2, select="previous", radius=1, globals=2), tokens(4, 8, 1)
    _, received = module(x, want_received=True)
    assert received is not None
    weights = module.probabilities(x).detach()[0].sum(0)
    for key in range(16):
        rows = [query for query in range(16) if weights[query, key] > 0]
        expected = float(weights[rows, key].sum()) / len(rows)
        assert float(received[0, key]) == pytest.approx(expected)


@pytest.mark.parametrize("select", SELECTS)
@pytest.mark.parametrize("combine", ["joint", "sum", "mean"])
@pytest.mark.parametrize("pattern", PATTERNS)
def test_padding_tokens_change_nothing(select: str, combine: str, pattern: str) -> None:
    module, x = longformer(6, pattern=pattern, tile=3, select=select, combine=combine, radius=1), tokens()
    keep = torch.ones(3, 6, 6, dtype=torch.bool)
    keep[1, 4:] = False
    keep[2, :, 2:] = False
    keep = keep.flatten(1)
    other = torch.where(keep[..., None], x, torch.full_like(x, 3.0))
    real, changed = module(x, keep).out, module(other, keep).out
    assert torch.equal(real[keep], changed[keep])
    assert torch.allclose(module(x).out[0], real[0], rtol=0, atol=TOLERANCE)


@settings(max_examples=25, deadline=None)
@given(
    window=st.integers(2, 6),
    radius=st.integers(0, 5),
    count=st.integers(0, 6),
    heads=st.integers(1, 3),
    pattern=st.sampled_from(["slide", "row"]),
    data=st.data(),
)
def test_any_shape_equals_the_plain_loop(
    window: int, radius: int, count: int, heads: int, pattern: str, data: st.DataObject
) -> None:
    count = min(count, window**2)
    words: dict[str, Any] = {"pattern": pattern, "radius": radius, "globals": count}
    module, x = longformer(window, 4 * heads, heads, **words), tokens(window, 4 * heads, 1)
    places = data.draw(st.lists(st.integers(0, window**2 - 1), min_size=count, max_size=count, unique=True))
    expected = loop_attention(module, x, [places])
    given_places = torch.tensor([places], dtype=torch.long)
    torch.testing.assert_close(module(x, chosen=given_places).out, expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("combine", ["joint", "sum", "mean"])
@pytest.mark.parametrize("select", ["grid", "norm", "learned", "pooled", "none"])
def test_a_padding_token_is_given_no_weight(select: str, combine: str) -> None:
    """Real rows put nothing on padding, and all their weight on what is real, with every combination."""
    module, x = longformer(6, select=select, combine=combine, radius=2, globals=4), tokens()
    keep = torch.ones(3, 6, 6, dtype=torch.bool)
    keep[1, 4:] = False
    keep[2, :, 2:] = False
    keep = keep.flatten(1)
    weights = module.probabilities(x, keep).detach()
    on_padding = weights[..., :36] * ~keep[:, None, None, :]
    assert float(on_padding[keep[:, None].expand(-1, 2, -1)].abs().max()) == 0.0
    if select == "pooled":
        empty = ~(module.cells & keep[:, None, :]).any(-1)
        assert bool(empty.any())
        assert float((weights[..., 36:] * empty[:, None, None, :]).abs().max()) == 0.0
    total = weights.sum(-1)[keep[:, None].expand(-1, 2, -1)]
    if combine != "sum" or select == "none":
        torch.testing.assert_close(total, torch.ones_like(total), rtol=0, atol=TOLERANCE)
    else:
        assert set(total.round(decimals=9).tolist()) <= {1.0, 2.0}


@pytest.mark.parametrize("combine", ["sum", "mean"])
@pytest.mark.parametrize("select", ["grid", "learned"])
def test_padding_is_as_if_cut_away_where_paths_are_added(select: str, combine: str) -> None:
    """By hand over the real tokens alone: a near softmax plus a global one, halved by the mean."""
    module, x = longformer(4, 8, 2, select=select, combine=combine, radius=1, globals=3, bias="none"), tokens(4, 8, 1)
    keep = torch.ones(1, 16, dtype=torch.bool)
    keep[0, 12:] = False
    places = [0, 5, 10]
    y = module.norm(x)
    near, wide = module.split_heads(module.qkv(y)), module.split_heads(module.qkv_global(y))
    rows = torch.zeros(1, 2, 12, 4, dtype=torch.float64)
    for head in range(2):
        for query in range(12):
            seen = [key for key in range(12) if bool(module.near[query, key])]
            table = module.attention_biases[head, module.offsets[query, seen]]
            first = (near.q[0, head, query] @ near.k[0, head, seen].T / 2 + table).softmax(0)
            keys = list(range(12)) if query in places else places
            raised = y[0, keys] @ module.score if select == "learned" and query not in places else 0.0
            second = (wide.q[0, head, query] @ wide.k[0, head, keys].T / 2 + raised).softmax(0)
            rows[0, head, query] = first @ near.v[0, head, seen] + second @ wide.v[0, head, keys]
    expected = module.join_heads(rows if combine == "sum" else rows / 2)
    found = module(x, keep, chosen=torch.tensor([places])).out[:, :12]
    torch.testing.assert_close(found, expected, rtol=0, atol=TOLERANCE)


def test_received_attention_counts_no_padding_rows() -> None:
    module, x = longformer(4, 8, 2, select="previous", radius=1, globals=2), tokens(4, 8, 1)
    keep = torch.ones(1, 16, dtype=torch.bool)
    keep[0, 12:] = False
    received = module(x, keep, want_received=True).received.detach()
    weights = module.probabilities(x, keep).detach()[0].sum(0)
    for key in range(12):
        rows = [query for query in range(12) if weights[query, key] > 0]
        assert float(received[0, key]) == pytest.approx(float(weights[rows, key].sum()) / len(rows))
    assert float(received[0, 12:].abs().max()) == 0.0


def test_dense_attention_gives_padding_no_weight() -> None:
    module, x = dense(), tokens()
    keep = torch.arange(36).expand(3, -1) < 24
    weights = module.probabilities(x, keep)
    assert float(weights.detach()[..., 24:].max()) == 0.0
    values = module.split_heads(module.qkv(module.norm(x))).v
    torch.testing.assert_close(module.join_heads(weights @ values), module(x, keep), rtol=0, atol=TOLERANCE)


def test_of_equal_scores_padding_is_picked_last() -> None:
    module = longformer(4, 8, 2, select="norm", globals=3)
    keep = torch.zeros(1, 16, dtype=torch.bool)
    keep[0, [3, 7, 9]] = True
    assert sorted(module.choose(torch.ones(1, 16, 8).double(), keep).places[0].tolist()) == [3, 7, 9]


@pytest.mark.parametrize("combine", ["sum", "mean"])
def test_without_a_real_global_only_the_near_path_counts_and_counts_whole(combine: str) -> None:
    module, x = longformer(4, 8, 2, combine=combine, radius=1, globals=2), tokens(4, 8, 1)
    keep = torch.arange(16)[None] < 12
    found = module(x, keep, chosen=torch.tensor([[13, 15]])).out[:, :12]
    near = module.split_heads(module.qkv(module.norm(x)))
    rows = torch.zeros(1, 2, 12, 4, dtype=torch.float64)
    for head in range(2):
        for query in range(12):
            seen = [key for key in range(12) if bool(module.near[query, key])]
            table = module.attention_biases[head, module.offsets[query, seen]]
            shares = (near.q[0, head, query] @ near.k[0, head, seen].T / 2 + table).softmax(0)
            rows[0, head, query] = shares @ near.v[0, head, seen]
    torch.testing.assert_close(found, module.join_heads(rows), rtol=0, atol=TOLERANCE)
