"""What a pattern needs, against the weights of the reference formula and against loops over every pair."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from engine.core.algorithm_macs import count_algorithm_macs, count_pairs
from engine.core.measure import count_macs
from engine.core.network.build import build_network, build_pruned
from engine.core.network.tiny_vit import TinyViT
from engine.spec import Student
from tests.core.network.nets import longformer, network, sparse, student, tokens

PATTERNS: list[dict[str, Any]] = [
    {"pattern": "slide", "radius": 1}, {"pattern": "row", "radius": 1}, {"pattern": "block", "tile": 3},
]  # fmt: skip
CHOICES: list[dict[str, Any]] = [
    {"globals": 3}, {"select": "none"}, {"select": "pooled", "globals": 4}, {"globals": 36}, {"globals": 1},
]  # fmt: skip


@pytest.mark.parametrize("choice", CHOICES)
@pytest.mark.parametrize("pattern", PATTERNS)
def test_pairs_are_the_weights_that_are_not_zero(pattern: dict[str, Any], choice: dict[str, Any]) -> None:
    module = longformer(6, **pattern, **choice)
    weights = module.probabilities(tokens(6, windows=1))[0, 0]
    pairs = count_pairs(module.sparse, 6, 6, 6)
    assert pairs.local + pairs.wide == int((weights > 0).sum())
    assert pairs.tokens == 36


@pytest.mark.parametrize("pattern", PATTERNS)
def test_pairs_of_a_padded_window_are_those_of_its_real_tokens(pattern: dict[str, Any]) -> None:
    module = longformer(6, **pattern, globals=4)
    keep = torch.zeros(1, 6, 6, dtype=torch.bool)
    keep[:, :4, :5] = True
    keep = keep.flatten(1)
    weights = module.probabilities(tokens(6, windows=1), keep)[0, 0]
    pairs = count_pairs(module.sparse, 6, 4, 5)
    assert pairs.local + pairs.wide == int((weights > 0)[keep[0]].sum())
    assert pairs.tokens == 20


@pytest.mark.parametrize("combine", ["sum", "mean"])
def test_two_softmaxes_look_at_more_pairs(combine: str) -> None:
    """The near ones of every row; the globals of every row, and the whole window of the global ones."""
    pairs = count_pairs(sparse(6, pattern="slide", radius=1, globals=3, combine=combine), 6, 6, 6)
    near = sum(1 for a in range(36) for b in range(36) if abs(a // 6 - b // 6) <= 1 and abs(a % 6 - b % 6) <= 1)
    assert (pairs.local, pairs.wide) == (near, 33 * 3 + 3 * 36)


@pytest.mark.parametrize("attention", [
    {"pattern": "slide", "radius": 6, "projections": "shared"},
    {"pattern": "slide", "radius": 6, "select": "none"},
    {"pattern": "row", "radius": 6, "projections": "shared"},
])  # fmt: skip
def test_a_covering_neighbourhood_needs_what_dense_attention_does(attention: dict[str, Any]) -> None:
    dense = network(56)
    assert count_algorithm_macs(dense, 56) == count_macs(dense, 56)
    assert count_algorithm_macs(network(56, attention), 56) == count_macs(dense, 56)


def test_a_second_set_costs_the_cheaper_of_two_ways() -> None:
    """N 49, C 32, h 2, g 4 in stage 1: absorbed 3gC^2 + 2hgNC, else 2NC^2 + gC^2 + 2gNC (science of the attention)."""
    words = {"pattern": "slide", "radius": 6, "globals": 4}
    dual, shared = network(56, words), network(56, {**words, "projections": "shared"})
    extra = 0
    for side, dim, heads, depth in ((7, 32, 2, 2), (4, 48, 3, 2), (2, 64, 4, 1)):
        n, g = side**2, 4
        wide = 2 * g * n * dim
        absorbed = 3 * g * dim**2 + 2 * heads * g * n * dim
        extra += depth * (min(absorbed, 2 * n * dim**2 + g * dim**2 + wide) - wide)
    assert count_algorithm_macs(dual, 56) - count_algorithm_macs(shared, 56) == extra


def test_sparse_patterns_need_less_than_is_computed() -> None:
    net = network(56, {"pattern": "slide", "radius": 1, "globals": 1})
    assert count_algorithm_macs(net, 56) < count_macs(net, 56)


@pytest.mark.parametrize(("arch", "change"), [("tiny_vit_5m", -0.054), ("tiny_vit_21m", -0.035)])
def test_whole_networks_need_what_was_reckoned_by_hand(arch: str, change: float) -> None:
    """At 224 px and windows 7, 7, 14, 7, with r 2 and g 4, in the window of 14 r 3 and g 8; against dense."""
    words: dict[str, Any] = {"kind": "longformer", "radius": [2, 3, 2], "globals": [4, 8, 4], "projections": "shared"}
    models = [Student.model_validate({"arch": arch, **more}) for more in ({}, {"attention": words})]
    before, after = (count_algorithm_macs(build_network(model, 1000, 224), 224) for model in models)
    assert after / before - 1 == pytest.approx(change, abs=6e-4)


def test_padding_counts_only_where_it_is_looked_at() -> None:
    """Stage 1 is 7 x 7 in windows of 4: four windows of 16, 12, 12 and 9 real tokens."""
    masked, whole = (network(56, windows=[4, 4, 4, 2], padding=word) for word in ("mask", "timm"))
    assert count_algorithm_macs(whole, 56) == count_macs(whole, 56) == count_macs(masked, 56)
    wasted = (4 * 16 - 49) * 4 * 32**2 + (4 * 16**2 - (16**2 + 2 * 12**2 + 9**2)) * 2 * 32
    assert count_macs(masked, 56) - count_algorithm_macs(masked, 56) == 2 * wasted


def test_a_learned_score_is_a_product_with_every_token() -> None:
    grid, learned = (network(56, {"radius": 1, "globals": 2, "select": word}) for word in ("grid", "learned"))
    tokens_and_dims = ((49, 32, 2), (16, 48, 2), (4, 64, 1))
    expected = sum(number * dim * depth for number, dim, depth in tokens_and_dims)
    assert count_algorithm_macs(learned, 56) - count_algorithm_macs(grid, 56) == expected


def test_pruned_heads_are_not_counted() -> None:
    model = student(attention={"pattern": "slide", "radius": 1, "select": "none"})
    whole = build_network(model, 10, 56)
    assert isinstance(whole, TinyViT)
    widths = replace(whole.widths, heads=((1, 1), *whole.widths.heads[1:]))
    pruned = build_pruned(model, 10, 56, widths)
    pairs = count_pairs(whole.shape.stages[1].sparse, 7, 7, 7).local
    a_head = 4 * 49 * 32 * 16 + 2 * 16 * pairs
    assert count_algorithm_macs(whole, 56) - count_algorithm_macs(pruned, 56) == 2 * a_head


def test_another_network_needs_what_it_computes() -> None:
    class Plain(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.layer = nn.Conv2d(3, 5, 3)

        def forward(self, images: Tensor) -> Tensor:
            return self.layer(images)  # type: ignore[no-any-return]

    assert count_algorithm_macs(Plain(), 8) == count_macs(Plain(), 8) == 36 * 5 * 27
    assert not isinstance(Plain(), TinyViT)
