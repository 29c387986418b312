"""The fast paths against the reference: outputs and gradients, for every case that they cover."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from engine.core.network import fast
from engine.core.network.attention import LongformerAttention
from engine.core.network.sparse import SELECTS
from engine.spec.patterns import PATTERNS
from tests.core.network.nets import longformer, tokens


def results(module: LongformerAttention, x: Tensor, chosen: Tensor | None) -> list[Tensor]:
    """Return output, input gradient and all parameter gradients of one backend."""
    module.zero_grad()
    x = x.clone().requires_grad_()
    out = module(x, chosen=chosen).out
    out.mul(torch.arange(out.numel(), dtype=out.dtype).view_as(out).cos()).sum().backward()
    assert x.grad is not None
    return [out.detach(), x.grad, *(p.grad if p.grad is not None else torch.zeros(1) for p in module.parameters())]


def compare(module: LongformerAttention, x: Tensor, chosen: Tensor | None, limit: float = 1e-11) -> None:
    backend, module.backend = module.backend, "reference"
    expected = results(module, x, chosen)
    module.backend = backend
    assert fast.can_run(module, x, None, False)
    found = results(module, x, chosen)
    largest = max(float(value.abs().max()) for value in expected[1:])
    for mine, theirs in zip(found, expected, strict=True):
        assert float((mine - theirs).abs().max()) < limit * max(largest, 1.0)
    with torch.no_grad():
        torch.testing.assert_close(module(x, chosen=chosen).out, expected[0], rtol=0, atol=limit)


@pytest.mark.parametrize("backend", ["auto", "sdpa"])
@pytest.mark.parametrize("select", SELECTS)
@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize(("projections", "bias"), [("dual", "shared"), ("shared", "separate"), ("dual", "none")])
def test_fast_paths_equal_the_reference(backend: str, select: str, pattern: str, projections: str, bias: str) -> None:
    words: dict[str, Any] = {"pattern": pattern, "select": select, "projections": projections, "bias": bias}
    compare(longformer(6, backend=backend, tile=3, radius=1, globals=3, **words), tokens(), None)


@pytest.mark.parametrize("pattern", PATTERNS)
def test_given_globals_are_used(pattern: str) -> None:
    module = longformer(6, pattern=pattern, tile=2, radius=1, globals=2)
    compare(module, tokens(), torch.tensor([[0, 7], [35, 3], [11, 12]]))


@pytest.mark.parametrize("count", [1, 4, 30])
def test_absorbed_and_direct_projections_agree(count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    module, x = longformer(6, globals=count, radius=1), tokens()
    outs = []
    for absorbed in (True, False):
        monkeypatch.setattr(fast, "is_absorbed", lambda _, flag=absorbed: flag)
        outs.append(results(module, x, None))
    for one, other in zip(*outs, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-11)


def test_absorbing_is_chosen_where_it_costs_less() -> None:
    assert fast.is_absorbed(longformer(14, 128, 4, globals=4))
    assert not fast.is_absorbed(longformer(7, 32, 8, globals=49))


@pytest.mark.parametrize("pattern", ["slide", "block"])
@pytest.mark.parametrize("select", ["grid", "norm", "learned", "pooled", "none"])
def test_lean_attention_changes_no_gradient(pattern: str, select: str) -> None:
    module, x = longformer(6, pattern=pattern, tile=3, select=select), tokens()
    plain = results(module, x, None)
    module.lean = True
    for one, other in zip(results(module, x, None), plain, strict=True):
        torch.testing.assert_close(one, other, rtol=0, atol=1e-11)


@settings(max_examples=20, deadline=None)
@given(
    tile=st.integers(1, 4),
    side=st.integers(2, 3),
    count=st.integers(0, 9),
    heads=st.integers(1, 3),
    select=st.sampled_from(list(SELECTS)),
)
def test_block_pattern_equals_the_reference_for_any_shape(
    tile: int, side: int, count: int, heads: int, select: str
) -> None:
    window = tile * side
    count = min(count, window**2)
    module = longformer(window, 4 * heads, heads, pattern="block", tile=tile, globals=count, select=select)
    compare(module, tokens(window, 4 * heads, 2), None)


def test_bf16_stays_near_the_reference() -> None:
    module = longformer(6, pattern="block", tile=3).float()
    x = tokens().float()
    expected = module(x).out
    with torch.autocast("cpu", torch.bfloat16):
        found = module(x).out
        found.float().square().sum().backward()
    torch.testing.assert_close(found.float(), expected, rtol=0.1, atol=0.1)


@pytest.mark.parametrize("select", SELECTS)
def test_a_choice_of_globals_works_in_bf16_too(select: str) -> None:
    """A learned score is bf16 under autocast, and is put among the biases, which are not."""
    module = longformer(6, pattern="block", tile=3, select=select).float()
    with torch.autocast("cpu", torch.bfloat16):
        module(tokens().float()).out.float().square().sum().backward()
    assert all(parameter.grad is not None for parameter in module.parameters())
