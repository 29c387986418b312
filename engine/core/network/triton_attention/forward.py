"""The forward kernel: takes projections, the bias table and the globals, gives the output and its log-sum-exp."""

from __future__ import annotations

import triton
import triton.language as tl

from engine.core.network.triton_attention.tiles import (
    global_logits,
    key_blocks,
    load_globals,
    load_kinds,
    load_part,
    near_logits,
    tokens_of,
)


@triton.jit
def fold_in(logits, v, top, total, mixed, PRECISION: tl.constexpr):
    """Add more keys to a softmax that is under way: its largest logit, its sum and its mixed values."""
    new_top = tl.maximum(top, tl.max(logits, 1))
    safe = tl.where(new_top == float("-inf"), 0.0, new_top)
    fade = tl.exp2(top - safe)
    powers = tl.exp2(logits - safe[:, None])
    mixed = mixed * fade[:, None] + tl.dot(powers.to(v.dtype), v, input_precision=PRECISION)
    return new_top, total * fade + tl.sum(powers, 1), mixed


@triton.jit
def attend_forward(qkv, table, kind, places, score, out, lse, kind_step, place_step, WINDOW: tl.constexpr,
                   SIDE: tl.constexpr, HEADS: tl.constexpr, DIM: tl.constexpr, BLOCK_D: tl.constexpr,
                   REACH: tl.constexpr, RASTER: tl.constexpr, GLOBALS: tl.constexpr, BLOCK_G: tl.constexpr,
                   HAS_KIND: tl.constexpr, HAS_SCORE: tl.constexpr, ITSELF: tl.constexpr, BLOCK_M: tl.constexpr,
                   BLOCK_N: tl.constexpr, SCALE: tl.constexpr, PRECISION: tl.constexpr):  # fmt: skip
    """One block of rows of one region and head: its keys block by block, those out of its reach left out."""
    BLOCKS: tl.constexpr = (SIDE * SIDE + BLOCK_M - 1) // BLOCK_M
    TILES: tl.constexpr = (WINDOW // SIDE) * (WINDOW // SIDE)
    head = tl.program_id(0) % HEADS
    block = tl.program_id(0) // HEADS % BLOCKS
    region = tl.program_id(0) // (HEADS * BLOCKS)
    window, tile = region // TILES, region % TILES
    rows = block * BLOCK_M + tl.arange(0, BLOCK_M)
    real = rows < SIDE * SIDE
    tokens = tokens_of(rows, tile, WINDOW, SIDE)
    q = load_part(qkv, window, tokens, real, head, 0, WINDOW, HEADS, DIM, BLOCK_D)
    top = tl.full((BLOCK_M,), float("-inf"), tl.float32)
    total = tl.zeros((BLOCK_M,), tl.float32)
    mixed = tl.zeros((BLOCK_M, BLOCK_D), tl.float32)
    if GLOBALS > 0:
        at, alive = load_globals(places, place_step, kind, kind_step, window, GLOBALS, BLOCK_G, HAS_KIND)
        far_k = load_part(qkv, window, at, alive, head, 1, WINDOW, HEADS, DIM, BLOCK_D)
        far_v = load_part(qkv, window, at, alive, head, 2, WINDOW, HEADS, DIM, BLOCK_D)
        far = global_logits(q, far_k, table, score, window, head, tokens, real, at, alive, WINDOW, GLOBALS, BLOCK_G,
                            HAS_SCORE, SCALE, PRECISION)  # fmt: skip
        top, total, mixed = fold_in(far, far_v, top, total, mixed, PRECISION)
    first, end = key_blocks(block, SIDE, REACH, RASTER, BLOCK_M, BLOCK_N)
    for step in range(first, end):
        keys = step * BLOCK_N + tl.arange(0, BLOCK_N)
        inside = keys < SIDE * SIDE
        key_tokens = tokens_of(keys, tile, WINDOW, SIDE)
        kinds = load_kinds(kind, kind_step, window, key_tokens, inside, HAS_KIND)
        k = load_part(qkv, window, key_tokens, inside, head, 1, WINDOW, HEADS, DIM, BLOCK_D)
        v = load_part(qkv, window, key_tokens, inside, head, 2, WINDOW, HEADS, DIM, BLOCK_D)
        logits = near_logits(q, k, table, head, rows, keys, kinds, WINDOW, SIDE, REACH, RASTER, ITSELF, SCALE,
                             PRECISION)  # fmt: skip
        top, total, mixed = fold_in(logits, v, top, total, mixed, PRECISION)
    channel = tl.arange(0, BLOCK_D)
    at_out = out + window.to(tl.int64) * (WINDOW * WINDOW * HEADS * DIM) + head * DIM
    total = tl.where(total > 0.0, total, 1.0)
    mixed = mixed / total[:, None]
    tl.store(at_out + tokens[:, None] * (HEADS * DIM) + channel[None, :], mixed.to(out.dtype.element_ty),
             mask=real[:, None] & (channel < DIM)[None, :])  # fmt: skip
    at_lse = lse + (window.to(tl.int64) * HEADS + head) * (WINDOW * WINDOW)
    tl.store(at_lse + tokens, top + tl.log2(total), mask=real)
