"""Dense window attention against its formula, one head and query at a time."""

from __future__ import annotations

import math

import torch

from tests.core.network.nets import dense, tokens

TOLERANCE = 1e-12


def test_dense_attention_without_gradients_equals_the_one_with() -> None:
    module, x = dense(), tokens()
    with_grad = module(x)
    with torch.no_grad():
        torch.testing.assert_close(module(x), with_grad, rtol=0, atol=TOLERANCE)
    weights = module.probabilities(x)
    values = module.split_heads(module.qkv(module.norm(x))).v
    torch.testing.assert_close(module.join_heads(weights @ values), with_grad, rtol=0, atol=TOLERANCE)


def test_dense_attention_equals_a_plain_loop() -> None:
    module, x = dense(3, 8, 2), tokens(3, 8, 1)
    q, k, v = (part[0] for part in module.split_heads(module.qkv(module.norm(x))))
    rows = torch.zeros(1, 2, 9, 4, dtype=torch.float64)
    for head in range(2):
        for query in range(9):
            apart = [3 * abs(query // 3 - key // 3) + abs(query % 3 - key % 3) for key in range(9)]
            logits = q[head, query] @ k[head].T / math.sqrt(4) + module.attention_biases[head, apart]
            rows[0, head, query] = logits.softmax(0) @ v[head]
    torch.testing.assert_close(module(x), module.join_heads(rows), rtol=0, atol=TOLERANCE)


def test_padding_keys_get_no_weight() -> None:
    module, x = dense(3, 8, 2), tokens(3, 8, 1)
    keep = torch.ones(1, 9, dtype=torch.bool)
    keep[0, 6:] = False
    weights = module.probabilities(x, keep).detach()
    assert float(weights[..., 6:].abs().max()) == 0.0
    other = torch.where(keep[..., None], x, torch.full_like(x, 5.0))
    torch.testing.assert_close(module(other, keep)[:, :6], module(x, keep)[:, :6], rtol=0, atol=0)


def test_channels_of_a_head_lie_together() -> None:
    module = dense(2, 8, 2)
    heads = module.split_heads(torch.arange(24.0).expand(1, 4, 24))
    assert heads.q[0, :, 0].tolist() == [[0, 1, 2, 3], [12, 13, 14, 15]]
    assert heads.k[0, :, 0].tolist() == [[4, 5, 6, 7], [16, 17, 18, 19]]
    assert heads.v[0, :, 0].tolist() == [[8, 9, 10, 11], [20, 21, 22, 23]]
